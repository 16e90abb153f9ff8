"""What settings of training allow each alone, and not together."""

from collections.abc import Iterator

from experiment.equations import KINDS
from experiment.settings.schema import Settings


def impossible_training(settings: Settings) -> Iterator[str]:
    """What is wrong with the weights of terms and the curriculum, a sentence each."""
    yield from _impossible_teaching(settings)
    yield from _impossible_curriculum(settings)
    yield from _impossible_regularisation(settings)


def _impossible_teaching(settings: Settings) -> Iterator[str]:
    hybrid = settings.trainer.hybrid
    for model in ("synthetic", "physical"):
        weights = getattr(hybrid.weights, model)
        if not weights.real and not weights.interaction:
            yield (
                f"`trainer.hybrid.weights.{model}` has real = 0 and interaction = 0, so"
                f" the {model} model would learn nothing; expected at least one of them"
                " above 0."
            )
    if hybrid.keep_best and not settings.trainer.val_sim:
        yield (
            "`trainer.hybrid.keep_best` is true and `trainer.val_sim` is empty, so"
            " nothing says whether a cycle made the synthetic model worse; name a"
            " simulation in `trainer.val_sim`, or set false."
        )


def _impossible_curriculum(settings: Settings) -> Iterator[str]:
    trainer, hybrid = settings.trainer, settings.trainer.hybrid
    own = trainer.physical.rollout_steps
    lengths = {
        "trainer.rollout_steps": trainer.rollout_steps,
        "trainer.physical.rollout_steps": own or trainer.rollout_steps,
    }
    for key, steps in lengths.items():
        if trainer.rollout_schedule != "constant" and trainer.rollout_start > steps:
            yield (
                f"`trainer.rollout_start` is {trainer.rollout_start}, more than `{key}`"
                f" = {steps}; expected at most that, or `trainer.rollout_schedule="
                "constant`."
            )
    in_time = settings.data.observations.time.kind
    if trainer.rollout_schedule != "constant" and in_time != "all":
        yield (
            f"`trainer.rollout_schedule` is {trainer.rollout_schedule} with"
            f" `data.observations.time.kind` = {in_time}: the first steps of a window"
            " may not have been observed; use constant, or observe all frames."
        )
    for key, frames, steps in (
        ("generated_frames", hybrid.generated_frames, trainer.rollout_steps),
        ("predicted_frames", hybrid.predicted_frames, own or trainer.rollout_steps),
    ):
        if frames is not None and frames <= steps:
            yield (
                f"`trainer.hybrid.{key}` is {frames}; a window of {steps} roll-out"
                f" steps needs {steps + 1} frames; expected at least that, or null."
            )


def _impossible_regularisation(settings: Settings) -> Iterator[str]:
    physical = settings.trainer.physical
    axes = settings.model.physical.axes
    learned = physical.learnable_parameters
    if physical.regularisation and not any(KINDS[p.type].axes(axes) for p in learned):
        yield (
            f"`trainer.physical.regularisation` is {physical.regularisation}, and"
            " `trainer.physical.learnable_parameters` has no field whose gradient there"
            " is; use null."
        )
