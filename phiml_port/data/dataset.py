"""Windows of simulations, one by one or in batches."""

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from phiml import math
from phiml.math import Shape, Tensor, batch, channel, spatial
from phiml.math._tensors import Dense

from experiment.data import (
    TrajectoryStore,
    Windows,
    channel_plan,
    nearest_cells,
    with_noise,
)
from experiment.settings import Settings
from experiment.system import Progress
from phiml_port.data.gather import Frames, backend_named, gather
from phiml_port.data.scenes import read_scene

#: Batches whose rows are computed at once.
_CHUNK = 256
#: In bytes/s, far below any memory's speed and far above any disk's.
_MEMORY_SPEED = 1e9


class WindowDataset:
    """All windows of some simulations, real and generated ones.

    Batches are gathered from two arrays of frames: the mapped store of the real
    simulations, and the generated trajectories. Without a store (`cache.dir=null`) each
    trajectory is an array of its own, and `cache.open_simulations` of the real ones are
    kept in memory. Noise of observations (`data.observations.noise`) is added to what
    was read, never to a file; all real frames are in memory then.

    Args:
        settings: The settings of the run.
        simulations: The real simulations, in config order.
        progress: Shows how many Scenes have been read, on the first run.

    Attributes:
        windows: Which windows there are.
        reads_ahead: Whether the last batch had to wait for the disk.

    Raises:
        SettingsError: There is no simulation.
        SceneError: A Scene is missing, torn or of other settings.
        UserError: The store can't be written.
    """

    def __init__(
        self,
        settings: Settings,
        simulations: Sequence[int],
        progress: Progress | None = None,
    ) -> None:
        self._settings = settings
        self.windows = Windows.of(settings, simulations)
        plan = channel_plan(settings)
        self._names, self._dynamic = plan.names, list(plan.dynamic)
        self._nearest = nearest_cells(settings)
        self._backend = backend_named(settings.cache.backend)
        self._shapes: dict[int, Shape] = {}
        self._generated: Sequence[np.ndarray] = ()
        self._store: TrajectoryStore | None = None
        #: The real and the generated frames, with a store.
        self._frames: list[Frames] = []
        self.reads_ahead = False
        if settings.cache.dir is not None:
            self._store = TrajectoryStore(settings, simulations, read_scene, progress)
            self._real = self._measured(self._store)
            self._frames = [Frames(self._real, settings.cache.backend)]
            return
        self._read = lru_cache(settings.cache.open_simulations)(
            lambda index: with_noise(
                settings, simulations[index], read_scene(settings, simulations[index])
            )
        )
        # Whatever is missing or torn is said now, not hours into the training.
        for index in range(len(simulations)):
            self._read(index)

    def _measured(self, store: TrajectoryStore) -> np.ndarray:
        """The real trajectories `(simulation, time, x, y, ..., vector)`, with noise."""
        if not self._settings.data.observations.noise:
            return store.trajectories
        measured = np.empty_like(store.trajectories)
        for index, simulation in enumerate(self.windows.simulations):
            store.use(np.array([index]))
            values = store.trajectories[index]
            measured[index] = with_noise(self._settings, simulation, values)
            store.release(index)
        return measured

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """Adds generated trajectories behind the real ones; earlier ones are removed.

        Args:
            trajectories: `(simulation, time, x, y, ..., vector)`; None removes them.
            access: `both`, `real_only` or `generated_only`.

        Raises:
            SettingsError: There is no trajectory.
            SceneError: They have another grid or other channels, or are shorter than a
                window.
        """
        self.windows = self.windows.augmented(trajectories, access)
        self._generated = ()
        del self._frames[1:]
        if trajectories is not None:
            precision = self._settings.general.precision
            values = np.ascontiguousarray(trajectories, precision)
            self._generated = tuple(values)
            self._frames.append(Frames(values, self._settings.cache.backend))

    def __len__(self) -> int:
        return len(self.windows)

    def trajectory(self, index: int) -> np.ndarray:
        """A trajectory `(time, x, y, ..., vector)`; not to be written to.

        Args:
            index: Of a real simulation; the generated ones are counted on behind them.
        """
        real = len(self.windows.simulations)
        if index >= real:
            return self._generated[index - real]
        if self._store is None:
            return self._read(index)
        self._store.use(np.array([index]))
        return self._real[index]

    def __getitem__(self, index: int) -> Tensor:
        """Window `index` `(time, x, y, ..., vector)`: a view, or a copy without gaps.

        Raises:
            IndexError: There is no such window.
        """
        trajectory, start = self.windows.locate(index)
        values = self.trajectory(trajectory)[start : start + self.windows.window_frames]
        if self._nearest is not None:
            values = values.copy()
            self._fill(values[None], np.array([index]))
        axes = self._settings.model.physical.axes
        dims = batch("time"), spatial(*axes), channel(vector=self._names)
        return math.wrap(values, *dims)

    def get_batch(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """Windows as a batch `(batch, time, x, y, ..., vector)`, on `cache.backend`.

        Raises:
            IndexError: There is no such window, or no index.
        """
        return next(self.batches(self.windows.checked(indices), len(indices)))

    def batches(self, indices: np.ndarray, size: int) -> Iterator[Tensor]:
        """Windows `size` at a time, as `get_batch` gives them.

        A batch that comes slower than from memory comes from a disk; then the system
        is asked to read the next one ahead, which it does while the model computes.

        Args:
            indices: Windows that exist.
            size: Windows of a batch; the last one may have fewer.
        """
        natives = self._natives(indices, size)
        sizes = (-1, self.windows.window_frames, *self.windows.frame)
        for first in range(0, len(indices), size):
            began = time.perf_counter()
            native = next(natives)
            seconds = time.perf_counter() - began
            self.reads_ahead = seconds > native.nbytes / _MEMORY_SPEED
            if self.reads_ahead:
                self._read_ahead(indices[first + size : first + 2 * size])
            count = min(size, len(indices) - first)
            shape = self._shapes.get(count) or self._shape(count)
            # The class itself: the checks of `math.wrap` take 15 us, half of the time
            # that a batch takes to gather.
            yield Dense(native.reshape(sizes), shape.names, shape, self._backend)

    def _natives(self, indices: np.ndarray, size: int) -> Iterator[Any]:
        device = self._settings.general.device
        stays = device == "cpu" or self._settings.cache.backend == "numpy"
        first = 0
        while first < len(indices):
            # Rows are computed for many batches at once, as that costs as much as
            # gathering one; but simulations are checked when they are needed.
            checks = self._store and self._store.tracks_use and self.windows.num_real
            chunk = indices[first : first + size * (1 if checks else _CHUNK)]
            first += len(chunk)
            arrays, rows = self._located(chunk)
            rows = rows[:, None] + np.arange(self.windows.window_frames)
            natives = gather(self._array, arrays, rows, size)
            if self._nearest is not None:
                natives = self._filled(natives, chunk, size)
            yield from natives if stays else (n.to(device) for n in natives)

    def _filled(
        self, natives: Iterator[Any], indices: np.ndarray, size: int
    ) -> Iterator[Any]:
        """Batches of some windows, the gaps of their first frames filled."""
        for first, native in zip(range(0, len(indices), size), natives, strict=True):
            values = np.asarray(native)
            sizes = (-1, self.windows.window_frames, *self.windows.frame)
            self._fill(values.reshape(sizes), indices[first : first + size])
            yield native

    def _fill(self, windows: np.ndarray, indices: np.ndarray) -> None:
        """Puts the nearest observed values into the first frames of real windows."""
        assert self._nearest is not None
        real = ~self.windows.are_generated(indices)
        states = windows[real, 0]
        cells = np.unravel_index(self._nearest, states.shape[1:-1])
        filled = states[:, *cells].reshape(states.shape)
        states[..., self._dynamic] = filled[..., self._dynamic]
        windows[real, 0] = states

    def _located(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The number of the array and the first row of each window."""
        generated, index, start = self.windows.locate_all(indices)
        if self._store is None:
            return index + len(self.windows.simulations) * generated, start
        if self._store.tracks_use:
            self._store.use(index[~generated])
        frames = self.windows.num_frames
        if self._generated:
            frames = np.where(generated, self.windows.generated[1], frames)
        return generated.view(np.int8), index * frames + start

    def _array(self, number: int) -> Frames:
        if self._store is None:
            trajectory = self.trajectory(number)
            return Frames(trajectory[None], self._settings.cache.backend)
        return self._frames[number]

    def _shape(self, windows: int) -> Shape:
        """The shape of a batch; kept, as building one takes longer than gathering."""
        return self._shapes.setdefault(
            windows,
            batch(batch=windows, time=self.windows.window_frames)
            & spatial(**self._settings.model.physical.resolution)
            & channel(vector=self._names),
        )

    def _read_ahead(self, indices: np.ndarray) -> None:
        for index in indices.tolist():
            trajectory, start = self.windows.locate(index)
            if self._store and trajectory < len(self.windows.simulations):
                self._store.read_ahead(trajectory, start, self.windows.window_frames)
