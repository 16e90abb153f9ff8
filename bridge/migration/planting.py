"""Which faults can be seen at all: those that change the control's numbers."""

from collections.abc import Iterable
from functools import partial

import numpy as np

from bridge.migration.arrays import checksum, real
from bridge.migration.batches import EPOCHS, made_by
from bridge.migration.causes import floats
from bridge.migration.defects import Defect
from bridge.migration.observing import forward, gradients, looked, losses, steps_of
from bridge.migration.pair import Observe, Pair
from bridge.migration.subject import Subject

#: A change below this is rounding.
_SEEN = 1e-6


def that_matter(pair: Pair, defects: Iterable[Defect]) -> list[Defect]:
    """The faults that change an output, a loss, a gradient, an update, or data."""
    looks = _looks(pair)
    plain = [looked(look, pair, pair.oracle) for look in looks]
    given = _given(pair, pair.oracle)
    kept = []
    for defect in defects:
        try:
            altered = pair.altered(defect)
            if _given(pair, altered) != given or any(
                _differ(looked(look, pair, altered), before)
                for look, before in zip(looks, plain, strict=True)
            ):
                kept.append(defect)
        except Exception:
            # The control can't have this fault, so it can't be told from an error.
            continue
    return kept


def _given(pair: Pair, subject: Subject) -> list[object]:
    """What a side's schedule and loader give."""
    side, epochs, given = pair.migration.control, pair.migration.epochs, []
    if side.rate is not None:
        of_epoch = partial(side.rate, subject.object)
        given += [subject.changes.rate(of_epoch, e) for e in range(epochs)]
    if side.batches is not None:
        for epoch in range(EPOCHS):
            made = subject.changes.batches(partial(made_by, side, subject), epoch)
            given.append([checksum(batch) for batch in made])
    return given


def _looks(pair: Pair) -> list[Observe]:
    looks: list[Observe] = []
    if pair.migration.applies("R3"):
        looks.append(forward)
    if pair.migration.applies("R4"):
        looks.append(losses)
    if pair.migration.applies("R5") and pair.oracle.differentiates:
        looks.append(gradients)
    if pair.migration.applies("R6"):
        looks.append(steps_of(1, 3))
    return looks


def _differ(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    if left.keys() != right.keys():
        return True
    sizes = [np.abs(v).max(initial=0.0) for v in floats(right).values()]
    # What is 0 but for rounding differs from call to call.
    smallest = 1e-8 * max(sizes, default=0.0)
    for name, value in right.items():
        other = left[name]
        if other.shape != value.shape:
            return True
        if value.dtype.kind not in "fc":
            continue
        size = max(np.abs(real(value)).max(initial=0.0), smallest)
        difference = np.abs(real(other) - real(value)).max(initial=0.0)
        if not difference <= _SEEN * size:
            return True
    return False
