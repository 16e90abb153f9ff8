"""Puts the candidate's parts together; the control has the same functions."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from phiml import math

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
    precision_bits,
    require_arguments,
    require_methods,
)
from experiment.system import Progress, SettingsError
from experiment.training import PhysicalLearner, SyntheticLearner, initial_weights
from phiml_port.models import Surrogate
from phiml_port.training.optimiser import cuda_is_available, seed_backend

_SIDE = "phiml"
_NETWORK = (
    "__call__",
    "parameters",
    "export_weights",
    "import_weights",
    "set_training",
    "convert",
)


def check(settings: Settings) -> None:
    """Refuses what this side can't run, before any work.

    Raises:
        SettingsError: The device or JAX is not there, or a network of one's own lacks
            a method.
    """
    if settings.general.device == "cuda" and not cuda_is_available():
        raise SettingsError(
            "`general.device` is cuda, but torch finds no CUDA device; use cpu."
        )
    if settings.migration.phiml_backend == "jax" and find_spec("jax") is None:
        raise SettingsError(
            "`migration.phiml_backend` is jax, but JAX is not installed; install it"
            " with `pip install -e '.[jax]'`, or use torch."
        )
    kind = implementation(settings, "model", _SIDE)
    key = f"migration.sources.model.{_SIDE}"
    require_methods(kind, _NETWORK, key)
    if settings.migration.sources.model.phiml is not None:
        arguments = network_arguments(settings)
        require_arguments(kind, arguments, network_options(settings), key)
        # Whether one's own can be built is known now, not behind the simulations.
        math.use("torch")
        _network(settings)


def seed(settings: Settings) -> None:
    """Seeds what a network draws itself (dropout), so that a run can be repeated."""
    seed_backend(settings.general.seed)


def _network(settings: Settings) -> Any:
    arguments, options = network_arguments(settings), network_options(settings)
    return build(settings, "model", _SIDE, *arguments, **options)


def build_model(settings: Settings) -> Surrogate:
    """The surrogate with its initial weights, in `general.precision`."""
    math.use("torch")
    network = _network(settings)
    network.convert(settings.general.device, precision_bits(settings.general.precision))
    network.import_weights(initial_weights(network.export_weights(), settings))
    return Surrogate(network, channel_plan(settings))


def build_loader(
    settings: Settings,
    simulations: Sequence[int],
    *,
    shuffle: bool,
    progress: Progress | None = None,
) -> Any:
    """Batches of windows `(batch, time, x, ..., vector)`.

    Raises:
        SceneError: A simulation is missing, torn or of other settings.
    """
    math.use("torch")
    options = {"shuffle": shuffle, "progress": progress}
    return build(settings, "data", _SIDE, settings, simulations, **options)


def build_synthetic_learner(settings: Settings, model: Any) -> SyntheticLearner:
    """The surrogate with its optimiser."""
    math.use("torch")
    return build(settings, "trainer", _SIDE, settings, model)


def build_simulator(settings: Settings) -> Simulator:
    """What simulates, as the task `generate` wants it: see `data.reference`."""
    # PhiFlow takes seconds to import; only what needs it waits for it.
    from phiml_port.physics import SceneSimulator

    return reference_simulator(settings, SceneSimulator)


def build_physical_learner(
    settings: Settings, progress: Progress | None = None
) -> PhysicalLearner:
    """The physical model with its training windows.

    Raises:
        SceneError: A simulation is missing, torn or of other settings.
    """
    from phiml_port.data import PhiMLDataset

    dataset = PhiMLDataset(settings, settings.trainer.train_sim, progress)
    return build(settings, "physics", _SIDE, settings, dataset)
