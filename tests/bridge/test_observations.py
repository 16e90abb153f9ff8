"""Observed data in the losses of both models, on both sides."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bridge.assemble import MixedParts
from bridge.ladders.data_cases import windows_of
from experiment.data import channel_plan, read_trajectory
from experiment.run import build_synthetic_training
from experiment.settings import (
    SIDES,
    Settings,
    observed_cells,
    observed_frames,
    parameter_ranges,
)
from experiment.training import LearnerState
from tests.bridge import test_physics as physics
from tests.bridge import test_step2 as synthetic
from tests.bridge.hybrid_runs import EXPERIMENTS, everything, near, tiny, trained
from tests.bridge.test_hybrid_stops import interrupted
from tests.test_diffusion import taylor_orders

#: Some frames of the seven, and cells that no symmetry of the grid keeps.
MASKS = (
    "data.observations.time={kind: frames, frames: [0, 1, 2, 4, 5]}",
    "data.observations.space={kind: random, number: 50, seed: 3}",
)
NOISE = ("data.observations.noise=0.05", "data.observations.noise_seed=4")
NEAREST = "data.observations.initial=nearest"
OBSERVED = (*MASKS, *NOISE)


def targets_seen(settings: Settings) -> list[tuple[int, np.ndarray]]:
    """First frame of each window of a simulation, and which targets it sees."""
    frames, steps = observed_frames(settings), settings.trainer.rollout_steps
    every = [(s, frames[s + 1 : s + 1 + steps]) for s in range(len(frames) - steps)]
    return [(s, seen) for s, seen in every if frames[s] and seen.any()]


def mean_observed(
    settings: Settings, rolled: np.ndarray, windows: np.ndarray
) -> np.ndarray:
    """The loss of each real window, in NumPy, `(window,)`.

    Args:
        settings: The settings of the run.
        rolled: A model's roll-out `(window, time, x, y, vector)` of dynamic channels.
        windows: The data in the same shape.
    """
    simulations = len(windows) // len(targets_seen(settings))
    seen = np.stack([s for _, s in targets_seen(settings)] * simulations)
    mask = seen[:, :, None, None] & observed_cells(settings)
    errors = np.square(rolled - windows)[:, 1:]
    return np.array([e[m].mean() for e, m in zip(errors, mask, strict=True)])


def batch_of(settings: Settings) -> tuple[Any, Any, np.ndarray]:
    """A training, all its training windows as a batch, and these in NumPy."""
    training = build_synthetic_training(settings, MixedParts())
    loader: Any = training.train_loader
    dataset = loader.dataset
    values = np.moveaxis(np.stack(windows_of(training.train_loader)), 1, -1)
    if settings.migration.data == "phiml":
        return training, dataset.get_batch(np.arange(len(dataset))), values
    return training, torch.stack([dataset[i] for i in range(len(dataset))]), values


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("side", SIDES)
def test_the_loss_is_the_mean_over_what_was_observed(
    folder: Path, side: str, experiment: str
) -> None:
    settings = tiny(folder / experiment, experiment, *OBSERVED, *everything(side))
    training, batch, values = batch_of(settings)
    learner = training.learner
    seen = training.train_loader.dataset.windows.observed(np.arange(len(values)))
    assert len(values) == 2 * 4 and not seen.steps.all()
    with learner.evaluation():
        loss = learner.loss(batch, seen)
    rolled = learner.predict(values[:, 0], settings.trainer.rollout_steps + 1)
    dynamic = list(channel_plan(settings).dynamic)
    expected = mean_observed(settings, rolled[..., dynamic], values[..., dynamic])
    np.testing.assert_allclose(loss, expected.mean(), rtol=1e-12)
    with learner.evaluation():
        assert abs(learner.loss(batch) / loss - 1) > 1e-3, "the mask changes nothing"


@pytest.mark.parametrize("side", SIDES)
def test_weights_multiply_the_observed_loss_of_each_window(
    folder: Path, side: str
) -> None:
    settings = tiny(folder / "burgers", "burgers", *OBSERVED, *everything(side))
    training, batch, values = batch_of(settings)
    learner = training.learner
    seen = training.train_loader.dataset.windows.observed(np.arange(len(values)))
    weights, losses = np.linspace(0.5, 2.0, len(values)), []
    each = learner.step_weighted(batch, weights, losses.append, seen)
    np.testing.assert_allclose(losses, [np.mean(weights * each)], rtol=1e-12)


@pytest.mark.parametrize("side", SIDES)
def test_what_was_not_observed_is_never_looked_at(folder: Path, side: str) -> None:
    """NaN in the place of every unobserved target changes no bit of loss or step."""
    settings = tiny(folder / "burgers", "burgers", *MASKS, *everything("legacy"))
    _, batch, values = batch_of(settings)
    frames = np.stack([s for _, s in targets_seen(settings)] * 2)
    mask = frames[:, None, :, None, None] & observed_cells(settings)
    holes = batch.clone()
    holes[:, :, 1:][~np.broadcast_to(mask, holes[:, :, 1:].shape)] = float("nan")
    states = []
    for windows in (batch, holes):
        training, own, _ = batch_of(
            tiny(folder / "burgers", "burgers", *MASKS, *everything(side))
        )
        if side == "phiml":
            from bridge.convert import to_phiml

            names = own.shape.get_item_names("vector")
            layout = "batch vector time x y"
            windows = to_phiml(windows, layout, components=names, boundary="test")
        seen = training.train_loader.dataset.windows.observed(np.arange(len(values)))
        training.learner.step(windows, lambda loss: None, seen)
        states.append(training.learner.state().weights)
    for name, leaf in states[0].items():
        assert np.isfinite(leaf).all()
        np.testing.assert_array_equal(states[1][name], leaf)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("side", SIDES)
def test_the_physical_loss_is_the_mean_over_what_was_observed(
    folder: Path, side: str, experiment: str
) -> None:
    """Of the same windows, rolled out by the same learner without a mask."""
    keys = (*OBSERVED, *everything(side), "trainer.physical.windows=100")
    settings = tiny(folder / experiment, experiment, *keys)
    learner = MixedParts().build_physical_learner(settings)
    _, _, values = batch_of(settings)
    ranges = parameter_ranges(settings)
    start = {n: r.start for n, r in ranges.items()}
    known = {n: r.bounded(start[n]) for n, r in ranges.items()}
    rolled = learner.rollout(known, values[:, 0], settings.trainer.rollout_steps + 1)
    dynamic = list(channel_plan(settings).dynamic)
    expected = mean_observed(settings, rolled[..., dynamic], values[..., dynamic])
    np.testing.assert_allclose(learner.loss(start), expected.mean(), rtol=1e-12)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("side", SIDES)
def test_the_gradient_through_masks_passes_the_taylor_test(
    folder: Path, side: str, experiment: str
) -> None:
    settings = tiny(folder / experiment, experiment, *OBSERVED, *everything(side))
    learner = MixedParts().build_physical_learner(settings)
    (numbers,) = parameter_ranges(settings).values()
    # Steps of at most 0.08 keep the order of neighbours, so no face changes its cell.
    size = int(np.prod(numbers.start.shape))
    spread = 0.3 * (5 * np.arange(size) % 7).reshape(numbers.start.shape)
    orders = taylor_orders(learner, numbers.name, numbers.start - 0.8 + spread)
    assert (orders >= 1.95).all(), orders


@pytest.mark.parametrize("side", SIDES)
def test_the_surrogates_gradient_through_masks_passes_the_taylor_test(
    folder: Path, side: str
) -> None:
    """Adam's first moment after one step is 0.1 times the gradient."""
    keys = (
        *OBSERVED,
        *everything(side),
        "model.synthetic.architecture.activation=tanh",
    )
    no_norm = "model.synthetic.architecture.batch_norm=false"
    settings = tiny(folder / "burgers", "burgers", *keys, no_norm)
    training, batch, values = batch_of(settings)
    learner = training.learner
    seen = training.train_loader.dataset.windows.observed(np.arange(len(values)))
    start = learner.state().weights
    at = learner.loss(batch, seen)
    learner.step(batch, lambda loss: None, seen)
    moments = learner.state().optimiser
    generator = np.random.default_rng(1)
    direction = {n: generator.uniform(-1, 1, w.shape) for n, w in start.items()}
    slope = sum(
        float((10 * moments[n]["exp_avg"] * d).sum()) for n, d in direction.items()
    )
    remainders = []
    for step in 0.01 * 0.5 ** np.arange(4):
        moved = {n: w + step * direction[n] for n, w in start.items()}
        learner.load(LearnerState(moved))
        remainders.append(abs(learner.loss(batch, seen) - at - step * slope))
    assert remainders[-1] > 1e-12 * at, "rounding alone proves nothing"
    orders = np.log2(np.array(remainders[:-1]) / remainders[1:])
    assert (orders >= 1.95).all(), orders


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_all_observed_is_bitwise_the_dense_run(
    folder: Path, side: str, experiment: str
) -> None:
    """A hybrid training: both models, however "all" is said."""
    sides = everything(side)
    dense = trained(folder, "dense", experiment, *sides)
    seen = trained(
        *(folder, "all", experiment, *sides),
        "data.observations.time={kind: every, every: 1}",
        "data.observations.space={kind: centre, fraction: 1.0}",
        "data.observations.initial=nearest",
        "data.observations.noise_seed=9",
    )
    for model, other in zip(dense, seen, strict=True):
        assert losses_of(model) == losses_of(other)
        for name, leaf in model.weights.items():
            np.testing.assert_array_equal(other.weights[name], leaf)


def losses_of(checkpoint: Any) -> list[dict[str, Any]]:
    drop = ("seconds",)
    rows = checkpoint.state.history
    return [{k: v for k, v in row.items() if k not in drop} for row in rows]


@pytest.mark.parametrize("initial", ((), (NEAREST,)))
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_both_sides_and_their_mixes_train_alike(
    folder: Path, experiment: str, initial: tuple[str, ...]
) -> None:
    keys = (*OBSERVED, *initial)
    control = trained(folder, "legacy", experiment, *keys, *everything("legacy"))
    near(trained(folder, "port", experiment, *keys, *everything("phiml")), control)
    mixes = ("migration.data=phiml",), ("migration.trainer=phiml",)
    for number, mix in enumerate(mixes):
        sides = (*everything("legacy"), *mix)
        near(trained(folder, f"mix{number}", experiment, *keys, *sides), control)
    dense = trained(folder, "dense", experiment, *everything("legacy"))
    apart = dense[0].state.history[0]["train_loss"]
    assert abs(control[0].state.history[0]["train_loss"] / apart - 1) > 1e-3


@pytest.mark.parametrize("cache", ("torch", "numpy", None))
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_both_sides_read_the_same_noise_and_fill_the_same_gaps(
    folder: Path, experiment: str, cache: str | None
) -> None:
    """Training windows bitwise; those of validation are the simulation's own."""
    keys = [*OBSERVED, NEAREST]
    keys += ["cache.dir=null"] if cache is None else [f"cache.backend={cache}"]
    found = []
    for side in SIDES:
        settings = tiny(folder / experiment, experiment, *keys, *everything(side))
        training = build_synthetic_training(settings, MixedParts())
        val: Any = training.val_loader
        found.append((windows_of(training.train_loader), windows_of(val)))
        clean = read_trajectory(settings, settings.trainer.val_sim[0])
        steps = settings.trainer.rollout_steps
        assert len(found[-1][1]) == len(clean) - steps
        for start, window in enumerate(found[-1][1]):
            expected = np.moveaxis(clean[start : start + steps + 1], -1, 0)
            np.testing.assert_array_equal(window, expected)
    for control, candidate in zip(*(f[0] for f in found), strict=True):
        np.testing.assert_array_equal(candidate, control)


@pytest.mark.parametrize("side", SIDES)
def test_a_training_with_masks_that_was_killed_goes_on_bitwise(
    folder: Path, side: str
) -> None:
    keys = (*OBSERVED, *everything(side))
    whole = trained(folder, "whole", "advection", *keys)
    interrupted(folder, "advection", "signal", *keys)
    found = trained(folder, "apart", "advection", *keys, "trainer.resume=true")
    synthetic.same(
        folder / "apart" / "last.safetensors", folder / "whole" / "last.safetensors"
    )
    physics.same(found[1], whole[1])
