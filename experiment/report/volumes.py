"""Pictures of what lives in three dimensions, as slices through its middle."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from experiment.equations import AXES, Domain, Equation
from experiment.evaluation import Rollout
from experiment.report.drawing import compared, save_figure, show_field
from experiment.settings import Settings


@dataclass(frozen=True)
class Slice:
    """A plane of cells through the middle of a box.

    Attributes:
        normal: The axis across it.
        index: Its cell along this axis.
        place: Where their centres are, in m.
        domain: Sizes in m of the other two axes: horizontal, vertical.
    """

    normal: str
    index: int
    place: float
    domain: Domain

    @property
    def title(self) -> str:
        """Where it is, `z = 4.25 m`."""
        return f"{self.normal} = {self.place:.4g} m"

    def take(self, values: np.ndarray) -> np.ndarray:
        """The plane `(horizontal, vertical)` of a field `(x, y, z)`."""
        return values.take(self.index, AXES.index(self.normal))

    def show(
        self,
        axes: Axes,
        values: np.ndarray,
        limits: tuple[float, float],
        colours: str,
    ) -> AxesImage:
        """Shows this plane of a field `(x, y, z)`, with its axes named."""
        image = show_field(axes, self.take(values), self.domain, limits, colours)
        horizontal, vertical = self.domain
        axes.set_xlabel(f"{horizontal} in m")
        axes.set_ylabel(f"{vertical} in m")
        return image


def middle_slices(equation: Equation) -> Iterator[Slice]:
    """The planes across z, y and x, through the cells behind the middle of the box."""
    for normal in reversed(equation.axes):
        index = equation.resolution[normal] // 2
        place = (index + 0.5) * equation.cell_sizes[normal]
        others: Domain = {a: equation.domain[a] for a in equation.axes if a != normal}
        yield Slice(normal, index, place, others)


def draw_slices(
    rollout: Rollout, settings: Settings, shown: tuple[str, str], path: Path
) -> None:
    """Rows reference, forecast, error; columns three planes, early and at the end.

    One scale for reference and forecast.

    Args:
        rollout: The forecasts of one simulation.
        settings: The settings of the run.
        shown: Names of the forecast and of the channel.
        path: The picture.
    """
    comparison, equation = compared(rollout, settings, shown), settings.model.physical
    last = len(rollout.reference) - 1
    columns = [
        (t, p) for t in (max(1, last // 4), last) for p in middle_slices(equation)
    ]
    figure = Figure(figsize=(15, 7.6), layout="constrained")
    grid = figure.subplots(3, len(columns))
    for row, panel in zip(grid, comparison.panels, strict=True):
        limits = (-panel.limit, panel.limit)
        images = [
            plane.show(axes, panel.values[t], limits, panel.colours)
            for axes, (t, plane) in zip(row, columns, strict=True)
        ]
        row[0].set_ylabel(f"{panel.title}\n{row[0].get_ylabel()}")
        figure.colorbar(images[0], ax=list(row), label=comparison.unit, shrink=0.9)
    for axes, (t, plane) in zip(grid[0], columns, strict=True):
        axes.set_title(f"t = {t * equation.dt:.2f} s\n{plane.title}")
    figure.suptitle(comparison.title)
    save_figure(figure, path)
