"""Pictures of parameter fields that were learned, in one and two dimensions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiment.evaluation import RecoveredParameter
from experiment.report.drawing import largest_size, save_figure, show_field
from experiment.report.lines import draw_profile
from experiment.report.uncertainty import draw_uncertainty
from experiment.settings import Settings

_TITLES = {"truth": "truth", "guess": "initial guess", "found": "found"}


def draw_parameters(
    parameters: Sequence[RecoveredParameter], settings: Settings, folder: Path
) -> list[str]:
    """Draws every field `(x)` or `(x, y)` into `folder`; a scalar gets no picture.

    Returns:
        The file names.
    """
    names, rank = [], len(settings.model.physical.axes)
    for parameter in parameters:
        if not parameter.is_scalar:
            names.append(f"parameter_{parameter.name.replace('.', '_')}.png")
            path = folder / names[-1]
            if rank == 1:
                draw_profile(parameter, settings, path)
            else:
                save_figure(_panels(parameter, settings), path)
            if parameter.deviation is not None and rank == 2:
                names.append(f"uncertainty_{parameter.name.replace('.', '_')}.png")
                draw_uncertainty(parameter, settings, folder / names[-1])
    return names


def _panels(parameter: RecoveredParameter, settings: Settings) -> Figure:
    """Truth, guess and learned field on one scale, and the error or the change."""
    domain = settings.model.physical.domain
    sides = parameter.sides
    base = "guess" if parameter.truth is None else "truth"
    error = parameter.found - sides[base]
    worst = largest_size(error)
    limits = _limits([*sides.values()])
    rows, columns = (1, 3) if parameter.truth is None else (2, 2)
    # Panels are about 3.4 inches wide; titles and labels come on top of them.
    height = rows * (3.4 * domain["y"] / domain["x"] + 0.5) + 0.75
    size = (4.8 * columns, float(np.clip(height, 3.6, 11.0)))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = [
        (_title(parameter, side), field, limits, "viridis")
        for side, field in sides.items()
    ]
    panels.append((f"found - {_TITLES[base]}", error, (-worst, worst), "PuOr_r"))
    for axes, (title, field, scale, colours) in zip(grid.flat, panels, strict=True):
        image = show_field(axes, field, domain, scale, colours)
        axes.set_title(title, fontsize="medium")
        figure.colorbar(image, ax=axes, label=f"{parameter.name} in {parameter.unit}")
    for axes in grid[:, 0]:
        axes.set_ylabel("y in m")
    for axes in grid[-1, :]:
        axes.set_xlabel("x in m")
    finite = all(np.isfinite(field).all() for field in sides.values())
    grey = "" if finite else " (grey: not finite)"
    unknown = "; truth unknown" if parameter.truth is None else ""
    figure.suptitle(f"{parameter.name}, recovered by the physical model{unknown}{grey}")
    return figure


def _title(parameter: RecoveredParameter, side: str) -> str:
    error = {"guess": parameter.before, "found": parameter.after}.get(side)
    name = _TITLES[side]
    if error is None:
        return name
    return (
        f"{name}; relative error: L2 {error.l2:.3g},\n"
        f"of the cells median {error.median:.3g}, 90 % {error.quantile:.3g}"
    )


def _limits(fields: Sequence[np.ndarray]) -> tuple[float, float]:
    values = np.concatenate([field.ravel() for field in fields])
    finite = values[np.isfinite(values)]
    if not finite.size:
        return -1.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    # A constant has no range to colour.
    margin = 0.0 if low < high else 0.1 * largest_size(finite)
    return low - margin, high + margin
