"""What all pictures share: styles, units, files."""

import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from experiment.data import channel_plan
from experiment.equations import Domain
from experiment.evaluation import PERSISTENCE, Rollout, first_bad_frame
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
    return _raised(unit)


def with_unit(name: str, unit: str) -> str:
    """What an axis says: `viscosity in m²/s`; the name alone without a unit, `1`."""
    return name if unit == "1" else f"{name} in {_raised(unit)}"


def _raised(unit: str) -> str:
    return unit.replace("^2", "²").replace("^3", "³")


@dataclass(frozen=True)
class Panel:
    """What a picture shows of one quantity.

    Attributes:
        title: What it is.
        values: `(time, x, ...)`.
        limit: Its colours reach from minus this to this.
        colours: Name of its colour map.
    """

    title: str
    values: np.ndarray
    limit: float
    colours: str


@dataclass(frozen=True)
class Comparison:
    """A channel of a forecast beside the truth.

    Attributes:
        title: The picture's title.
        unit: Of all values, `m/s`.
        panels: Reference, forecast and error. The first two have one scale, which is
            that of all components of the field.
    """

    title: str
    unit: str
    panels: tuple[Panel, Panel, Panel]


def compared(
    rollout: Rollout, settings: Settings, shown: tuple[str, str]
) -> Comparison:
    """What pictures show of a roll-out.

    Args:
        rollout: The forecasts of one simulation.
        settings: The settings of the run.
        shown: Names of the forecast and of the channel.
    """
    model, channel = shown
    plan = channel_plan(settings)
    index = plan.names.index(channel)
    reference = rollout.reference[..., index]
    forecast = rollout.forecasts[model][..., index]
    field = [plan.names.index(n) for n in plan.of_field(channel.split(".")[0])]
    largest = largest_size(rollout.reference[..., field])
    error = forecast - reference
    # An error beyond twice the field says that all is lost; the others stay visible.
    worst = min(largest_size(error), 2 * largest)
    grey = "" if first_bad_frame(forecast) is None else " (grey: not finite)"
    return Comparison(
        f"{channel} of the {model} model, unseen simulation {rollout.simulation}{grey}",
        unit_of(channel, settings),
        (
            Panel("reference", reference, largest, "RdBu_r"),
            Panel(model, forecast, largest, "RdBu_r"),
            Panel(f"{model} - reference", error, worst, "PuOr_r"),
        ),
    )


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
    """Shows a field over its domain of two axes, in m; grey where it isn't finite.

    Args:
        axes: Where it is shown.
        field: `(x, y)`, or whatever the axes of the domain are.
        domain: Sizes by axis: the horizontal one, then the vertical one.
        limits: The values of the first and the last colour.
        colours: Name of the colour map.
    """
    width, height = domain.values()
    return axes.imshow(
        drawable(field, limits),
        origin="lower",
        extent=(0, width, 0, height),
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
