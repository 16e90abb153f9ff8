"""What is compared of a pair, rung by rung; each comparison is made in one place."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bridge.harness import (
    Finding,
    Findings,
    Rung,
    exact,
    failed,
    named_exactly,
    not_judged,
    passed,
)
from bridge.migration.arrays import checksum, to_numpy
from bridge.migration.defects import changed_leaf, leaf_defects
from bridge.migration.judging import Limits, judged
from bridge.migration.observing import forward, gradients, losses, steps_of
from bridge.migration.pair import Observe, Pair, SideError
from bridge.migration.subject import Subject
from bridge.migration.trainer_defects import RATES


def sides_rung(pair: Pair) -> Findings:
    """Both sides build, share nothing, and their leaves map one to one."""
    try:
        pair.build()
    except SideError as error:
        if error.side == "candidate" and not error.lacking:
            yield failed("candidate", "structure", str(error))
        else:
            yield not_judged(error.side, str(error))
        return
    left, right = pair.control, pair.candidate
    if left.object is right.object:
        yield failed("sides", "identity", "one object on both sides")
        return
    owners = {place: name for name, place in left.memory().items()}
    for name, place in right.memory().items():
        if place in owners:
            where = f"{name} shares memory with the control's {owners[place]}"
            yield failed(where, "identity", "one object on both sides")
            return
    yield from _repeatable(pair)
    own = right.leaves()
    lost = [n for n in pair.shapes if pair.map.leaves.get(n) is None]
    lost += [n for n, leaf in pair.map.leaves.items() if leaf.name not in own]
    mapped = {leaf.name for leaf in pair.map.leaves.values()}
    extra = [n for n in own if n not in mapped]
    if lost or extra:
        hint = f"missing {_few(lost)}, extra {_few(extra)}; see `suggest_mapping`"
        yield failed((lost + extra)[0], "exact", hint)
        return
    pair.refill(left)
    pair.refill(right)
    seen = pair.to_common(right, right.leaves())
    for name, value in left.leaves().items():
        yield _leaf(name, seen[name], value)
    yield from _other_state(pair)
    if pair.migration.applies("R3"):
        try:
            forward(pair, left, None)
        except Exception as error:
            hint = f"the control raised {type(error).__name__}: {error}"
            yield not_judged("a call of the control", hint)
            return
    if pair.map.leaves == {}:
        yield passed("no leaves on either side")


def _other_state(pair: Pair) -> Findings:
    """State that is no array; by place where names of leaves differ."""
    left, right = (
        getattr(s, "extra_state", dict)() for s in (pair.control, pair.candidate)
    )
    if pair.migration.candidate.rename:
        left, right = (
            {str(n): v for n, v in enumerate(s.values())} for s in (left, right)
        )
    for name in dict.fromkeys([*left, *right]):
        mine, theirs = left.get(name, "none"), right.get(name, "none")
        if mine != theirs:
            hint = f"`{name}` is {theirs[:200]}, control {mine[:200]}"
            yield failed("state that is no array", "exact", hint)
            return


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:4]) + (
        f" and {len(names) - 4} more" if len(names) > 4 else ""
    )
    return shown or "none"


def _leaf(name: str, candidate: np.ndarray, control: np.ndarray) -> Finding:
    if control.dtype.kind in "fc" and not np.isfinite(control).all():
        return not_judged(name, "the control's leaf isn't finite")
    wrong = {
        defect.name: lambda d=defect: changed_leaf(d, name, control)
        for defect in leaf_defects(name, control)
    }
    return named_exactly(exact(name, candidate, control), candidate, wrong)


def _repeatable(pair: Pair) -> Findings:
    """A side that is built twice from one seed gives the same leaves."""
    for name in ("control", "candidate"):
        subject = getattr(pair, name)
        first, second = (pair.one(name, pair.precision).leaves() for _ in range(2))
        if checksum(first) != checksum(second):
            hint = f"`build` of the {name} draws without a seed"
            finding = not_judged if subject is pair.control else failed
            if pair.loadable:
                pair.notes.append(hint + "; its weights are set, so it doesn't matter")
            elif finding is not_judged:
                yield not_judged(name, hint)
            else:
                yield failed(name, "structure", hint)


def forward_rung(pair: Pair) -> Findings:
    """Outputs and buffers; that inputs stay as they are and nothing is random."""
    size = max(pair.migration.sizes)
    for name in ("control", "candidate"):
        subject = getattr(pair, name)
        finding = _random(pair, subject, name)
        if finding is not None:
            yield finding
            return
        changed = _changed_inputs(pair, subject, size)
        if changed:
            hint = f"the {name} changes its input {changed}"
            yield (
                failed(f"inputs of the {name}", "exact", hint)
                if name == "candidate"
                else not_judged("inputs of the control", hint)
            )
            return
    yield from judged(pair, forward, Limits(factor=2))


def _random(pair: Pair, subject: Subject, name: str) -> Finding | None:
    first, second = (forward(pair, subject, None) for _ in range(2))
    if checksum({n: s.value for n, s in first.items()}) == checksum(
        {n: s.value for n, s in second.items()}
    ):
        return None
    hint = f"the {name} gives another output for the same input and seed"
    if name == "candidate":
        return failed("output, twice", "exact", hint)
    return not_judged("output, twice", hint)


def _changed_inputs(pair: Pair, subject: Subject, size: int) -> str:
    """The number of an input that a call changed, or nothing."""
    given, _ = pair.batch(size)
    before = [v.copy() for v in given]
    pair.refill(subject)
    # Handed over as the side's own arrays; what it writes is seen in those.
    held: list[Any] = []
    changes = subject.changes
    subject.changes = replace(
        changes, inputs=lambda v: held.extend(v) or changes.inputs(v)
    )
    try:
        subject.forward(given, False)
    finally:
        subject.changes = changes
    for number, (value, old) in enumerate(zip(held, before, strict=False)):
        now = to_numpy(value)
        if now.shape == old.shape and not np.array_equal(now, old, equal_nan=True):
            return str(number)
    return ""


def update_rung(pair: Pair) -> Findings:
    """Updates and moments after one and three steps."""
    shared = _shared_optimiser(pair)
    if shared:
        yield failed("optimiser", "identity", shared)
        return
    yield from judged(pair, steps_of(1, 3), Limits(10, steps=6, overall=True))


def _shared_optimiser(pair: Pair) -> str:
    makers = [getattr(s, "optimiser", None) for s in (pair.control, pair.candidate)]
    if not all(makers):
        return ""
    left, right = (make() for make in makers if make)
    if left is right:
        return "one optimiser on both sides; `optimiser` must make a new one each time"
    return ""


def trajectory_rung(pair: Pair) -> Findings:
    """10 and `migration.steps` training steps from one start."""
    last = pair.migration.steps
    counts = sorted({min(10, last), last})
    yield from judged(pair, steps_of(*counts), Limits(10, steps=2 * last, overall=True))


def rate_rung(pair: Pair) -> Findings:
    """The learning rate of every epoch."""
    rates = []
    control, epochs = pair.migration.control.rate, pair.migration.epochs
    assert control is not None
    for side, subject in (
        (pair.migration.control, pair.control),
        (pair.migration.candidate, pair.candidate),
    ):
        assert side.rate is not None
        of_epoch = partial(side.rate, subject.object)
        rates.append(rates_of(of_epoch, subject.changes.rate, epochs))
    wrong = {
        name: partial(rates_of, partial(control, pair.control.object), change, epochs)
        for name, change in RATES.items()
    }
    yield named_exactly(exact("rate of every epoch", *rates[::-1]), rates[1], wrong)


def rates_of(
    of_epoch: Callable[[int], float],
    change: Callable[[Callable[[int], float], int], float],
    epochs: int,
) -> np.ndarray:
    """The learning rate of each epoch, as a fault has it."""
    return np.array([change(of_epoch, e) for e in range(epochs)], dtype=float)


def gradient_rung(pair: Pair) -> Findings:
    """Gradients by every leaf and input; by differences where a side has none."""
    if pair.control.differentiates and pair.candidate.differentiates:
        yield from judged(pair, gradients, Limits(4, steps=2, overall=True))
        return
    from bridge.migration.differences import directional

    yield from directional(pair)


def rungs_of(applies: Callable[[str], bool]) -> list[Rung]:
    """All rungs of a pair that has what they need."""
    from bridge.migration.batches import batches_rung
    from bridge.migration.layers import layers_rung

    every = (
        Rung("R1", "both sides build; leaves map 1:1", sides_rung),
        Rung("R2", "each layer, fed the control's input", layers_rung),
        Rung("R3", "output in both modes, buffers, inputs", forward_rung),
        Rung("R4", "loss at each size of a batch", _simple(losses, Limits(2, 2))),
        Rung("R5", "gradient of every leaf and input", gradient_rung),
        Rung("R6", "update and moments, 1 and 3 steps", update_rung),
        Rung("R7", "learning rate of every epoch", rate_rung),
        Rung("R8", "batches of two epochs, bitwise", batches_rung),
        Rung("R9", "trajectory of many steps", trajectory_rung, _best),
    )
    return [rung for rung in every if applies(rung.name)]


def _best(case: Any) -> bool:
    """Whether a case is in the best precision: steps amplify rounding in others."""
    return bool(case.best)


def _simple(observe: Observe, limits: Limits) -> Callable[[Pair], Findings]:
    return lambda pair: judged(pair, observe, limits)
