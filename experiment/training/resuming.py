"""Going on with a training: what may differ, and how it is extended."""

import logging
import math
from dataclasses import replace
from pathlib import Path

from experiment.settings import Settings, differences, settings_with_content
from experiment.system import CheckpointError
from experiment.training.checkpoints import (
    PHYSICAL,
    SYNTHETIC,
    Checkpoint,
    first_leaf_not_finite,
    table_of,
)
from experiment.training.state import TrainingState

log = logging.getLogger(__name__)

_MAY_DIFFER = (
    "general.experiment_name",
    "general.mode",
    "general.tasks",
    "general.run_dir",
    "general.run_name",
    "general.checkpoint_dir",
    "general.take_over",
    "general.device",
    "general.num_threads",
    "general.tensorboard",
    "general.trace",
    "data.data_dir",
    "data.num_simulations",
    "data.num_workers",
    "data.overwrite",
    "data.source",
    "cache.",
    "trainer.resume",
    "trainer.extend",
    "trainer.synthetic.checkpoint_every",
    "evaluation.",
    "compare.",
    "migration.",
)
#: What the other model is trained with, outside a hybrid training.
_OF_THE_OTHER = {
    SYNTHETIC: ("trainer.physical.", "trainer.hybrid.", "trainer.data_access"),
    PHYSICAL: (
        *("trainer.synthetic.", "trainer.hybrid.", "trainer.data_access"),
        *("trainer.val_sim", "trainer.batch_size", "trainer.amp", "model.synthetic."),
    ),
}
#: What the file of the sensors holds, in a checkpoint's settings beside its name.
_SENSORS = "data.observations.space.file_sha256"
#: How long a training is: what `trainer.extend` may make larger.
_LENGTH = (
    "trainer.synthetic.epochs",
    "trainer.physical.rounds",
    "trainer.hybrid.cycles",
)


def check_resumable(path: Path, checkpoint: Checkpoint, settings: Settings) -> None:
    """Refuses to go on from a checkpoint whose run had other settings.

    More epochs, rounds or cycles than it began with are taken where they change nothing
    of what was done (`_depends_on_length`), or with `trainer.extend`.

    Raises:
        CheckpointError: With a table of the settings that differ; or it holds values
            that are not finite.
    """
    broken = first_leaf_not_finite(checkpoint)
    if broken is not None:
        raise CheckpointError(
            f"`{path}` can't be resumed: {broken}. Take an earlier checkpoint"
            " (`epoch_*.safetensors`, or one in `earlier/`) in its place, or start a"
            " new training with `trainer.resume=false`."
        )
    ignored, hybrid = _MAY_DIFFER, settings.general.mode == "hybrid"
    if not hybrid:
        ignored = (*ignored, *_OF_THE_OTHER[checkpoint.kind])
    if settings.trainer.rollout_schedule == "constant" or hybrid:
        ignored = (*ignored, "trainer.physical.rounds")
    unequal = [
        row
        for row in differences(checkpoint.settings, settings_with_content(settings))
        if not row[0].startswith(ignored)
    ]
    content = [row for row in unequal if row[0] == _SENSORS]
    unequal = [row for row in unequal if row not in content]
    longer = [row for row in unequal if row[0] in _LENGTH and row[2] > row[1]]
    others = [row for row in unequal if row not in longer]
    if others or (longer and _refused(checkpoint, settings)):
        more = ""
        if not others:
            more = (
                "\nTo train longer than it began with, add `trainer.extend=true`: the"
                " learning rate and the length of roll-outs are those of the new total"
                " from the next epoch on."
            )
        raise CheckpointError(
            f"`{path}` can't be resumed, its run had other settings:"
            f"{table_of(unequal)}\n"
            "Give the settings that it began with, or start a new training with"
            f" `trainer.resume=false`.{more}"
        )
    # A checkpoint of before it was noted says nothing of the content.
    if any(stored != "<none>" for _, stored, _ in content):
        raise CheckpointError(
            f"`{path}` can't be resumed: the file"
            f" `{settings.data.observations.space.file}`"
            " (`data.observations.space.file`) has changed since its run began, so"
            " other cells may be observed. Give the file as it was, or start a new"
            " training with `trainer.resume=false`."
        )


def resumed_state(checkpoint: Checkpoint, settings: Settings) -> TrainingState:
    """Where a training of the synthetic model goes on.

    In one that was extended (`trainer.extend`) with `trainer.synthetic.schedule=cosine`
    the learning rate is that of the new total from here on, `learning_rate (1 +
    cos(pi epoch / epochs)) / 2`: it jumps up, as the old one was annealed to its end.
    """
    state, training = checkpoint.state, settings.trainer.synthetic
    before = checkpoint.settings["trainer"]["synthetic"]["epochs"]
    if training.epochs == before:
        return state
    rate = state.learning_rate
    if training.schedule == "cosine":
        share = state.epoch / training.epochs
        rate = training.learning_rate * (1 + math.cos(math.pi * share)) / 2
    log.info(
        "extended from %d to %d epochs; after %d the learning rate goes on at %.3e"
        " (%s of the new total, before: %.3e)",
        *(before, training.epochs, state.epoch, rate, training.schedule),
        state.learning_rate,
    )
    return replace(state, learning_rate=rate)


def _refused(checkpoint: Checkpoint, settings: Settings) -> bool:
    return not settings.trainer.extend and _depends_on_length(checkpoint, settings)


def _depends_on_length(checkpoint: Checkpoint, settings: Settings) -> bool:
    """Whether what was done would have been other with another length."""
    trainer = settings.trainer
    annealed = checkpoint.kind == SYNTHETIC and trainer.synthetic.schedule == "cosine"
    return annealed or trainer.rollout_schedule != "constant"
