"""Faults that any trainer, schedule and loader may have."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bridge.migration.defects import Defect, changing
from bridge.migration.pair import Pair

Batches = list[dict[str, np.ndarray]]
#: By this much a number is off that was changed a little.
_PERCENT = 1.01


def of_steps(pair: Pair) -> Iterator[Defect]:
    """What may go wrong around a step that is known only from outside."""
    inputs, targets = pair.batch(max(pair.migration.sizes))
    for axis in range(1, max((v.ndim for v in inputs), default=0)):
        yield changing(
            f"inputs reversed along axis {axis}",
            inputs=lambda v, a=axis: [_flip(x, a) for x in v],
        )
    yield changing("inputs off by a percent", inputs=_off)
    yield changing("targets off by a percent", targets=_off)
    if len(inputs) > 1:
        yield changing(
            "first two inputs exchanged", inputs=lambda v: [v[1], v[0], *v[2:]]
        )
    for kind, values in (("inputs", inputs), ("targets", targets)):
        if any(v.ndim and len(v) > 1 for v in values):
            name = f"{kind} of the batch in another order"
            yield changing(name, **{kind: lambda v: [_flip(x, 0) for x in v]})
    yield changing("each step is made twice", repeats=lambda number: 2)
    yield changing("every second step is left out", repeats=lambda number: number % 2)
    if pair.migration.control.load is not None:
        for name in pair.oracle.trainable():
            yield changing(f"`{name}` isn't trained", frozen=name)


def _off(values: list[np.ndarray]) -> list[np.ndarray]:
    return [v * _PERCENT if v.dtype.kind in "fc" else v for v in values]


def _flip(value: np.ndarray, axis: int) -> np.ndarray:
    return np.flip(value, axis).copy() if value.ndim > axis else value


Rate = Callable[[int], float]
#: What may be returned in place of the rate of an epoch, by name.
RATES: dict[str, Callable[[Rate, int], float]] = {
    "learning rate of the epoch before": lambda rate, epoch: rate(max(epoch - 1, 0)),
    "learning rate of the epoch after": lambda rate, epoch: rate(epoch + 1),
    "learning rate of the first epoch in all": lambda rate, epoch: rate(0),
}


def of_rates() -> Iterator[Defect]:
    """What may go wrong in a schedule."""
    for name, change in RATES.items():
        yield changing(name, rate=change)


def of_batches() -> Iterator[Defect]:
    """What may go wrong in a loader; named as the comparison of batches names it."""
    for name, change in _BATCHES.items():
        yield changing(name, batches=change)


def _of_epoch(change: Callable[[Batches], Batches]) -> Callable[..., Batches]:
    return lambda made, epoch: change(made(epoch))


def _rolled(batches: Batches) -> Batches:
    """The last sample of each batch first."""
    return [
        {k: np.roll(v, 1, 0) if v.ndim else v for k, v in b.items()} for b in batches
    ]


def _repeated(batches: Batches) -> Batches:
    """The first sample of a batch in place of its last."""

    def repeat(value: np.ndarray) -> np.ndarray:
        if not value.ndim or len(value) < 2:
            return value
        return np.concatenate([value[:-1], value[:1]])

    return [{k: repeat(v) for k, v in b.items()} for b in batches]


def _rounded(batches: Batches, kind: Any) -> Batches:
    return [
        {
            k: v.astype(kind).astype(v.dtype) if v.dtype.kind == "f" else v
            for k, v in b.items()
        }
        for b in batches
    ]


_BATCHES: dict[str, Callable[[Callable[[int], Batches], int], Batches]] = {
    "the same batches in another order": _of_epoch(lambda made: made[::-1]),
    "the same samples in another order": _of_epoch(_rolled),
    "last batch dropped": _of_epoch(lambda made: made[:-1]),
    "a sample is drawn more than once": _of_epoch(_repeated),
    "rounded to float32": _of_epoch(lambda made: _rounded(made, np.float32)),
    "rounded to float16": _of_epoch(lambda made: _rounded(made, np.float16)),
    "batches of epoch 0": lambda made, epoch: made(0),
}
