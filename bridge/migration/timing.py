"""Times both sides in turn, in one process."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.harness import HarnessError
from bridge.harness.bench_case import Case, Subject
from bridge.harness.bench_pairs import pairs_of
from bridge.harness.bench_table import table
from bridge.migration.arrays import flatten, to_numpy
from bridge.migration.pair import Pair, SideError

if TYPE_CHECKING:
    from bridge.migration.migration import Migration

#: How far the results of what is timed may be apart: loose, as `verify` judges.
_TOLERANCE = 1e-2


def bench(
    migration: "Migration", rounds: int, report: Callable[[str], object]
) -> dict[str, Any]:
    """Forward, gradient and step of both sides, in the lowest precision of all.

    Raises:
        HarnessError: A side can't be built.
    """
    pair = Pair(migration, migration.precisions[-1])
    try:
        pair.build()
    except SideError as error:
        raise HarnessError(str(error)) from error
    found: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        for name, work in _works(pair).items():
            case = Case(
                f"{migration.name}-{name}",
                name,
                {s: _builder(pair, s, work) for s in ("control", "candidate")},
                (),
                _TOLERANCE,
                control="control",
            )
            measured = pairs_of(case, Path(folder), rounds, lambda ladder: [])
            report("\n".join(table(case, measured)))
            found[name] = measured[-1].ratio
    return found


#: Runs a side once, and gives what must agree.
Work = Callable[[Any], dict[str, np.ndarray]]


def _works(pair: Pair) -> dict[str, Work]:
    inputs, targets = pair.batch(max(pair.migration.sizes))
    works: dict[str, Work] = {}
    if pair.migration.applies("R3"):
        works["forward"] = lambda s: {
            p or "output": to_numpy(v)
            for p, v in flatten(s.forward(inputs, False)).items()
        }
    if pair.migration.applies("R5") and pair.control.differentiates:
        works["gradient"] = lambda s: _loss(s.gradients(inputs, targets))
    if pair.migration.applies("R6"):
        works["step"] = lambda s: {"loss": np.array([s.train_step(inputs, targets)])}
    return works


def _loss(found: dict[str, Any]) -> dict[str, np.ndarray]:
    sizes = [np.abs(g).sum() for g in found.values() if g is not None]
    return {"sum of all gradients": np.array([float(np.sum(sizes))])}


def _builder(pair: Pair, name: str, work: Work) -> Callable[[Path], Subject]:
    def build(folder: Path) -> Subject:
        subject = getattr(pair, name)
        pair.refill(subject)
        if pair.migration.applies("R6"):
            subject.start()
        outcome = work(subject)
        size = max(pair.migration.sizes)
        return Subject(lambda: work(subject), lambda: outcome, {"samples": size})

    return build
