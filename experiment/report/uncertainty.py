"""How sure a recovered field `(x, y)` is, beside what was found and the truth."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiment.evaluation import INFORMED, RecoveredParameter
from experiment.report.drawing import largest_size, save_figure, show_field, with_unit
from experiment.settings import Settings


def draw_uncertainty(
    parameter: RecoveredParameter, settings: Settings, path: Path
) -> None:
    """Truth, found, standard deviation, and the error in standard deviations.

    Cells of which the data say nothing are grey in the last two: what is found there is
    the initial guess, or at a bound.
    """
    assert parameter.deviation is not None and parameter.informed is not None
    domain = settings.model.physical.domain
    seen = parameter.informed >= INFORMED
    shown = parameter.found if parameter.truth is None else parameter.truth
    limits = _limits(np.stack([shown, parameter.found]))
    deviation = np.where(seen, parameter.deviation, np.nan)
    unit = with_unit(parameter.name, parameter.unit)
    largest = largest_size(deviation)
    panels = [
        ("found", parameter.found, limits, "viridis", unit),
        ("standard deviation", deviation, (0.0, largest), "magma", unit),
    ]
    if parameter.truth is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            error = (parameter.found - parameter.truth) / deviation
        panels.insert(0, ("truth", parameter.truth, limits, "viridis", unit))
        title = "(found - truth) / standard deviation"
        panels.append((title, error, (-4.0, 4.0), "PuOr_r", "standard deviations"))
    rows = len(panels) // 2
    height = rows * (3.4 * domain["y"] / domain["x"] + 0.5) + 0.75
    size = (9.6, float(np.clip(height, 3.6, 11.0)))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False)
    for axes, (title, field, scale, colours, label) in zip(
        grid.flat, panels, strict=True
    ):
        image = show_field(axes, field, domain, scale, colours)
        axes.set_title(title, fontsize="medium")
        figure.colorbar(image, ax=axes, label=label)
    for axes in grid[:, 0]:
        axes.set_ylabel("y in m")
    for axes in grid[-1, :]:
        axes.set_xlabel("x in m")
    figure.suptitle(
        f"How sure {parameter.name} is: the data say something of {seen.mean():.0%} of"
        " the cells\n(grey: nothing), Laplace approximation"
    )
    save_figure(figure, path)


def _limits(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    margin = 0.0 if low < high else 0.1 * largest_size(finite)
    return low - margin, high + margin
