"""Physics on a grid coarser than the data's, on both sides and both backends."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phiml import math

from bridge.assemble import MixedParts
from experiment.data import (
    Windows,
    cell_means,
    channel_plan,
    chosen_windows,
    generate,
    linear_in_cells,
    read_trajectory,
)
from experiment.run import RunFolder, read_evaluated
from experiment.settings import Settings, parameter_ranges
from experiment.system import CheckpointError, Progress
from experiment.training import new_states
from legacy.physics import SceneSimulator
from tests.bridge import test_physics as physics
from tests.bridge import test_step2 as synthetic
from tests.bridge.hybrid_runs import (
    EXPERIMENTS,
    SIDES,
    everything,
    near,
    switches,
    tiny,
    trained,
    training_of,
)
from tests.bridge.test_hybrid_stops import interrupted
from tests.helpers import relative_error, run_program
from tests.test_diffusion import taylor_orders

GRID = ("model.physical.resolution={x: 16, y: 8}",)
COARSE = (*GRID, "trainer.physical.coarsening=2")
#: Whole blocks of the middle, and some frames.
SEEN = (
    "data.observations.space={kind: box, box: {x: [1.0, 6.0]}}",
    "data.observations.time={kind: frames, frames: [0, 1, 2, 4, 5]}",
)
#: Sides of the physical model with their backend.
BACKENDS = (
    ("legacy", "torch"),
    ("phiml", "torch"),
    ("phiml", "jax"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `burgers` and `advection` with simulations of 16 x 8 cells."""
    path = tmp_path_factory.mktemp("coarse")
    for experiment in EXPERIMENTS:
        settings = tiny(path / experiment, experiment, *GRID)
        generate(settings, SceneSimulator(settings), Progress())
    return path


def settings_of(path: Path, experiment: str, *overrides: str) -> Settings:
    return tiny(path / experiment, experiment, *COARSE, *overrides)


def start_of(settings: Settings) -> tuple[str, np.ndarray]:
    """Name and unbounded values of the parameter, away from its guess.

    Steps of at most 0.08 keep the order of neighbours, so no face changes its cell.
    """
    (own,) = parameter_ranges(settings).values()
    size = int(np.prod(own.start.shape))
    spread = 0.2 * (3 * np.arange(size) % 11).reshape(own.start.shape)
    return own.name, own.start - 0.8 + spread


@pytest.mark.parametrize("seen", ((), SEEN))
@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize(("side", "backend"), BACKENDS)
def test_the_loss_is_that_of_cell_averages(
    folder: Path, side: str, backend: str, experiment: str, seen: tuple[str, ...]
) -> None:
    """Beside a loss in NumPy, of the model's roll-out from windows of the data."""
    if backend == "jax":
        pytest.importorskip("jax")
    keys = (*everything(side), f"migration.phiml_backend={backend}", *seen)
    settings = settings_of(folder, experiment, *keys)
    learner = MixedParts().build_physical_learner(settings)
    name, start = start_of(settings)
    (own,) = parameter_ranges(settings).values()
    windows = Windows.of(settings, settings.trainer.train_sim)
    numbers = chosen_windows(len(windows), settings.trainer.physical.windows)
    _, simulations, starts = windows.locate_all(numbers)
    frames = windows.window_frames
    every = np.stack(
        [
            read_trajectory(settings, settings.trainer.train_sim[i])[s : s + frames]
            for i, s in zip(simulations, starts, strict=True)
        ]
    ).astype(np.float64)
    rolled = learner.rollout({name: own.bounded(start)}, every[:, 0], frames)
    dynamic = list(channel_plan(settings).dynamic)
    apart = cell_means((rolled - every)[:, 1:][..., dynamic], 2, (2, 3))
    steps, cells = np.ones(apart.shape[:2], bool), np.ones((8, 4), bool)
    if seen:
        # Centres from 1 to 6 m are those of the fine cells 2 to 11.
        cells[:] = False
        cells[1:6] = True
        masks = windows.observed(numbers)
        assert masks is not None
        steps = masks.steps
    each = [
        np.mean([np.square(step)[cells].mean() for step in window[own_steps]])
        for window, own_steps in zip(apart, steps, strict=True)
    ]
    np.testing.assert_allclose(learner.loss({name: start}), np.mean(each), rtol=1e-9)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_both_sides_and_backends_roll_out_and_learn_alike(
    folder: Path, experiment: str
) -> None:
    pytest.importorskip("jax")
    found: list[Any] = []
    for side, backend in BACKENDS:
        keys = (*everything(side), f"migration.phiml_backend={backend}")
        settings = settings_of(folder, experiment, *keys)
        learner = MixedParts().build_physical_learner(settings)
        name, start = start_of(settings)
        (own,) = parameter_ranges(settings).values()
        states = new_states(settings, 0)
        rolled = learner.rollout({name: own.bounded(start)}, states, 5)
        assert rolled.shape == (1, 5, 16, 8, states.shape[-1])
        # The first frame too is one of the coarse grid.
        dynamic = list(channel_plan(settings).dynamic)
        first = cell_means(states, 2, (1, 2))[..., dynamic]
        expected = linear_in_cells(first, 2, (1, 2))
        np.testing.assert_allclose(rolled[:, 0][..., dynamic], expected, rtol=1e-12)
        assert relative_error(expected, states[..., dynamic]) > 1e-3
        gradient = learner.gradient({name: start})[name]
        assert gradient.shape == own.start.shape
        found.append((rolled, gradient))
    for rolled, gradient in found[1:]:
        assert relative_error(rolled, found[0][0]) < 1e-12
        assert relative_error(gradient, found[0][1]) < 1e-9


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("side", SIDES)
def test_the_gradient_passes_the_taylor_test(
    folder: Path, side: str, experiment: str
) -> None:
    settings = settings_of(folder, experiment, *everything(side))
    learner = MixedParts().build_physical_learner(settings)
    orders = taylor_orders(learner, *start_of(settings))
    assert (orders >= 1.95).all(), orders


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_hybrid_training_is_the_same_on_both_sides(
    folder: Path, experiment: str
) -> None:
    control = trained(folder, "control", experiment, *COARSE, *everything("legacy"))
    for sides in (("phiml",) * 3, ("legacy", "phiml", "legacy")):
        name = "-".join(sides)
        near(trained(folder, name, experiment, *COARSE, *switches(*sides)), control)
    fine = trained(folder, "fine", experiment, *GRID, *everything("legacy"))
    apart = fine[1].state.history[0]["real_loss"]
    assert abs(control[1].state.history[0]["real_loss"] / apart - 1) > 1e-3


@pytest.mark.parametrize("side", SIDES)
def test_predicted_windows_are_averaged_once(
    folder: Path, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the surrogate hands over is averaged when it is, and in no loss."""
    settings = settings_of(folder, "advection", *everything(side))
    learner: Any = MixedParts().build_physical_learner(settings)
    states = new_states(settings, 0)
    predicted = np.random.default_rng(0).standard_normal((1, 3, *states.shape[1:]))
    learner.augment(predicted, "generated_only")
    (windows,) = (w for kind, w in learner.windows.items() if kind == "interaction")
    if side == "legacy":
        values = np.moveaxis(windows.numpy(), 1, -1)
    else:
        with math.precision(64):
            values = windows.numpy("batch,time,x,y,vector")
    np.testing.assert_array_equal(values, cell_means(predicted, 2, (2, 3)))
    calls: list[int] = []
    monkeypatch.setattr("experiment.data.coarse.cell_means", lambda *_: calls.append(1))
    name, start = start_of(settings)
    learner.loss({name: start})
    learner.gradient({name: start})
    assert not calls


@pytest.mark.parametrize("side", SIDES)
def test_a_training_that_was_killed_goes_on_bitwise(folder: Path, side: str) -> None:
    keys = (*COARSE, *everything(side))
    whole = trained(folder, f"whole-{side}", "advection", *keys)
    interrupted(folder, "advection", "signal", *keys)
    found = trained(folder, "apart", "advection", *keys, "trainer.resume=true")
    synthetic.same(
        folder / "apart" / "last.safetensors",
        folder / f"whole-{side}" / "last.safetensors",
    )
    physics.same(found[1], whole[1])


def test_a_checkpoint_of_another_grid_is_refused(folder: Path) -> None:
    trained(folder, "trained", "burgers", *COARSE, *everything("legacy"))
    checkpoints = f"general.checkpoint_dir={folder}/trained"
    other = tiny(folder / "burgers", "burgers", *GRID, checkpoints)
    message = (
        r"leaf `viscosity` has the shape \(8, 4\); this model has \(16, 8\)\. It was"
        r" trained with `trainer\.physical\.coarsening` = 2, this run has 1"
    )
    with pytest.raises(CheckpointError, match=message):
        read_evaluated(other, MixedParts())
    resumed = tiny(
        folder / "burgers", "burgers", *GRID, checkpoints, "trainer.resume=true"
    )
    with pytest.raises(CheckpointError, match=r"trainer\.physical\.coarsening"):
        training_of(resumed).train(RunFolder(resumed), Progress())


def test_a_recovered_field_is_shown_on_the_grid_of_the_data(folder: Path) -> None:
    last = trained(folder, "shown", "burgers", *COARSE, *everything("legacy"))[1]
    keys = (f"general.checkpoint_dir={folder}/shown", "evaluation.laplace_rank=4")
    settings = settings_of(folder, "burgers", *keys, *everything("legacy"))
    evaluated = read_evaluated(settings, MixedParts())
    (viscosity,) = evaluated.parameters
    assert viscosity.truth is not None and viscosity.deviation is not None
    assert viscosity.informed is not None
    assert last.weights["viscosity"].shape == (8, 4)
    means = partial(cell_means, factor=2, axes=(0, 1))
    np.testing.assert_allclose(
        means(viscosity.found), last.weights["viscosity"], rtol=1e-12
    )
    truth = settings.model.physical.true_parameter("viscosity")
    np.testing.assert_array_equal(viscosity.truth, truth)
    for values in (viscosity.deviation, viscosity.informed):
        assert values.shape == (16, 8)
        np.testing.assert_array_equal(
            values, values[::2, ::2].repeat(2, 0).repeat(2, 1)
        )


@pytest.mark.parametrize(
    "migration", (pytest.param("legacy", marks=pytest.mark.long), "full")
)
def test_hybrid_end_to_end(tmp_path: Path, migration: str) -> None:
    done = run_program(
        tmp_path,
        "--config-name=burgers.yaml",
        *("general.mode=hybrid", f"migration={migration}"),
        "model.physical.resolution={x: 16, y: 16}",
        "trainer.physical.coarsening=2",
        *("trainer.hybrid.warm_up_epochs=1", "trainer.hybrid.epochs=1"),
        *("trainer.physical.windows=6", "trainer.physical.iterations=3"),
    )
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.split())
    assert "physical round 2/2" in shown
    words = "8 x 8 cells, means of 2 along each axis"
    assert f"the physical model is solved on {words}" in shown
    assert words in (tmp_path / "runs" / "latest" / "report.html").read_text()
    assert "Warning" not in done.stderr
