"""Positions of sensors, read from a file."""

from pathlib import Path

import numpy as np

from experiment.equations import Equation
from experiment.system import SettingsError, open_regular

#: Bytes that a file of sensors may have.
_LARGEST = 2**26
_SUFFIXES = (".csv", ".txt", ".npy")


def sensor_cells(key: str, file: str, equation: Equation) -> tuple[np.ndarray, ...]:
    """The cells that sensors see: for each, the one whose centre is nearest.

    Args:
        key: The setting that names the file, for messages.
        file: A `.csv` (commas), `.txt` (blanks) or `.npy`; a point a row, a column an
            axis, in m. Lines of text that begin with # are skipped.
        equation: The equation, for its domain and grid.

    Returns:
        An index `(sensor,)` for each axis.

    Raises:
        SettingsError: The file is missing or holds something else, or a sensor is
            outside the domain.
    """
    points = _points(key, Path(file))
    axes, domain = equation.axes, equation.domain
    if points.ndim != 2 or points.shape[1] != len(axes) or not len(points):
        raise SettingsError(
            f"`{key}`: `{file}` holds an array {points.shape}; expected (sensor,"
            f" {len(axes)}): one point a row, the columns {', '.join(axes)} in m."
        )
    sizes = np.array(list(domain.values()))
    for row, point in enumerate(points, 1):
        words = f"`{key}`: sensor {row} of `{file}` is at {_text(point)}"
        if not np.isfinite(point).all():
            raise SettingsError(
                f"{words}; expected finite numbers in m. Remove or mend the row."
            )
        if (point < 0).any() or (point > sizes).any():
            raise SettingsError(
                f"{words}, outside the domain; expected 0 to {_text(sizes)} in m"
                " (`model.physical.domain`)."
            )
    cells = np.array(list(equation.cell_sizes.values()))
    last = np.array(list(equation.resolution.values())) - 1
    # The cell that a point lies in is the one with the nearest centre.
    return tuple(np.minimum(points // cells, last).astype(int).T)


def _text(point: np.ndarray) -> str:
    return f"({', '.join(f'{value:g}' for value in point)})"


def _points(key: str, path: Path) -> np.ndarray:
    if path.suffix not in _SUFFIXES:
        raise SettingsError(
            f"`{key}` is `{path}`; expected a file that ends with"
            f" {', '.join(_SUFFIXES)}."
        )
    try:
        with open_regular(path) as file:
            if file.seek(0, 2) > _LARGEST:
                raise ValueError(f"it is larger than {_LARGEST} bytes")
        if path.suffix == ".npy":
            # Mapped, so that a header that declares terabytes takes none.
            mapped = np.load(path, "r", allow_pickle=False)
            if mapped.nbytes > _LARGEST:
                raise ValueError(f"it has {mapped.nbytes} bytes, more than {_LARGEST}")
            return np.asarray(mapped, np.float64)
        delimiter = "," if path.suffix == ".csv" else None
        text = path.read_text()
        lines = [line for line in text.splitlines() if line.split("#")[0].strip()]
        if not lines:
            raise SettingsError(
                f"`{key}`: `{path}` is empty; expected a point a row, in m."
            )
        return np.loadtxt(lines, np.float64, delimiter=delimiter, ndmin=2)
    except OSError as error:
        raise SettingsError(
            f"`{key}`: can't read `{path}`: {error.strerror or error}; expected a file"
            " with a sensor a row, in m."
        ) from error
    except (TypeError, ValueError, EOFError) as error:
        raise SettingsError(
            f"`{key}`: `{path}` is no table of numbers ({error}); expected a sensor a"
            " row, in m, and nothing else but lines that begin with #."
        ) from error
