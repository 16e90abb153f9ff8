"""Pictures of an evaluation and of a training, with axes, units and legends."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiment.data import ChannelPlan, channel_plan
from experiment.evaluation import (
    PERSISTENCE,
    EvaluationResult,
    first_bad_frame,
    metrics,
    take_channels,
)
from experiment.report.drawing import (
    STYLES,
    largest_size,
    lower_top,
    save_figure,
    unit_of,
)
from experiment.report.films import draw_film, draw_rollout
from experiment.report.lines import draw_space_time
from experiment.report.losses import draw_losses
from experiment.report.observations import draw_observations
from experiment.report.parameters import draw_parameters
from experiment.report.volumes import draw_slices
from experiment.settings import Settings

#: What draws a roll-out, by the number of dimensions.
_DRAW = {1: draw_space_time, 2: draw_rollout, 3: draw_slices}


# A forecast that diverged was warned about; its curve leaves the picture.
@np.errstate(over="ignore", invalid="ignore")
def draw_evaluation(
    result: EvaluationResult,
    settings: Settings,
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
    folder: Path,
) -> list[str]:
    """Draws everything into `folder`.

    Roll-outs and parameter fields are drawn over space and time in one dimension, as
    they are in two, and as slices in three; films in two.

    Args:
        result: The results of the evaluation.
        settings: The settings of the run.
        histories: The training of each model by its name; may be empty or missing.
        folder: The folder of the files.

    Returns:
        The file names, in reading order. Where there is more than one model, those of
        roll-outs and films end with the model's name.
    """
    plan = channel_plan(settings)
    rank = len(settings.model.physical.domain)
    curves = {
        "nrmse.png": _error_curves(result, settings, plan),
        "energy.png": _energy(result, settings, plan),
        "spectra.png": _spectra(result, settings, plan),
    }
    for file, figure in curves.items():
        save_figure(figure, folder / file)
    rollouts = draw_rollouts(result, settings, plan, folder)
    parameters = draw_parameters(result.parameters, settings, folder)
    films = draw_films(result, settings, plan, folder) if rank == 2 else []
    names = [*rollouts, *parameters, *curves, *films]
    names += draw_observations(settings, folder)
    return [*names, *draw_losses(histories, folder)]


def draw_rollouts(
    result: EvaluationResult, settings: Settings, plan: ChannelPlan, folder: Path
) -> list[str]:
    """Draws the first roll-out, each channel of each model; returns the file names."""
    names, draw = [], _DRAW[len(settings.model.physical.axes)]
    for channel in plan.dynamic_names:
        for model, ending in _endings(result).items():
            names.append(f"rollout_{channel.replace('.', '_')}{ending}.png")
            draw(result.rollouts[0], settings, (model, channel), folder / names[-1])
    return names


def draw_films(
    result: EvaluationResult, settings: Settings, plan: ChannelPlan, folder: Path
) -> list[str]:
    """Films the first channel of the first roll-out of each model."""
    names = []
    channel = plan.dynamic_names[0]
    for model, ending in _endings(result).items():
        names.append(f"rollout_{channel.replace('.', '_')}{ending}.gif")
        draw_film(result.rollouts[0], settings, (model, channel), folder / names[-1])
    return names


def _endings(result: EvaluationResult) -> dict[str, str]:
    models = [name for name in result.rollouts[0].forecasts if name != PERSISTENCE]
    return {name: f"_{name}" if len(models) > 1 else "" for name in models}


def _error_curves(
    result: EvaluationResult, settings: Settings, plan: ChannelPlan
) -> Figure:
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    time = np.arange(settings.evaluation.num_frames) * settings.model.physical.dt
    for name in result.rollouts[0].forecasts:
        curves = [
            metrics.nrmse(
                take_channels(r.forecasts[name], plan.dynamic),
                take_channels(r.reference, plan.dynamic),
            )
            for r in result.rollouts
        ]
        # The error of the initial frame is 0, which a logarithmic axis can't show.
        mean = np.mean(curves, 0)[1:]
        (line,) = axes.semilogy(time[1:], mean, STYLES[name])
        line.set_label(_label(name, mean, time[1:]))
        if len(curves) > 1:
            axes.fill_between(
                time[1:],
                np.min(curves, 0)[1:],
                np.max(curves, 0)[1:],
                color=line.get_color(),
                alpha=0.2,
                lw=0,
            )
    lower_top(axes, 100.0)
    axes.set_xlabel("time in s")
    axes.set_ylabel("nRMSE (1: error of predicting zero)")
    sims = ", ".join(str(r.simulation) for r in result.rollouts)
    plural = "s" if len(result.rollouts) > 1 else ""
    axes.set_title(f"Error of the roll-out, unseen simulation{plural} {sims}")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _label(name: str, curve: np.ndarray, time: np.ndarray) -> str:
    """A forecast's name, and the time in s from which its curve can't be drawn."""
    bad = first_bad_frame(curve)
    return name if bad is None else f"{name} (not finite from {time[bad]:.2f} s)"


def _energy(result: EvaluationResult, settings: Settings, plan: ChannelPlan) -> Figure:
    rollout = result.rollouts[0]
    reference = take_channels(rollout.reference, plan.dynamic)
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    time = np.arange(settings.evaluation.num_frames) * settings.model.physical.dt
    for name, values in {"reference": rollout.reference, **rollout.forecasts}.items():
        energy = metrics.energy(take_channels(values, plan.dynamic))
        axes.plot(time, energy, STYLES[name], label=_label(name, energy, time))
    axes.set_ylim(bottom=0)
    lower_top(axes, 3 * largest_size(metrics.energy(reference)))
    axes.set_xlabel("time in s")
    unit = unit_of(plan.dynamic_names[0], settings)
    axes.set_ylabel(f"energy, half the mean square, in ({unit})²")
    axes.set_title(f"Energy, unseen simulation {rollout.simulation}")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _spectra(result: EvaluationResult, settings: Settings, plan: ChannelPlan) -> Figure:
    rollout = result.rollouts[0]
    last = settings.evaluation.num_frames - 1
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    frames = (max(1, last // 2), last)
    for axes, frame in zip(figure.subplots(1, 2, sharey=True), frames, strict=True):
        shown = {"reference": rollout.reference, **rollout.forecasts}
        for name, values in shown.items():
            energy = metrics.spectrum(take_channels(values[frame], plan.dynamic))
            waves = np.arange(len(energy))
            drawn = np.isfinite(values[list(frames)]).all()
            label = name if drawn else f"{name} (not finite)"
            axes.loglog(waves[1:], energy[1:], STYLES[name], label=label)
        axes.set_title(f"t = {frame * settings.model.physical.dt:.2f} s")
        axes.set_xlabel("waves across the domain")
        axes.grid(alpha=0.3)
    unit = unit_of(plan.dynamic_names[0], settings)
    # Persistence keeps an initial state without short waves, down to rounding.
    reference = take_channels(rollout.reference[last], plan.dynamic)
    energy = metrics.spectrum(reference)[1:]
    figure.axes[0].set_ylim(bottom=max(float(energy.min()), 1e-30) / 30)
    lower_top(figure.axes[0], 100 * largest_size(energy))
    figure.axes[0].set_ylabel(f"energy of a wave number in ({unit})²")
    figure.axes[0].legend()
    figure.suptitle(f"Spectra, unseen simulation {rollout.simulation}")
    return figure
