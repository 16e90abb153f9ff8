"""Pictures of parameter fields that were learned."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiment.evaluation import RecoveredParameter
from experiment.report.drawing import (
    largest_size,
    save_figure,
    show_field,
    with_unit,
)
from experiment.report.lines import draw_profile
from experiment.report.uncertainty import draw_uncertainty
from experiment.report.volumes import middle_slices
from experiment.settings import Settings

_TITLES = {"truth": "truth", "guess": "initial guess", "found": "found"}


def draw_parameters(
    parameters: Sequence[RecoveredParameter], settings: Settings, folder: Path
) -> list[str]:
    """Draws every field `(x, ...)` into `folder`; a scalar gets no picture.

    Returns:
        The file names.
    """
    names, rank = [], len(settings.model.physical.axes)
    for parameter in parameters:
        if not parameter.is_scalar:
            names.append(f"parameter_{parameter.name.replace('.', '_')}.png")
            _DRAW[rank](parameter, settings, folder / names[-1])
            if parameter.deviation is not None and rank == 2:
                names.append(f"uncertainty_{parameter.name.replace('.', '_')}.png")
                draw_uncertainty(parameter, settings, folder / names[-1])
    return names


def _draw_plane(parameter: RecoveredParameter, settings: Settings, path: Path) -> None:
    """Truth, guess and learned field on one scale, and the error or the change."""
    domain = settings.model.physical.domain
    panels = _panels(parameter)
    rows, columns = (1, 3) if parameter.truth is None else (2, 2)
    # Panels are about 3.4 inches wide; titles and labels come on top of them.
    height = rows * (3.4 * domain["y"] / domain["x"] + 0.5) + 0.75
    size = (4.8 * columns, float(np.clip(height, 3.6, 11.0)))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (title, field, scale, colours) in zip(grid.flat, panels, strict=True):
        image = show_field(axes, field, domain, scale, colours)
        axes.set_title(title, fontsize="medium")
        label = with_unit(parameter.name, parameter.unit)
        figure.colorbar(image, ax=axes, label=label)
    for axes in grid[:, 0]:
        axes.set_ylabel("y in m")
    for axes in grid[-1, :]:
        axes.set_xlabel("x in m")
    figure.suptitle(_heading(parameter))
    save_figure(figure, path)


def _draw_slices(parameter: RecoveredParameter, settings: Settings, path: Path) -> None:
    """The same of a field `(x, y, z)`, a row each; columns are three planes."""
    panels, planes = _panels(parameter), [*middle_slices(settings.model.physical)]
    size = (11, 3.2 * len(panels))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(panels), len(planes))
    for row, (title, field, scale, colours) in zip(grid, panels, strict=True):
        images = []
        for axes, plane in zip(row, planes, strict=True):
            images.append(plane.show(axes, field, scale, colours))
            axes.set_title(plane.title, fontsize="medium")
        row[0].set_title(f"{title}\n{planes[0].title}", fontsize="medium")
        label = with_unit(parameter.name, parameter.unit)
        figure.colorbar(images[0], ax=list(row), label=label)
    figure.suptitle(_heading(parameter))
    save_figure(figure, path)


_DRAW = {1: draw_profile, 2: _draw_plane, 3: _draw_slices}


def _panels(
    parameter: RecoveredParameter,
) -> list[tuple[str, np.ndarray, tuple[float, float], str]]:
    """Title, field, limits and colours of each side, and of error or change."""
    sides = parameter.sides
    base = "guess" if parameter.truth is None else "truth"
    error = parameter.found - sides[base]
    worst = largest_size(error)
    limits = _limits([*sides.values()])
    panels = [
        (_title(parameter, side), field, limits, "viridis")
        for side, field in sides.items()
    ]
    panels.append((f"found - {_TITLES[base]}", error, (-worst, worst), "PuOr_r"))
    return panels


def _heading(parameter: RecoveredParameter) -> str:
    finite = all(np.isfinite(field).all() for field in parameter.sides.values())
    grey = "" if finite else " (grey: not finite)"
    unknown = "; truth unknown" if parameter.truth is None else ""
    return f"{parameter.name}, recovered by the physical model{unknown}{grey}"


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
