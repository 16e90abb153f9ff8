"""What naming runs and their folders does not allow."""

from collections.abc import Iterator

from experiment.settings.schema import Settings

#: Words of `trainer.resume` that are no run's name.
LAST_RUN, IF_THERE = "last", "auto"
#: What stands beside run folders, or means something else in `trainer.resume`.
_TAKEN = (LAST_RUN, IF_THERE, "latest", "multirun", "true", "false")


def is_trained(settings: Settings) -> bool:
    """Whether the run trains."""
    return "train" in settings.general.tasks and settings.general.mode != "evaluate"


def impossible_run(settings: Settings) -> Iterator[str]:
    """What is wrong with names of runs and their folders, a sentence each."""
    general, resume = settings.general, settings.trainer.resume
    name = general.run_name
    if name is not None and (name in _TAKEN or name.startswith(".")):
        yield (
            f"`general.run_name` is {name}; expected a name that doesn't begin with a"
            f" dot and is none of {', '.join(_TAKEN)}."
        )
    if settings.trainer.extend and not resume:
        yield (
            "`trainer.extend` is true and `trainer.resume` is false, so there is no"
            " training to extend; name a run in `trainer.resume`, or set last."
        )
    if resume and not is_trained(settings):
        yield (
            f"`trainer.resume` is {_shown(resume)} and this run doesn't train"
            f" (`general.mode` {general.mode}, `general.tasks`"
            f" [{', '.join(general.tasks)}]); add train to `general.tasks`, or say in"
            " `evaluation.run` which run is evaluated."
        )
    named = isinstance(resume, str) and resume not in (LAST_RUN, IF_THERE)
    where = "checkpoint_dir" if general.checkpoint_dir is not None else "run_name"
    place = getattr(general, where)
    if named and place is not None:
        yield (
            f"`trainer.resume` names the run {resume}, and `general.{where}` is"
            f" {place}: two places to go on in. Keep one of them; with"
            f" `general.{where}` give `trainer.resume=true`."
        )
    if resume == IF_THERE and place is None:
        yield (
            "`trainer.resume` is auto, and nothing says where that would be; give the"
            " run a name (`general.run_name`) or a folder (`general.checkpoint_dir`)."
        )
    yield from _impossible_evaluation(settings)


def _impossible_evaluation(settings: Settings) -> Iterator[str]:
    run, general = settings.evaluation.run, settings.general
    if run is None:
        return
    if is_trained(settings):
        yield (
            f"`evaluation.run` is {run} and this run trains, so it evaluates what it"
            " trained itself; use null, or `general.tasks=[evaluate]`."
        )
    if general.checkpoint_dir is not None:
        yield (
            f"`evaluation.run` is {run} and `general.checkpoint_dir` is"
            f" {general.checkpoint_dir}: two places to take checkpoints from. Keep one"
            " of them."
        )


def _shown(resume: bool | str) -> str:
    return "true" if resume is True else str(resume)
