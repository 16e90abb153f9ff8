"""Windows of simulations, one by one or in batches."""

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from phiml import math
from phiml.math import Shape, Tensor, batch, channel, spatial
from phiml.math._tensors import Dense

from experiment.data import TrajectoryStore, Windows, channel_plan
from experiment.settings import Settings
from experiment.system import Progress
from phiml_port.data.gather import backend_named, gather, on_backend
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
    kept in memory.

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
        self._names = channel_plan(settings).names
        self._backend = backend_named(settings.cache.backend)
        self._shapes: dict[int, Shape] = {}
        self._generated: Sequence[np.ndarray] = ()
        self._store: TrajectoryStore | None = None
        #: The real and the generated frames `(row, x, y, ..., vector)`, with a store.
        self._frames: list[Any] = []
        self.reads_ahead = False
        if settings.cache.dir is not None:
            self._store = TrajectoryStore(settings, simulations, read_scene, progress)
            self._frames = [self._flat(self._store.trajectories)]
            return
        self._read = lru_cache(settings.cache.open_simulations)(
            lambda index: read_scene(settings, simulations[index])
        )
        # Whatever is missing or torn is said now, not hours into the training.
        for index in range(len(simulations)):
            self._read(index)

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """Adds generated trajectories behind the real ones, in place of earlier ones.

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
            dtype = self._settings.general.precision
            values = np.ascontiguousarray(trajectories, dtype)
            self._generated = tuple(values)
            self._frames.append(self._flat(values))

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
        return self._store.trajectories[index]

    def __getitem__(self, index: int) -> Tensor:
        """Window `index`, a view `(time, x, y, ..., vector)`.

        Raises:
            IndexError: There is no such window.
        """
        trajectory, start = self.windows.locate(index)
        values = self.trajectory(trajectory)[start : start + self.windows.window_frames]
        axes = self._settings.model.physical.axes
        dims = batch("time"), spatial(*axes), channel(vector=self._names)
        return math.wrap(values, *dims)

    def get_batch(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """Windows as a batch `(batch, time, x, y, ..., vector)`, on `cache.backend`.

        Raises:
            IndexError: There is no such window, or no index.
        """
        numbers = np.asarray(indices, np.int64)
        if not numbers.size or numbers.min() < 0 or numbers.max() >= len(self):
            raise IndexError(
                f"windows {list(indices)} of {len(self)}; expected at least one of 0 to"
                f" {len(self) - 1}"
            )
        return next(self.batches(numbers, len(numbers)))

    def batches(self, indices: np.ndarray, size: int) -> Iterator[Tensor]:
        """Windows `size` at a time, as `get_batch` gives them.

        A batch that comes slower than from memory comes from a disk; then the system
        is asked to read the next one ahead, which it does while the model computes.

        Args:
            indices: Windows that exist.
            size: Windows of a batch; the last one may have fewer.
        """
        natives = self._natives(indices, size)
        for first in range(0, len(indices), size):
            began = time.perf_counter()
            native = next(natives)
            took = time.perf_counter() - began
            self.reads_ahead = took > native.nbytes / _MEMORY_SPEED
            if self.reads_ahead:
                self._read_ahead(indices[first + size : first + 2 * size])
            shape = self._shapes.get(len(native)) or self._shape(len(native))
            # The class itself, as `math.wrap` takes 15 us for checks that hold here,
            # half of the time that a batch takes to gather.
            yield Dense(native, shape.names, shape, self._backend)

    def _natives(self, indices: np.ndarray, size: int) -> Iterator[Any]:
        name, device = self._settings.cache.backend, self._settings.general.device
        first = 0
        while first < len(indices):
            # Rows are computed for many batches at once, as that costs as much as
            # gathering one; but what must be checked or read comes bit by bit.
            single = self._store is None or self._store.tracks_use
            chunk = indices[first : first + size * (1 if single else _CHUNK)]
            first += len(chunk)
            array, row = self._located(chunk)
            rows = on_backend(
                row[:, None] + np.arange(self.windows.window_frames), name
            )
            for native in gather(self._array, array, rows, size):
                yield (
                    native if device == "cpu" or name == "numpy" else native.to(device)
                )

    def _located(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The number of the array and the first row of each window."""
        trajectory, start = self.windows.locate_all(indices)
        if self._store is None:
            return trajectory, start
        generated = trajectory - len(self.windows.simulations)
        if self._store.tracks_use:
            self._store.use(trajectory[generated < 0])
        real_rows = trajectory * self.windows.num_frames
        rows = np.where(generated < 0, real_rows, generated * self.windows.generated[1])
        return (generated >= 0).astype(int), rows + start

    def _array(self, number: int) -> Any:
        if self._store is None:
            return on_backend(self.trajectory(number), self._settings.cache.backend)
        return self._frames[number]

    def _flat(self, trajectories: np.ndarray) -> Any:
        frames = trajectories.reshape(-1, *trajectories.shape[2:])
        return on_backend(frames, self._settings.cache.backend)

    def _shape(self, windows: int) -> Shape:
        """The shape of a batch; kept, as building one takes longer than gathering."""
        shape = self._shapes[windows] = math.concat_shapes(
            batch(batch=windows),
            batch(time=self.windows.window_frames),
            spatial(**self._settings.model.physical.resolution),
            channel(vector=self._names),
        )
        return shape

    def _read_ahead(self, indices: np.ndarray) -> None:
        for index in indices.tolist():
            trajectory, start = self.windows.locate(index)
            if self._store and trajectory < len(self.windows.simulations):
                self._store.read_ahead(trajectory, start, self.windows.window_frames)
