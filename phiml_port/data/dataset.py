"""Windows on simulations, one by one or in batches."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np
from phiml import math
from phiml.math import Shape, Tensor, batch, channel, spatial

from experiment import (
    Progress,
    SceneError,
    Settings,
    SettingsError,
    channel_plan,
)
from phiml_port.data.cache import TrajectoryCache, read_scene
from phiml_port.data.gather import (
    Gather,
    backend_named,
    gather_on,
    named,
    to_device,
)
from phiml_port.data.simulation import Simulation

Access = Literal["both", "real_only", "generated_only"]


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
        self._bits = {"float32": 32, "float64": 64}[settings.general.precision]
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
        self.generated: tuple[Simulation, ...] = ()
        self._access: Access = "real_only"
        self._real_each = _windows_of(self.real, self.window_frames)
        self._generated_each = 0
        if self._cache is None:
            # Whatever is missing or torn is said now, not hours into the training.
            for simulation in self.real:
                simulation.load()
        self._backend = backend_named(settings.cache.backend)
        self._gather: tuple[object, Gather] | None = None

    @property
    def access(self) -> Access:
        """Which windows count: those of real simulations, generated ones, or both."""
        return self._access

    def enable_augmentation(
        self, generated: Sequence[Simulation], access: Access = "both"
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

    def locate(self, index: int) -> tuple[Simulation, int]:
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
        return self.gather(numbers, self.rows(numbers))

    def rows(self, indices: np.ndarray) -> np.ndarray | None:
        """Where the frames of windows lie in the cache file: `(window, frame)`.

        None if some window is not of the file. Worked out for many batches at once,
        as it costs as much as gathering one.
        """
        if self._cache is None or self.generated:
            return None
        place, start = np.divmod(indices, self._real_each)
        first = place * self._settings.data.trajectory_length + start
        return first[:, None] + np.arange(self.window_frames)

    def gather(self, indices: np.ndarray, rows: np.ndarray | None) -> Tensor:
        """`get_batch` for indices that were checked, with what `rows` gave for them."""
        if rows is None or self._cache is None:
            native = self._put_together(indices)
        else:
            places = indices // self._real_each
            self._cache.use(places)
            file = self._cache.file
            if self._gather is None or self._gather[0] is not file:
                gather = gather_on(self._settings.cache.backend, file.trajectories)
                self._gather = (file, gather)
            native = self._gather[1](rows)
        native = to_device(native, self._settings.general.device)
        shape = _batch_shape(
            len(indices),
            self.window_frames,
            tuple(self._settings.model.physical.resolution.items()),
            self._plan.names,
        )
        return named(native, shape, self._backend)

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

    def bytes_of(self, windows: int) -> int:
        """Bytes of so many windows."""
        cells = int(np.prod(list(self._settings.model.physical.resolution.values())))
        channels = len(self._plan.names)
        return windows * self.window_frames * cells * channels * self._bits // 8

    def read_ahead(self, indices: np.ndarray) -> None:
        """Asks the system to read windows from the disk, and does not wait."""
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


def _windows_of(simulations: Sequence[Simulation], window_frames: int) -> int:
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


@lru_cache(maxsize=64)
def _batch_shape(
    windows: int,
    frames: int,
    resolution: tuple[tuple[str, int], ...],
    channels: tuple[str, ...],
) -> Shape:
    """The shape of a batch; kept, as building one takes longer than gathering."""
    return math.concat_shapes(
        batch(batch=windows),
        batch(time=frames),
        spatial(**dict(resolution)),
        channel(vector=channels),
    )
