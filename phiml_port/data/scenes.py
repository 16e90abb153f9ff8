"""Scenes, put together on a backend of PhiML."""

import numpy as np
from phiml import math

from experiment.data import read_frames
from experiment.settings import Settings
from phiml_port.data.gather import backend_named


def read_scene(settings: Settings, simulation: int) -> np.ndarray:
    """A whole trajectory `(time, x, y, ..., vector)` in `general.precision`.

    Its frames are stacked on `cache.worker_backend`.

    Raises:
        SceneError: The Scene is missing, torn or of other settings.
    """
    backend = backend_named(settings.cache.worker_backend)
    frames = read_frames(settings, simulation)
    # With 64 bits PhiML casts nothing that would lose something.
    with math.precision(64):
        stacked = backend.stack([backend.as_tensor(frame) for frame in frames], 0)
    return backend.numpy(stacked).astype(settings.general.precision, copy=False)
