"""Observations for the ladders: masks, noise and gaps, made without either side.

A fault in what both sides share makes no difference between them, so the rungs compare
both with what is computed here from the words of docs/observations.md.
"""

import dataclasses
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import torch

from experiment.data import Observed, read_trajectory
from experiment.settings import Settings

IGNORED = "mask ignored"
OVER_ALL = "mean over all cells instead of the observed"
OTHER_AXIS = "mask of the other axis"
ON_GENERATED = "mask applied to generated windows"
SHIFTED = "mask shifted by a frame"
NOISE_IN_VALIDATION = "noise in validation"
#: No two of the gaps are alike; windows of two steps see both targets, or either.
_FRAMES, _CELLS, _SEED = (0, 1, 2, 4, 5, 7), 50, 3


def overrides(initial: str) -> list[str]:
    """Settings of a case whose first frames are `known` or `nearest`."""
    frames, above = ", ".join(map(str, _FRAMES)), "data.observations"
    return [
        f"{above}.time={{kind: frames, frames: [{frames}]}}",
        f"{above}.space={{kind: random, number: {_CELLS}, seed: {_SEED}}}",
        *(f"{above}.noise=0.05", f"{above}.noise_seed=4", f"{above}.initial={initial}"),
    ]


def cells_of(settings: Settings) -> np.ndarray:
    """Cells that were observed, bool `(x, y, ...)`."""
    cells = np.zeros(tuple(settings.model.physical.resolution.values()), bool)
    drawn = np.random.default_rng(_SEED).choice(cells.size, _CELLS, replace=False)
    cells.ravel()[drawn] = True
    return cells


def other_axis(cells: np.ndarray) -> np.ndarray:
    """The mask with its first two axes exchanged, stretched to the same grid."""
    x, y = np.indices(cells.shape)
    shape = cells.shape
    return cells[y * shape[0] // shape[1], x * shape[1] // shape[0]]


def was_observed(frame: int) -> bool:
    """Whether a frame was observed."""
    return frame in _FRAMES


def steps_of(settings: Settings) -> dict[int, list[bool]]:
    """Which targets of each window of a simulation were observed, by its start."""
    steps, windows = settings.trainer.rollout_steps, {}
    for start in range(settings.data.trajectory_length - steps):
        seen = [frame in _FRAMES for frame in range(start + 1, start + steps + 1)]
        if start in _FRAMES and any(seen):
            windows[start] = seen
    return windows


def masks_of(settings: Settings) -> np.ndarray:
    """What was observed of the targets of all windows, `(window, step, x, y, ...)`."""
    seen = np.array([*steps_of(settings).values()] * len(settings.trainer.train_sim))
    cells = cells_of(settings)
    return seen.reshape(*seen.shape, *(1,) * cells.ndim) & cells


def with_holes(windows: np.ndarray, masks: np.ndarray) -> torch.Tensor:
    """Windows `(window, vector, time, x, ...)` with NaN where nothing was observed."""
    holes = windows.copy()
    targets = np.broadcast_to(masks[:, None], holes[:, :, 1:].shape)
    holes[:, :, 1:][~targets] = np.nan
    return torch.from_numpy(holes)


def noisy(
    settings: Settings, number: int, channels: Mapping[str, list[int]]
) -> np.ndarray:
    """A simulation with noise `(time, vector, x, ...)`.

    Args:
        settings: The settings of the case.
        number: The number of the simulation.
        channels: Positions of the channels of each dynamic field.
    """
    seen = settings.data.observations
    exact = np.moveaxis(read_trajectory(settings, number), -1, 1)
    values, generator = exact.copy(), np.random.default_rng([seen.noise_seed, number])
    for own in channels.values():
        # Drawn with the components last.
        field = np.moveaxis(exact[:, own], 1, -1).astype(np.float64, order="C")
        size = seen.noise * np.sqrt(np.mean(field**2))
        field = field + size * generator.standard_normal(field.shape)
        values[:, own] = np.moveaxis(field, -1, 1)
    return values


def measured(settings: Settings, channels: Mapping[str, list[int]]) -> np.ndarray:
    """All training windows as they were measured `(window, vector, time, x, ...)`.

    Args:
        settings: The settings of the case.
        channels: Positions of the channels of each dynamic field.
    """
    windows, frames = [], settings.trainer.rollout_steps + 1
    for number in settings.trainer.train_sim:
        values = noisy(settings, number, channels)
        for start in steps_of(settings):
            window = np.moveaxis(values[start : start + frames], 1, 0).copy()
            if settings.data.observations.initial == "nearest":
                _fill(window, [i for own in channels.values() for i in own], settings)
            windows.append(window)
    return np.stack(windows)


def _fill(window: np.ndarray, dynamic: list[int], settings: Settings) -> None:
    """Each unobserved cell of the first frame takes its nearest neighbour's values."""
    physical, cells = settings.model.physical, cells_of(settings)
    sizes = np.array([*physical.cell_sizes.values()])
    lengths = np.array([*physical.domain.values()])
    seen = np.argwhere(cells)
    known = window[:, 0].copy()
    for cell in product(*map(range, cells.shape)):
        apart = np.abs((seen - cell) * sizes)
        squares = (np.minimum(apart, lengths - apart) ** 2).sum(1)
        # Equal distances differ by rounding; the first of them counts.
        near = seen[np.flatnonzero(squares <= squares.min() * (1 + 1e-9))[0]]
        for channel in dynamic:
            window[channel, 0][cell] = known[channel][tuple(near)]


def faulty_masks(seen: Observed) -> dict[str, Observed]:
    """Masks with a fault, by its name."""
    nothing = np.zeros_like(seen.generated)
    everything = np.ones_like(seen.steps), np.ones_like(seen.cells)
    return {
        IGNORED: Observed(*everything, nothing),
        OTHER_AXIS: dataclasses.replace(seen, cells=other_axis(seen.cells)),
        ON_GENERATED: dataclasses.replace(seen, generated=nothing),
        SHIFTED: dataclasses.replace(seen, steps=shifted(seen)),
    }


def shifted(seen: Observed) -> np.ndarray:
    """The observed steps of real windows, one later; the last one comes first."""
    later = np.roll(seen.steps, 1, 1)
    return np.where(seen.generated[:, None], seen.steps, later)


def share_seen(seen: Observed) -> np.ndarray:
    """The share of each window's cells that were observed, `(window,)`."""
    return seen.cells_of_each().reshape(len(seen.steps), -1).mean(1)


def channels_of(plan: Any) -> dict[str, list[int]]:
    """Positions of the channels of each dynamic field, in config order."""
    return {
        field: [plan.names.index(name) for name in plan.of_field(field)]
        for field in plan.fields
        if field in plan.dynamic_fields
    }
