"""Makes the tasks of a run out of the parts that the sides give."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from experiment.data import (
    Simulator,
    observations_text,
    physics_text,
)
from experiment.evaluation import Forecast, RecoveredParameter
from experiment.run.comparison import ComparisonRun
from experiment.run.evaluating import Evaluated
from experiment.run.folder import RunFolder
from experiment.run.recovery import recovered_parameters
from experiment.run.tasks import Components
from experiment.run.uncertainty import with_uncertainty
from experiment.settings import (
    COMPONENTS,
    Settings,
    build,
    source_of,
    without_observations,
)
from experiment.system import Progress
from experiment.training import (
    PHYSICAL,
    SYNTHETIC,
    HybridTraining,
    LearnerState,
    PhysicalLearner,
    PhysicalTraining,
    SyntheticLearner,
    SyntheticTraining,
    checkpoint_path,
    load_for_model,
    load_parameters,
    physical_rounds,
    physical_settings,
    training_settings,
)

log = logging.getLogger(__name__)

#: Components that a mode of training doesn't use.
_UNUSED = {
    "synthetic": ("physics", "hybrid"),
    "physical": ("model", "trainer", "data", "hybrid"),
}


class Parts(Protocol):
    """What a side, or a mix of two, builds; `assemble.py` of each side has these."""

    def seed(self, settings: Settings) -> None: ...

    def build_model(self, settings: Settings) -> Any: ...

    def build_loader(
        self,
        settings: Settings,
        simulations: Sequence[int],
        *,
        shuffle: bool,
        progress: Progress | None = None,
    ) -> Any: ...

    def build_synthetic_learner(
        self, settings: Settings, model: Any
    ) -> SyntheticLearner: ...

    def build_simulator(self, settings: Settings) -> Simulator: ...

    def build_physical_learner(
        self, settings: Settings, progress: Progress | None = None
    ) -> PhysicalLearner: ...


def components_of(
    settings: Settings,
    parts: Parts,
    reasons: Mapping[str, str],
    summary: Callable[[Progress, int], None],
) -> Components:
    """The components of a run.

    Args:
        settings: The settings of the run.
        parts: What builds its parts.
        reasons: Why each component has its switch value, for the log.
        summary: Says at the end of a training what is worth saying; gets the batches
            that went through the surrogate.
    """
    batches, comparison = 0, None
    if settings.general.mode == "compare":
        comparison = ComparisonRun(
            settings,
            parts.build_simulator,
            lambda own, run, progress: run_training(own, parts, run, progress),
            lambda own: read_evaluated(own, parts),
        )

    def train(run: RunFolder, progress: Progress) -> None:
        nonlocal batches
        log_components(settings, reasons)
        if comparison is None:
            batches = run_training(settings, parts, run, progress)
        else:
            batches = comparison.train(run, progress)

    return Components(
        lambda: parts.build_simulator(settings),
        train,
        lambda: read_evaluated(settings, parts),
        lambda progress: summary(progress, batches),
        comparison,
    )


def log_components(settings: Settings, reasons: Mapping[str, str]) -> None:
    """Logs which class runs each component that this training uses, and why."""
    for component in COMPONENTS:
        if component.name in _UNUSED.get(settings.general.mode, ()):
            continue
        side = getattr(settings.migration, component.name)
        path = source_of(settings, component.name, side)
        why = reasons.get(component.name, "settings")
        log.info("%s: %s (%s), by %s", component.name, side, path, why)


def run_training(
    settings: Settings, parts: Parts, run: RunFolder, progress: Progress
) -> int:
    """Trains what `general.mode` says.

    Returns:
        The batches that went through the surrogate.
    """
    observed = observations_text(settings)
    if observed is not None:
        log.info("observed of the training simulations: %s", observed)
    if settings.general.mode == "physical":
        build_physical_training(settings, parts, progress).train(run, progress)
        return 0
    if settings.general.mode == "synthetic":
        synthetic = build_synthetic_training(settings, parts, progress)
        synthetic.train(run, progress)
        return synthetic.batches_seen
    hybrid = build_hybrid_training(settings, parts, progress)
    hybrid.train(run, progress)
    return hybrid.synthetic.batches_seen


def build_synthetic_training(
    settings: Settings, parts: Parts, progress: Progress | None = None
) -> SyntheticTraining:
    """The training of the surrogate.

    Raises:
        SceneError: A simulation is missing, torn or of other settings.
    """
    settings = training_settings(settings)
    parts.seed(settings)
    trainer = settings.trainer
    train = parts.build_loader(
        settings, trainer.train_sim, shuffle=True, progress=progress
    )
    validate = None
    if trainer.val_sim:
        # All of it, as it was simulated or measured: what is judged by is never masked.
        validate = parts.build_loader(
            without_observations(settings),
            trainer.val_sim,
            shuffle=False,
            progress=progress,
        )
    model = parts.build_model(settings)
    learner = parts.build_synthetic_learner(settings, model)
    return SyntheticTraining(settings, learner, train, validate)


def build_physical_training(
    settings: Settings, parts: Parts, progress: Progress | None = None
) -> PhysicalTraining:
    """The training of the physical model."""
    settings = training_settings(settings)
    coarse = physics_text(settings)
    if coarse is not None:
        log.info("the physical model is solved on %s", coarse)
    learner = parts.build_physical_learner(physical_settings(settings), progress)
    return PhysicalTraining(settings, learner, physical_rounds(settings))


def build_hybrid_training(
    settings: Settings, parts: Parts, progress: Progress | None = None
) -> HybridTraining:
    """The training of both models, whatever the sides of their parts."""
    settings = training_settings(settings)
    synthetic = build_synthetic_training(settings, parts, progress)
    physical = build_physical_training(settings, parts, progress)
    side = settings.migration.hybrid
    return build(settings, "hybrid", side, settings, synthetic, physical)


def read_evaluated(settings: Settings, parts: Parts) -> Evaluated:
    """The trained models of `general.checkpoint_dir` and all that is known of them.

    Raises:
        CheckpointError: A checkpoint is missing, torn or of another architecture.
    """
    which, mode = settings.evaluation.checkpoint, settings.general.mode
    paths = {
        kind: checkpoint_path(settings, kind, which) for kind in (SYNTHETIC, PHYSICAL)
    }
    wanted = {kind: mode in (kind, "hybrid") for kind in paths}
    if mode == "evaluate":
        wanted = {kind: path.exists() for kind, path in paths.items()}
        # With none there, say which is missing.
        wanted[SYNTHETIC] |= not wanted[PHYSICAL]
    forecasts: dict[str, Forecast] = {}
    histories, facts, steps = {}, {}, {}
    parameters: Sequence[RecoveredParameter] = ()
    if wanted[SYNTHETIC]:
        learner = parts.build_synthetic_learner(settings, parts.build_model(settings))
        path = paths[SYNTHETIC]
        checkpoint = load_for_model(path, settings, learner.state().weights)
        learner.load(LearnerState(checkpoint.weights))
        forecasts[SYNTHETIC] = learner.predict
        histories[SYNTHETIC] = checkpoint.state.history
        steps[SYNTHETIC] = checkpoint.state.iteration
        facts |= {
            "checkpoint": path,
            "epochs trained": checkpoint.state.epoch,
            "optimiser steps": checkpoint.state.iteration,
            "its last epoch": _terms(checkpoint.state.history, "generated"),
        }
    if wanted[PHYSICAL]:
        path = paths[PHYSICAL]
        checkpoint = load_parameters(path, settings)
        forecasts[PHYSICAL] = _physical_forecast(settings, parts, checkpoint.weights)
        parameters = with_uncertainty(
            settings,
            parts.build_physical_learner,
            {name: o["unbounded"] for name, o in checkpoint.optimiser.items()},
            recovered_parameters(settings, checkpoint.weights),
        )
        histories[PHYSICAL] = checkpoint.state.history
        steps[PHYSICAL] = checkpoint.state.iteration
        facts |= {
            "physical checkpoint": path,
            "rounds of L-BFGS-B": checkpoint.state.epoch,
            "its iterations": checkpoint.state.iteration,
            "its last round": _terms(checkpoint.state.history, "predicted"),
        }
    observed = observations_text(settings)
    if observed is not None:
        facts["observed in training"] = observed
    return Evaluated(forecasts, parameters, histories, facts, steps)


def _terms(history: Sequence[Mapping[str, Any]], made: str) -> str:
    """How many windows of each kind entered last, and their mean losses, in words."""
    if not history:
        return "none"
    parts = []
    for kind, name in (("real", "real"), ("interaction", made)):
        # A checkpoint of before these columns has none.
        count, loss = (
            history[-1].get(f"{kind}_{word}") for word in ("windows", "loss")
        )
        if count:
            parts.append(f"{count} {name} windows, mean loss {loss:.3e}")
    return "; ".join(parts)


def _physical_forecast(
    settings: Settings, parts: Parts, weights: Mapping[str, np.ndarray]
) -> Forecast:
    learner = parts.build_physical_learner(physical_settings(settings))
    return partial(learner.rollout, weights)
