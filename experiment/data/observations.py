"""What was observed: masks of windows, noise, and initial states with gaps.

Masks enter losses only, and of real training windows only. The loss of such a window
is the mean of the squared error over what was observed in it: over its observed target
frames the mean over the observed cells and all dynamic channels. A batch's loss is the
mean over its windows, however much was observed in each. Generated and predicted
windows are dense; so are roll-outs, validation and evaluation.
"""

from dataclasses import dataclass

import numpy as np

from experiment.data.channels import channel_plan
from experiment.settings import (
    Settings,
    observed_cells,
    observed_frames,
    window_starts,
)


@dataclass(frozen=True, eq=False)
class Observed:
    """What was observed of some windows: in the `steps`, the `cells`.

    Attributes:
        steps: Whether each target frame was observed, bool `(window, step)`; at least
            one of each window.
        cells: Whether each cell was observed, bool `(x, y, ...)`, in real windows.
        generated: Whether each window was made by a model and so is complete in space
            and time, bool `(window,)`.
    """

    steps: np.ndarray
    cells: np.ndarray
    generated: np.ndarray

    def __getitem__(self, part: slice) -> "Observed":
        return Observed(self.steps[part], self.cells, self.generated[part])

    def cells_of_each(self) -> np.ndarray:
        """Whether each cell of each window was observed, bool `(window, x, y, ...)`."""
        wide = self.generated.reshape(-1, *(1,) * self.cells.ndim)
        return self.cells | wide


@dataclass(frozen=True, eq=False)
class ObservationPlan:
    """The masks of all real training windows.

    Attributes:
        frames: Whether each frame was observed, bool `(time,)`.
        cells: Whether each cell was observed, bool `(x, y, ...)`.
    """

    frames: np.ndarray
    cells: np.ndarray

    def observed(
        self, generated: np.ndarray, start: np.ndarray, steps: int
    ) -> Observed:
        """What was observed of some windows.

        Args:
            generated: Whether each was made by a model, `(window,)`.
            start: Its first frame, `(window,)`.
            steps: Target frames of a window.
        """
        targets = start[:, None] + np.arange(1, steps + 1)
        # Generated trajectories may be longer than the real ones, and are complete.
        seen = self.frames[np.where(generated[:, None], 0, targets)]
        return Observed(seen | generated[:, None], self.cells, generated)


def observation_plan(settings: Settings) -> ObservationPlan | None:
    """The masks of the training windows; None if every cell of every frame was seen.

    None is the dense run itself: no mask is computed or applied anywhere.
    """
    frames, cells = observed_frames(settings), observed_cells(settings)
    if frames.all() and cells.all():
        return None
    return ObservationPlan(frames, cells)


def observations_text(settings: Settings) -> str | None:
    """What was observed of the training data, in words; None if all was, exactly."""
    plan, noise = observation_plan(settings), settings.data.observations.noise
    if plan is None and not noise:
        return None
    parts = []
    if plan is not None:
        frames, cells = plan.frames, plan.cells
        starts = window_starts(settings, frames)
        parts += [
            f"{frames.sum()} of {frames.size} frames, {cells.sum()} of {cells.size}"
            f" cells, {len(starts)} windows of a simulation"
        ]
    if noise:
        seed = settings.data.observations.noise_seed
        parts.append(f"noise of {noise:g} times the field's RMS (seed {seed})")
    if plan is not None and not plan.cells.all():
        filled = settings.data.observations.initial == "nearest"
        how = "filled from the nearest observed cell" if filled else "known everywhere"
        parts.append(f"a window's first frame {how}")
    return "; ".join([*parts, "validation and evaluation are complete and exact"])


def with_noise(
    settings: Settings, simulation: int, trajectory: np.ndarray
) -> np.ndarray:
    """A simulation as it was measured: with `data.observations.noise`.

    Every value of a dynamic field gets a number of its own from a Gaussian of mean 0,
    whose standard deviation is `noise` times the root mean square of that field, over
    all its frames, cells and components in this simulation. They are drawn in float64
    by `numpy.random.default_rng([noise_seed, simulation])`, field by field in config
    order, so a frame has the same noise in every window. Static fields have none.

    Args:
        settings: The settings of the run.
        simulation: The number of the simulation.
        trajectory: `(time, x, y, ..., vector)`; not written to.

    Returns:
        A new array of the same dtype; without noise, `trajectory` itself.
    """
    noise = settings.data.observations.noise
    if not noise:
        return trajectory
    plan, measured = channel_plan(settings), trajectory.copy()
    generator = np.random.default_rng(
        [settings.data.observations.noise_seed, simulation]
    )
    for field in plan.fields:
        if field not in plan.dynamic_fields:
            continue
        channels = [plan.names.index(name) for name in plan.of_field(field)]
        # In one memory order, as a sum depends on it.
        values = np.ascontiguousarray(trajectory[..., channels], np.float64)
        size = noise * np.sqrt(np.mean(values**2))
        measured[..., channels] = values + size * generator.standard_normal(
            values.shape
        )
    return measured


def nearest_cells(settings: Settings) -> np.ndarray | None:
    """Where each cell of a window's first frame takes its value from.

    With `data.observations.initial=nearest` that is the observed cell whose centre is
    nearest in the periodic domain, in m; of several, the first in C order. Dynamic
    channels alone are filled: static fields are known.

    Returns:
        Flat positions int64 `(cell,)`; None if the first frame is taken as it is.
    """
    cells = observed_cells(settings)
    if settings.data.observations.initial == "known" or cells.all():
        return None
    physical = settings.model.physical
    seen, nearest = np.flatnonzero(cells), np.empty(cells.size, np.int64)
    sizes = np.array(list(physical.cell_sizes.values()))
    period = np.array(cells.shape)
    every = np.stack(np.unravel_index(np.arange(cells.size), cells.shape), -1)
    # A row of cells at a time, so that memory grows with the grid and not its square.
    for first in range(0, cells.size, cells.shape[-1]):
        part = slice(first, first + cells.shape[-1])
        apart = np.abs(every[part, None] - every[seen])
        apart = np.minimum(apart, period - apart) * sizes
        nearest[part] = seen[np.square(apart).sum(-1).argmin(1)]
    return nearest
