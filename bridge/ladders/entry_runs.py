"""Whole runs as the entry point makes them, and every number that they write.

Nothing here imports the candidate, so that goldens of the control can be made without.
"""

import csv
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from experiment.data import read_trajectory
from experiment.evaluation import evaluate, write_evaluation
from experiment.run import components_of, run_tasks
from experiment.settings import Settings
from experiment.system import Progress, TrainingError, load_arrays

#: Where a run may be stopped by a signal; it is resumed then.
NEVER, INSIDE, BETWEEN = "never", "inside an epoch or a round", "between phases"
#: What differs between two runs of the same side.
_TIMES = ("seconds",)
Numbers = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Written:
    """What a run wrote.

    Attributes:
        numbers: Every number by what it is, in order of execution.
        sides: The package of what was built, by component; `bridge` of an adapter.
        stops: How often it was stopped.
    """

    numbers: Numbers
    sides: Mapping[str, str]
    stops: int


class WatchedParts:
    """Parts that say what they built, and that may end a training by a signal.

    Args:
        parts: What builds.
        stop: Where a signal comes, once.
        nudge: The parameters of the PDE begin each round at `1 + nudge` times theirs.
    """

    def __init__(self, parts: Any, stop: str = NEVER, nudge: float = 0.0) -> None:
        self._parts, self._stop, self._nudge = parts, stop, nudge
        self.sides: dict[str, str] = {}
        self.stops = 0

    def seed(self, settings: Settings) -> None:
        """See `Parts.seed`."""
        self._parts.seed(settings)

    def build_model(self, settings: Settings) -> Any:
        """See `Parts.build_model`."""
        model = self._parts.build_model(settings)
        self._saw("model", model)
        return model

    def build_loader(
        self,
        settings: Settings,
        simulations: Sequence[int],
        *,
        shuffle: bool,
        progress: Progress | None = None,
    ) -> Any:
        """See `Parts.build_loader`."""
        loader = self._parts.build_loader(
            settings, simulations, shuffle=shuffle, progress=progress
        )
        self._saw("data", loader)
        return loader

    def build_simulator(self, settings: Settings) -> Any:
        """See `Parts.build_simulator`."""
        simulator = self._parts.build_simulator(settings)
        self._saw("simulator", simulator)
        return simulator

    def build_synthetic_learner(self, settings: Settings, model: Any) -> Any:
        """See `Parts.build_synthetic_learner`."""
        learner = self._parts.build_synthetic_learner(settings, model)
        self._saw("trainer", learner)
        if self._stop == INSIDE:
            for name in ("step", "step_weighted"):
                self._signalling(learner, name, at=2)
        if self._stop == BETWEEN and settings.general.mode == "synthetic":
            self._signalling(learner, "evaluation", at=1)
        return learner

    def build_physical_learner(
        self, settings: Settings, progress: Progress | None = None
    ) -> Any:
        """See `Parts.build_physical_learner`."""
        learner = self._parts.build_physical_learner(settings, progress)
        self._saw("physics", learner)
        physical = settings.general.mode == "physical"
        if self._stop == (INSIDE if physical else BETWEEN):
            self._signalling(learner, "minimise", at=1)
        if self._nudge:
            minimise, nudge = learner.minimise, self._nudge

            def nudged(unbounded: Mapping[str, np.ndarray], scale: float) -> Any:
                moved = {n: v * (1 + nudge) for n, v in unbounded.items()}
                return minimise(moved, scale)

            learner.minimise = nudged
        return learner

    def _saw(self, component: str, what: Any) -> None:
        self.sides[component] = type(what).__module__.partition(".")[0]

    def _signalling(self, owner: Any, name: str, *, at: int) -> None:
        """Sends SIGTERM in the n-th call of a method, once in all."""
        method: Callable[..., Any] = getattr(owner, name)
        calls = [0]

        def called(*args: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == at and not self.stops:
                self.stops += 1
                os.kill(os.getpid(), signal.SIGTERM)
            return method(*args, **options)

        setattr(owner, name, called)


def written(settings: Settings, parts: WatchedParts) -> Written:
    """Runs all tasks as the entry point does, and reads what they wrote.

    A training that a signal ends is gone on with. Pictures aren't drawn.
    """
    progress = Progress(Console(quiet=True))
    components = components_of(settings, parts, {}, lambda *_: None)
    run = replace(
        settings, general=replace(settings.general, tasks=("generate", "train"))
    )
    try:
        path = run_tasks(run, components, progress)
    except TrainingError:
        if not parts.stops:
            raise
        resumed = replace(run, trainer=replace(run.trainer, resume=True))
        components = components_of(resumed, parts, {}, lambda *_: None)
        path = run_tasks(resumed, components, progress)
    evaluated = components.evaluation(run)
    result = evaluate(run, evaluated.forecasts, evaluated.parameters)
    write_evaluation(result, path / "evaluation")
    return Written(dict(_numbers(run, path)), parts.sides, parts.stops)


def _numbers(settings: Settings, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Every number of a run: simulations, histories, checkpoints, evaluation."""
    for simulation in range(settings.data.num_simulations):
        values = read_trajectory(settings, simulation)
        yield f"simulation {simulation}", values
    for file in sorted(path.glob("*metrics.jsonl"), reverse=True):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        yield from _columns(f"{file.stem} ", rows)
    checkpoints = Path(str(settings.general.checkpoint_dir))
    for file in sorted(checkpoints.glob("*.safetensors")):
        content = load_arrays(file)
        for name, array in content.arrays.items():
            # Each side keeps the states of its own generators.
            if not name.startswith("random/"):
                yield f"{file.stem} {name}", np.asarray(array)
        state = dict(content.facts["state"])
        history = state.pop("history")
        yield from _columns(f"{file.stem} state ", [state])
        yield from _columns(f"{file.stem} history ", history)
    folder = path / "evaluation"
    for name in ("curves.csv", "spectra.csv", "summary.csv", "parameters.csv"):
        with suppress(FileNotFoundError), (folder / name).open() as text:
            yield from _columns(f"evaluation {name} ", list(csv.DictReader(text)))
    with suppress(FileNotFoundError):
        content = load_arrays(folder / "parameters.safetensors")
        for name, array in content.arrays.items():
            yield f"evaluation parameter {name}", np.asarray(array)


def _columns(
    where: str, rows: list[dict[str, Any]]
) -> Iterator[tuple[str, np.ndarray]]:
    """Columns of a table: numbers in float64, NaN where there is none; else text."""
    for key in rows[0] if rows else ():
        if key in _TIMES:
            continue
        cells = [row.get(key) for row in rows]
        try:
            numbers = [np.nan if c in (None, "") else float(c) for c in cells]
            yield f"{where}{key}", np.array(numbers)
        except (TypeError, ValueError):
            yield f"{where}{key}", np.array([str(c) for c in cells])
