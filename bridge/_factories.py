"""Puts the components of a run together, as the switch values say."""

import logging
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from phiml import math
from torch import nn

from bridge.convert import (
    CONVERSIONS,
    PhimlLoader,
    PhimlModel,
    TorchLoader,
    TorchModel,
)
from bridge._sources import check_contract, load_source, source_of
from experiment.data import channel_plan
from experiment.evaluation import Forecast
from experiment.run import Components, Evaluated, RunFolder
from experiment.settings import COMPONENTS, Settings, precision_bits
from experiment.system import Progress, SettingsError
from experiment.training import BEST, LAST, PHYSICAL, PHYSICAL_BEST, PHYSICAL_LAST, SYNTHETIC, TrainingState, draw_weights, load_for_model, training_settings
from legacy import data, models, training
from phiml_port import data as port_data
from phiml_port import models as port_models
from phiml_port import training as port_training

log = logging.getLogger(__name__)
Trainer = training.SyntheticTrainer | port_training.SyntheticTrainer


def build_components(
    settings: Settings, reasons: Mapping[str, str] | None = None
) -> Components:
    """The components of a run.

    Args:
        settings: The settings of the run.
        reasons: Why each component has its switch value, for the log.

    Raises:
        SettingsError: The device is not there, or a source doesn't fit.
    """
    if settings.general.num_threads is not None:
        torch.set_num_threads(settings.general.num_threads)
    if settings.general.device == "cuda" and not torch.cuda.is_available():
        raise SettingsError(
            "`general.device` is cuda, but torch finds no CUDA device; use cpu."
        )
    CONVERSIONS.reset(settings.general.trace)
    # Whatever of the user's own doesn't fit is said before any simulating.
    network_class(settings, settings.migration.model)
    batches = 0

    if settings.migration.physics == "phiml":
        port_backend(settings)

    def simulator() -> Any:
        # PhiFlow takes seconds to import; only what needs it waits for it.
        from bridge._physics_factories import build_simulator

        return build_simulator(settings)

    def train(run: RunFolder, progress: Progress) -> None:
        nonlocal batches
        _log_classes(settings, reasons or {})
        batches = _train(training_settings(settings), run, progress)

    def summary(progress: Progress) -> None:
        if not CONVERSIONS.boundaries:
            log.info("conversions between torch and PhiML: none")
            return
        progress.console.print(CONVERSIONS.table(batches))

    return Components(simulator, train, lambda: read_evaluated(settings), summary)


def _train(settings: Settings, run: RunFolder, progress: Progress) -> int:
    """Trains what `general.mode` says; the batches of the synthetic model."""
    if settings.general.mode == "synthetic":
        trainer = build_trainer(settings, progress)
        trainer.train(run, progress)
        return trainer.batches_seen
    from bridge._physics_factories import build_hybrid_trainer, build_physical_trainer

    if settings.general.mode == "physical":
        build_physical_trainer(settings, progress).train(run, progress)
        return 0
    torch.manual_seed(settings.general.seed)
    hybrid = build_hybrid_trainer(settings, progress)
    hybrid.train(run, progress)
    return hybrid.synthetic.batches_seen


def port_backend(settings: Settings) -> None:
    """Sees that the backend of the port's physics is there.

    Raises:
        SettingsError: JAX is asked for and not installed.
    """
    if settings.migration.phiml_backend == "jax" and find_spec("jax") is None:
        raise SettingsError(
            "`migration.phiml_backend` is jax, but JAX is not installed; install it"
            " with `pip install -e '.[jax]'`, or use torch."
        )


def _log_classes(settings: Settings, reasons: Mapping[str, str]) -> None:
    names = {
        "model": settings.model.synthetic.name,
        "trainer": "synthetic",
        "data": "windows",
        "physics": "learner",
        "hybrid": "hybrid",
    }
    unused = {
        "synthetic": ("physics", "hybrid"),
        "physical": ("model", "trainer", "data", "hybrid"),
    }
    for component in unused.get(settings.general.mode, ()):
        del names[component]
    for switch in COMPONENTS:
        if switch.name not in names:
            continue
        side = getattr(settings.migration, switch.name)
        path = source_of(settings, switch.name, side, names[switch.name])
        why = reasons.get(switch.name, "settings")
        log.info("%s: %s (%s), by %s", switch.name, side, path, why)


def network_class(settings: Settings, side: str) -> type:
    """The class of the network on a side.

    Raises:
        SettingsError: Its source doesn't import or lacks a method.
    """
    key = f"migration.sources.model.{side}"
    # A user's own package lies where the program was started.
    if "" not in sys.path:
        sys.path.append("")
    path = source_of(settings, "model", side, settings.model.synthetic.name)
    kind = load_source(path, key)
    check_contract(kind, side, key)
    return kind


def _arguments(settings: Settings) -> dict[str, Any]:
    architecture = settings.model.synthetic.architecture
    shape: dict[str, Any] = {"layers": architecture.layers}
    if settings.model.synthetic.name == "unet":
        shape = {"levels": architecture.levels, "filters": architecture.filters}
    return {
        "rank": len(settings.model.physical.domain),
        "batch_norm": architecture.batch_norm,
        "activation": architecture.activation,
        "periodic": architecture.periodic,
        **shape,
    }


def build_legacy_model(settings: Settings) -> models.Surrogate:
    """The control's surrogate with its initial weights, in `general.precision`."""
    plan = channel_plan(settings)
    network = network_class(settings, "legacy")(
        len(plan.network_inputs), len(plan.dynamic), **_arguments(settings)
    )
    dtype = getattr(torch, settings.general.precision)
    network = network.to(settings.general.device, dtype)
    models.import_weights(
        network, initial_weights(models.leaf_shapes(network), settings)
    )
    return models.Surrogate(network, plan)


def build_phiml_model(settings: Settings) -> port_models.Surrogate:
    """The candidate's surrogate with its initial weights, in `general.precision`."""
    math.use("torch")
    plan = channel_plan(settings)
    network = network_class(settings, "phiml")(
        len(plan.network_inputs), len(plan.dynamic), **_arguments(settings)
    )
    network.convert(settings.general.device, bits(settings))
    shapes = {name: w.shape for name, w in network.export_weights().items()}
    network.import_weights(initial_weights(shapes, settings))
    return port_models.Surrogate(network, plan)


def initial_weights(
    shapes: Mapping[str, tuple[int, ...]], settings: Settings
) -> dict[str, np.ndarray]:
    """The initial weights of the run, the same on both sides.

    Raises:
        SettingsError: A user's network has a leaf without a rule for its first value.
    """
    try:
        return draw_weights(shapes, settings.general.seed)
    except ValueError as error:
        raise SettingsError(
            f"the network's initial weights can't be drawn: {error}. Name leaves as"
            " torch's convolutions and batch normalisations do (weight, bias,"
            " running_mean, running_var, num_batches_tracked)."
        ) from error


def bits(settings: Settings) -> int:
    """Bits of floating point, 32 or 64."""
    return precision_bits(settings.general.precision)


def build_model(settings: Settings) -> nn.Module:
    """The surrogate as the torch trainer wants it, of the side that is switched on."""
    if settings.migration.model == "phiml":
        model = build_phiml_model(settings)
        return TorchModel(
            model,
            model.plan.names,
            rank=len(settings.model.physical.domain),
            precision=bits(settings),
        )
    return build_legacy_model(settings)


def build_named_model(settings: Settings) -> Any:
    """The surrogate as the PhiML trainer wants it, of the side that is switched on."""
    if settings.migration.model == "phiml":
        return build_phiml_model(settings)
    math.use("torch")
    model = build_legacy_model(settings)
    rank = len(settings.model.physical.domain)
    return PhimlModel(model, model.plan.names, rank=rank)


def build_trainer(settings: Settings, progress: Progress | None = None) -> Trainer:
    """The trainer with its model and loaders, of the sides that are switched on.

    Args:
        settings: The settings of the run.
        progress: Shows how far building caches is.

    Raises:
        SceneError: A simulation is missing, torn or of other settings.
    """
    # Whatever draws in the network itself (a user's dropout) repeats too.
    torch.manual_seed(settings.general.seed)
    train, validate = build_loaders(settings, progress)
    build = legacy_trainer if settings.migration.trainer == "legacy" else phiml_trainer
    return build(settings, train, validate)


def build_loaders(
    settings: Settings, progress: Progress | None = None
) -> tuple[Any, Any | None]:
    """The training and the validation loader as the trainer that is on wants them."""
    val_sim = settings.trainer.val_sim
    train = build_loader(settings, settings.trainer.train_sim, True, progress)
    if not val_sim:
        return train, None
    return train, build_loader(settings, val_sim, False, progress)


def build_loader(
    settings: Settings,
    simulations: Sequence[int],
    shuffle: bool,
    progress: Progress | None = None,
) -> Any:
    """A loader of the side that is on, in the language of the trainer that is on."""
    rank = len(settings.model.physical.domain)
    torch_trainer = settings.migration.trainer == "legacy"
    if settings.migration.data == "legacy":
        windows = data.WindowLoader(settings, simulations, shuffle=shuffle)
        return windows if torch_trainer else named_batches(settings, windows)
    named = phiml_loader(settings, simulations, shuffle, progress)
    return TorchLoader(named, rank=rank) if torch_trainer else named


def phiml_loader(
    settings: Settings,
    simulations: Sequence[int],
    shuffle: bool,
    progress: Progress | None = None,
) -> port_data.PhiMLDataLoader:
    """The candidate's loader."""
    math.use("torch")
    return port_data.PhiMLDataLoader(
        port_data.PhiMLDataset(settings, simulations, progress),
        batch_size=settings.trainer.batch_size,
        seed=settings.general.seed,
        shuffle=shuffle,
    )


def named_batches(settings: Settings, loader: training.Loader) -> PhimlLoader:
    """A torch loader for the PhiML trainer."""
    return PhimlLoader(
        loader,
        channel_plan(settings).names,
        rank=len(settings.model.physical.domain),
        device=settings.general.device,
    )


def legacy_trainer(
    settings: Settings,
    train_loader: training.Loader,
    val_loader: training.Loader | None = None,
) -> training.SyntheticTrainer:
    """The control's trainer on torch loaders, with the model that is switched on."""
    return training.SyntheticTrainer(
        settings,
        build_model(settings),
        channel_plan(settings),
        train_loader=train_loader,
        val_loader=val_loader,
    )


def phiml_trainer(
    settings: Settings,
    train_loader: port_training.Loader,
    val_loader: port_training.Loader | None = None,
) -> port_training.SyntheticTrainer:
    """The candidate's trainer on PhiML loaders, with the model that is switched on."""
    return port_training.SyntheticTrainer(
        settings,
        build_named_model(settings),
        channel_plan(settings),
        train_loader=train_loader,
        val_loader=val_loader,
    )


def read_evaluated(settings: Settings) -> Evaluated:
    """The trained models of `general.checkpoint_dir` and all that is known of them.

    Raises:
        CheckpointError: A checkpoint is missing, torn or of another architecture.
    """
    folder = Path(settings.general.checkpoint_dir)
    last = settings.evaluation.checkpoint == "last"
    synthetic = folder / (LAST if last else BEST)
    physical = folder / (PHYSICAL_LAST if last else PHYSICAL_BEST)
    mode = settings.general.mode
    wanted = {
        SYNTHETIC: mode in ("synthetic", "hybrid"),
        PHYSICAL: mode in ("physical", "hybrid"),
    }
    if mode == "evaluate":
        wanted = {SYNTHETIC: synthetic.exists(), PHYSICAL: physical.exists()}
        # With none there, say which is missing.
        wanted[SYNTHETIC] |= not wanted[PHYSICAL]
    forecasts: dict[str, Forecast] = {}
    histories, facts, parameters = {}, {}, ()
    if wanted[SYNTHETIC]:
        forecasts[SYNTHETIC], state = forecast_of_checkpoint(settings, synthetic)
        histories[SYNTHETIC] = state.history
        facts |= {
            "checkpoint": synthetic,
            "epochs trained": state.epoch,
            "optimiser steps": state.iteration,
        }
    if wanted[PHYSICAL]:
        from bridge import _physics_factories as physics

        path, checkpoint = physics.physical_checkpoint(settings)
        forecasts[PHYSICAL] = physics.physical_forecast(settings, checkpoint)
        parameters = physics.recovered_parameters(settings, checkpoint)
        histories[PHYSICAL] = checkpoint.state.history
        facts |= {
            "physical checkpoint": path,
            "rounds of L-BFGS-B": checkpoint.state.epoch,
            "its iterations": checkpoint.state.iteration,
        }
    return Evaluated(forecasts, parameters, histories, facts)


def forecast_of_checkpoint(
    settings: Settings, path: Path
) -> tuple[Forecast, TrainingState]:
    """The roll-out of the model in a checkpoint, and how far it was trained.

    Raises:
        CheckpointError: It is missing, torn or of another architecture.
    """
    model = build_model(settings)
    network = model.network
    assert isinstance(network, nn.Module)
    own = models.export_weights(network)
    checkpoint = load_for_model(path, settings, own)
    models.import_weights(network, checkpoint.weights)
    return (
        lambda state, steps: models.forecast(model, state, steps),
        checkpoint.state,
    )
