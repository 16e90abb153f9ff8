"""Puts the control's parts together; the port has the same functions."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from experiment.data import (
    Simulator,
    channel_plan,
    network_arguments,
    network_options,
    reference_simulator,
)
from experiment.settings import (
    Settings,
    build,
    implementation,
    require_arguments,
    require_methods,
)
from experiment.system import Progress, SettingsError
from experiment.training import PhysicalLearner, SyntheticLearner, initial_weights
from legacy.models import Surrogate, cast_leaves, export_weights, import_weights

_SIDE = "legacy"
_NETWORK = ("forward", "parameters", "state_dict", "train")


def check(settings: Settings) -> None:
    """Refuses what this side can't run, before any work.

    Raises:
        SettingsError: The device is not there, or a network of one's own lacks a
            method.
    """
    if settings.general.device == "cuda" and not torch.cuda.is_available():
        raise SettingsError(
            "`general.device` is cuda, but torch finds no CUDA device; use cpu."
        )
    kind = implementation(settings, "model", _SIDE)
    key = f"migration.sources.model.{_SIDE}"
    require_methods(kind, _NETWORK, key)
    if settings.migration.sources.model.legacy is not None:
        arguments = network_arguments(settings)
        require_arguments(kind, arguments, network_options(settings), key)
    # torch gives every module a `forward` that raises.
    if kind.forward is nn.Module.forward:
        raise SettingsError(f"`{key}`: {kind.__name__} lacks the method `forward`.")
    if settings.migration.sources.model.legacy is not None:
        # Whether one's own can be built is known now, not behind the simulations.
        _network(settings)


def seed(settings: Settings) -> None:
    """Seeds what a network draws itself (dropout), so that a run can be repeated."""
    torch.manual_seed(settings.general.seed)


def _network(settings: Settings) -> Any:
    arguments, options = network_arguments(settings), network_options(settings)
    return build(settings, "model", _SIDE, *arguments, **options)


def build_model(settings: Settings) -> Surrogate:
    """The surrogate with its initial weights, in `general.precision`."""
    network = _network(settings)
    network = network.to(settings.general.device)
    cast_leaves(network, getattr(torch, settings.general.precision))
    import_weights(network, initial_weights(export_weights(network), settings))
    return Surrogate(network, channel_plan(settings))


def build_loader(
    settings: Settings,
    simulations: Sequence[int],
    *,
    shuffle: bool,
    progress: Progress | None = None,
) -> Any:
    """Batches of windows `(batch, vector, time, x, ...)`.

    Raises:
        SceneError: A simulation is missing, torn or of other settings.
    """
    options = {"shuffle": shuffle, "progress": progress}
    return build(settings, "data", _SIDE, settings, simulations, **options)


def build_synthetic_learner(settings: Settings, model: nn.Module) -> SyntheticLearner:
    """The surrogate with its optimiser."""
    return build(settings, "trainer", _SIDE, settings, model)


def build_simulator(settings: Settings) -> Simulator:
    """What simulates, as the task `generate` wants it: see `data.reference`."""
    # PhiFlow takes seconds to import; only what needs it waits for it.
    from legacy.physics import SceneSimulator

    return reference_simulator(settings, SceneSimulator)


def build_physical_learner(
    settings: Settings, progress: Progress | None = None
) -> PhysicalLearner:
    """The physical model with its training windows.

    Raises:
        SceneError: A simulation is missing, torn or of other settings.
    """
    from legacy.data import WindowDataset

    dataset = WindowDataset(settings, settings.trainer.train_sim)
    return build(settings, "physics", _SIDE, settings, dataset)
