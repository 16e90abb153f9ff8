"""Makes the tasks of a run out of the parts that the sides give."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from experiment.data import observations_text, physics_text
from experiment.run.comparison import ComparisonRun
from experiment.run.folder import RunFolder
from experiment.run.parts import Parts
from experiment.run.reading import read_evaluated
from experiment.run.tasks import Components
from experiment.settings import (
    COMPONENTS,
    Settings,
    build,
    source_of,
    without_observations,
)
from experiment.system import Progress
from experiment.training import (
    HybridTraining,
    PhysicalTraining,
    SyntheticTraining,
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
            batches = run_training(run.settings, parts, run, progress)
        else:
            own = replace(comparison, settings=run.settings)
            batches = own.train(run, progress)

    return Components(
        lambda: parts.build_simulator(settings),
        train,
        lambda own: read_evaluated(own, parts),
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
