"""The settings that decide what a model computes, read off the objects themselves."""

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import nn

from bridge.harness import Row
from bridge.ladders.cases import EXPERIMENTS, CaseName
from bridge.ladders.models_cases import ModelCase
from bridge.ladders.run_cases import RunCase
from bridge.ladders.settings_rows import rows, unread_keys
from experiment.settings import ARCHITECTURES


def settings_rows() -> Iterator[Row]:
    """Both models' settings for every experiment and architecture; unread keys."""
    for experiment in EXPERIMENTS:
        for architecture in ARCHITECTURES:
            for batch_norm in (True, False):
                yield from case_rows(
                    CaseName(experiment, architecture, "float32", batch_norm)
                )
    unread = ", ".join(unread_keys()) or "none"
    mark = "equal" if unread == "none" else "UNEQUAL"
    yield Row("configuration", "config keys that no code reads", "none", unread, mark)


def case_rows(name: CaseName | RunCase) -> Iterator[Row]:
    """Both models' settings in a case."""
    case = ModelCase(name)
    surrogate, network = case.candidate.model, case.candidate.model.network
    native = getattr(network, "native", case.candidate_network)
    control = describe(case, case.control, case.control.network, case.control.plan)
    candidate = describe(case, case.candidate, native, surrogate.plan)
    yield from rows(str(name), case.settings, "model", control, candidate)


def describe(
    case: ModelCase, model: nn.Module, network: nn.Module, plan: Any
) -> dict[str, str]:
    """What a model computes with, in words, by setting.

    Args:
        case: The case, for a state that the model takes.
        model: The surrogate, for what surrounds the network.
        network: Has the layers.
        plan: The channels and their roles.
    """
    noted: dict[str, list[str]] = {}

    def note(setting: str, value: object) -> None:
        noted.setdefault(setting, []).append(str(value))

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
    rows = {key: _summed(values) for key, values in noted.items()}
    if "pooling" in noted:
        # A side may use one layer several times.
        rows["pooling"] = ", ".join(sorted(set(noted["pooling"])))
    parameters = list(model.parameters())
    rows["parameters"] = str(sum(p.numel() for p in parameters))
    rows["buffers"] = str(sum(b.numel() for b in model.buffers()))
    rows["dtype"] = ", ".join(sorted({str(p.dtype) for p in parameters}))
    rows["device"] = ", ".join(sorted({str(p.device) for p in parameters}))
    rows["channels"] = ", ".join(plan.names)
    rows["network inputs"] = ", ".join(plan.names[i] for i in plan.network_inputs)
    rows["residual on"] = _residual(model, plan, case.states[:1])
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


def _residual(model: nn.Module, plan: Any, state: torch.Tensor) -> str:
    """Which channels are added to the change: measured with a network that gives 0."""
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    try:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
            after = model.eval()(state)
    finally:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(before[name])
    kept = [
        n for i, n in enumerate(plan.names) if torch.equal(after[:, i], state[:, i])
    ]
    return ", ".join(kept) or "none"


def _mode(model: nn.Module, network: nn.Module, training: bool) -> str:
    model.train(training)
    modes = {m.training for m in network.modules()}
    return ", ".join("train" if m else "eval" for m in sorted(modes))
