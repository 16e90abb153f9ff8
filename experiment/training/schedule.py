"""What changes from epoch to epoch: the learning rate, and the roll-out's length."""

import math

from experiment.settings import Settings


def next_rate(settings: Settings, rate: float, epoch: int) -> float:
    """The learning rate of the epoch after `epoch` (from 0), whose rate was `rate`.

    `cosine`: cosine annealing down to 0 over all epochs (Loshchilov & Hutter 2017,
    arXiv:1608.03983); `step`: times `decay` every `decay_epochs`; `exponential`: as
    much, but a little each epoch. All in the recursive form of torch's schedulers, so
    that every epoch's rate is the same number as torch's.
    """
    training = settings.trainer.synthetic
    done = epoch + 1
    if training.schedule == "constant":
        return rate
    if training.schedule == "step":
        return rate * training.decay if done % training.decay_epochs == 0 else rate
    if training.schedule == "exponential":
        return rate * training.decay ** (1 / training.decay_epochs)
    fraction = 1 + math.cos(math.pi * done / training.epochs)
    return fraction / (1 + math.cos(math.pi * (done - 1) / training.epochs)) * rate


def rollout_lengths(schedule: str, start: int, steps: int) -> list[int]:
    """Steps that are learned from, stage by stage; all stages last as long.

    Args:
        schedule: `constant`, `linear` (one more a stage) or `exponential` (doubling).
        start: Steps of the first stage.
        steps: Steps of a window, and of the last stage.
    """
    if schedule == "constant":
        return [steps]
    if schedule == "linear":
        return list(range(start, steps + 1))
    doublings = range(math.ceil(math.log2(steps / start)))
    return [*(start * 2**doubling for doubling in doublings), steps]


def rollout_steps(settings: Settings, steps: int, done: int, total: int) -> int:
    """The steps that an epoch, or a round, learns from.

    Args:
        settings: The settings of the run.
        steps: Target frames of the model's windows.
        done: Epochs (rounds) that are over.
        total: Those of the whole training.
    """
    trainer = settings.trainer
    lengths = rollout_lengths(trainer.rollout_schedule, trainer.rollout_start, steps)
    return lengths[len(lengths) * done // total]
