"""Pictures and films of a two-dimensional roll-out, next to the truth."""

import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from experiment.evaluation import Rollout, first_bad_frame
from experiment.report.drawing import (
    channel_of,
    drawable,
    largest_size,
    save_figure,
    show_field,
    unit_of,
)
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
    model, channel = shown
    reference, forecast = channel_of(rollout, settings, shown)
    error = forecast - reference
    times = np.linspace(0, len(reference) - 1, 5).round().astype(int)
    largest = largest_size(reference)
    # An error beyond twice the field says that all is lost; the others stay visible.
    worst = min(largest_size(error), 2 * largest)
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    grid = figure.subplots(3, len(times), sharex=True, sharey=True)
    rows = (
        ("reference", reference, largest, "RdBu_r"),
        (model, forecast, largest, "RdBu_r"),
        (f"{model} - reference", error, worst, "PuOr_r"),
    )
    for row, (title, values, limit, colours) in zip(grid, rows, strict=True):
        images = [
            show_field(
                axes,
                values[t],
                settings.model.physical.domain,
                (-limit, limit),
                colours,
            )
            for axes, t in zip(row, times, strict=True)
        ]
        row[0].set_ylabel(f"{title}\ny in m")
        unit = unit_of(channel, settings)
        figure.colorbar(images[0], ax=list(row), label=unit, shrink=0.9)
    for axes, t in zip(grid[0], times, strict=True):
        axes.set_title(f"t = {t * settings.model.physical.dt:.2f} s")
    for axes in grid[-1]:
        axes.set_xlabel("x in m")
    grey = "" if first_bad_frame(forecast) is None else " (grey: not finite)"
    figure.suptitle(
        f"{channel} of the {model} model, unseen simulation {rollout.simulation}{grey}"
    )
    save_figure(figure, path)


def draw_film(
    rollout: Rollout, settings: Settings, shown: tuple[str, str], path: Path
) -> None:
    """Films reference and forecast side by side; the arguments of `draw_rollout`."""
    model, channel = shown
    sides = channel_of(rollout, settings, shown)
    largest = largest_size(sides[0])
    limits = (-largest, largest)
    domain = settings.model.physical.domain
    figure = Figure(figsize=(7.2, 3.6), dpi=80, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2, sharey=True)
    images = []
    for axes, title, values in zip(panels, ("reference", model), sides, strict=True):
        images.append(show_field(axes, values[0], domain, limits, "RdBu_r"))
        axes.set_title(title)
        axes.set_xlabel("x in m")
    panels[0].set_ylabel("y in m")
    unit = unit_of(channel, settings)
    figure.colorbar(images[0], ax=list(panels), label=f"{channel} in {unit}")
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
    palette = _palette("RdBu_r")
    frames = []
    for t in range(len(sides[0])):
        for image, values in zip(images, sides, strict=True):
            image.set_data(drawable(values[t], limits))
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
