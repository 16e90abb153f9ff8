"""Pictures of an evaluation and of a training, with axes, units and legends."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiment import _metrics as metrics
from experiment._channels import ChannelPlan
from experiment._check import channel_plan
from experiment._evaluation import MODEL, EvaluationResult, Rollout
from experiment._files import write_whole
from experiment._settings import Settings

matplotlib.use("Agg")

_STYLES = {"reference": "k-", "model": "C0-", "persistence": "C1--"}
_UNITS = {"velocity": "m/s", "viscosity": "m²/s"}
_DPI = 110


def draw_evaluation(
    result: EvaluationResult,
    settings: Settings,
    history: Sequence[Mapping[str, Any]],
    folder: Path,
) -> list[str]:
    """Draws everything into `folder`; returns the file names, in reading order."""
    plan = channel_plan(settings)
    names = ["nrmse.png", "energy.png", "spectra.png"]
    _save(_error_curves(result, settings, plan), folder / names[0])
    _save(_energy(result, settings, plan), folder / names[1])
    _save(_spectra(result, settings, plan), folder / names[2])
    if len(settings.model.physical.domain) == 2:
        for name in reversed(plan.dynamic_names):
            file = f"rollout_{name.replace('.', '_')}.png"
            _save(_frames(result.rollouts[0], settings, plan, name), folder / file)
            names.insert(0, file)
        film = f"rollout_{plan.dynamic_names[0].replace('.', '_')}.gif"
        _film(result.rollouts[0], settings, plan, plan.dynamic_names[0], folder / film)
        names.append(film)
    if history:
        _save(_losses(history), folder / "losses.png")
        names.append("losses.png")
    return names


def _unit(channel: str, settings: Settings) -> str:
    rank = len(settings.model.physical.domain)
    power = {1: "", 2: "²", 3: "³"}[rank]
    return _UNITS.get(channel.split(".")[0], f"kg/m{power}")


def _save(figure: Figure, path: Path) -> None:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=_DPI)
    write_whole(path, image.getvalue())


def _error_curves(
    result: EvaluationResult, settings: Settings, plan: ChannelPlan
) -> Figure:
    moving = list(plan.dynamic)
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    time = np.arange(settings.evaluation.num_frames) * settings.model.physical.dt
    for name in result.rollouts[0].forecasts:
        curves = [
            metrics.nrmse(r.forecasts[name][:, moving], r.reference[:, moving])
            for r in result.rollouts
        ]
        # The error of the initial frame is 0, which a logarithmic axis can't show.
        axes.semilogy(time[1:], np.mean(curves, 0)[1:], _STYLES[name], label=name)
        if len(curves) > 1:
            axes.fill_between(
                time[1:], np.min(curves, 0)[1:], np.max(curves, 0)[1:], alpha=0.2
            )
    axes.set_xlabel("time in s")
    axes.set_ylabel("nRMSE (1: error of predicting zero)")
    sims = ", ".join(str(r.simulation) for r in result.rollouts)
    axes.set_title(f"Error of the roll-out, unseen simulation {sims}")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _energy(result: EvaluationResult, settings: Settings, plan: ChannelPlan) -> Figure:
    moving = list(plan.dynamic)
    rollout = result.rollouts[0]
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    time = np.arange(settings.evaluation.num_frames) * settings.model.physical.dt
    for name, values in {"reference": rollout.reference, **rollout.forecasts}.items():
        axes.plot(time, metrics.energy(values[:, moving]), _STYLES[name], label=name)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time in s")
    unit = _unit(plan.dynamic_names[0], settings)
    axes.set_ylabel(f"energy, half the mean square, in ({unit})²")
    axes.set_title(f"Energy, unseen simulation {rollout.simulation}")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _spectra(result: EvaluationResult, settings: Settings, plan: ChannelPlan) -> Figure:
    moving = list(plan.dynamic)
    rollout = result.rollouts[0]
    last = settings.evaluation.num_frames - 1
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    for axes, frame in zip(
        figure.subplots(1, 2, sharey=True), (max(1, last // 2), last), strict=True
    ):
        shown = {"reference": rollout.reference, **rollout.forecasts}
        for name, values in shown.items():
            energy = metrics.spectrum(values[frame, moving])
            waves = np.arange(len(energy))
            axes.loglog(waves[1:], energy[1:], _STYLES[name], label=name)
        axes.set_title(f"t = {frame * settings.model.physical.dt:.2f} s")
        axes.set_xlabel("waves across the domain")
        axes.grid(alpha=0.3)
    unit = _unit(plan.dynamic_names[0], settings)
    # Persistence keeps an initial state without short waves, down to rounding.
    seen = metrics.spectrum(rollout.reference[last, moving])[1:]
    figure.axes[0].set_ylim(bottom=max(float(seen.min()), 1e-30) / 30)
    figure.axes[0].set_ylabel(f"energy of a wave number in ({unit})²")
    figure.axes[0].legend()
    figure.suptitle(f"Spectra, unseen simulation {rollout.simulation}")
    return figure


def _frames(
    rollout: Rollout, settings: Settings, plan: ChannelPlan, channel: str
) -> Figure:
    """Rows reference, prediction, error; columns times. One scale for the first two."""
    place = plan.names.index(channel)
    reference = rollout.reference[:, place]
    prediction = rollout.forecasts[MODEL][:, place]
    error = prediction - reference
    times = np.linspace(0, len(reference) - 1, 5).round().astype(int)
    size = settings.model.physical.domain
    unit = _unit(channel, settings)
    largest = float(np.abs(reference).max())
    worst = float(np.nanmax(np.abs(error))) or 1.0
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    grid = figure.subplots(3, len(times), sharex=True, sharey=True)
    rows = (
        ("reference", reference, largest, "RdBu_r"),
        ("prediction", prediction, largest, "RdBu_r"),
        ("prediction - reference", error, worst, "PuOr_r"),
    )
    for row, (title, values, limit, colours) in zip(grid, rows, strict=True):
        images = [
            axes.imshow(
                values[t].T,
                origin="lower",
                extent=(0, size["x"], 0, size["y"]),
                vmin=-limit,
                vmax=limit,
                cmap=colours,
            )
            for axes, t in zip(row, times, strict=True)
        ]
        row[0].set_ylabel(f"{title}\ny in m")
        figure.colorbar(images[0], ax=list(row), label=unit, shrink=0.9)
    for axes, t in zip(grid[0], times, strict=True):
        axes.set_title(f"t = {t * settings.model.physical.dt:.2f} s")
    for axes in grid[-1]:
        axes.set_xlabel("x in m")
    figure.suptitle(f"{channel}, unseen simulation {rollout.simulation}")
    return figure


def _film(
    rollout: Rollout, settings: Settings, plan: ChannelPlan, channel: str, path: Path
) -> None:
    place = plan.names.index(channel)
    reference = rollout.reference[:, place]
    prediction = rollout.forecasts[MODEL][:, place]
    size = settings.model.physical.domain
    limit = float(np.abs(reference).max())
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    images = []
    for axes, title in zip(panels, ("reference", "prediction"), strict=True):
        images.append(
            axes.imshow(
                reference[0].T,
                origin="lower",
                extent=(0, size["x"], 0, size["y"]),
                vmin=-limit,
                vmax=limit,
                cmap="RdBu_r",
            )
        )
        axes.set_title(title)
        axes.set_xlabel("x in m")
    panels[0].set_ylabel("y in m")
    unit = _unit(channel, settings)
    figure.colorbar(images[0], ax=list(panels), label=f"{channel} in {unit}")

    def show(t: int) -> list[Any]:
        images[0].set_data(reference[t].T)
        images[1].set_data(prediction[t].T)
        figure.suptitle(f"t = {t * settings.model.physical.dt:.2f} s")
        return images

    partial = path.with_name(f".{path.name}.partial.gif")
    animation = FuncAnimation(figure, _as_update(show), frames=len(reference))
    animation.save(str(partial), writer=PillowWriter(fps=10), dpi=80)
    partial.replace(path)


def _as_update(show: Callable[[int], list[Any]]) -> Callable[..., list[Any]]:
    return lambda frame, *_: show(int(frame))


def _losses(history: Sequence[Mapping[str, Any]]) -> Figure:
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    epochs = [row["epoch"] for row in history]
    axes.semilogy(
        epochs, [r["train_loss"] for r in history], "C0o-", ms=3, label="training"
    )
    if history[0]["val_loss"] is not None:
        axes.semilogy(
            epochs, [r["val_loss"] for r in history], "C3o-", ms=3, label="validation"
        )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("mean squared error of the dynamic channels")
    rates = axes.twinx()
    rates.plot(epochs, [r["learning_rate"] for r in history], "0.6", ls=":", marker=".")
    rates.set_ylabel("learning rate (dotted)")
    rates.set_ylim(bottom=0)
    axes.set_title("Loss by epoch")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
