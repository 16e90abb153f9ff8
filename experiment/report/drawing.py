"""What all pictures share: styles, units, files."""

import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from experiment.data import channel_plan
from experiment.equations import Domain
from experiment.evaluation import PERSISTENCE, Rollout
from experiment.settings import Settings
from experiment.system import write_whole
from experiment.training import PHYSICAL, SYNTHETIC

matplotlib.use("Agg")

STYLES = {"reference": "k-", SYNTHETIC: "C0-", PHYSICAL: "C2-.", PERSISTENCE: "C1--"}
_DPI = 110


def unit_of(channel: str, settings: Settings) -> str:
    """The unit of a channel, `m/s`."""
    equation = settings.model.physical
    unit = equation.units[channel.split(".")[0]]
    unit = unit.replace("^rank", f"^{len(equation.axes)}").replace("^1", "")
    return unit.replace("^2", "²").replace("^3", "³")


def channel_of(
    rollout: Rollout, settings: Settings, shown: tuple[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    """Reference and forecast of one channel, `(time, x, ...)` each.

    Args:
        rollout: The forecasts of one simulation.
        settings: The settings of the run.
        shown: Names of the forecast and of the channel.
    """
    model, channel = shown
    index = channel_plan(settings).names.index(channel)
    return rollout.reference[..., index], rollout.forecasts[model][..., index]


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG, whole or not at all."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=_DPI)
    write_whole(path, image.getvalue())


def show_field(
    axes: Axes,
    field: np.ndarray,
    domain: Domain,
    limits: tuple[float, float],
    colours: str,
) -> AxesImage:
    """Shows a field `(x, y)` over its domain in m; grey where it isn't finite."""
    return axes.imshow(
        drawable(field, limits),
        origin="lower",
        extent=(0, domain["x"], 0, domain["y"]),
        vmin=limits[0],
        vmax=limits[1],
        cmap=matplotlib.colormaps[colours].with_extremes(bad="0.6"),
    )


def drawable(field: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """A field `(x, y)` as an image `(y, x)` that matplotlib scales without overflow.

    Beyond the limits a colour says no more than at them; inf becomes nan.
    """
    finite = np.where(np.isfinite(field), field, np.nan)
    return np.clip(finite, *limits).T


def largest_size(values: np.ndarray) -> float:
    """The largest finite magnitude, for symmetric limits; 1 if there is none but 0."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0)) or 1.0


def lower_top(axes: Axes, top: float) -> None:
    """Lets a curve leave the picture above `top`, so that the others stay readable."""
    axes.set_ylim(top=min(axes.get_ylim()[1], top))
