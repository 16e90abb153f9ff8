"""Noise on the initial frames that a surrogate learns from, and what it may see."""

from typing import Any

import numpy as np

from experiment.data import Observed, channel_plan, frame_shape
from experiment.settings import Settings
from experiment.training.state import TrainingState

#: Sets its generators apart from those of the order of samples.
_STREAM = 1


def input_noise(
    settings: Settings, epoch: int, batch: int, windows: int
) -> np.ndarray | None:
    """What is added to a batch's initial frames: `trainer.synthetic.input_noise`.

    Drawn by epoch and batch, `default_rng([seed, epoch, batch, 1])`, so a training that
    was killed draws the same. Targets and what never changes are seen as they are.

    Returns:
        `(batch, x, y, ..., vector)` in `general.precision`; None without noise.
    """
    deviation = settings.trainer.synthetic.input_noise
    if not deviation:
        return None
    generator = np.random.default_rng([settings.general.seed, epoch, batch, _STREAM])
    drawn = generator.standard_normal((windows, *frame_shape(settings)))
    noise = np.zeros_like(drawn)
    dynamic = list(channel_plan(settings).dynamic)
    noise[..., dynamic] = deviation * drawn[..., dynamic]
    return noise.astype(settings.general.precision)


def step_arguments(
    settings: Settings, state: TrainingState, part: slice, observed: Observed | None
) -> dict[str, Any]:
    """Further arguments of a step on some windows of the epoch.

    Where all was observed and nothing is noisy, learners are called as if masks and
    noise didn't exist.

    Args:
        settings: The settings of the run.
        state: Which epoch and batch it is.
        part: Which windows, of those that are left of the epoch.
        observed: What was observed of these; None: all.
    """
    more: dict[str, Any] = {}
    samples = part.stop - part.start
    noise = input_noise(settings, state.epoch, state.position, samples)
    if observed is not None:
        more["observed"] = observed[part]
    if noise is not None:
        more["noise"] = noise
    return more
