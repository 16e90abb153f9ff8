"""The rung R2: each layer by itself, fed the control's input."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from phiml import math
from torch import nn

from bridge.convert import TorchModel
from bridge.harness import Finding, Findings, Verdict, compare, named, passed
from bridge.ladders.models_cases import ModelCase, array
from bridge.ladders.models_counterfactuals import ROUGH, of_any_layer, of_layer
from bridge.ladders.networks import widened

FIRST = "the first layer that differs; those inside it agree"
#: Positional and named arguments of a call.
Call = tuple[tuple[Any, ...], dict[str, Any]]


def layers_rung(case: ModelCase) -> Findings:
    """Each layer, fed the control's input, in evaluation mode."""
    case.refill()
    if case.is_own:
        yield from _own_layers(case)
        return
    calls = _calls(case, dict(layers(case.control.network)))
    case.candidate.eval()
    oracles = dict(layers(case.oracle.eval().network))
    for name, layer in layers(case.control.network):
        x: torch.Tensor = calls[name][0][0]
        twin = candidate_layer(case, name)
        with torch.no_grad(), math.precision(x.element_size() * 8):
            actual = array(twin(x))
            expected = array(layer(x))
            oracle = array(oracles[name](x.double()))
        finding = compare(
            name, actual, expected, oracle, factor=2, depth=float(x.shape[1])
        )
        wrong = of_layer(oracles[name], x.double())
        yield named(finding, actual, oracle, wrong, ROUGH)


def layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers that have leaves of their own, by canonical name."""
    for name, module in network.named_modules():
        if next(module.parameters(recurse=False), None) is not None:
            yield name, module


def candidate_layer(case: ModelCase, name: str) -> nn.Module:
    """The candidate's own layer behind a canonical name."""
    if not isinstance(case.candidate, TorchModel):
        return case.candidate_network.get_submodule(name)
    network: Any = case.candidate.model.network
    inner = network.leaves[f"{name}.weight"].removesuffix(".weight")
    return network.native.get_submodule(inner)


def _own_layers(case: ModelCase) -> Findings:
    """Modules of all depths that both sides have under one name, innermost first.

    One that holds a module that differs is not looked at: it must differ too.
    """
    modules = dict(case.control.network.named_modules())
    twins = _twins(case)
    shared = {n: m for n, m in modules.items() if n and n in twins}
    calls = _calls(case, shared)
    if not calls:
        where = "no layer has one name on both sides; R3 to R5 judge the whole network"
        yield passed(where)
        return
    case.candidate.eval()
    oracles = dict(case.oracle.eval().network.named_modules())
    different: list[str] = []
    for name, (given, options) in calls.items():
        if any(inner.startswith(f"{name}.") for inner in different):
            continue
        finding = _judged(case, name, twins[name], oracles[name], (given, options))
        if finding.verdict is not Verdict.PASSED:
            # Of findings, one with a hint is shown before a larger one.
            hint = "" if different else ", ".join(filter(None, (finding.hint, FIRST)))
            finding = replace(finding, hint=hint)
            different.append(name)
        yield finding


def _judged(
    case: ModelCase, name: str, twin: nn.Module, oracle: nn.Module, call: Call
) -> Finding:
    given, options = call
    wide = [widened(x) for x in given], {k: widened(v) for k, v in options.items()}
    layer = case.control.network.get_submodule(name)
    with torch.no_grad():
        expected, reference = layer(*given, **options), oracle(*wide[0], **wide[1])
        actual = twin(*given, **options)
    arrays = array(actual), array(expected), array(reference)
    finding = compare(name, *arrays, factor=2, depth=case.operations)
    wrong = of_any_layer(oracle, *wide)
    return named(finding, arrays[0], arrays[2], wrong)


def _twins(case: ModelCase) -> dict[str, nn.Module]:
    """The candidate's torch modules by name, if it is made of any."""
    if not isinstance(case.candidate, TorchModel):
        return dict(case.candidate_network.named_modules())
    native = getattr(case.candidate.model.network, "native", None)
    return dict(native.named_modules()) if isinstance(native, nn.Module) else {}


def _calls(case: ModelCase, modules: dict[str, nn.Module]) -> dict[str, Call]:
    """What the control gives each module that makes a tensor, in the order of ends."""
    starts: dict[str, Call] = {}
    ends: dict[str, Call] = {}

    def begins(name: str, given: tuple[Any, ...], options: dict[str, Any]) -> None:
        # Copies, as a layer may change its input.
        starts[name] = (
            tuple(_copy(x) for x in given),
            {key: _copy(value) for key, value in options.items()},
        )

    def ended(name: str, result: Any) -> None:
        if isinstance(result, torch.Tensor):
            ends[name] = starts[name]

    hooks = []
    for name, module in modules.items():
        hooks += [
            module.register_forward_pre_hook(
                lambda _, given, options, n=name: begins(n, given, options),
                with_kwargs=True,
            ),
            module.register_forward_hook(
                lambda _, __, result, n=name: ended(n, result)
            ),
        ]
    with torch.no_grad():
        case.control.eval()(case.states)
    for hook in hooks:
        hook.remove()
    return ends


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value
