"""The rungs R0 to R5: converters, weights, layers, forward pass, loss, gradients."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from phiml import math
from torch import nn

import bridge._converters as converters
from bridge._adapters import CanonicalLeaves
from bridge.verify import _diagnosis as names
from bridge.verify._cases import BATCH, STEPS, Case, layers, swapped
from bridge.verify._compare import Finding, Verdict, compare, exact
from bridge.verify._diagnosis import array, diagnose
from legacy.training import rollout_loss

Findings = Iterator[Finding]


@dataclass(frozen=True)
class Rung:
    """A rung of the ladder: what it compares, and how."""

    name: str
    compares: str
    climb: Callable[[Any], Findings]


def _failed(where: str, rule: str, hint: str) -> Finding:
    return Finding(Verdict.FAILED, np.inf, 0.0, where, rule, hint)


def _not_judged(where: str, hint: str) -> Finding:
    return Finding(Verdict.NOT_JUDGED, np.nan, np.nan, where, "structure", hint)


def _held(where: str) -> Finding:
    return Finding(Verdict.PASSED, 0.0, 0.0, where, "exact")


def _named(
    finding: Finding,
    candidate: np.ndarray,
    control: np.ndarray,
    counterfactuals: names.Counterfactuals,
) -> Finding:
    """A failed finding with the fault's name, if it has one."""
    if finding.verdict is not Verdict.FAILED or finding.hint:
        return finding
    return replace(finding, hint=diagnose(candidate, control, counterfactuals))


def converters_rung(case: Case) -> Findings:
    """Round trips: bits, dims, dtype, device, strides, requires_grad, gradient."""
    base = case.windows
    turned = base.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)
    kinds = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    inputs = {f"{str(k).removeprefix('torch.')}": base.to(k) for k in kinds}
    inputs |= {
        "int64": (base * 100).long(),
        "bool": base > 0,
        "complex128": base.to(torch.complex128) * 1j,
        "channels innermost": turned,
        "every other cell": base[..., ::2],
    }
    layout = "batch vector time x y"
    for where, x in inputs.items():
        named = converters.to_phiml(x, layout, boundary="verify")
        back = converters.to_torch(named, layout, boundary="verify")
        for what, left, right in (
            ("dims", tuple(named.shape.sizes), tuple(x.shape)),
            ("names", tuple(named.shape.names), tuple(layout.split())),
            ("dtype", back.dtype, x.dtype),
            ("device", back.device, x.device),
            ("strides", back.stride(), x.stride()),
            ("memory", back.data_ptr(), x.data_ptr()),
        ):
            if left != right:
                yield _failed(f"{where}: {what}", "exact", f"{left}, expected {right}")
        if not torch.equal(back, x):
            yield _failed(where, "exact", "bits differ")
        other = converters.to_torch(named, "time y batch x vector", boundary="verify")
        if not torch.equal(other, x.permute(2, 4, 0, 3, 1)):
            swapped = torch.equal(other, x.permute(2, 3, 0, 4, 1))
            yield _failed(where, "exact", names.SWAPPED if swapped else "dims permuted")
        yield _held(where)
    yield from _gradient_through_converters(base.detach().clone())


def _gradient_through_converters(base: torch.Tensor) -> Findings:
    x = base.requires_grad_()
    named = converters.to_phiml(x, "batch vector time x y", boundary="verify")
    back = converters.to_torch(named, "batch time x y vector", boundary="verify")
    if not back.requires_grad:
        yield _failed("gradient", "exact", names.CUT_CONVERTER)
        return
    weight = torch.arange(back.numel(), dtype=base.dtype).reshape(back.shape)
    (back * weight).sum().backward()
    gradient = cast(torch.Tensor, x.grad)
    yield exact("gradient", array(gradient), array(weight.permute(0, 4, 1, 2, 3)))


def weights_rung(case: Case) -> Findings:
    """Leaves map one to one: none missing, extra, misshaped or used twice."""
    control, candidate = case.control.network, case.candidate_network
    if case.candidate is case.control or candidate is control:
        yield _failed("model", "identity", names.ONE_OBJECT)
        return
    left = dict(control.state_dict(keep_vars=True))
    right = dict(candidate.state_dict(keep_vars=True))
    missing = [n for n in left if n not in right]
    extra = [n for n in right if n not in left]
    if extra and all(".norm" in n or "_norm" in n for n in extra) and not missing:
        yield _failed(extra[0], "exact", names.ALWAYS_NORM)
    elif missing or extra:
        yield _failed(
            (missing + extra)[0], "exact", f"missing {missing}, extra {extra}"
        )
    seen: dict[int, str] = {}
    pointers = {leaf.data_ptr() for leaf in left.values()}
    for name in (n for n in left if n in right):
        if right[name].shape != left[name].shape:
            yield _failed(name, "exact", _shape_hint(case, left[name], right[name]))
            continue
        if right[name].data_ptr() in pointers:
            yield _failed(name, "identity", names.ONE_OBJECT)
            continue
        if right[name].data_ptr() in seen:
            hint = f"the same memory as {seen[right[name].data_ptr()]}"
            yield _failed(name, "identity", hint)
        seen[right[name].data_ptr()] = name
        value = array(left[name])
        if not np.isfinite(value).all():
            yield _not_judged(name, names.NAN)
        elif value.ndim > 1 and not value.any():
            yield _not_judged(name, names.ZERO_WEIGHTS)
        else:
            judged = exact(name, array(right[name]), value)
            turned = value.swapaxes(-1, -2) if value.ndim > 3 else value
            if judged.verdict is Verdict.FAILED and np.array_equal(
                turned, array(right[name])
            ):
                judged = replace(judged, hint=names.TRANSPOSED)
            yield judged


def _shape_hint(case: Case, left: torch.Tensor, right: torch.Tensor) -> str:
    plan = case.control.plan
    seen, dynamic = len(plan.network_inputs), len(plan.dynamic)
    if (
        left.ndim > 1
        and (left.shape[1], right.shape[1]) == (seen, dynamic)
        and (seen != dynamic)
    ):
        return names.STATIC
    return f"shape {tuple(right.shape)}, control {tuple(left.shape)}"


def layers_rung(case: Case) -> Findings:
    """Each layer with leaves, fed the control's input, in evaluation mode."""
    case.refill()
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        layer.register_forward_hook(
            lambda _, inputs, __, name=name: seen.__setitem__(name, inputs[0])
        )
        for name, layer in layers(case.control.network)
    ]
    with torch.no_grad():
        case.control.eval()(case.states)
    for hook in hooks:
        hook.remove()
    case.candidate.eval()
    oracles = dict(layers(case.oracle.eval().network))
    for name, layer in layers(case.control.network):
        x = seen[name]
        twin = candidate_layer(case, name)
        with torch.no_grad(), math.precision(x.element_size() * 8):
            found = array(twin(x))
            expected = array(layer(x))
            exactly = array(oracles[name](x.double()))
        finding = compare(
            name, found, expected, exactly, factor=2, depth=float(x.shape[1])
        )
        counterfactuals = names.of_layer(oracles[name], x.double())
        yield _named(finding, found, exactly, counterfactuals)


def candidate_layer(case: Case, name: str) -> nn.Module:
    """The candidate's own layer behind a canonical name."""
    network: Any = case.candidate_network
    if not isinstance(network, CanonicalLeaves):
        return network.get_submodule(name)
    inner = network._held[0].leaves[f"{name}.weight"].removesuffix(".weight")
    return network._held[0].native.get_submodule(inner)


def forward_rung(case: Case) -> Findings:
    """The next state in evaluation and in training mode, and the buffers afterwards."""
    state = case.states
    for training in (False, True):
        case.refill()
        # Copies, because buffers are changed in place.
        before = {n: array(b).copy() for n, b in case.control.network.named_buffers()}
        mode = "train" if training else "eval"
        with torch.no_grad():
            found = array(case.candidate.train(training)(state))
            turned = case.turned_control().train(training)
            again = array(turned(state.transpose(-1, -2)).transpose(-1, -2))
            expected = array(case.control.train(training)(state))
            exactly = array(case.oracle.train(training)(state.double()))
        finding = compare(
            f"next state, {mode}",
            found,
            expected,
            exactly,
            factor=2,
            depth=case.depth,
            again=[again],
        )
        if not training and finding.verdict is Verdict.FAILED:
            finding = _named(finding, found, exactly, names.of_forward(case, state))
        yield finding
        own = dict(case.candidate_network.named_buffers())
        oracle = dict(case.oracle.network.named_buffers())
        for name, buffer in case.control.network.named_buffers():
            where, got = f"{name}, {mode}", array(own[name])
            if got.dtype.kind != "f":
                yield exact(where, got, array(buffer))
                continue
            judged = compare(
                where,
                got,
                array(buffer),
                array(oracle[name]),
                factor=2,
                depth=case.depth,
            )
            counterfactuals = names.of_buffer(before[name], array(oracle[name]))
            yield _named(judged, got, array(buffer), counterfactuals)


def loss_rung(case: Case) -> Findings:
    """The roll-out loss in training mode at batch 1, 2 and a ragged last batch."""
    for size in (1, 2, BATCH):
        case.refill()
        windows = case.windows[:size]
        dynamic = case.control.plan.dynamic
        with torch.no_grad():
            found = rollout_loss(case.candidate.train(), windows, dynamic)
            expected = rollout_loss(case.control.train(), windows, dynamic)
            exactly = rollout_loss(case.oracle.train(), windows.double(), dynamic)
        yield compare(
            f"loss, batch {size}",
            array(found)[None],
            array(expected)[None],
            array(exactly)[None],
            factor=2,
            depth=case.depth * STEPS,
        )


def gradient_rung(case: Case) -> Findings:
    """The gradient of the roll-out loss by every parameter and by the input."""
    case.refill()
    results = []
    turned = case.turned_control()
    sides: tuple[tuple[nn.Module, nn.Module, torch.Tensor], ...] = (
        (case.candidate, case.candidate_network, case.windows),
        (turned, turned.network, case.windows.transpose(-1, -2)),
        (case.control, case.control.network, case.windows),
        (case.oracle, case.oracle.network, case.windows.double()),
    )
    for model, network, values in sides:
        windows = values.detach().clone().requires_grad_()
        network.zero_grad()
        rollout_loss(model.train(), windows, case.control.plan.dynamic).backward()
        found = {n: p.grad for n, p in network.named_parameters()}
        results.append({**found, "input": windows.grad})
    candidate, again, control, oracle = results
    # A convolution's bias before a batch norm has the gradient 0 but for rounding;
    # such leaves are judged on the scale of all gradients.
    everything = np.concatenate(
        [array(g).ravel() for n, g in oracle.items() if n != "input" and g is not None]
    )
    overall = float(np.sqrt(np.mean(np.square(everything))))
    for name, expected in control.items():
        if expected is None or oracle[name] is None:
            yield _not_judged(name, "the control has no gradient")
            continue
        if candidate.get(name) is None:
            yield _failed(name, "structure", names.CUT_CONVERTER)
            continue
        found, exactly = array(candidate[name]), array(oracle[name])
        own = float(np.sqrt(np.mean(np.square(exactly))))
        small = name != "input" and own < 1e-6 * overall
        finding = compare(
            f"gradient of {name}",
            found,
            array(expected),
            exactly,
            factor=4,
            depth=case.depth * STEPS * 2,
            scale=overall if small else None,
            again=[_turned_back(name, cast(torch.Tensor, again[name]))],
        )
        if finding.verdict is Verdict.FAILED and not small and name != "input":
            finding = _named(finding, found, exactly, names.of_gradient(case, name))
        yield finding


def _turned_back(name: str, gradient: torch.Tensor) -> np.ndarray:
    """A gradient of the control on swapped axes, on the usual ones."""
    if name == "input":
        return array(gradient.transpose(-1, -2))
    return swapped(array(gradient))


RUNGS = (
    Rung("R0", "converters: round trip, gradient", converters_rung),
    Rung("R1", "weights and buffers map 1:1", weights_rung),
    Rung("R2", "each layer, teacher-forced", layers_rung),
    Rung("R3", "forward, eval and train, buffers", forward_rung),
    Rung("R4", "loss at batch 1, 2, ragged", loss_rung),
    Rung("R5", "gradient of every parameter, input", gradient_rung),
)
