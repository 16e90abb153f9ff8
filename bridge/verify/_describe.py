"""The settings that decide what a model computes, read off the objects themselves."""

import ast
import dataclasses
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from bridge._registry import REGISTRY
from bridge._sources import load_source
from bridge.verify._cases import ARCHITECTURES, EXPERIMENTS, Case, CaseName
from bridge.verify._data_cases import DataCase, batches_of, control_windows
from bridge.verify._training_cases import TrainingCase
from experiment.settings import Settings

_ROOT = Path(__file__).parents[2]
ROWS_PER_CASE = 12


@dataclass(frozen=True)
class Row:
    """One setting of both sides; `mark` says if it is equal."""

    case: str
    setting: str
    control: str
    candidate: str
    mark: str

    @property
    def unequal(self) -> bool:
        """Whether it differs without a line in docs/known_differences.md."""
        return self.mark == "UNEQUAL"


def described() -> list[Row]:
    """Every setting of both sides, for every architecture and experiment."""
    known = (_ROOT / "docs" / "known_differences.md").read_text()
    rows = []
    for experiment in EXPERIMENTS:
        for architecture in ARCHITECTURES:
            for batch_norm in (True, False):
                name = CaseName(experiment, architecture, "float32", batch_norm)
                case = Case(name)
                control = describe(case.control, case.control.network)
                candidate = describe(case.candidate, candidate_native(case))
                for key in {**control, **candidate}:
                    left, right = control.get(key, "-"), candidate.get(key, "-")
                    where = f"{name}: {key}"
                    mark = "equal" if left == right else "UNEQUAL"
                    if mark == "UNEQUAL" and where in known:
                        mark = "known"
                    rows.append(Row(str(name), key, left, right, mark))
    for experiment in EXPERIMENTS:
        name = CaseName(experiment, "unet", "float64")
        case = TrainingCase(name)
        control = describe_trainer(case.control())
        candidate = describe_trainer(case.candidate())
        for key in {**control, **candidate}:
            left, right = control.get(key, "-"), candidate.get(key, "-")
            mark = "equal" if left == right else "UNEQUAL"
            if mark == "UNEQUAL" and f"trainer-{name}: {key}" in known:
                mark = "known"
            rows.append(Row(f"trainer-{name}", key, left, right, mark))
    for experiment in EXPERIMENTS:
        name = CaseName(experiment, "convnet", "float64", batch_norm=False)
        case = DataCase(name)
        control = describe_loader(case, case.control())
        candidate = describe_loader(case, case.candidate())
        label = f"data-{experiment}"
        for key in {**control, **candidate}:
            left, right = control.get(key, "-"), candidate.get(key, "-")
            mark = "equal" if left == right else "UNEQUAL"
            if mark == "UNEQUAL" and f"{label}: {key}" in known:
                mark = "known"
            rows.append(Row(label, key, left, right, mark))
    return rows


def describe_trainer(trainer: Any) -> dict[str, str]:
    """What a trainer trains with, in words, by setting."""
    (group,) = trainer.optimiser.param_groups
    decoupled = group.get("decoupled_weight_decay", False)
    training = trainer.settings.trainer
    return {
        "optimiser": type(trainer.optimiser).__name__,
        "learning rate": str(group["lr"]),
        "betas": str(tuple(group["betas"])),
        "eps": str(group["eps"]),
        "weight decay": str(group["weight_decay"]),
        "decay kind": "decoupled" if decoupled else "added to the gradient",
        "amsgrad": str(group["amsgrad"]),
        "trained leaves": str(len(group["params"])),
        "schedule": training.synthetic.schedule,
        "clipping": str(training.synthetic.clip_norm),
        "autocast": training.amp,
        "batch size": str(training.batch_size),
        "batches an epoch": str(len(trainer._train_loader)),
    }


def describe_loader(case: DataCase, loader: Any) -> dict[str, str]:
    """What a loader of training windows gives, in words, by setting; measured."""
    batches = batches_of(loader, 1)
    sizes = [len(batch) for batch in batches]
    known = {w.tobytes(): i for i, w in enumerate(control_windows(case.control()))}
    order = [known.get(window.tobytes(), -1) for b in batches for window in b]
    return {
        "batch size": str(max(sizes)),
        "batches an epoch": str(len(batches)),
        "windows an epoch": f"{sum(sizes)} of {len(known)}",
        "last batch": "kept" if sum(sizes) == len(known) else "dropped",
        "order of epoch 1": f"windows {', '.join(map(str, order[:8]))}, ...",
        "window (channels, frames, x, y)": str(batches[0].shape[1:]),
        "dtype": str(batches[0].dtype),
    }


def sources(case: str) -> str:
    """File and line of both sides' classes."""
    component, name = "model", (case.split("-") + [""])[1]
    if case.startswith("trainer-"):
        component, name = "trainer", "synthetic"
    if case.startswith("data-"):
        component, name = "data", "windows"
    lines = []
    for side in ("legacy", "phiml"):
        kind = load_source(REGISTRY[component][side][name], "registry")
        file = Path(inspect.getfile(kind)).relative_to(_ROOT)
        lines.append(f"{side} {file}:{inspect.getsourcelines(kind)[1]}")
    return ", ".join(lines)


def candidate_native(case: Case) -> nn.Module:
    """The framework object inside the candidate."""
    model: Any = case.candidate
    return model.model.network.native


def describe(model: nn.Module, network: nn.Module) -> dict[str, str]:
    """What a model computes with, in words, by setting.

    Args:
        model: The surrogate, for what surrounds the network.
        network: Holds the layers.
    """
    found: dict[str, list[str]] = {}

    def note(setting: str, value: object) -> None:
        found.setdefault(setting, []).append(str(value))

    for layer in network.modules():
        if isinstance(layer, nn.modules.conv._ConvNd):
            note("convolution kernels", "x".join(map(str, layer.kernel_size)))
            width = layer.kernel_size[0]
            if width > 1:
                note("convolution boundary", _boundary(layer))
            note("convolution strides", layer.stride)
        elif isinstance(layer, nn.modules.batchnorm._BatchNorm):
            note("batch norm eps", layer.eps)
            note("batch norm momentum", layer.momentum)
            note("batch norm statistics kept", layer.track_running_stats)
        elif type(layer).__module__ == "torch.nn.modules.pooling":
            note("pooling", f"{type(layer).__name__} {_number(layer)}")
    rows = {key: _summed(values) for key, values in found.items()}
    plan: Any = model.plan
    parameters = list(model.parameters())
    rows["parameters"] = str(sum(p.numel() for p in parameters))
    rows["buffers"] = str(sum(b.numel() for b in model.buffers()))
    rows["dtype"] = ", ".join(sorted({str(p.dtype) for p in parameters}))
    rows["device"] = ", ".join(sorted({str(p.device) for p in parameters}))
    rows["channels"] = ", ".join(plan.names)
    rows["network inputs"] = ", ".join(plan.names[i] for i in plan.network_inputs)
    rows["residual on"] = _residual(model, plan)
    rows["mode after train()"] = _mode(model, network, True)
    rows["mode after eval()"] = _mode(model, network, False)
    return rows


def _boundary(layer: nn.Module) -> str:
    """Measured, as sides pad in their own ways: a constant stays one if periodic."""
    weight = cast(torch.Tensor, layer.weight)
    ones = torch.ones(1, weight.shape[1], *(6,) * (weight.ndim - 2), dtype=weight.dtype)
    with torch.no_grad():
        result = layer(ones)
    if result.shape[2:] != ones.shape[2:]:
        return "none"
    spread = (
        result.amax((0, *range(2, result.ndim)))
        - result.amin((0, *range(2, result.ndim)))
    ).max()
    return "periodic" if spread < 1e-5 else "zero"


def _number(layer: Any) -> int:
    size = layer.kernel_size
    return size[0] if isinstance(size, tuple) else size


def _summed(values: list[str]) -> str:
    kinds = dict.fromkeys(sorted(values))
    return ", ".join(f"{values.count(k)} x {k}" for k in kinds)


def _residual(model: nn.Module, plan: Any) -> str:
    """Which channels are added to the change: measured with a network that gives 0."""
    held = {n: p.detach().clone() for n, p in model.named_parameters()}
    state = torch.randn(
        1, len(plan.names), 12, 16, dtype=next(iter(held.values())).dtype
    )
    try:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
            after = model.eval()(state)
    finally:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(held[name])
    kept = [
        n for i, n in enumerate(plan.names) if torch.equal(after[:, i], state[:, i])
    ]
    return ", ".join(kept) or "none"


def _mode(model: nn.Module, network: nn.Module, training: bool) -> str:
    model.train(training)
    modes = {m.training for m in network.modules()}
    return ", ".join("train" if m else "eval" for m in sorted(modes))


def unread_keys() -> list[str]:
    """Config keys whose name no source file reads as an attribute or in a string."""
    read: set[str] = set()
    for room in ("experiment", "legacy", "phiml_port", "bridge"):
        for file in (_ROOT / room).rglob("*.py"):
            if file.name == "_settings.py":
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute):
                    read.add(node.attr)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    read.add(node.value)
    read |= {"name"}
    return [key for key in _keys(Settings) if key.rsplit(".", 1)[-1] not in read]


def _keys(kind: Any, above: str = "") -> list[str]:
    keys = []
    for field in dataclasses.fields(kind):
        inner = _dataclasses_in(field.type)
        if inner:
            for group in inner:
                keys += _keys(group, f"{above}{field.name}.")
        else:
            keys.append(f"{above}{field.name}")
    return list(dict.fromkeys(keys))


def _dataclasses_in(annotation: Any) -> list[Any]:
    inner = [annotation, *getattr(annotation, "__args__", ())]
    for part in list(inner):
        inner += getattr(part, "__args__", ())
    return [k for k in inner if inspect.isclass(k) and dataclasses.is_dataclass(k)]
