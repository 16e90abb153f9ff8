"""Step 1: models, R0 to R5."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from bridge.harness import (
    Finding,
    Findings,
    Ladder,
    Rung,
    Verdict,
    compare,
    exact,
    failed,
    named,
    named_exactly,
    not_judged,
    passed,
    rms,
)
from bridge.ladders.cases import CaseName
from bridge.ladders.converters import CUT_CONVERTER, converters_rung
from bridge.ladders.faults import faults_of
from bridge.ladders.layers import layers_rung
from bridge.ladders.models_cases import ModelCase, array, case_names, control_twice
from bridge.ladders.models_counterfactuals import (
    ROUGH,
    TRANSPOSED,
    of_buffer,
    of_forward,
    of_gradient,
)
from bridge.ladders.models_settings import settings_rows
from bridge.ladders.names import ONE_OBJECT
from bridge.ladders.networks import View
from bridge.ladders.run_cases import RunCase
from legacy.training import rollout_loss

ALWAYS_NORM = "batch norm always on"
STATIC = "static channels missing from the input"
ZERO_WEIGHTS = "all-zero weights"
NAN = "NaN on both sides"


def weights_rung(case: ModelCase) -> Findings:
    """Leaves map one to one: none missing, extra, misshaped or used twice."""
    control, candidate = case.control.network, case.candidate_network
    if case.candidate is case.control or candidate is control:
        yield failed("model", "identity", ONE_OBJECT)
        return
    left = dict(control.state_dict(keep_vars=True))
    right = dict(candidate.state_dict(keep_vars=True))
    missing = [n for n in left if n not in right]
    extra = [n for n in right if n not in left]
    if extra and all(".norm" in n or "_norm" in n for n in extra) and not missing:
        yield failed(extra[0], "exact", ALWAYS_NORM)
    elif missing or extra:
        hint = f"missing {missing}, extra {extra}"
        yield failed((missing + extra)[0], "exact", hint)
    owners: dict[int, str] = {}
    of_control = {leaf.data_ptr() for leaf in left.values()}
    for name in (n for n in left if n in right):
        memory = right[name].data_ptr()
        if right[name].shape != left[name].shape:
            yield failed(name, "exact", _shape_hint(case, left[name], right[name]))
            continue
        if memory in of_control:
            yield failed(name, "identity", ONE_OBJECT)
            continue
        if memory in owners:
            yield failed(name, "identity", f"the same memory as {owners[memory]}")
        owners[memory] = name
        yield _judged_leaf(name, array(right[name]), array(left[name]))


def _judged_leaf(name: str, candidate: np.ndarray, control: np.ndarray) -> Finding:
    if not np.isfinite(control).all():
        return not_judged(name, NAN)
    if control.ndim > 1 and not control.any():
        return not_judged(name, ZERO_WEIGHTS)
    finding = exact(name, candidate, control)
    if control.ndim > 3:
        turned = {TRANSPOSED: lambda: control.swapaxes(-1, -2)}
        finding = named_exactly(finding, candidate, turned)
    return finding


def _shape_hint(case: ModelCase, left: torch.Tensor, right: torch.Tensor) -> str:
    plan = case.control.plan
    inputs, dynamic = len(plan.network_inputs), len(plan.dynamic)
    sizes = (left.shape[1], right.shape[1]) if left.ndim > 1 else ()
    if sizes == (inputs, dynamic) and inputs != dynamic:
        return STATIC
    return f"shape {tuple(right.shape)}, control {tuple(left.shape)}"


def forward_rung(case: ModelCase) -> Findings:
    """The next state in evaluation and in training mode, and the buffers afterwards."""
    state = case.states
    for training in (False, True):
        case.refill()
        # Copies, because buffers are changed in place.
        before = {n: array(b).copy() for n, b in case.control.network.named_buffers()}
        mode = "train" if training else "eval"
        with torch.no_grad():
            actual = array(case.candidate.train(training)(state))
            again = [
                view.back(array(view.model.train(training)(view.there(state))))
                for view in case.views()
            ]
            expected = array(case.control.train(training)(state))
            oracle = array(case.oracle.train(training)(state.double()))
        finding = compare(
            f"next state, {mode}",
            *(actual, expected, oracle),
            factor=2,
            depth=case.depth,
            again=again,
        )
        if not training and finding.verdict is Verdict.FAILED:
            finding = named(finding, actual, oracle, of_forward(case, state), ROUGH)
        yield finding
        yield from _buffers(case, mode, before)


def _buffers(case: ModelCase, mode: str, before: Mapping[str, np.ndarray]) -> Findings:
    candidates = dict(case.candidate_network.named_buffers())
    oracles = dict(case.oracle.network.named_buffers())
    for name, buffer in case.control.network.named_buffers():
        where = f"{name}, {mode}"
        actual, expected = array(candidates[name]), array(buffer)
        if actual.dtype.kind != "f":
            yield exact(where, actual, expected)
            continue
        oracle = array(oracles[name])
        finding = compare(where, actual, expected, oracle, factor=2, depth=case.depth)
        yield named(finding, actual, expected, of_buffer(before[name], oracle))


def loss_rung(case: ModelCase) -> Findings:
    """The roll-out loss in training mode at batch 1, 2 and a ragged last batch."""
    dynamic = case.control.plan.dynamic
    for size in sorted({1, min(2, case.batch), case.batch}):
        case.refill()
        windows = case.windows[:size]
        with torch.no_grad():
            losses = [
                array(rollout_loss(model.train(), values, dynamic))[None]
                for model, values in (
                    (case.candidate, windows),
                    (case.control, windows),
                    (case.oracle, windows.double()),
                )
            ]
        yield compare(
            f"loss, batch {size}", *losses, factor=2, depth=case.depth * case.steps
        )


def gradient_rung(case: ModelCase) -> Findings:
    """The gradient of the roll-out loss by every parameter and by the input."""
    case.refill()
    views = case.views()
    candidate = _gradients(case, case.candidate, case.windows)
    again = [
        (view, _gradients(case, view.model, view.there(case.windows))) for view in views
    ]
    control = _gradients(case, case.control, case.windows)
    oracle = _gradients(case, case.oracle, case.windows.double())
    # A convolution's bias before a batch norm has the gradient 0 but for rounding;
    # such leaves are judged on the scale of all gradients.
    leaves = [g.ravel() for n, g in oracle.items() if n != "input" and g is not None]
    overall = rms(np.concatenate(leaves))
    for name, expected in control.items():
        reference, actual = oracle[name], candidate.get(name)
        if expected is None and actual is None and case.is_own:
            yield passed(f"gradient of {name}: none on either side")
            continue
        if expected is None or reference is None:
            yield not_judged(name, "the control has no gradient")
            continue
        if actual is None:
            yield failed(name, "structure", CUT_CONVERTER)
            continue
        small = name != "input" and rms(reference) < 1e-6 * overall
        finding = compare(
            f"gradient of {name}",
            *(actual, expected, reference),
            factor=4,
            depth=case.depth * case.steps * 2,
            scale=overall if small else None,
            again=[_turned_back(view, name, turned[name]) for view, turned in again],
        )
        if finding.verdict is Verdict.FAILED and not small and name != "input":
            finding = named(finding, actual, reference, of_gradient(case, name))
        yield finding


def _gradients(
    case: ModelCase, model: Any, values: torch.Tensor
) -> dict[str, np.ndarray | None]:
    """Gradients in training mode by leaf, and by `input`; None where there is none."""
    windows = values.detach().clone().requires_grad_()
    model.network.zero_grad()
    rollout_loss(model.train(), windows, case.control.plan.dynamic).backward()
    gradients = {n: p.grad for n, p in model.network.named_parameters()}
    gradients["input"] = windows.grad
    return {n: None if g is None else array(g) for n, g in gradients.items()}


def _turned_back(view: View, name: str, gradient: np.ndarray | None) -> np.ndarray:
    """A gradient of the control in a view, on the usual axes."""
    assert gradient is not None
    return view.back(gradient) if name == "input" else view.leaf(gradient)


def _smooth(name: CaseName | RunCase) -> bool:
    # In float32 a ReLU may switch where in float64 it doesn't, so a gradient has no
    # close oracle; this project's own cases have SiLU.
    return not isinstance(name, RunCase) or name.precision == "float64"


LADDER = Ladder(
    "step1",
    case_names(),
    ModelCase,
    (
        Rung("R0", "converters: round trip, gradient", converters_rung),
        Rung("R1", "weights and buffers map 1:1", weights_rung),
        Rung("R2", "each layer, teacher-forced", layers_rung),
        Rung("R3", "forward, eval and train, buffers", forward_rung),
        Rung("R4", "loss at batch 1, 2, ragged", loss_rung),
        Rung("R5", "gradient of every parameter, input", gradient_rung, _smooth),
    ),
    settings_rows,
    faults_of("models"),
    control_twice,
)
