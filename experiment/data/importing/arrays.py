"""NumPy arrays `(simulation, time, x, y, ..., vector)`, one for each field."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from experiment.data.importing.source import Source
from experiment.system import SceneError, memory_limit, open_regular, read_npz


class ArraySource(Source):
    """A folder of `<field>.npy`, or one `.npz` with an array for each field."""

    layout = "NumPy arrays"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._arrays: dict[str, np.ndarray] = {}
        if path.is_dir():
            self._files = {f.stem: f for f in sorted(path.glob("*.npy"))}
        else:
            try:
                # A FIFO would be waited for.
                open_regular(path).close()
                with np.load(path, allow_pickle=False) as content:
                    self._files = dict.fromkeys(content.files, path)
            except (OSError, ValueError, EOFError, BadZipFile) as error:
                raise SceneError(f"`{path}` can't be read: {error}.") from error

    @property
    def fields(self) -> Sequence[str]:
        """See `Source.fields`."""
        return tuple(self._files)

    def simulations(self, field: str) -> int:
        """See `Source.simulations`."""
        array = self._array(field)
        if array.ndim < 3:
            raise SceneError(
                f"`{field}` in `{self._files[field]}` has the shape {array.shape};"
                " expected (simulation, time, x, y, ..., vector), without vector for a"
                " scalar."
            )
        return len(array)

    def read(self, field: str, simulation: int) -> np.ndarray:
        """See `Source.read`."""
        return self._array(field)[simulation]

    def files(self, fields: Sequence[str], simulations: int) -> Sequence[Path]:
        """See `Source.files`."""
        return sorted({self._files[field] for field in fields})

    def _array(self, field: str) -> np.ndarray:
        if field not in self._arrays:
            file = self._files[field]
            try:
                # A `.npy` is mapped; it may be larger than the memory.
                open_regular(file).close()
                if file.suffix == ".npy":
                    content = np.load(file, "r", allow_pickle=False)
                else:
                    content = read_npz(file, {field: memory_limit() // 2})[field]
            except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
                raise SceneError(
                    f"`{field}` in `{file}` can't be read: {error}. Python objects are"
                    " not read, as that could run a program."
                ) from error
            self._arrays[field] = content
        return self._arrays[field]
