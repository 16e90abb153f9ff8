"""What crosses between torch and PhiML in one training batch, by switch values."""

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.cases._common import FEW, simulated_settings

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
    from bridge import CONVERSIONS, build_trainer

    settings = simulated_settings(
        folder,
        *FEW,
        f"migration.model={model}",
        f"migration.trainer={trainer}",
        f"migration.data={data}",
    )
    built: Any = build_trainer(settings)
    CONVERSIONS.reset()
    built._train_loader.set_epoch(0)
    windows = next(iter(built._train_loader))
    built.training_step(windows, lambda loss: None)
    found = [
        Crossing(name, held.count, held.bytes, held.copies)
        for name, held in CONVERSIONS.boundaries.items()
    ]
    CONVERSIONS.reset()
    return found


def all_conversions() -> Iterator[tuple[str, str, str, str, int, int, int]]:
    """Rows model, trainer, data, boundary, count, bytes, copies of all 8 combinations.

    A combination in which nothing crosses has one row, with the boundary `none`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for model, trainer, data in itertools.product(SIDES, SIDES, SIDES):
            found = conversions_of(model, trainer, data, Path(scratch))
            for crossing in found or [Crossing("none", 0, 0, 0)]:
                numbers = (crossing.count, crossing.bytes, crossing.copies)
                yield (model, trainer, data, crossing.boundary, *numbers)


def main() -> None:
    """Prints all rows; `python -m benchmarks._conversions`."""
    from benchmarks._machine import prepare

    prepare()
    print("model   trainer data    boundary        count       bytes  copies")
    for row in all_conversions():
        print("{:7} {:7} {:7} {:14} {:6} {:11,} {:7}".format(*row))


if __name__ == "__main__":
    main()
