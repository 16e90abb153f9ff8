"""The learning rate of each epoch."""

import math

from experiment.settings import Settings


def next_rate(settings: Settings, rate: float, epoch: int) -> float:
    """The learning rate of the epoch after `epoch` (from 0), whose rate was `rate`.

    Cosine annealing down to 0 over all epochs (Loshchilov & Hutter 2017,
    arXiv:1608.03983), in the recursive form of torch's `CosineAnnealingLR`, so that
    every epoch's rate is the same number as torch's.
    """
    training = settings.trainer.synthetic
    if training.schedule == "constant":
        return rate
    done = epoch + 1
    fraction = 1 + math.cos(math.pi * done / training.epochs)
    return fraction / (1 + math.cos(math.pi * (done - 1) / training.epochs)) * rate
