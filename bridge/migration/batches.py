"""Batches of both sides, bitwise, in their order."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bridge.harness import Finding, Findings, exact, failed, named_exactly, passed
from bridge.migration.arrays import checksum, flatten, to_numpy
from bridge.migration.pair import Pair
from bridge.migration.seen import seed
from bridge.migration.sides import Side
from bridge.migration.subject import Subject
from bridge.migration.trainer_defects import Batches

EPOCHS = 2


def batches_rung(pair: Pair) -> Findings:
    """Every batch of two epochs: count, order, each array's bits."""
    control, candidate = (
        [_batches_of(pair, name, epoch) for epoch in range(EPOCHS)]
        for name in ("control", "candidate")
    )
    others = [[checksum(b) for b in made] for made in control]
    for epoch in range(EPOCHS):
        yield from _epoch(epoch, control[epoch], candidate[epoch], others)


def _batches_of(pair: Pair, name: str, epoch: int) -> Batches:
    side, subject = pair.side(name), getattr(pair, name)
    seed()
    made: Batches = subject.changes.batches(partial(made_by, side, subject), epoch)
    return made


def made_by(side: Side, subject: Subject, epoch: int) -> Batches:
    """The batches of an epoch, each its arrays by name."""
    assert side.batches is not None
    return [
        {k: to_numpy(v) for k, v in flatten(_plain(batch)).items()}
        for batch in side.batches(subject.object, epoch)
    ]


def _plain(batch: Any) -> Any:
    return list(batch) if isinstance(batch, tuple | list) else batch


def _epoch(
    epoch: int, control: Batches, candidate: Batches, others: list[list[str]]
) -> Findings:
    where = f"batches of epoch {epoch}"
    if not control:
        yield failed(where, "structure", "the control gives no batch")
        return
    left, right = ([checksum(b) for b in part] for part in (control, candidate))
    if left == right:
        yield passed(f"{where}, {len(left)} of them")
        return
    same = [f"batches of epoch {n}" for n, one in enumerate(others) if one == right]
    name = same[0] if same else _name(control, candidate, left, right)
    if len(left) != len(right):
        hint = name or f"{len(right)} batches, control {len(left)}"
        yield failed(where, "exact", hint)
        return
    for number, (mine, theirs) in enumerate(zip(control, candidate, strict=True)):
        for path in mine.keys() | theirs.keys():
            at = f"batch {number} of epoch {epoch}{f', {path}' if path else ''}"
            if path not in mine or path not in theirs:
                yield failed(at, "structure", "on one side only")
                continue
            finding = exact(at, theirs[path], mine[path])
            if finding.error > 0:
                yield _with(finding, name, theirs[path], mine[path])
                return


def _with(
    finding: Finding, name: str, candidate: np.ndarray, control: np.ndarray
) -> Finding:
    from dataclasses import replace

    if name:
        return replace(finding, hint=name)
    wrong: dict[str, Callable[[], np.ndarray]] = {
        "rounded to float32": lambda: control.astype(np.float32).astype(control.dtype),
        "rounded to float16": lambda: control.astype(np.float16).astype(control.dtype),
    }
    for axis in range(control.ndim):
        wrong[f"reversed along axis {axis}"] = lambda a=axis: np.flip(control, a)
    return named_exactly(finding, candidate, wrong)


def _name(control: list[Any], candidate: list[Any], left: list[str], right: list[str]):
    """What happened to the order, if samples are the same."""
    if Counter(left) == Counter(right):
        return "the same batches in another order"
    ours, theirs = _samples(control), _samples(candidate)
    if Counter(ours) == Counter(theirs):
        return "the same samples in another order"
    if left[:-1] == right:
        return "last batch dropped"
    if right[:-1] == left:
        return "last batch not dropped"
    more = Counter(theirs)
    if more and max(more.values()) > max(Counter(ours).values()):
        return "a sample is drawn more than once"
    lost = Counter(ours) - more
    return (
        f"{sum(lost.values())} samples are missing" if not more - Counter(ours) else ""
    )


def _samples(batches: list[Any]) -> list[str]:
    """A hash of each sample; the first axis of every array counts them."""
    found = []
    for batch in batches:
        sizes = {v.shape[0] for v in batch.values() if v.ndim}
        for index in range(min(sizes, default=0)):
            found.append(checksum({k: v[index] for k, v in batch.items() if v.ndim}))
    return found
