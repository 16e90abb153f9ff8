"""Where a run writes, what it goes on with, and which checkpoints it evaluates."""

from dataclasses import dataclass, replace
from pathlib import Path

from experiment.run.folder import new_folder
from experiment.run.former import (
    CHECKPOINTS,
    SETTINGS,
    Former,
    former_runs,
    named_run,
)
from experiment.run.lock import owner_of
from experiment.run.subruns import COMPARISON
from experiment.settings import IF_THERE, LAST_RUN, Settings, is_trained
from experiment.system import CheckpointError
from experiment.training import LAST, PHYSICAL_LAST


@dataclass(frozen=True)
class Place:
    """The folders of a run.

    Attributes:
        path: The run folder; it is there.
        settings: The settings of the run: `general.checkpoint_dir` is the folder that
            it trains into or evaluates, `trainer.resume` true or false.
        goes_on: Whether the run folder is that of an earlier run, which is continued.
        lines: What the log says of it.
    """

    path: Path
    settings: Settings
    goes_on: bool
    lines: tuple[str, ...] = ()


def find_place(settings: Settings) -> Place:
    """The folders of a run, by `general`, `trainer.resume` and `evaluation.run`.

    Raises:
        CheckpointError: The run that is named, or the last one, isn't there or has no
            checkpoint.
        UserError: The run folder can't be made, or `general.run_name` is taken.
    """
    if not is_trained(settings):
        return _evaluating(settings)
    own, resume = settings.general.checkpoint_dir, settings.trainer.resume
    if own is not None:
        there = _has_begun(Path(own), settings)
        return _new(settings, Path(own), there if resume == IF_THERE else bool(resume))
    former = _continued(settings)
    if former is None:
        return _new(settings, None, False)
    folder = former.checkpoints
    begun = _has_begun(folder, settings)
    if not begun and resume != IF_THERE:
        raise CheckpointError(
            f"the run `{former.path}` (`general.mode={former.mode}`) has no checkpoint"
            f" of `general.mode={settings.general.mode}` to go on from: it ended before"
            " its first, or trained something else. Begin a new run"
            " (`trainer.resume=false`), or name another in `trainer.resume`."
        )
    text = f"going on in the run `{former.path}`"
    return Place(former.path, _resolved(settings, folder, begun), True, (text,))


def _continued(settings: Settings) -> Former | None:
    """The run that is gone on with; None: a new one."""
    resume, name = settings.trainer.resume, settings.general.run_name
    parent = Path(settings.general.run_dir)
    if not resume:
        return None
    if name is not None:
        if resume == IF_THERE and not (parent / name).exists():
            return None
        if resume == IF_THERE and not (parent / name / SETTINGS).exists():
            # Killed before it wrote anything.
            general = settings.general
            return Former(parent / name, general.experiment_name, general.mode, None)
        return named_run(settings, name, "general.run_name")
    if isinstance(resume, str) and resume != LAST_RUN:
        return named_run(settings, resume, "trainer.resume")
    mode = settings.general.mode
    for former in former_runs(settings):
        if former.mode == mode:
            return former
    raise CheckpointError(
        f"there is no checkpoint to go on from: `{parent}` has no run of"
        f" `general.experiment_name={settings.general.experiment_name}` with"
        f" `general.mode={mode}` that trained into a folder of its own. Begin with"
        " `trainer.resume=false`, or set `general.checkpoint_dir` to where the"
        " checkpoints are."
    )


def _evaluating(settings: Settings) -> Place:
    """A run that doesn't train."""
    own = settings.general.checkpoint_dir
    evaluates = "evaluate" in settings.general.tasks
    if not evaluates and settings.general.mode != "evaluate":
        return _new(settings, None if own is None else Path(own), False)
    if own is not None:
        text = f"evaluating the checkpoints in `{own}`"
        return replace(_new(settings, Path(own), False), lines=(text,))
    name = settings.evaluation.run
    if name is not None:
        former, lines = named_run(settings, name, "evaluation.run"), []
    else:
        former, lines = _last_evaluated(settings)
    which = "the last one" if name is None else "as named"
    text = f"evaluating the checkpoints of the run `{former.path}` ({which})"
    owner = owner_of(former.checkpoints)
    if owner is not None:
        text += f", which still trains: {owner.text}"
    lines = (text, *lines)
    return replace(_new(settings, former.checkpoints, False), lines=lines)


def _last_evaluated(settings: Settings) -> tuple[Former, list[str]]:
    """The last run that has the checkpoints which `general.mode` evaluates.

    Returns:
        The run, and what is to be said of newer ones.
    """
    passed: list[str] = []
    for former in former_runs(settings):
        if _has_begun(former.checkpoints, settings):
            mode, names = settings.general.mode, ", ".join(passed)
            text = f"newer runs have no checkpoints of `general.mode={mode}`: {names}"
            return former, [text] if passed else []
        passed.append(former.path.name)
    raise CheckpointError(
        f"there is no checkpoint of `general.mode={settings.general.mode}` in any run"
        f" of `general.experiment_name={settings.general.experiment_name}` in"
        f" `{settings.general.run_dir}`. Run the task `train` first, name a run in"
        " `evaluation.run`, or set `general.checkpoint_dir` to where the checkpoints"
        " are."
    )


def _new(settings: Settings, checkpoints: Path | None, resume: bool) -> Place:
    """A new run folder; its own checkpoints, unless another folder is given."""
    path = new_folder(Path(settings.general.run_dir), settings.general.run_name)
    lines: tuple[str, ...] = ()
    if is_trained(settings):
        go_on = "true" if checkpoints else path.name
        checkpoints = checkpoints or path / CHECKPOINTS
        lines = (
            f"checkpoints go to `{checkpoints}`; if this run is stopped, go on with"
            f" `trainer.resume={go_on}`",
        )
    return Place(path, _resolved(settings, checkpoints, resume), False, lines)


def _resolved(settings: Settings, checkpoints: Path | None, resume: bool) -> Settings:
    folder = None if checkpoints is None else str(checkpoints)
    general = replace(settings.general, checkpoint_dir=folder)
    trainer = replace(settings.trainer, resume=resume)
    return replace(settings, general=general, trainer=trainer)


def _has_begun(folder: Path, settings: Settings) -> bool:
    """Whether a folder has what a training of `general.mode` leaves first."""
    names: dict[str, tuple[str, ...]] = {
        "physical": (PHYSICAL_LAST,),
        "compare": (COMPARISON,),
        "evaluate": (LAST, PHYSICAL_LAST),
    }
    wanted = names.get(settings.general.mode, (LAST,))
    return any((folder / name).exists() for name in wanted)
