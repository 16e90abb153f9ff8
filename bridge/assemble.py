"""Mixes the parts of both sides as the switch values say; adapts where they meet."""

import logging
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from experiment.data import Simulator, channel_plan
from experiment.run import Components, components_of
from experiment.settings import (
    COMPONENTS,
    SIDES,
    Settings,
    check_sources,
    precision_bits,
)
from experiment.system import Progress, SettingsError
from experiment.training import PhysicalLearner, SyntheticLearner

log = logging.getLogger(__name__)


def build_components(
    settings: Settings, reasons: Mapping[str, str] | None = None
) -> Components:
    """The components of a run, each of the side that is switched on.

    Args:
        settings: The settings of the run.
        reasons: Why each component has its switch value, for the log.

    Raises:
        SettingsError: A side, the device or a backend is not there, or a source of
            one's own doesn't fit.
    """
    check_sources(settings)
    # torch and PhiML take seconds; a wrong setting is answered before.
    import torch

    from bridge.convert import CONVERSIONS

    if settings.general.num_threads is not None:
        torch.set_num_threads(settings.general.num_threads)
    CONVERSIONS.reset(settings.general.trace)
    for name in dict.fromkeys(_side_of(settings, c.name) for c in COMPONENTS):
        side(name).check(settings)

    def summary(progress: Progress, batches: int) -> None:
        if not CONVERSIONS.boundaries:
            log.info("conversions between torch and PhiML: none")
            return
        progress.console.print(CONVERSIONS.table(batches))

    return components_of(settings, MixedParts(), reasons or {}, summary)


def side(name: str) -> ModuleType:
    """The parts of a side, imported when they are needed.

    Raises:
        SettingsError: The side isn't installed.
    """
    try:
        if name == "legacy":
            from legacy import assemble
        else:
            from phiml_port import assemble
    except ModuleNotFoundError as error:
        if error.name != SIDES[name]:
            raise
        raise SettingsError(
            f"a component is switched to {name}, but the package `{SIDES[name]}` isn't"
            f" installed; allowed: {', '.join(s for s in SIDES if s != name)}."
        ) from error
    return assemble


def _side_of(settings: Settings, component: str) -> str:
    return getattr(settings.migration, component)


class MixedParts:
    """Parts of both sides, in the language of the trainer that is on."""

    def seed(self, settings: Settings) -> None:
        """See `Parts.seed`."""
        side(settings.migration.trainer).seed(settings)

    def build_model(self, settings: Settings) -> Any:
        """The surrogate as the trainer that is on wants it."""
        switches = settings.migration
        model = side(switches.model).build_model(settings)
        if switches.model == switches.trainer:
            return model
        from bridge.convert import PhimlModel, TorchModel

        names = channel_plan(settings).names
        rank = len(settings.model.physical.axes)
        if switches.trainer == "phiml":
            return PhimlModel(model, names, rank=rank)
        precision = precision_bits(settings.general.precision)
        return TorchModel(model, names, rank=rank, precision=precision)

    def build_loader(
        self,
        settings: Settings,
        simulations: Sequence[int],
        *,
        shuffle: bool,
        progress: Progress | None = None,
    ) -> Any:
        """A loader of the side that is on, in the language of the trainer."""
        switches = settings.migration
        loader = side(switches.data).build_loader(
            settings, simulations, shuffle=shuffle, progress=progress
        )
        if switches.data == switches.trainer:
            return loader
        from bridge.convert import PhimlLoader, TorchLoader

        rank = len(settings.model.physical.axes)
        if switches.trainer == "legacy":
            return TorchLoader(loader, rank=rank)
        names = channel_plan(settings).names
        device = settings.general.device
        return PhimlLoader(loader, names, rank=rank, device=device)

    def build_synthetic_learner(
        self, settings: Settings, model: Any
    ) -> SyntheticLearner:
        """The surrogate with its optimiser, of the side that is on."""
        return side(settings.migration.trainer).build_synthetic_learner(settings, model)

    def build_simulator(self, settings: Settings) -> Simulator:
        """The physical model as the task `generate` wants it."""
        return side(settings.migration.physics).build_simulator(settings)

    def build_physical_learner(
        self, settings: Settings, progress: Progress | None = None
    ) -> PhysicalLearner:
        """The physical model with its training windows."""
        return side(settings.migration.physics).build_physical_learner(
            settings, progress
        )
