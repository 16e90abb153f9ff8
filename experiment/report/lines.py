"""Pictures of what lives in one dimension: fields over space and time, and curves."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiment.equations import Domain
from experiment.evaluation import INFORMED, RecoveredParameter, Rollout
from experiment.report.drawing import (
    compared,
    save_figure,
    show_field,
    with_unit,
)
from experiment.settings import Settings

_STYLES = {"truth": "k-", "guess": "C1--", "found": "C2-"}


def draw_space_time(
    rollout: Rollout, settings: Settings, shown: tuple[str, str], path: Path
) -> None:
    """Reference, forecast and error, each over x and time; one scale for the first two.

    Args:
        rollout: The forecasts of one simulation.
        settings: The settings of the run.
        shown: Names of the forecast and of the channel.
        path: The picture.
    """
    comparison = compared(rollout, settings, shown)
    equation, frames = settings.model.physical, len(rollout.reference)
    # A frame is drawn around its time, as a cell around its centre.
    span: Domain = {"x": equation.domain["x"], "y": frames * equation.dt}
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    row = figure.subplots(1, 3, sharex=True, sharey=True)
    for axes, panel in zip(row, comparison.panels, strict=True):
        limits = (-panel.limit, panel.limit)
        image = show_field(axes, panel.values.T, span, limits, panel.colours)
        axes.set_aspect("auto")
        axes.set_title(panel.title)
        axes.set_xlabel("x in m")
        figure.colorbar(image, ax=axes, label=comparison.unit)
    row[0].set_ylabel("time in s")
    figure.suptitle(comparison.title)
    save_figure(figure, path)


def draw_profile(parameter: RecoveredParameter, settings: Settings, path: Path) -> None:
    """Truth, guess and what was found of a parameter `(x)`; below, the errors.

    Without truth only the first.
    """
    known = parameter.truth is not None
    size = (6.4, 6.0 if known else 4.0)
    figure = Figure(figsize=size, layout="constrained")
    ratios = (2, 1) if known else (1,)
    grid = figure.subplots(
        len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios
    )
    x = np.asarray(settings.model.physical.positions["x"])
    for side, values in parameter.sides.items():
        finite = np.where(np.isfinite(values), values, np.nan)
        grid[0, 0].plot(x, finite, _STYLES[side], label=side)
        if known and side != "truth":
            error = finite - parameter.truth
            grid[1, 0].plot(x, error, _STYLES[side], label=f"{side} - truth")
    _draw_certainty(grid[0, 0], x, parameter)
    grid[0, 0].set_ylabel(with_unit(parameter.name, parameter.unit))
    grid[0, 0].set_title(f"{parameter.name}, recovered by the physical model")
    if known:
        grid[1, 0].set_ylabel(with_unit("error", parameter.unit))
    for axes in grid[:, 0]:
        axes.grid(alpha=0.3)
        axes.legend()
    grid[-1, 0].set_xlabel("x in m")
    save_figure(figure, path)


def _draw_certainty(axes: Axes, x: np.ndarray, parameter: RecoveredParameter) -> None:
    """Bars of two standard deviations, and grey where the data say nothing."""
    if parameter.deviation is None or parameter.informed is None:
        return
    seen = parameter.informed >= INFORMED
    axes.errorbar(
        *(x[seen], parameter.found[seen], 2 * parameter.deviation[seen]),
        fmt="none",
        ecolor="C2",
        alpha=0.6,
        label="two standard deviations",
    )
    half, label = (x[1] - x[0]) / 2, "data say nothing"
    for centre in x[~seen]:
        axes.axvspan(centre - half, centre + half, color="0.88", lw=0, label=label)
        label = None
