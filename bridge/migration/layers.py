"""Each layer of a torch module by itself, fed what the control's layer got."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from bridge.harness import Findings, Verdict, compare, failed, passed
from bridge.migration.arrays import flatten, is_torch, mapped, real, to_numpy
from bridge.migration.causes import cause
from bridge.migration.observing import forward, looked
from bridge.migration.pair import Pair
from bridge.migration.torch_modules import TorchSubject


def has_layers(pair: Pair) -> bool:
    """Whether both sides are modules whose layers can be called one by one."""
    return all(
        isinstance(s, TorchSubject) and not s.side.layout and s.object is s.plain
        for s in (pair.control, pair.candidate)
    )


def layers_rung(pair: Pair) -> Findings:
    """Each layer that has leaves of its own, in evaluation mode."""
    if not has_layers(pair):
        yield passed("layers can't be called one by one; the whole is compared [R3]")
        return
    control, candidate, oracle = pair.control, pair.candidate, pair.oracle
    assert isinstance(control, TorchSubject) and isinstance(candidate, TorchSubject)
    assert isinstance(oracle, TorchSubject)
    for subject in (control, candidate, oracle):
        pair.refill(subject)
        subject.plain.eval()
    layers = _layers(control.plain)
    calls = _calls(pair, control, layers)
    twins = dict(candidate.plain.named_modules())
    truths = dict(oracle.plain.named_modules())
    found = 0
    for name, (args, kwargs) in calls.items():
        twin = twins.get(_own(pair, name, layers[name]))
        if twin is None:
            continue
        found += 1
        with torch.no_grad():
            expected = flatten(layers[name](*_copy(args), **kwargs))
            try:
                with candidate.changes.context():
                    actual = flatten(twin(*_copy(args), **kwargs))
            except Exception as error:
                hint = f"raised {type(error).__name__}: {error}"
                yield failed(f"layer {name}", "structure", hint)
                continue
            wide = mapped(list(args), oracle._cast)
            truth = flatten(truths[name](*_copy(wide), **kwargs))
        for path, value in expected.items():
            where = f"layer {name}{f' {path}' if path else ''}"
            if path not in actual:
                yield failed(where, "structure", "missing in the candidate")
                continue
            depth = pair.depth
            finding = compare(
                where,
                *(real(to_numpy(v)) for v in (actual[path], value, truth[path])),
                factor=2,
                depth=depth,
            )
            if finding.verdict is Verdict.FAILED and not finding.hint:
                kinds = f"{type(layers[name]).__name__}, {type(twin).__name__}"
                seen = (looked(forward, pair, s) for s in (candidate, oracle))
                name = cause(pair, forward, *seen)[0]
                hint = name or f"this layer differs ({kinds})"
                yield replace(finding, hint=hint)
                return
            yield finding
    if not found:
        yield passed("no layer has the same leaves on both sides; see the whole [R3]")


def _copy(args: Any) -> Any:
    return mapped(list(args), lambda v: v.clone() if is_torch(v) else v)


def _layers(module: nn.Module) -> dict[str, nn.Module]:
    return {
        n: m
        for n, m in module.named_modules()
        if n and (list(m.parameters(False)) or list(m.buffers(False)))
    }


def _own(pair: Pair, name: str, layer: nn.Module) -> str:
    """The candidate's name of a layer, by the name of one of its leaves."""
    leaf = next(iter([*dict(layer.named_parameters()), *dict(layer.named_buffers())]))
    own = pair.map.leaves[f"{name}.{leaf}"].name
    return (
        own.removesuffix(f".{leaf}") if own.endswith(leaf) else own.rpartition(".")[0]
    )


def _calls(
    pair: Pair, control: TorchSubject, layers: Mapping[str, nn.Module]
) -> dict[str, tuple[Any, dict[str, Any]]]:
    """What each layer was first given in a forward of the control."""
    calls: dict[str, tuple[Any, dict[str, Any]]] = {}

    def note(name: str) -> Any:
        def hook(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
            calls.setdefault(name, (_copy(args), dict(kwargs)))

        return hook

    hooks = [
        layer.register_forward_pre_hook(note(name), with_kwargs=True)
        for name, layer in layers.items()
    ]
    inputs, _ = pair.batch(max(pair.migration.sizes))
    try:
        control.forward(inputs, False)
    finally:
        for hook in hooks:
            hook.remove()
    return calls
