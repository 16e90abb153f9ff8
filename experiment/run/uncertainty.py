"""How sure the recovered parameters of a physical model are, through its learner."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiment.data import CoarseGrid, Windows, channel_plan, on_data_grid
from experiment.equations import ParameterRange
from experiment.evaluation import RecoveredParameter
from experiment.evaluation.laplace import Laplace, laplace
from experiment.settings import Settings, parameter_ranges
from experiment.training import REAL, PhysicalLearner, physical_settings

log = logging.getLogger(__name__)


def with_uncertainty(
    settings: Settings,
    build: Callable[[Settings], PhysicalLearner],
    unbounded: Mapping[str, np.ndarray],
    parameters: Sequence[RecoveredParameter],
) -> Sequence[RecoveredParameter]:
    """The parameters with standard deviations, by `evaluation.laplace_rank`.

    The loss is that of the real windows alone, in float64: what the other model
    predicted is no data, and neither is `trainer.physical.regularisation`.

    Args:
        settings: The settings of the run.
        build: Makes the learner of some settings.
        unbounded: The unbounded parameters that were found.
        parameters: The recovered parameters.

    Raises:
        UserError: It can't be computed.
    """
    rank = settings.evaluation.laplace_rank
    if not rank:
        return parameters
    settings = data_alone(settings)
    ranges = parameter_ranges(settings)
    learner = build(settings)
    start = np.concatenate([np.ravel(unbounded[name]) for name in ranges])

    def gradient(flat: np.ndarray) -> np.ndarray:
        slopes = learner.gradient(_split(flat, ranges))
        return np.concatenate([np.ravel(slopes[name]) for name in ranges])

    loss = learner.loss(_split(start, ranges), only=REAL)
    found = laplace(gradient, start, loss, observed_count(settings), rank)
    _say(found, rank)
    deviations = _split(found.deviation, ranges)
    informed = _split(found.informed, ranges)
    rows = []
    for parameter in parameters:
        own = ranges[parameter.name]
        shape = parameter.found.shape
        spread = own.slope(unbounded[parameter.name]) * deviations[parameter.name]
        both = (
            on_data_grid(settings, own, a, linear=False)
            for a in (spread, informed[parameter.name])
        )
        spread, share = (np.broadcast_to(a, shape) for a in both)
        rows.append(replace(parameter, deviation=spread, informed=share))
    return rows


def data_alone(settings: Settings) -> Settings:
    """Settings of a learner whose loss is of the real data alone, in float64."""
    physical = replace(settings.trainer.physical, regularisation=None)
    return replace(
        settings,
        general=replace(settings.general, precision="float64"),
        trainer=replace(settings.trainer, physical=physical),
    )


def observed_count(settings: Settings) -> int:
    """Different numbers that the real windows' targets hold.

    Windows overlap; a value counts once, in however many windows it is.
    """
    own = physical_settings(settings)
    windows = Windows.of(own, settings.trainer.train_sim)
    chosen, _ = windows.chosen(settings.trainer.physical.windows)
    _, trajectory, start = windows.locate_all(chosen)
    grid = CoarseGrid.of(settings)
    seen = grid.observed(windows.observed(chosen))
    steps = np.ones((len(chosen), windows.rollout_steps), bool)
    cells = int(np.prod(list(grid.equation.resolution.values())))
    if seen is not None:
        steps, cells = seen.steps, int(seen.cells.sum())
    frames = {
        (trajectory[window], start[window] + step)
        for window, step in np.argwhere(steps)
    }
    return len(frames) * cells * len(channel_plan(settings).dynamic)


def _split(
    flat: np.ndarray, ranges: Mapping[str, ParameterRange]
) -> dict[str, np.ndarray]:
    """Parameters by name from all of them, one after another."""
    values, first = {}, 0
    for name, own in ranges.items():
        last = first + own.guess.size
        values[name] = flat[first:last].reshape(own.guess.shape)
        first = last
    return values


def _say(found: Laplace, rank: int) -> None:
    log.info(
        "uncertainty: %d directions of the parameters kept, residual %.3e",
        *(len(found.eigenvalues), found.noise),
    )
    if not found.complete:
        log.warning(
            "uncertainty: the data say something of more than `evaluation.laplace_rank`"
            " = %d directions, so standard deviations are too large; raise it",
            rank,
        )
    if found.lowest < -0.01:
        log.warning(
            "uncertainty: the recovered parameters are no minimum of the loss (lowest"
            " eigenvalue %.2g of the largest); standard deviations need one: train"
            " longer (`trainer.physical.iterations`, `trainer.physical.rounds`)",
            found.lowest,
        )
