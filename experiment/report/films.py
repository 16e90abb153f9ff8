"""Pictures and films of a two-dimensional roll-out, next to the truth."""

import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from experiment.evaluation import Rollout
from experiment.report.drawing import compared, drawable, save_figure, show_field
from experiment.settings import Settings
from experiment.system import write_whole

_NONE = Image.Dither.NONE


def draw_rollout(
    rollout: Rollout, settings: Settings, shown: tuple[str, str], path: Path
) -> None:
    """Rows reference, forecast, error; columns times. One scale for the first two.

    Args:
        rollout: The forecasts of one simulation.
        settings: The settings of the run.
        shown: Names of the forecast and of the channel.
        path: The picture.
    """
    comparison = compared(rollout, settings, shown)
    times = np.linspace(0, len(rollout.reference) - 1, 5).round().astype(int)
    domain = settings.model.physical.domain
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    grid = figure.subplots(3, len(times), sharex=True, sharey=True)
    for row, panel in zip(grid, comparison.panels, strict=True):
        limits = (-panel.limit, panel.limit)
        images = [
            show_field(axes, panel.values[t], domain, limits, panel.colours)
            for axes, t in zip(row, times, strict=True)
        ]
        row[0].set_ylabel(f"{panel.title}\ny in m")
        figure.colorbar(images[0], ax=list(row), label=comparison.unit, shrink=0.9)
    for axes, t in zip(grid[0], times, strict=True):
        axes.set_title(f"t = {t * settings.model.physical.dt:.2f} s")
    for axes in grid[-1]:
        axes.set_xlabel("x in m")
    figure.suptitle(comparison.title)
    save_figure(figure, path)


def draw_film(
    rollout: Rollout, settings: Settings, shown: tuple[str, str], path: Path
) -> None:
    """Films reference and forecast side by side; the arguments of `draw_rollout`."""
    comparison = compared(rollout, settings, shown)
    *both, _ = comparison.panels
    limits = (-both[0].limit, both[0].limit)
    domain = settings.model.physical.domain
    figure = Figure(figsize=(7.2, 3.6), dpi=80, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2, sharey=True)
    images = []
    for axes, panel in zip(panels, both, strict=True):
        first = panel.values[0]
        images.append(show_field(axes, first, domain, limits, panel.colours))
        axes.set_title(panel.title)
        axes.set_xlabel("x in m")
    panels[0].set_ylabel("y in m")
    label = f"{shown[1]} in {comparison.unit}"
    figure.colorbar(images[0], ax=list(panels), label=label)
    clock = figure.suptitle("t = 0.00 s")
    # Laid out once: a frame that is laid out anew may jump or lose a label.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")

    # Only what changes is drawn in each frame; the borders of the fields lie on top.
    changing: list[Artist] = [*images, clock]
    around = [spine for axes in panels for spine in axes.spines.values()]
    for artist in changing:
        artist.set_animated(True)
    canvas.draw()
    background = canvas.copy_from_bbox(figure.bbox)
    palette = _palette(both[0].colours)
    frames = []
    for t in range(len(rollout.reference)):
        for image, panel in zip(images, both, strict=True):
            image.set_data(drawable(panel.values[t], limits))
        clock.set_text(f"t = {t * settings.model.physical.dt:.2f} s")
        canvas.restore_region(background)
        for artist in changing + around:
            artist.draw(canvas.get_renderer())
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        frames.append(Image.fromarray(pixels).quantize(palette=palette, dither=_NONE))
    film = io.BytesIO()
    frames[0].save(
        film, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0
    )
    write_whole(path, film.getvalue())


def _palette(colours: str) -> Image.Image:
    """The 256 colours of a film: those of the fields, and greys for the rest.

    One for all frames; a palette that each frame chose for itself would change what a
    colour says from frame to frame.
    """
    fields = matplotlib.colormaps[colours](np.linspace(0, 1, 232))[:, :3]
    greys = np.repeat(np.linspace(0, 1, 24)[:, None], 3, axis=1)
    table = np.rint(255 * np.concatenate([fields, greys])).astype(np.uint8)
    image = Image.new("P", (1, 1))
    image.putpalette(table.tobytes())
    return image
