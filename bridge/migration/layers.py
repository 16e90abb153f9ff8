"""Each layer of a torch module by itself, fed what the control's layer got."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from bridge.harness import (
    CEILINGS,
    Findings,
    Verdict,
    compare,
    error_of,
    failed,
    passed,
    rms,
)
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
        # The whole, whose name is empty, is no layer.
        own = _own(pair, name, layers[name])
        twin = twins.get(own) if own else None
        if twin is None:
            continue
        found += 1
        kinds = f"{type(layers[name]).__name__}, {type(twin).__name__}"
        with torch.no_grad():
            wide = mapped([list(args), dict(kwargs)], oracle._cast)
            truth = flatten(truths[name](*_copy(wide[0]), **wide[1]))
            expected = flatten(layers[name](*_copy(args), **kwargs))
            try:
                with candidate.changes.context():
                    actual = flatten(twin(*_copy(args), **kwargs))
            except Exception as error:
                hint = f"raised {type(error).__name__}: {error}"
                findings = [failed(f"layer {name}", "structure", hint)]
            else:
                findings = list(_judged(pair, name, actual, expected, truth))
        wrong = [f for f in findings if f.verdict is Verdict.FAILED]
        if not wrong:
            yield from findings
            continue
        seen = [looked(forward, pair, s) for s in (candidate, oracle)]
        if _agree(pair, *seen):
            yield passed(f"layer {name} ends elsewhere ({kinds}); see the whole [R3]")
            continue
        named = cause(pair, forward, *seen)[0]
        hint = named or wrong[0].hint or f"this layer differs ({kinds})"
        yield replace(wrong[0], hint=hint)
        return
    if not found:
        yield passed("no layer has the same leaves on both sides; see the whole [R3]")


def _judged(
    pair: Pair,
    name: str,
    actual: Mapping[str, Any],
    expected: Mapping[str, Any],
    truth: Mapping[str, Any],
) -> Findings:
    """Each output of a layer."""
    for path, value in expected.items():
        where = f"layer {name}{f' {path}' if path else ''}"
        if path not in actual:
            yield failed(where, "structure", "missing in the candidate")
            continue
        arrays = (real(to_numpy(v)) for v in (actual[path], value, truth[path]))
        yield compare(where, *arrays, factor=2, depth=pair.depth)


def _agree(
    pair: Pair, candidate: Mapping[str, np.ndarray], oracle: Mapping[str, np.ndarray]
) -> bool:
    """Whether the whole is equal, so that a layer is cut elsewhere and isn't wrong."""
    if candidate.keys() != oracle.keys():
        return False
    pairs = [(real(candidate[n]), real(v)) for n, v in oracle.items()]
    return all(
        a.shape == b.shape and error_of(a, b, rms(b) or 1.0) <= CEILINGS[pair.precision]
        for a, b in pairs
        if b.size and b.dtype.kind == "f"
    )


def _copy(args: Any) -> Any:
    return mapped(list(args), lambda v: v.clone() if is_torch(v) else v)


def _layers(module: nn.Module) -> dict[str, nn.Module]:
    return {
        n: m
        for n, m in module.named_modules()
        if n and (list(m.parameters(False)) or list(m.buffers(False)))
    }


def _own(pair: Pair, name: str, layer: nn.Module) -> str | None:
    """The candidate's name of a layer, if it has all its leaves and no others."""
    leaves = [*dict(layer.named_parameters(recurse=False))]
    leaves += dict(layer.named_buffers(recurse=False))
    mapped = [pair.map.leaves[f"{name}.{leaf}"].name for leaf in leaves]
    above = {own.rpartition(".")[0] for own in mapped}
    return above.pop() if len(above) == 1 else None


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
