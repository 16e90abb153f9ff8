"""Pictures of what lives in one dimension: fields over space and time, and curves."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiment.equations import Domain
from experiment.evaluation import INFORMED, RecoveredParameter, Rollout, first_bad_frame
from experiment.report.drawing import (
    channel_of,
    largest_size,
    save_figure,
    show_field,
    unit_of,
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
    model, channel = shown
    reference, forecast = channel_of(rollout, settings, shown)
    error = forecast - reference
    largest = largest_size(reference)
    # An error beyond twice the field says that all is lost; the others stay visible.
    worst = min(largest_size(error), 2 * largest)
    equation = settings.model.physical
    # A frame is drawn around its time, as a cell around its centre.
    span: Domain = {"x": equation.domain["x"], "y": len(reference) * equation.dt}
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    panels = (
        ("reference", reference, largest, "RdBu_r"),
        (model, forecast, largest, "RdBu_r"),
        (f"{model} - reference", error, worst, "PuOr_r"),
    )
    row = figure.subplots(1, 3, sharex=True, sharey=True)
    for axes, (title, values, limit, colours) in zip(row, panels, strict=True):
        image = show_field(axes, values.T, span, (-limit, limit), colours)
        axes.set_aspect("auto")
        axes.set_title(title)
        axes.set_xlabel("x in m")
        figure.colorbar(image, ax=axes, label=unit_of(channel, settings))
    row[0].set_ylabel("time in s")
    grey = "" if first_bad_frame(forecast) is None else " (grey: not finite)"
    figure.suptitle(
        f"{channel} of the {model} model, unseen simulation {rollout.simulation}{grey}"
    )
    save_figure(figure, path)


def draw_profile(parameter: RecoveredParameter, settings: Settings, path: Path) -> None:
    """Truth, guess and what was found of a parameter `(x)`, as curves."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    x = np.asarray(settings.model.physical.positions["x"])
    for side, values in parameter.sides.items():
        finite = np.where(np.isfinite(values), values, np.nan)
        axes.plot(x, finite, _STYLES[side], label=side)
    if parameter.deviation is not None and parameter.informed is not None:
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
    axes.set_xlabel("x in m")
    axes.set_ylabel(f"{parameter.name} in {parameter.unit}")
    axes.set_title(f"{parameter.name}, recovered by the physical model")
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, path)
