"""What crosses between torch and PhiML in one training batch, by switch values."""

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.cases import build
from benchmarks.cases.common import any_loss
from benchmarks.cases.settings import FEW, simulated_settings

Side = Literal["legacy", "phiml"]
SIDES: tuple[Side, ...] = ("legacy", "phiml")


@dataclass(frozen=True)
class Crossing:
    """What crosses at one boundary in one batch.

    Attributes:
        boundary: Where.
        count: Conversions.
        bytes: Of all tensors converted.
        copies: Conversions that copied; the others are views.
    """

    boundary: str
    count: int
    bytes: int
    copies: int


def conversions_of(
    model: Side, trainer: Side, data: Side, folder: Path | None = None
) -> list[Crossing]:
    """The crossings of one training batch, loading it included.

    Args:
        model: Side that the model runs on.
        trainer: Side that the trainer runs on.
        data: Side that the data run on.
        folder: Keeps simulations between calls; without one they are made anew.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as scratch:
            return conversions_of(model, trainer, data, Path(scratch))
    settings = simulated_settings(
        folder,
        *FEW,
        f"migration.model={model}",
        f"migration.trainer={trainer}",
        f"migration.data={data}",
    )
    loader, learner = build.loader(settings), build.learner(settings)
    counters = build.conversions()
    counters.reset()
    loader.set_epoch(0)
    learner.step(next(iter(loader)), any_loss)
    crossings = [
        Crossing(name, counted.count, counted.bytes, counted.copies)
        for name, counted in counters.boundaries.items()
    ]
    counters.reset()
    return crossings


def all_conversions() -> Iterator[tuple[str, str, str, str, int, int, int]]:
    """Rows model, trainer, data, boundary, count, bytes, copies of all 8 combinations.

    A combination in which nothing crosses has one row, with the boundary `none`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for model, trainer, data in itertools.product(SIDES, SIDES, SIDES):
            crossings = conversions_of(model, trainer, data, Path(scratch))
            for crossing in crossings or [Crossing("none", 0, 0, 0)]:
                numbers = (crossing.count, crossing.bytes, crossing.copies)
                yield (model, trainer, data, crossing.boundary, *numbers)


def lines() -> Iterator[str]:
    """The rows as a table, no wider than 80 columns."""
    yield "model   trainer data    boundary        count       bytes  copies"
    for row in all_conversions():
        yield "{:7} {:7} {:7} {:14} {:6} {:11,} {:7}".format(*row)
