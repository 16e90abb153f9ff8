"""Windows on simulations, one by one or in batches."""

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from phiml import math
from phiml.math import Shape, Tensor, batch, channel, spatial

from experiment.data import channel_plan
from experiment.settings import Settings, precision_bits
from experiment.system import Progress, SceneError, SettingsError
from phiml_port.data.cache import TrajectoryCache, read_scene
from phiml_port.data.gather import (
    FRAMES,
    Frames,
    backend_named,
    named,
    to_device,
)
from phiml_port.data.simulation import PhysicalSimulation, Simulation
from phiml_port.data.store import TrajectoryFile

#: Batches whose places in the file are worked out at once.
_CHUNK = 256
#: In bytes/s, far below any memory's speed and far above any disk's.
_MEMORY_SPEED = 1e9
Access = Literal["both", "real_only", "generated_only"]
AnySimulation = Simulation | PhysicalSimulation


class PhiMLDataset:
    """All windows of some simulations, real and generated ones.

    A window is one initial frame and `trainer.rollout_steps` target frames. Windows are
    numbered simulation by simulation, the real ones first; a number is turned into a
    place by one division, without a table of all windows.

    Args:
        settings: The settings of the run.
        simulations: The real simulations, in config order.
        progress: Shows how far reading Scenes is, on the first run.

    Raises:
        SettingsError: There is no simulation.
        SceneError: A Scene is missing, torn or of other settings.
        UserError: The cache can't be written.
    """

    def __init__(
        self,
        settings: Settings,
        simulations: Sequence[int],
        progress: Progress | None = None,
    ) -> None:
        if not simulations:
            raise SettingsError(
                "a dataset needs a simulation; got none. Name some in"
                " `trainer.train_sim`, `trainer.val_sim` or `evaluation.test_sim`."
            )
        self._settings = settings
        self._plan = channel_plan(settings)
        self._axes = tuple(settings.model.physical.domain)
        self._bits = precision_bits(settings.general.precision)
        self.window_frames = settings.trainer.rollout_steps + 1
        frames = settings.data.trajectory_length
        self._cache: TrajectoryCache | None = None
        self._held: OrderedDict[int, np.ndarray] = OrderedDict()
        if settings.cache.dir is not None:
            self._cache = TrajectoryCache(settings, simulations, progress)
        self.real = tuple(
            Simulation(
                number,
                frames,
                self._axes,
                self._plan.names,
                partial(self._load, place, number),
            )
            for place, number in enumerate(simulations)
        )
        self.generated: tuple[AnySimulation, ...] = ()
        self._access: Access = "real_only"
        self._real_each = _windows_of(self.real, self.window_frames)
        self._generated_each = 0
        if self._cache is None:
            # Whatever is missing or torn is said now, not hours into the training.
            for simulation in self.real:
                simulation.load()
        self._backend = backend_named(settings.cache.backend)
        #: Whether the last batch had to wait for the disk.
        self.reads_ahead = False
        self._framed: tuple[TrajectoryFile, Frames] | None = None
        self._shapes: dict[int, Shape] = {}

    @property
    def access(self) -> Access:
        """Which windows count: those of real simulations, generated ones, or both."""
        return self._access

    def enable_augmentation(
        self, generated: Sequence[AnySimulation], access: Access = "both"
    ) -> None:
        """Adds generated simulations, which take the place of earlier ones.

        Args:
            generated: Of one length, on the same grid, with the same channels.
            access: `generated_only` leaves the real ones out, `real_only` these.

        Raises:
            SettingsError: There is none.
            SceneError: One has other sizes or channels, or is shorter than a window.
        """
        if not generated:
            raise SettingsError(
                "augmentation needs a generated simulation; got none. Call"
                " `disable_augmentation()` to go on with the real ones alone."
            )
        shape = self.real[0].load().shape[1:]
        for simulation in generated:
            found = simulation.load().shape
            if (
                simulation.channels != self._plan.names
                or found[1:] != shape
                or found[0] != generated[0].num_frames
            ):
                raise SceneError(
                    f"the generated simulation {simulation.number} is {found} (time, x,"
                    f" ..., vector) with the channels {', '.join(simulation.channels)};"
                    f" expected {(generated[0].num_frames, *shape)} with"
                    f" {', '.join(self._plan.names)}."
                )
        self._generated_each = _windows_of(generated, self.window_frames)
        self.generated = tuple(generated)
        self._access = access

    def augment(self, trajectories: np.ndarray | None, access: Any) -> None:
        """Adds `(simulation, time, x, ..., vector)` to the windows; None removes it."""
        if trajectories is None:
            return self.disable_augmentation()
        several = PhysicalSimulation.several
        generated = several(trajectories, self._axes, self._plan.names)
        self.enable_augmentation(generated, access)

    def disable_augmentation(self) -> None:
        """Goes back to the real simulations alone."""
        self.generated, self._generated_each = (), 0
        self._access = "real_only"

    @property
    def _num_real(self) -> int:
        """Windows of real simulations that count."""
        if self._access == "generated_only":
            return 0
        return len(self.real) * self._real_each

    def __len__(self) -> int:
        generated = len(self.generated) * self._generated_each
        return self._num_real + (0 if self._access == "real_only" else generated)

    def locate(self, index: int) -> tuple[AnySimulation, int]:
        """The simulation and the first frame of window `index`.

        Raises:
            IndexError: There is no such window.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        real = self._num_real
        if index < real:
            place, start = divmod(index, self._real_each)
            return self.real[place], start
        place, start = divmod(index - real, self._generated_each)
        return self.generated[place], start

    def __getitem__(self, index: int) -> Tensor:
        """Window `index`, a view `(time, x, y, ..., vector)`.

        Raises:
            IndexError: There is no such window.
        """
        simulation, start = self.locate(index)
        if self._cache is not None and index < self._num_real:
            self._cache.use(np.array([index // self._real_each]))
        return simulation.window(start, self.window_frames - 1)

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
            indices: Numbers of windows, all of them there.
            size: Windows of a batch; the last one may have fewer.
        """
        patience = size * self.window_bytes / _MEMORY_SPEED
        natives = self._natives(indices, size)
        for first in range(0, len(indices), size):
            began = time.perf_counter()
            native = next(natives)
            self.reads_ahead = time.perf_counter() - began > patience
            if self.reads_ahead:
                self._read_ahead(indices[first + size : first + 2 * size])
            count = len(native)
            shape = self._shapes.get(count) or self._shape(count)
            yield named(native, shape, self._backend)

    def _natives(self, indices: np.ndarray, size: int) -> Iterator[Any]:
        device = self._settings.general.device
        cache = self._cache
        first = 0
        while first < len(indices):
            # Where frames lie is worked out for many batches at once, as it costs as
            # much as gathering one; but what has to be checked comes bit by bit.
            watches = cache is None or cache.watches or bool(self.generated)
            chunk = indices[first : first + size * (1 if watches else _CHUNK)]
            first += len(chunk)
            if cache is None or self.generated:
                natives: Iterator[Any] = iter([self._put_together(chunk)])
            else:
                place, start = np.divmod(chunk, self._real_each)
                if watches:
                    cache.use(place)
                rows = place * self._settings.data.trajectory_length + start
                rows = rows[:, None] + np.arange(self.window_frames)
                natives = self._frames(cache.file).batches(rows, size)
            if device == "cpu":
                yield from natives
            else:
                yield from (to_device(native, device) for native in natives)

    def _frames(self, file: TrajectoryFile) -> Frames:
        if self._framed is None or self._framed[0] is not file:
            frames = FRAMES[self._settings.cache.backend](file.trajectories)
            self._framed = (file, frames)
        return self._framed[1]

    def _shape(self, windows: int) -> Shape:
        """The shape of a batch; kept, as building one takes longer than gathering."""
        shape = self._shapes[windows] = math.concat_shapes(
            batch(batch=windows),
            batch(time=self.window_frames),
            spatial(**self._settings.model.physical.resolution),
            channel(vector=self._plan.names),
        )
        return shape

    def _put_together(self, indices: np.ndarray) -> Any:
        """A batch window by window, whatever each comes from."""
        windows = []
        for index in indices.tolist():
            if self._cache is not None and index < self._num_real:
                self._cache.use(np.array([index // self._real_each]))
            simulation, start = self.locate(index)
            windows.append(simulation.load()[start : start + self.window_frames])
        values = np.stack(windows)
        if self._settings.cache.backend == "numpy":
            return values
        with math.precision(self._bits):
            return self._backend.as_tensor(values)

    @property
    def window_bytes(self) -> int:
        """Bytes of one window."""
        frame = self.real[0].load()[0]
        return self.window_frames * frame.nbytes

    def _read_ahead(self, indices: np.ndarray) -> None:
        if self._cache is None:
            return
        for index in indices.tolist():
            if index < self._num_real:
                place, start = divmod(index, self._real_each)
                self._cache.file.read_ahead(place, start, self.window_frames)

    def get_fields(self, indices: Sequence[int] | np.ndarray) -> Mapping[str, Any]:
        """The same batch as PhiFlow fields by name, with the dims `batch` and `time`.

        A vector field has the axes as the names of its components; a scalar one has no
        `vector`.
        """
        # PhiFlow takes seconds to import; only physics needs it.
        from phi.field import CenteredGrid
        from phi.geom import Box
        from phiml.math import extrapolation

        windows: Any = self.get_batch(indices)
        domain = self._settings.model.physical.domain
        fields = {}
        for name, components in self._plan.fields.items():
            first = self._plan.names.index(self._plan.of_field(name)[0])
            if components:
                values = windows.vector[first : first + len(components)]
                values = math.rename_dims(values, "vector", channel(vector=components))
            else:
                values = windows.vector[first]
            fields[name] = CenteredGrid(
                values, extrapolation.PERIODIC, bounds=Box(**domain)
            )
        return fields

    def _load(self, place: int, number: int) -> np.ndarray:
        """The trajectory of a real simulation: a view on the cache, or held here."""
        if self._cache is not None:
            return self._cache.file.trajectories[place]
        if place in self._held:
            self._held.move_to_end(place)
            return self._held[place]
        trajectory = self._held[place] = read_scene(self._settings, number)
        if len(self._held) > self._settings.cache.open_simulations:
            self._held.popitem(last=False)
        return trajectory


def _windows_of(simulations: Sequence[AnySimulation], window_frames: int) -> int:
    """Windows of each simulation.

    Raises:
        SceneError: One is shorter than a window.
    """
    for simulation in simulations:
        if simulation.num_frames < window_frames:
            raise SceneError(
                f"simulation {simulation.number} has {simulation.num_frames} frames;"
                f" a window of `trainer.rollout_steps` = {window_frames - 1} needs"
                f" {window_frames}. Lower `trainer.rollout_steps` or make longer"
                " trajectories."
            )
    return simulations[0].num_frames - window_frames + 1
