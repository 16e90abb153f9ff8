"""Processes from their start, and trainings from another side's checkpoint."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import build
from benchmarks.cases.common import any_loss, learned_numbers, window_work
from benchmarks.cases.settings import FEW, settings_of, simulated_settings
from benchmarks.harness.process import measure_apart, run_python
from bridge.harness.bench_case import Builder, Case, Subject

_PACKAGES = {"legacy": "legacy", "full": "phiml_port"}
_ROOMS = ("data", "models", "physics", "training")
_IMPORTED = (
    "import json, importlib; names = {names}; "
    "print(json.dumps(len([importlib.import_module(n) for n in names])))"
)
_SIDES = tuple(_PACKAGES)
_ALL = ("step1", "step2", "step3", "physics", "hybrid")


def _help(side: str, folder: Path) -> Subject:
    """The help of `run.py`, which composes all settings and imports no framework."""

    def run() -> str:
        return run_python("run.py", f"migration={side}", "--help")

    lines = run().splitlines()
    groups = np.array([sum(line.endswith(":") for line in lines)])
    return Subject(run, lambda: {"groups of settings": groups}, {"lines": len(lines)})


def _imports(side: str, folder: Path) -> Subject:
    names = [f"{_PACKAGES[side]}.{room}" for room in _ROOMS]

    def run() -> int:
        return json.loads(run_python("-c", _IMPORTED.format(names=names)))

    rooms = run()
    return Subject(run, lambda: {"rooms": np.array([rooms])}, {"rooms": rooms})


def _first_batch(side: str, folder: Path) -> Subject:
    """Imports, composes, builds both learners and takes one training step."""
    simulated_settings(folder, *FEW, "general.mode=hybrid")

    def run() -> dict[str, Any]:
        arguments = ("step", str(folder), side, *FEW, "general.mode=hybrid")
        return measure_apart("benchmarks.cases.first_batch", *arguments)

    # The first process builds the cache; it is not timed.
    work = run()
    loss = work.pop("loss")
    return Subject(run, lambda: {"loss": np.array([loss])}, work)


def _switch(side: str, folder: Path) -> Subject:
    """Builds a side, loads the control's checkpoint and takes the first step."""
    from experiment.training import LAST, checkpoint_folder, load_checkpoint

    epoch = (*FEW, "trainer.synthetic.epochs=1")
    begun = simulated_settings(folder, "migration=legacy", *epoch)
    file = checkpoint_folder(begun) / LAST
    if not file.exists():
        build.train(begun)
    settings = settings_of(folder, f"migration={side}", *epoch)
    windows = build.first_batch(settings)

    def run() -> float:
        learner = build.learner(settings)
        build.load_checkpoint(learner, load_checkpoint(file))
        return learner.step(windows, any_loss)

    work = window_work(windows) | learned_numbers(build.model(settings))
    return Subject(run, lambda: {"loss": np.array([run()])}, work)


def _case(
    name: str, builder: Any, sides: tuple[str, ...] = _SIDES, proved_by: Any = _ALL
) -> Case:
    builders: dict[str, Builder] = {side: partial(builder, side) for side in sides}
    return Case(
        name,
        "starting",
        builders,
        proved_by,
        tolerance=1e-4,
        profile="regular",
        gated=False,
    )


CASES = (
    _case("start-help", _help),
    _case("start-imports", _imports),
    _case("start-first-batch", _first_batch),
    _case("switch-side", _switch, ("legacy", "step2", "step3"), _ALL[:3]),
)
