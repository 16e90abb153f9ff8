"""A picture of what was observed of the training data."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiment.data import observation_plan
from experiment.report.drawing import save_figure
from experiment.settings import Settings, window_starts

#: Colours of what was observed, of what was and enters no loss, and of what was not.
_SEEN, _UNUSED, _HIDDEN = "C0", "C1", "0.85"


def draw_observations(settings: Settings, folder: Path) -> list[str]:
    """Draws which frames and which cells were observed, and where windows begin.

    Cells are drawn in one and two dimensions; in three, the number of observed cells
    along z.

    Returns:
        The file name; none if everything was observed.
    """
    plan = observation_plan(settings)
    if plan is None:
        return []
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
    _draw_cells(left, plan.cells, settings)
    _draw_frames(right, plan.frames, settings)
    noise = settings.data.observations.noise
    ending = f", noise {noise:g} of the field's RMS" if noise else ", without noise"
    figure.suptitle(f"Observed of the training simulations{ending}")
    save_figure(figure, folder / "observations.png")
    return ["observations.png"]


def _draw_cells(axes: Axes, cells: np.ndarray, settings: Settings) -> None:
    domain = settings.model.physical.domain
    # A line of cells is drawn as a strip, a box by what lies behind each other.
    image = cells[:, None] if cells.ndim == 1 else cells
    image = image.mean(2) if image.ndim == 3 else image
    height = domain["y"] if cells.ndim > 1 else domain["x"] / 8
    shown = axes.imshow(
        image.T.astype(float),
        origin="lower",
        extent=(0, domain["x"], 0, height),
        vmin=0,
        vmax=1,
        cmap="Blues",
        interpolation="nearest",
    )
    if cells.ndim == 3:
        axes.figure.colorbar(shown, ax=axes, label="share of the cells along z")
    sensors = settings.data.observations.space.kind in ("random", "sensors")
    if sensors and cells.ndim == 2:
        positions = settings.model.physical.positions
        x, y = (np.asarray(positions[axis])[cells] for axis in "xy")
        axes.plot(x, y, "o", color=_SEEN, mec="k", mew=0.5, ms=4)
    axes.set_xlabel("x in m")
    axes.set_ylabel("y in m") if cells.ndim > 1 else axes.set_yticks([])
    axes.set_title(f"{cells.sum()} of {cells.size} cells, in each observed frame")


def _draw_frames(axes: Axes, frames: np.ndarray, settings: Settings) -> None:
    dt, steps = settings.model.physical.dt, settings.trainer.rollout_steps
    starts = window_starts(settings, frames)
    used = np.zeros(len(frames), bool)
    for start in starts:
        used[start : start + steps + 1] = True
    time = np.arange(len(frames)) * dt
    for chosen, colour, label in (
        (frames & used, _SEEN, "observed"),
        (frames & ~used, _UNUSED, "observed, in no window"),
        (~frames, _HIDDEN, "not observed"),
    ):
        if chosen.any():
            axes.vlines(time[chosen], 0, 1, colors=colour, label=label, lw=3)
    rows = 1.3 + 0.25 * np.arange(len(starts))
    for row, start in zip(rows, starts, strict=True):
        seen = start + np.flatnonzero(frames[start : start + steps + 1])
        axes.plot(time[[start, start + steps]], [row, row], color="0.5", lw=1)
        axes.plot(time[seen], np.full(len(seen), row), ".", color=_SEEN)
    axes.set_yticks([])
    axes.set_xlabel("time in s")
    windows = "1 window" if len(starts) == 1 else f"{len(starts)} windows"
    axes.set_title(
        f"{frames.sum()} of {frames.size} frames; {windows} of {steps} steps (lines)"
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
