"""The trainings of a comparison: each model alone and both together, seed by seed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from experiment.settings import Settings
from experiment.system import CheckpointError
from experiment.training import (
    PHYSICAL,
    SYNTHETIC,
    check_resumable,
    checkpoint_folder,
    checkpoint_path,
    equal_budget,
    load_checkpoint,
    physical_rounds,
    training_settings,
)

#: Folder of a comparison's checkpoints, below `general.checkpoint_dir`.
COMPARISON = "comparison"
#: What is trained, in the order of the tables.
KINDS = (SYNTHETIC, PHYSICAL, "hybrid")


@dataclass(frozen=True)
class SubRun:
    """One training of a comparison.

    Attributes:
        kind: `synthetic` or `physical`, alone, or `hybrid`.
        seed: Its seed, one of `compare.seeds`.
        settings: Its settings: mode, seed, budget and folders of its own. Its runs and
            evaluations are put where the comparison's run folder is.
    """

    kind: str
    seed: int
    settings: Settings

    @property
    def name(self) -> str:
        """Its folder, below that of checkpoints and below the run folder."""
        return f"{self.kind}-seed_{self.seed}"

    @property
    def models(self) -> tuple[str, ...]:
        """The models that it trains."""
        return (SYNTHETIC, PHYSICAL) if self.kind == "hybrid" else (self.kind,)

    @property
    def has_begun(self) -> bool:
        """Whether it left a checkpoint to go on from."""
        return checkpoint_path(self.settings, self.models[0], "last").exists()

    def require_complete(self) -> None:
        """Refuses a training that isn't there, isn't at its end, or had other settings.

        Raises:
            CheckpointError: Says which, and how to go on.
        """
        wanted = training_settings(self.settings)
        ends = {
            SYNTHETIC: (wanted.trainer.synthetic.epochs, "epochs"),
            PHYSICAL: (physical_rounds(wanted), "rounds"),
        }
        for model in self.models:
            path = checkpoint_path(self.settings, model, "last")
            if not path.exists():
                raise CheckpointError(
                    f"the comparison lacks `{path}`. {_REMEDY}, which takes over what"
                    " is complete."
                )
            checkpoint = load_checkpoint(path, model)
            check_resumable(path, checkpoint, wanted)
            end, unit = ends[model]
            if checkpoint.state.epoch < end:
                raise CheckpointError(
                    f"`{path}` is after {checkpoint.state.epoch} of {end} {unit}; a"
                    " comparison is of whole trainings, as their budgets would not be"
                    f" equal. {_REMEDY}, which goes on where it stood."
                )


_REMEDY = (
    "Run it with the tasks train and evaluate and `trainer.resume=true`"
    " (`general.tasks=[train,evaluate] trainer.resume=true`)"
)


def sub_runs(settings: Settings) -> list[SubRun]:
    """Every training of a comparison, seed by seed.

    The physical model alone has neither initial weights nor an order of samples, so
    that a seed changes nothing in it but redrawn data: with the same data for all seeds
    it is trained once.
    """
    runs = []
    for seed in settings.compare.seeds:
        for kind in KINDS:
            first = seed == settings.compare.seeds[0]
            if kind != PHYSICAL or first or settings.compare.redraw_data:
                runs.append(SubRun(kind, seed, _settings(settings, kind, seed)))
    return runs


def data_settings(settings: Settings) -> Iterator[Settings]:
    """Settings of each set of simulations that a comparison needs."""
    seeds = settings.compare.seeds if settings.compare.redraw_data else (0,)
    for seed in seeds:
        yield with_data(settings, seed)


def with_data(settings: Settings, seed: int) -> Settings:
    """The settings with the simulations of a seed, where they are redrawn."""
    if not settings.compare.redraw_data:
        return settings
    folder = str(Path(settings.data.data_dir) / f"seed_{seed}")
    own = replace(settings.data, seed=settings.data.seed + seed, data_dir=folder)
    return replace(settings, data=own)


def _settings(settings: Settings, kind: str, seed: int) -> Settings:
    budget, trainer = equal_budget(settings), settings.trainer
    settings = with_data(settings, seed)
    folder = checkpoint_folder(settings) / COMPARISON
    run = SubRun(kind, seed, settings)
    general = replace(
        settings.general,
        mode=kind,
        seed=seed,
        checkpoint_dir=str(folder / run.name),
    )
    alone = replace(
        trainer,
        synthetic=replace(trainer.synthetic, epochs=budget.epochs),
        physical=replace(trainer.physical, rounds=budget.rounds),
    )
    return replace(
        settings,
        general=general,
        trainer=trainer if kind == "hybrid" else alone,
        # Its evaluation is below the run folder, so that none overwrites another's.
        evaluation=replace(settings.evaluation, output_dir=None, export=None),
    )
