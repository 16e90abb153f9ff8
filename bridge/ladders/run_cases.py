"""Cases that a run's own words make: what `run.py` with the same words would run."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

import torch

import legacy.assemble
from bridge.configuration import composed
from bridge.ladders.nested import put
from experiment.settings import SIDES, Settings, check_settings, to_dict
from experiment.system import SettingsError

SMALL, RUN = "small", "run"
#: Frames and simulations of small cases, and steps of a roll-out at most.
FRAMES, SIMULATIONS, STEPS = 8, 4, 4
_PRIMES = (5, 7, 3, 11, 13, 17)
#: What every case is without: other data than its own, other devices, what is resumed.
_ALWAYS = {
    "general.mode": "hybrid",
    "general.tasks": ["generate", "train", "evaluate"],
    "general.device": "cpu",
    "data.source": None,
    "data.export": None,
    "data.num_simulations": SIMULATIONS,
    "trainer.train_sim": [2, 0, 3],
    "trainer.val_sim": [1],
    "trainer.resume": False,
    "trainer.synthetic.checkpoint_every": 0,
    "evaluation.test_sim": [1],
    "evaluation.laplace_rank": 0,
    "evaluation.export": None,
}


@dataclass(frozen=True)
class RunCase:
    """What a run of some words builds, at small sizes or at its own.

    Attributes:
        config: The configuration's name.
        words: Overrides, `key=value`.
        folder: Another folder with configurations.
        precision: `float64`, or the run's own.
        sizes: `small` or `run`.
        grid: Cells along each axis, of small sizes.
    """

    config: str | None
    words: tuple[str, ...]
    folder: str | None
    precision: str
    sizes: str = SMALL
    grid: tuple[int, ...] = ()

    def __str__(self) -> str:
        cells = "x".join(map(str, self.settings.model.physical.resolution.values()))
        return f"{self.experiment}-{self.architecture}-{self.precision}-{cells}"

    @property
    def settings(self) -> Settings:
        """Its settings, checked."""
        return _settings(self)

    @property
    def experiment(self) -> str:
        """The equation, for what is said of a case."""
        return self.settings.model.physical.name

    @property
    def architecture(self) -> str:
        """The network: a name of the registry, or a class of one's own."""
        own = self.settings.migration.sources.model.legacy
        return own or self.settings.model.synthetic.name

    @property
    def periodic(self) -> bool:
        """Whether a network of the registry is."""
        return self.settings.model.synthetic.architecture.periodic

    @property
    def observed(self) -> str:
        """Empty: what it observes is judged between the sides, not by a reference."""
        return ""

    @property
    def coarsening(self) -> int:
        """How much coarser the grid is that physics is solved on."""
        return self.settings.trainer.physical.coarsening

    @property
    def at_own_sizes(self) -> bool:
        """Whether it has the run's own sizes, so that little is run of it."""
        return self.sizes == RUN


def is_own(settings: Settings) -> bool:
    """Whether a side's network is one of one's own."""
    return any(getattr(settings.migration.sources.model, side) for side in SIDES)


def limited(name: object, own: int, small: int) -> int:
    """A size of a case: what the case's ladder says, or the run's own where smaller.

    Args:
        name: The case.
        own: The run's own.
        small: The ladder's.
    """
    if not isinstance(name, RunCase):
        return small
    return own if name.at_own_sizes else min(own, small)


@lru_cache
def _settings(case: RunCase) -> Settings:
    base = composed(case.config, case.words, case.folder)
    changes = dict(_ALWAYS) | {"general.precision": case.precision}
    changes["data.num_workers"] = min(base.data.num_workers, 2)
    if not case.at_own_sizes:
        changes |= dict(_small(base, case.grid))
    values = to_dict(base)
    for key, value in changes.items():
        put(values, key, value)
    return check_settings(values)


def _small(base: Settings, grid: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """Small values of what has a size; all else stays as the words have it."""
    architecture, trainer = base.model.synthetic.architecture, base.trainer
    axes = base.model.physical.axes
    yield "model.physical.resolution", dict(zip(axes, grid, strict=True))
    if not is_own(base):
        above, primes = "model.synthetic.architecture", {}
        levels = min(architecture.levels or 0, 3)
        if levels:
            yield f"{above}.levels", levels
        if architecture.layers:
            yield f"{above}.layers", _renumbered(architecture.layers[:3], primes)
        if isinstance(architecture.filters, tuple):
            widths = architecture.filters[:levels]
            yield f"{above}.filters", _renumbered(widths, primes)
        elif architecture.filters:
            yield f"{above}.filters", _PRIMES[0]
    frames = min(base.data.trajectory_length, FRAMES)
    yield "data.trajectory_length", frames
    yield "evaluation.num_frames", frames
    yield "trainer.rollout_steps", min(trainer.rollout_steps, STEPS)
    yield "trainer.rollout_start", min(trainer.rollout_start, 2)
    yield "trainer.synthetic.decay_epochs", min(trainer.synthetic.decay_epochs, 2)
    hybrid = trainer.hybrid
    for key, value, most in (
        ("trainer.physical.rollout_steps", trainer.physical.rollout_steps, 3),
        ("trainer.hybrid.trajectories", hybrid.trajectories, 3),
        ("trainer.hybrid.generated_frames", hybrid.generated_frames, 6),
        ("trainer.hybrid.predicted_frames", hybrid.predicted_frames, 5),
    ):
        if value is not None:
            yield key, min(value, most)
    yield from _observed(base, grid, frames)


def _renumbered(widths: tuple[int, ...], primes: dict[int, int]) -> list[int]:
    """Small primes for widths, equal ones for equal ones."""
    for width in widths:
        primes.setdefault(width, _PRIMES[len(primes) % len(_PRIMES)])
    return [primes[width] for width in widths]


def _observed(
    base: Settings, grid: tuple[int, ...], frames: int
) -> Iterator[tuple[str, Any]]:
    """What is observed, of the same kinds, on a small grid in few frames."""
    time, space = base.data.observations.time, base.data.observations.space
    above, last = "data.observations", base.data.trajectory_length - 1
    if time.frames is not None:
        near = {round(f * (frames - 1) / last) for f in time.frames}
        yield f"{above}.time.frames", sorted({0, 1} | near)
    if time.every is not None:
        yield f"{above}.time.every", min(time.every, 2)
    if space.number is not None:
        share = space.number / prod(base.model.physical.resolution.values())
        yield f"{above}.space.number", max(1, round(share * prod(grid)))


def grids(settings: Settings) -> Iterator[tuple[int, ...]]:
    """Small grids to try, from the smallest on; the run's own is the last.

    Distinct along each axis; of a network that halves its grid, multiples of what it
    needs.
    """
    own = tuple(settings.model.physical.resolution.values())
    factor = settings.trainer.physical.coarsening
    for sizes in ((11, 13, 5), (22, 14, 10), (28, 20, 12), (40, 24, 16), (46, 58, 34)):
        yield tuple(n * factor for n in sizes[: len(own)])
    yield own


def of_words(
    config: str | None, words: tuple[str, ...], folder: str | None, sizes: str
) -> list[RunCase]:
    """The cases of a run: small ones in float64 and its own precision, then its own.

    Raises:
        SettingsError: As `run.py` would end with the same words.
    """
    base = composed(config, words, folder)
    whole = RunCase(config, words, folder, "float64", RUN)
    small = replace(whole, sizes=SMALL, grid=_fitting(whole, base))
    precisions = dict.fromkeys(("float64", base.general.precision))
    pick = (small, whole) if sizes == RUN else (small,)
    return [replace(case, precision=p) for case in pick for p in precisions]


def _fitting(case: RunCase, base: Settings) -> tuple[int, ...]:
    """The smallest grid that the settings and the control's network allow."""
    *some, own = grids(base)
    for grid in some:
        try:
            settings = replace(case, sizes=SMALL, grid=grid).settings
        except SettingsError:
            continue
        if not is_own(base) or _runs(settings):
            return grid
    return own


def _runs(settings: Settings) -> bool:
    """Whether the control's network takes the grid, of which only it knows."""
    model = legacy.assemble.build_model(settings)
    cells = settings.model.physical.resolution.values()
    state = torch.zeros(1, len(model.plan.names), *cells, dtype=torch.float64)
    try:
        with torch.no_grad():
            return model(state).shape == state.shape
    except (RuntimeError, ValueError, IndexError, AssertionError):
        return False
