"""The picture of a comparison: errors of each model, with their spread over seeds."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiment.evaluation import PERSISTENCE, Comparison
from experiment.report.drawing import lower_top, save_figure
from experiment.training import PHYSICAL, SYNTHETIC

#: Colour and line; dashed where a model was trained alone.
_STYLES = {
    f"{SYNTHETIC} alone": ("C9", "--"),
    f"{SYNTHETIC} hybrid": ("C0", "-"),
    f"{PHYSICAL} alone": ("C8", "--"),
    f"{PHYSICAL} hybrid": ("C2", "-"),
    PERSISTENCE: ("C1", ":"),
}
_ERRORS = {
    "l2": "L2",
    "median": "median of\nthe cells",
    "quantile90": "90 % of\nthe cells",
}


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """nRMSE(t) of each model, and the errors of each parameter, in one picture.

    Lines and points are medians over the seeds, bands and bars reach from the lowest to
    the highest.
    """
    parameters = {
        p.name: p
        for model in comparison.models
        for p in model.parameters
        if p.truth is not None
    }
    panels = 1 + len(parameters)
    figure = Figure(figsize=(6.4 + 4.6 * (panels - 1), 4.4), layout="constrained")
    widths = [6.4, *[4.6] * (panels - 1)]
    row = figure.subplots(1, panels, squeeze=False, width_ratios=widths)[0]
    _curves(row[0], comparison)
    for axes, name in zip(row[1:], parameters, strict=True):
        _errors(axes, comparison, name)
    seeds = ", ".join(map(str, comparison.settings.compare.seeds))
    redrawn = comparison.settings.compare.redraw_data
    data = "data redrawn for each" if redrawn else "the same data for all"
    figure.suptitle(
        f"Each model alone and both together at equal budget; seeds {seeds}, {data}\n"
        "lines and points: median, bands and bars: lowest to highest"
    )
    save_figure(figure, path)


# A forecast that diverged was warned about; its curve leaves the picture.
@np.errstate(over="ignore", invalid="ignore")
def _curves(axes: Axes, comparison: Comparison) -> None:
    dt = comparison.settings.model.physical.dt
    for name, models in comparison.by_name().items():
        colour, line = _STYLES[name]
        # The error of the initial frame is 0, which a logarithmic axis can't show.
        curves = np.stack([model.nrmse for model in models])[:, 1:]
        time = np.arange(1, curves.shape[1] + 1) * dt
        (shown,) = axes.semilogy(time, np.median(curves, 0), color=colour, ls=line)
        # Dashes above lines: both are seen where curves coincide.
        shown.set(label=name, zorder=3 if line == "--" else 2)
        if len(models) > 1:
            hatch = "////" if line == "--" else None
            axes.fill_between(
                time,
                curves.min(0),
                curves.max(0),
                facecolor=(colour, 0.18),
                edgecolor=(colour, 0.35),
                hatch=hatch,
                lw=0,
            )
    lower_top(axes, 100.0)
    axes.set_xlabel("time in s")
    axes.set_ylabel("nRMSE (1: error of predicting zero)")
    sims = ", ".join(map(str, comparison.settings.evaluation.test_sim))
    axes.set_title(f"Roll-outs of unseen simulations {sims}", fontsize="medium")
    axes.grid(alpha=0.3)
    axes.legend()


def _errors(axes: Axes, comparison: Comparison, name: str) -> None:
    summary = {str(row["model"]): row for row in comparison.summary()}
    shown = [n for n, row in summary.items() if f"{name}_l2" in row]
    for place, model in enumerate(shown):
        row, (colour, line) = summary[model], _STYLES[model]
        keys = [f"{name}_{end}" for end in _ERRORS]
        middle = np.array([float(row[key]) for key in keys])
        ends = [
            np.abs(middle - [float(row[f"{key}_{end}"]) for key in keys])
            for end in ("lowest", "highest")
        ]
        x = np.arange(len(keys)) + 0.16 * (place - (len(shown) - 1) / 2)
        filled = colour if line == "-" else "none"
        axes.errorbar(
            *(x, middle, ends),
            fmt="o",
            color=colour,
            mfc=filled,
            capsize=4,
            label=model,
        )
    before = next(
        p.before for m in comparison.models for p in m.parameters if p.name == name
    )
    if before is not None:
        guess = (before.l2, before.median, before.quantile)
        axes.plot(np.arange(3), guess, "k_", ms=18, label="initial guess")
    axes.set_yscale("log")
    axes.set_xticks(np.arange(3), list(_ERRORS.values()))
    axes.set_xlim(-0.5, 2.5)
    axes.set_ylabel("relative error")
    axes.set_title(f"{name}, recovered", fontsize="medium")
    axes.grid(alpha=0.3, which="both", axis="y")
    axes.legend()
