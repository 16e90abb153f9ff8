"""Learning the parameters of the PDE, on either side, and what can go wrong."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.assemble import MixedParts
from experiment.run import RunFolder, build_physical_training
from experiment.settings import Settings, parameter_ranges
from experiment.system import Progress
from experiment.training import (
    BEST,
    LAST,
    PHYSICAL,
    PHYSICAL_BEST,
    PHYSICAL_LAST,
    Checkpoint,
    Minimum,
    PhysicalTraining,
    load_checkpoint,
)
from tests.helpers import relative_error, small, synthetic_training
from tests.physics_cases import DOUBLE, EXPERIMENTS, simulate

SIDES = ("legacy", "phiml")
MODE = "general.mode=physical"
LEARN = (
    MODE,
    DOUBLE,
    # One step compiles sooner; tests of the numbers take two.
    "trainer.rollout_steps=1",
    "trainer.physical.windows=6",
    "trainer.physical.rounds=2",
    "trainer.physical.iterations=4",
)


def training(settings: Settings) -> PhysicalTraining:
    """The training of the physical model, of the side that is on."""
    return build_physical_training(settings, MixedParts())


def curve(path: Path, name: str, *overrides: str) -> None:
    """Trains the synthetic model."""
    settings = small(path, *overrides, kept_in(path, name))
    synthetic_training(settings).train(RunFolder(settings), Progress())


def on(side: str) -> str:
    return f"migration.physics={side}"


def kept_in(path: Path, name: str) -> str:
    return f"general.checkpoint_dir={path}/{name}"


def learned(path: Path, name: str, *overrides: str, **options: Any) -> Checkpoint:
    """Trains; returns the last checkpoint."""
    settings = small(path, *LEARN, *overrides, kept_in(path, name), **options)
    training(settings).train(RunFolder(settings), Progress())
    return load_checkpoint(path / name / PHYSICAL_LAST, PHYSICAL)


def interrupted(path: Path, name: str, rounds: int, *overrides: str, **o: Any) -> None:
    """Trains some rounds, and is killed inside the next one."""
    settings = small(path, *LEARN, *overrides, kept_in(path, name), **o)
    trainer = training(settings)
    minimise, done = trainer.learner.minimise, []

    def interrupting(*arguments: Any) -> Minimum:
        found = minimise(*arguments)
        done.append(1)
        if len(done) > rounds:
            raise KeyboardInterrupt
        return found

    setattr(trainer.learner, "minimise", interrupting)  # noqa: B010
    with pytest.raises(KeyboardInterrupt):
        trainer.train(RunFolder(settings), Progress())


def untimed(checkpoint: Checkpoint) -> Any:
    rows = tuple(
        {k: v for k, v in row.items() if k != "seconds"}
        for row in checkpoint.state.history
    )
    return replace(checkpoint.state, history=rows)


def same(left: Checkpoint, right: Checkpoint) -> None:
    """Bitwise equal, but for the seconds."""
    assert untimed(left) == untimed(right)
    assert left.weights.keys() == right.weights.keys()
    for name, values in left.weights.items():
        np.testing.assert_array_equal(values, right.weights[name])
        np.testing.assert_array_equal(
            left.optimiser[name]["unbounded"], right.optimiser[name]["unbounded"]
        )


def near(left: Checkpoint, right: Checkpoint, bound: float) -> None:
    """The same losses and parameters but for rounding, relative."""
    for name, values in right.weights.items():
        assert relative_error(left.weights[name], values) < bound, name
    for key in ("loss_before", "loss", "real_loss"):
        np.testing.assert_allclose(
            [row[key] for row in left.state.history],
            [row[key] for row in right.state.history],
            rtol=bound,
        )


@pytest.mark.parametrize("side", SIDES)
def test_the_factor_of_advection_is_found(tmp_path: Path, side: str) -> None:
    """A scalar and data without noise, but in 32 bits: to 1e-3 and better."""
    simulate(tmp_path, "advection")
    rounds = ("trainer.physical.rounds=3", "trainer.physical.iterations=10")
    found = learned(tmp_path, "last", *rounds, on(side), experiment="advection")
    value = found.weights["velocity_factor"]
    assert value.shape == () and value.dtype == np.float64
    assert abs(float(value) - 1.0) < 1e-3
    assert (
        found.state.history[-1]["loss"] < 1e-4 * found.state.history[0]["loss_before"]
    )


def at_faces(values: np.ndarray) -> np.ndarray:
    """The smaller value of both cells at each face, `(axis, x, y)`: what data can tell.

    By how much a cell exceeds all its neighbours has no effect on the solution.
    """
    return np.stack([np.minimum(values, np.roll(values, -1, axis)) for axis in (0, 1)])


@pytest.mark.parametrize("side", SIDES)
def test_the_viscosity_of_burgers_comes_nearer(burgers_folder: Path, side: str) -> None:
    settings = small(burgers_folder, *LEARN)
    truth = settings.model.physical.true_parameter("viscosity")
    held = parameter_ranges(settings)["viscosity"]
    found = learned(burgers_folder, "last", "trainer.physical.rounds=3", on(side))
    learned_at_faces = at_faces(found.weights["viscosity"])
    before = relative_error(at_faces(held.guess), at_faces(truth))
    after = relative_error(learned_at_faces, at_faces(truth))
    assert after < 0.6 * before, (before, after)
    assert (found.weights["viscosity"] > held.lower).all()
    assert (found.weights["viscosity"] < held.upper).all()
    losses = [row["loss"] for row in found.state.history]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.1 * found.state.history[0]["loss_before"]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_both_sides_learn_the_same_and_take_over_from_each_other(
    tmp_path: Path, experiment: str
) -> None:
    """Also when the side is switched between two rounds, in either direction."""
    simulate(tmp_path, experiment)
    steps = "trainer.rollout_steps=2"
    whole = {
        side: learned(tmp_path, side, on(side), steps, experiment=experiment)
        for side in SIDES
    }
    near(whole["phiml"], whole["legacy"], 1e-6)
    for first, second in (SIDES, SIDES[::-1]):
        name = f"from-{first}"
        interrupted(tmp_path, name, 1, on(first), steps, experiment=experiment)
        resume = (on(second), steps, "trainer.resume=true")
        resumed = learned(tmp_path, name, *resume, experiment=experiment)
        assert resumed.state.epoch == 2
        near(resumed, whole["legacy"], 1e-6)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("side", SIDES)
def test_a_killed_training_goes_on_bitwise(
    tmp_path: Path, experiment: str, side: str
) -> None:
    simulate(tmp_path, experiment)
    whole = learned(tmp_path, "whole", on(side), experiment=experiment)
    interrupted(tmp_path, "apart", 1, on(side), experiment=experiment)
    path = tmp_path / "apart" / PHYSICAL_LAST
    assert load_checkpoint(path, PHYSICAL).state.epoch == 1
    resume = "trainer.resume=true"
    same(learned(tmp_path, "apart", on(side), resume, experiment=experiment), whole)


def test_both_backends_learn_the_same(tmp_path: Path) -> None:
    simulate(tmp_path, "advection")
    found = {
        backend: learned(
            *(tmp_path, backend, on("phiml")),
            f"migration.phiml_backend={backend}",
            experiment="advection",
        )
        for backend in ("torch", "jax")
    }
    near(found["jax"], found["torch"], 1e-6)


def test_the_history_is_written_to_the_run_folder(burgers_folder: Path) -> None:
    found = learned(burgers_folder, "last")
    folder = burgers_folder / "runs" / "latest"
    text = (folder / "physical_metrics.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["round"] for row in rows] == ["1", "2"]
    assert len((folder / "physical_metrics.jsonl").read_text().splitlines()) == 2
    for row, kept in zip(rows, found.state.history, strict=True):
        assert float(row["loss"]) == kept["loss"] <= float(row["loss_before"])
        assert int(row["iterations"]) == kept["iterations"] <= 4
    assert found.state.iteration == sum(r["iterations"] for r in found.state.history)
    assert not (folder / "metrics.csv").exists()
    best = load_checkpoint(burgers_folder / "last" / PHYSICAL_BEST, PHYSICAL)
    assert best.state.epoch == found.state.best_epoch


def test_a_new_training_moves_the_old_checkpoints_aside(burgers_folder: Path) -> None:
    folder = burgers_folder / "last"
    curve(burgers_folder, "last")
    learned(burgers_folder, "last", "trainer.physical.rounds=1")
    before = (folder / PHYSICAL_LAST).read_bytes()
    learned(burgers_folder, "last", "trainer.physical.rounds=1")
    (aside,) = (folder / "earlier").iterdir()
    assert (aside / PHYSICAL_LAST).read_bytes() == before
    # The other model's are left where they are.
    assert (folder / LAST).exists() and (folder / BEST).exists()
