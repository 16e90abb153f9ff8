"""How the cost of a step, an epoch and a roll-out grows."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cases.physics import rollout
from benchmarks.cases.settings import FEW, grid_of
from benchmarks.cases.training import training_epoch, training_step
from bridge.harness.bench_case import Subject
from bridge.harness.bench_timing import interleaved

SIDES = ("legacy", "full")
#: Small, so that an epoch of many batches is a matter of a second.
_SMALL = (
    *grid_of(16),
    *("model/synthetic=convnet", "model.synthetic.architecture.layers=[8]"),
)


@dataclass(frozen=True)
class Series:
    """One cost against one size.

    Attributes:
        cost: What is timed.
        against: What grows.
        sizes: Its values, ascending.
        build: Makes a side at a size; the folder is that of the size.
    """

    cost: str
    against: str
    sizes: tuple[int, ...]
    build: Callable[[str, int, Path], Subject]


@dataclass(frozen=True)
class Exponent:
    """The p of `seconds ~ sizes^p`, with its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.2f} +- {self.error:.2f}"


def fitted_exponent(sizes: Sequence[float], seconds: Sequence[float]) -> Exponent:
    """Least squares of log(seconds) against log(sizes).

    Raises:
        ValueError: There are fewer than 3 points, or one isn't positive.
    """
    x, y = np.asarray(sizes, float), np.asarray(seconds, float)
    if x.shape != y.shape or x.size < 3:
        raise ValueError(
            f"`sizes` has {x.size} values and `seconds` {y.size}; expected as many, and"
            " at least 3, as two always lie on a line"
        )
    if not ((x > 0).all() and (y > 0).all()) or np.ptp(x) == 0:
        raise ValueError(
            f"`sizes` is {x.tolist()}, `seconds` {y.tolist()}; expected positive"
            " numbers, and sizes that differ"
        )
    x, y = np.log(x), np.log(y)
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ y) / spread
    rest = y - y.mean() - slope * centred
    return Exponent(slope, float(np.sqrt(rest @ rest / (x.size - 2) / spread)))


def _simulations(count: int) -> tuple[str, ...]:
    train = ",".join(str(i) for i in range(count))
    return (
        *(f"data.num_simulations={count + 1}", f"trainer.train_sim=[{train}]"),
        f"evaluation.test_sim=[{count}]",
    )


def _frames(count: int) -> tuple[str, ...]:
    return (f"data.trajectory_length={count}",)


def _length(count: int) -> tuple[str, ...]:
    return (f"trainer.rollout_steps={count}",)


def _step(overrides: Callable[[int], tuple[str, ...]]) -> Callable[..., Subject]:
    return lambda side, size, folder: training_step(
        folder, side, *FEW, *overrides(size)
    )


def _epoch(overrides: Callable[[int], tuple[str, ...]]) -> Callable[..., Subject]:
    return lambda side, size, folder: training_epoch(
        folder, side, *FEW, *_SMALL, *overrides(size)
    )


def _rollout(side: str, folder: Path, steps: int, *overrides: str) -> Subject:
    physics = {"legacy": "legacy", "full": "phiml"}[side]
    return rollout(folder, physics, 1, steps, *overrides)


SERIES: dict[str, Series] = {
    "step-simulations": Series(
        "training step", "simulations", (1, 2, 4, 8), _step(_simulations)
    ),
    "step-grid": Series(
        "training step", "grid edge", (16, 32, 64, 128), _step(grid_of)
    ),
    "step-rollout": Series("training step", "roll-out", (1, 2, 4, 8), _step(_length)),
    "epoch-simulations": Series(
        "epoch", "simulations", (1, 2, 4, 8, 16), _epoch(_simulations)
    ),
    "epoch-frames": Series("epoch", "frames", (20, 36, 68, 132), _epoch(_frames)),
    "rollout-grid": Series(
        "roll-out of 8",
        "grid edge",
        (16, 32, 64, 128, 256),
        lambda side, size, folder: _rollout(side, folder, 8, *grid_of(size)),
    ),
    "rollout-length": Series(
        "roll-out",
        "steps",
        (2, 4, 8, 16),
        lambda side, size, folder: _rollout(side, folder, size),
    ),
}


def scaling_rows(name: str, rounds: int = 7) -> Iterator[str]:
    """Measures a series, both sides in turn at each size; lines of at most 80 columns.

    Raises:
        ValueError: There is no such series, or the sides don't do the same work.
    """
    if name not in SERIES:
        raise ValueError(f"`name` is {name!r}; allowed: {', '.join(SERIES)}")
    series = SERIES[name]
    yield f"{name}: {series.cost} against {series.against}, median ms"
    yield f"{series.against:>12} {'legacy':>10} {'full':>10}  full / legacy, 95 %"
    seconds = []
    for size in series.sizes:
        with tempfile.TemporaryDirectory() as folder:
            legacy, full = (series.build(s, size, Path(folder)) for s in SIDES)
            if legacy.work != full.work:
                raise ValueError(
                    f"{name} at {size}: legacy does {dict(legacy.work)}, full"
                    f" {dict(full.work)}; expected the same work"
                )
            ratio = interleaved(full.run, legacy.run, rounds=rounds)
        port, control = ratio.seconds
        seconds.append((control, port))
        interval = f"{ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
        yield f"{size:>12} {1e3 * control:>10.2f} {1e3 * port:>10.2f}  {interval}"
    for side, column in zip(SIDES, zip(*seconds, strict=True), strict=True):
        yield f"  {side} grows with the power {fitted_exponent(series.sizes, column)}"


def lines() -> Iterator[str]:
    """All series."""
    return (line for name in SERIES for line in scaling_rows(name))
