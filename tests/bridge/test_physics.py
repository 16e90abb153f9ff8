"""Learning the parameters of the PDE, on either side, and what can go wrong."""

import csv
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.assemble import MixedParts, build_components
from experiment.run import RunFolder, build_physical_training, read_evaluated
from experiment.settings import Settings, parameter_ranges
from experiment.system import (
    CheckpointError,
    Progress,
    SceneError,
    SettingsError,
    TrainingError,
)
from experiment.training import (
    BEST,
    LAST,
    PHYSICAL,
    PHYSICAL_BEST,
    PHYSICAL_LAST,
    SYNTHETIC,
    Checkpoint,
    Minimum,
    PhysicalTraining,
    load_checkpoint,
)
from tests.helpers import ROOT, relative_error, small, synthetic_training
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


@pytest.mark.parametrize("side", SIDES)
def test_the_viscosity_of_burgers_comes_nearer(burgers_folder: Path, side: str) -> None:
    settings = small(burgers_folder, *LEARN)
    truth = settings.model.physical.true_parameter("viscosity")
    held = parameter_ranges(settings)["viscosity"]
    found = learned(burgers_folder, "last", "trainer.physical.rounds=3", on(side))
    before = relative_error(held.guess, truth)
    after = relative_error(found.weights["viscosity"], truth)
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


@pytest.mark.parametrize("side", SIDES)
def test_a_round_that_does_not_converge_keeps_the_best_point_and_says_so(
    burgers_folder: Path, side: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    limits = ("trainer.physical.rounds=1", "trainer.physical.iterations=2")
    found = learned(burgers_folder, "last", on(side), *limits)
    (row,) = found.state.history
    assert row["converged"] is False
    assert row["loss"] < row["loss_before"]
    assert "round 1 did not converge" in caplog.text
    assert "the best point that it found is kept" in caplog.text


@pytest.mark.parametrize("worse", (2.0, float("nan")))
def test_a_result_that_is_worse_or_nan_keeps_the_parameters_from_before(
    burgers_folder: Path,
    worse: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = small(burgers_folder, *LEARN)
    trainer = training(settings)
    guess = trainer.parameters["viscosity"]

    def minimise(unbounded: Any, scale: float) -> Minimum:
        moved = {name: z + worse for name, z in unbounded.items()}
        return Minimum(moved, 1, 1, True, "as told")

    setattr(trainer.learner, "minimise", minimise)  # noqa: B010
    state = trainer.train(RunFolder(settings), Progress())
    np.testing.assert_array_equal(trainer.parameters["viscosity"], guess)
    assert "round 1 of the physical model diverged" in caplog.text
    assert "the parameters from before it are kept (as told)" in caplog.text
    assert [row["loss"] == row["loss_before"] for row in state.history] == [True] * 2
    kept = load_checkpoint(burgers_folder / "checkpoints" / PHYSICAL_LAST, PHYSICAL)
    np.testing.assert_array_equal(kept.weights["viscosity"], guess)


@pytest.mark.parametrize("side", SIDES)
def test_a_loss_that_is_not_finite_names_the_round_and_keeps_the_checkpoint(
    burgers_folder: Path, side: str
) -> None:
    settings = small(burgers_folder, *LEARN, on(side))
    trainer = training(settings)
    trainer.unbounded = {n: z * np.nan for n, z in trainer.unbounded.items()}
    with pytest.raises(
        TrainingError, match=r"before round 1 is nan; .*no checkpoint was written yet"
    ):
        trainer.train(RunFolder(settings), Progress())
    trainer = training(settings)
    run = RunFolder(settings)
    trainer.train(run, Progress(), until=1)
    path = burgers_folder / "checkpoints" / PHYSICAL_LAST
    before = path.read_bytes()
    trainer.unbounded = {n: z * np.nan for n, z in trainer.unbounded.items()}
    with pytest.raises(TrainingError, match=r"before round 2 is nan; .*last.*is kept"):
        trainer.train(run, Progress())
    assert path.read_bytes() == before


@pytest.mark.parametrize("side", SIDES)
def test_an_error_inside_the_loss_is_raised_and_the_process_ends(
    burgers_folder: Path, side: str
) -> None:
    """PhiML's optimiser waits for its threads for ever if one raises.

    In a process of its own, as a hang would hold all tests.
    """
    program = f"""
from pathlib import Path
import torch
torch.set_num_threads(1)
from experiment.run import RunFolder
from experiment.system import Progress
from tests.bridge.test_physics import training
from tests.helpers import small
settings = small(Path({str(burgers_folder)!r}), *{(*LEARN, on(side))!r})
trainer = training(settings)
learner = trainer.learner
own, done = {{"legacy": "_loss", "phiml": "_compiled"}}[{side!r}], []
loss = getattr(learner, own)
def failing(*arguments):
    done.append(1)
    # The trainer asks once before; then the optimiser.
    if len(done) == 3:
        raise OSError("the disk is gone")
    return loss(*arguments)
setattr(learner, own, failing)
trainer.train(RunFolder(settings), Progress())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 1
    assert "OSError: the disk is gone" in done.stderr
    assert not (burgers_folder / "checkpoints" / PHYSICAL_LAST).exists()


def test_a_checkpoint_of_the_other_model_is_refused(burgers_folder: Path) -> None:
    folder = burgers_folder / "checkpoints"
    learned(burgers_folder, "checkpoints", "trainer.physical.rounds=1")
    curve(burgers_folder, "checkpoints", DOUBLE, "trainer.synthetic.epochs=1")
    synthetic = (folder / LAST).read_bytes()
    shutil.copy(folder / PHYSICAL_LAST, folder / LAST)
    with pytest.raises(CheckpointError, match="is of the physical model; expected one"):
        curve(burgers_folder, "checkpoints", DOUBLE, "trainer.resume=true")
    with pytest.raises(CheckpointError, match="general.mode=synthetic` or `hybrid`"):
        read_evaluated(small(burgers_folder, DOUBLE), MixedParts())
    (folder / PHYSICAL_LAST).write_bytes(synthetic)
    with pytest.raises(CheckpointError, match="is of the synthetic model; expected"):
        learned(burgers_folder, "checkpoints", "trainer.resume=true")
    with pytest.raises(CheckpointError, match="general.mode=physical` or `hybrid`"):
        read_evaluated(small(burgers_folder, *LEARN), MixedParts())


def test_a_checkpoint_that_cannot_be_resumed(burgers_folder: Path) -> None:
    resume = "trainer.resume=true"
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        learned(burgers_folder, "last", resume)
    learned(burgers_folder, "last", "trainer.physical.rounds=1")
    with pytest.raises(CheckpointError, match="had other settings") as caught:
        learned(burgers_folder, "last", resume, "trainer.physical.windows=5")
    assert "trainer.physical.windows" in str(caught.value)
    scalar = "{name:viscosity,type:scalar,initial_guess:0.1,bounds:[0.0,null]}"
    with pytest.raises(CheckpointError, match="is of other parameters: leaf `visc"):
        learned(
            *(burgers_folder, "last", resume),
            f"trainer.physical.learnable_parameters=[{scalar}]",
        )
    path = burgers_folder / "last" / PHYSICAL_LAST
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(CheckpointError, match="torn"):
        learned(burgers_folder, "last", resume)
    path.write_bytes(whole)
    # More rounds than before are no other training.
    assert learned(burgers_folder, "last", resume).state.epoch == 2


@pytest.mark.parametrize("side", SIDES)
def test_what_is_there_is_evaluated(burgers_folder: Path, side: str) -> None:
    """Neither, the physical model, both, and the synthetic one alone."""
    evaluate = small(burgers_folder, DOUBLE, on(side), "general.mode=evaluate")
    components = build_components(evaluate)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        components.evaluation()
    learned(burgers_folder, "checkpoints", on(side), "trainer.physical.rounds=1")
    evaluated = components.evaluation()
    assert list(evaluated.forecasts) == [PHYSICAL] == list(evaluated.histories)
    (parameter,) = evaluated.parameters
    assert parameter.name == "viscosity"
    before, after = parameter.error_before, parameter.error_after
    assert before is not None and after is not None and after < before
    curve(burgers_folder, "checkpoints", DOUBLE, "trainer.synthetic.epochs=1")
    evaluated = components.evaluation()
    assert list(evaluated.forecasts) == [SYNTHETIC, PHYSICAL]
    start = np.random.default_rng(0).standard_normal((1, 16, 8, 2))
    for forecast in evaluated.forecasts.values():
        found = forecast(start, 4)
        assert found.shape == (1, 4, 16, 8, 2)
        np.testing.assert_array_equal(found[:, 0], start)
    for path in (burgers_folder / "checkpoints").glob("physical-*"):
        path.unlink()
    evaluated = components.evaluation()
    assert list(evaluated.forecasts) == [SYNTHETIC] and not evaluated.parameters


def test_jax_that_is_not_installed_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phiml_port.assemble.find_spec", lambda name: None)
    jax = ("migration.phiml_backend=jax", MODE)
    with pytest.raises(SettingsError, match=r"`pip install -e '\.\[jax\]'`") as caught:
        build_components(small(tmp_path, *jax, on("phiml")))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    # The control doesn't ask for it.
    build_components(small(tmp_path, *jax, on("legacy")))


@pytest.mark.parametrize("side", SIDES)
def test_predicted_windows_with_too_few_frames_are_refused(
    burgers_folder: Path, side: str
) -> None:
    trainer = training(small(burgers_folder, *LEARN, on(side)))
    with pytest.raises(SceneError, match=r"simulation 0 has 1 frames; .* needs 2"):
        trainer.learner.augment(np.zeros((1, 1, 16, 8, 2)), "both")


@pytest.mark.parametrize("side", SIDES)
def test_simulations_with_too_few_frames_are_refused(
    burgers_folder: Path, side: str
) -> None:
    """What is on disk has 7 frames; a window of 7 steps needs 8."""
    longer = ("data.trajectory_length=9", "trainer.rollout_steps=7")
    with pytest.raises(SceneError, match="frames: stored 7, wanted 9"):
        training(small(burgers_folder, *LEARN, on(side), *longer))
