"""How a recovered field differs between the seeds of a comparison, beside the truth."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiment.evaluation import Comparison
from experiment.report.drawing import largest_size, save_figure, show_field, with_unit


def draw_spreads(comparison: Comparison, folder: Path) -> list[str]:
    """Draws every recovered field that has several seeds, in one and two dimensions.

    Returns:
        The file names, `comparison_<parameter>.png`.
    """
    rank, files = len(comparison.settings.model.physical.axes), []
    draw = {1: _profiles, 2: _panels}.get(rank)
    for name, found in _fields(comparison).items():
        if draw is not None:
            files.append(f"comparison_{name.replace('.', '_')}.png")
            save_figure(draw(comparison, name, found), folder / files[-1])
    return files


def _fields(comparison: Comparison) -> dict[str, dict[str, np.ndarray]]:
    """What was found, `(seed, x, ...)`, by parameter and model, of several seeds."""
    every: dict[str, dict[str, np.ndarray]] = {}
    for model, trainings in comparison.by_name().items():
        for number, parameter in enumerate(trainings[0].parameters):
            found = [training.parameters[number].found for training in trainings]
            if len(found) > 1 and not parameter.is_scalar:
                every.setdefault(parameter.name, {})[model] = np.stack(found)
    return every


def _truth(comparison: Comparison, name: str) -> tuple[np.ndarray | None, str]:
    """The true field, or None, and its name with its unit."""
    parameter = next(
        p for model in comparison.models for p in model.parameters if p.name == name
    )
    return parameter.truth, with_unit(name, parameter.unit)


def _panels(comparison: Comparison, name: str, found: dict[str, np.ndarray]) -> Figure:
    """A row for each model: median over the seeds, error of it, standard deviation."""
    domain = comparison.settings.model.physical.domain
    truth, label = _truth(comparison, name)
    medians = {model: np.median(fields, 0) for model, fields in found.items()}
    spreads = {model: np.std(fields, 0, ddof=1) for model, fields in found.items()}
    shown = [*medians.values()] if truth is None else [truth, *medians.values()]
    limits = float(np.min(shown)), float(np.max(shown))
    widest = max(largest_size(spread) for spread in spreads.values())
    columns = 3 if truth is not None else 2
    height = len(found) * (3.0 * domain["y"] / domain["x"] + 0.6) + 0.6
    figure = Figure(figsize=(4.4 * columns, height), layout="constrained")
    grid = figure.subplots(len(found), columns, sharex=True, sharey=True, squeeze=False)
    for row, model in zip(grid, found, strict=True):
        panels = [
            (f"{model}: median", medians[model], limits, "viridis"),
            ("standard deviation", spreads[model], (0.0, widest), "magma"),
        ]
        if truth is not None:
            panels.insert(0, ("truth", truth, limits, "viridis"))
        for axes, (title, field, scale, colours) in zip(row, panels, strict=True):
            image = show_field(axes, field, domain, scale, colours)
            axes.set_title(title, fontsize="medium")
            figure.colorbar(image, ax=axes, label=label)
        row[0].set_ylabel("y in m")
    for axes in grid[-1]:
        axes.set_xlabel("x in m")
    figure.suptitle(_title(comparison, name))
    return figure


def _profiles(
    comparison: Comparison, name: str, found: dict[str, np.ndarray]
) -> Figure:
    """Truth, and for each model the median and the range over the seeds."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    x = np.asarray(comparison.settings.model.physical.positions["x"])
    truth, unit = _truth(comparison, name)
    if truth is not None:
        axes.plot(x, truth, "k-", label="truth")
    for colour, (model, fields) in zip(
        ("C2", "C8"), reversed(found.items()), strict=False
    ):
        line = "--" if colour == "C8" else "-"
        label = f"{model}: median, range"
        axes.plot(x, np.median(fields, 0), colour, ls=line, label=label)
        axes.fill_between(x, fields.min(0), fields.max(0), color=colour, alpha=0.2)
    axes.set_xlabel("x in m")
    axes.set_ylabel(unit)
    axes.set_title(_title(comparison, name), fontsize="medium")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _title(comparison: Comparison, name: str) -> str:
    seeds = ", ".join(map(str, comparison.settings.compare.seeds))
    redrawn = comparison.settings.compare.redraw_data
    data = "data redrawn for each" if redrawn else "the same data for all"
    return f"{name}, recovered with the seeds {seeds} ({data})"
