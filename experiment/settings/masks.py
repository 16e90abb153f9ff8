"""The masks that `data.observations` stands for, and what is impossible in it."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from experiment.equations import Domain
from experiment.settings.observations import (
    SPACE_KINDS,
    TIME_KINDS,
    ObservedSpace,
    ObservedTime,
)
from experiment.settings.schema import Settings
from experiment.settings.sensors import sensor_cells
from experiment.system import SettingsError, spelling_hint

_KEY = "data.observations"


def observed_frames(settings: Settings) -> np.ndarray:
    """Whether each frame of a simulation was observed, bool `(time,)`.

    `endpoints` are the first and the last `fraction` of the frames, rounded, at least
    one frame each; `every` are the frames 0, n, 2 n, ...
    """
    time, count = settings.data.observations.time, settings.data.trajectory_length
    seen = np.zeros(count, bool)
    if time.kind == "all":
        seen[:] = True
    elif time.kind == "endpoints":
        each = max(1, round((time.fraction or 0.0) * count))
        seen[:each] = seen[-each:] = True
    elif time.kind == "every":
        seen[:: time.every] = True
    else:
        seen[list(time.frames or ())] = True
    return seen


def observed_cells(settings: Settings) -> np.ndarray:
    """Whether each cell was observed, bool `(x, y, ...)`.

    A cell is in a box if its centre is. `centre` is the middle `fraction` of each axis.
    `random` draws `number` different cells, all equally likely, by
    `numpy.random.default_rng(seed)`. A sensor sees the cell whose centre is nearest.

    Raises:
        SettingsError: The file of the sensors can't be read, or one is outside.
    """
    space, physical = settings.data.observations.space, settings.model.physical
    shape = tuple(physical.resolution.values())
    if space.kind == "all":
        return np.ones(shape, bool)
    seen = np.zeros(shape, bool)
    if space.kind == "random":
        generator = np.random.default_rng(space.seed)
        seen.flat[generator.choice(seen.size, space.number, replace=False)] = True
        return seen
    if space.kind == "sensors":
        seen[sensor_cells(f"{_KEY}.space.file", space.file or "", physical)] = True
        return seen
    seen[:] = True
    for axis, (low, high) in _intervals(space, physical.domain).items():
        centres = physical.positions[axis]
        seen &= (low <= centres) & (centres <= high)
    return seen


def _intervals(space: ObservedSpace, domain: Domain) -> dict[str, tuple[float, ...]]:
    """Lower and upper end of the observed part of some axes, in m."""
    if space.kind == "box":
        return dict(space.box or {})
    half = (space.fraction or 0.0) / 2
    # A little more than half, as a centre may lie on the edge but for rounding.
    edges = (0.5 - half - 1e-9, 0.5 + half + 1e-9)
    return {axis: tuple(e * size for e in edges) for axis, size in domain.items()}


def window_starts(settings: Settings, frames: np.ndarray) -> tuple[int, ...]:
    """First frames of the windows that observations can teach.

    A window begins at an observed frame, and one of its targets at least was observed.

    Args:
        settings: The settings of the run.
        frames: What `observed_frames` gave.
    """
    steps = settings.trainer.rollout_steps
    return tuple(
        start
        for start in range(len(frames) - steps)
        if frames[start] and frames[start + 1 : start + steps + 1].any()
    )


def without_observations(settings: Settings) -> Settings:
    """The settings of a run whose data were observed completely, without noise."""
    seen = settings.data.observations
    time = ObservedTime("all", None, None, None)
    space = ObservedSpace("all", None, None, None, None, None)
    seen = replace(seen, time=time, space=space, noise=0.0, initial="known")
    return replace(settings, data=replace(settings.data, observations=seen))


def observation_warnings(settings: Settings) -> Iterator[str]:
    """Observed frames that no window sees, in a sentence."""
    frames, steps = observed_frames(settings), settings.trainer.rollout_steps
    unseen = np.flatnonzero(_unseen(frames, window_starts(settings, frames), steps))
    if len(unseen):
        yield (
            f"frames {', '.join(map(str, unseen))} are observed and enter no loss: no"
            f" window of `trainer.rollout_steps` = {steps} begins at an observed frame"
            " and reaches them; a longer one may"
        )


def _unseen(frames: np.ndarray, starts: tuple[int, ...], steps: int) -> np.ndarray:
    """Whether each frame was observed and is in no window, bool `(time,)`."""
    inside = np.zeros(len(frames), bool)
    for start in starts:
        inside[start : start + steps + 1] = True
    return frames & ~inside


def impossible_observations(settings: Settings) -> Iterator[str]:
    """What is impossible in `data.observations`, a sentence each."""
    seen = settings.data.observations
    problems = [
        *_of_kind("time", seen.time, TIME_KINDS),
        *_of_kind("space", seen.space, SPACE_KINDS),
    ]
    if not problems:
        problems = [*_of_time(settings), *_of_space(settings)]
    yield from problems


def _of_kind(
    group: str, chosen: ObservedTime | ObservedSpace, kinds: dict[str, tuple[str, ...]]
) -> Iterator[str]:
    """Keys that the kind needs and are null, or doesn't read and are not."""
    read = kinds[chosen.kind]
    for name in dict.fromkeys(n for keys in kinds.values() for n in keys):
        key, value = f"{_KEY}.{group}.{name}", getattr(chosen, name)
        if name in read and value is None:
            yield f"`{key}` is null, which kind = {chosen.kind} needs; give a value."
        if name not in read and value is not None:
            others = [kind for kind, keys in kinds.items() if name in keys]
            yield (
                f"`{key}` is {json.dumps(value)}, which kind = {chosen.kind} doesn't"
                f" read; set null, or `{_KEY}.{group}.kind={others[0]}`."
            )


def _of_time(settings: Settings) -> Iterator[str]:
    time, count = settings.data.observations.time, settings.data.trajectory_length
    beyond = [f for f in time.frames or () if f >= count]
    if beyond:
        yield (
            f"`{_KEY}.time.frames` names frames {beyond}; a simulation of"
            f" `data.trajectory_length` = {count} has the frames 0 to {count - 1}."
        )
        return
    if time.every is not None and time.every >= count:
        yield (
            f"`{_KEY}.time.every` is {time.every}, so frame 0 alone would be observed"
            f" of `data.trajectory_length` = {count} frames; expected at most"
            f" {count - 1}."
        )
        return
    own = settings.trainer.physical.rollout_steps
    trainer = replace(settings.trainer, rollout_steps=own or 1)
    yield from _without_windows("trainer.rollout_steps", settings)
    if own is not None and settings.general.mode != "synthetic":
        physical = replace(settings, trainer=trainer)
        yield from _without_windows("trainer.physical.rollout_steps", physical)


def _without_windows(key: str, settings: Settings) -> Iterator[str]:
    """A sentence if no window of `trainer.rollout_steps` can be learned from."""
    frames, steps = observed_frames(settings), settings.trainer.rollout_steps
    # Those longer than a simulation are refused elsewhere.
    if steps >= len(frames) or window_starts(settings, frames):
        return
    seen = np.flatnonzero(frames)
    nearest = int(np.diff(seen).min()) if len(seen) > 1 else 0
    remedy = (
        f"the nearest two observed frames are {nearest} apart: set `{key}` to"
        f" {nearest} or more"
        if nearest > steps
        else f"observe more frames, or lower `{key}`"
    )
    yield (
        f"no window of `{key}` = {steps} begins at an observed frame and sees another"
        f" ({len(seen)} of {len(frames)} frames are observed: `{_KEY}.time`), so"
        f" nothing can be learned; {remedy}."
    )


def _of_space(settings: Settings) -> Iterator[str]:
    space, physical = settings.data.observations.space, settings.model.physical
    problems = [*_of_box(space, physical.domain)]
    yield from problems
    cells = math.prod(physical.resolution.values())
    if space.number is not None and space.number > cells:
        yield (
            f"`{_KEY}.space.number` is {space.number}; the grid has {cells} cells;"
            " expected at most as many."
        )
        return
    if problems:
        return
    try:
        seen = observed_cells(settings)
    except SettingsError as error:
        yield str(error)
        return
    if not seen.any():
        sizes = ", ".join(f"{a} {s:g} m" for a, s in physical.cell_sizes.items())
        yield (
            f"`{_KEY}.space` sees no cell: no centre of a cell lies inside"
            f" {json.dumps(space.box or space.fraction)} (size of a cell: {sizes});"
            " make it larger."
        )


def _of_box(space: ObservedSpace, domain: Domain) -> Iterator[str]:
    for axis, (low, high) in (space.box or {}).items():
        if axis not in domain:
            hint = spelling_hint(axis, domain)
            yield f"`{_KEY}.space.box` has the axis {axis}: {hint}"
        elif not 0 <= low < high <= domain[axis]:
            yield (
                f"`{_KEY}.space.box.{axis}` is [{low:g}, {high:g}]; expected two"
                f" numbers in m that rise, from 0 to {domain[axis]:g}"
                f" (`model.physical.domain.{axis}`)."
            )
