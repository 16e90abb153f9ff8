"""Learned parameters of a PDE, compared with the truth and the initial guess."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table


@dataclass(frozen=True, eq=False)
class RecoveredParameter:
    """A parameter before and after learning: a scalar `()` or a field `(x, y, ...)`.

    Attributes:
        name: What it is called, `viscosity`.
        unit: Its unit, `m²/s`.
        truth: What the simulations were made with; None if unknown.
        guess: The initial value.
        found: The learned value.

    Raises:
        ValueError: The arrays have different shapes.
    """

    name: str
    unit: str
    truth: np.ndarray | None
    guess: np.ndarray
    found: np.ndarray

    def __post_init__(self) -> None:
        # NumPy would broadcast a scalar guess over a field without a word.
        shapes = {side: values.shape for side, values in self.sides.items()}
        if len(set(shapes.values())) > 1:
            raise ValueError(
                f"the sides of the parameter `{self.name}` have the shapes {shapes};"
                " expected the same, () or (x, y, ...)"
            )

    @property
    def sides(self) -> dict[str, np.ndarray]:
        """The values by `truth` (if known), `guess` and `found`."""
        known = {} if self.truth is None else {"truth": self.truth}
        return {**known, "guess": self.guess, "found": self.found}

    @property
    def is_scalar(self) -> bool:
        """Whether it is one number."""
        return self.found.ndim == 0

    @property
    def error_before(self) -> float | None:
        """Relative L2 error of the guess, dimensionless; None without truth."""
        return None if self.truth is None else _relative(self.guess, self.truth)

    @property
    def error_after(self) -> float | None:
        """Relative L2 error of the learned value, dimensionless; None without truth."""
        return None if self.truth is None else _relative(self.found, self.truth)


@np.errstate(divide="ignore", over="ignore", invalid="ignore")
def _relative(values: np.ndarray, truth: np.ndarray) -> float:
    difference = np.linalg.norm(_wide(values) - _wide(truth))
    # A truth of zero is met exactly or missed infinitely, as in `metrics.nrmse`.
    return 0.0 if difference == 0 else float(difference / np.linalg.norm(_wide(truth)))


def _wide(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64).ravel()


def parameter_rows(
    parameters: Sequence[RecoveredParameter],
) -> list[dict[str, str | float | None]]:
    """One row per parameter: name, unit, errors, and each side's min, mean, max.

    Values are in the parameter's unit; without truth its columns and the errors are
    None.
    """
    rows = []
    for parameter in parameters:
        row: dict[str, str | float | None] = {
            "name": parameter.name,
            "unit": parameter.unit,
            "error_before": parameter.error_before,
            "error_after": parameter.error_after,
        }
        for side in ("truth", "guess", "found"):
            values = parameter.sides.get(side)
            wide = None if values is None else _wide(values)
            row[f"{side}_min"] = None if wide is None else float(wide.min())
            row[f"{side}_mean"] = None if wide is None else float(wide.mean())
            row[f"{side}_max"] = None if wide is None else float(wide.max())
        rows.append(row)
    return rows


def parameter_arrays(
    parameters: Sequence[RecoveredParameter],
) -> Mapping[str, np.ndarray]:
    """All sides of all parameters by `<parameter>/<side>`."""
    return {
        f"{parameter.name}/{side}": values
        for parameter in parameters
        for side, values in parameter.sides.items()
    }


def parameter_table(parameters: Sequence[RecoveredParameter]) -> Table:
    """Relative errors before and after; scalars with values; it fits 80 columns."""
    table = Table(title="recovered parameters (relative L2 errors)")
    for heading in ("parameter", "unit"):
        table.add_column(heading)
    for heading in ("error before", "error after"):
        table.add_column(heading, justify="right")
    scalars = any(parameter.is_scalar for parameter in parameters)
    if scalars:
        for heading in ("truth", "guess", "found"):
            table.add_column(heading, justify="right")
    for parameter in parameters:
        errors = (parameter.error_before, parameter.error_after)
        values = (value_text(parameter, side) for side in ("truth", "guess", "found"))
        table.add_row(
            parameter.name,
            parameter.unit,
            *("unknown" if e is None else f"{e:.4g}" for e in errors),
            *(values if scalars else ()),
        )
    return table


def value_text(parameter: RecoveredParameter, side: str) -> str:
    """A scalar's value on a side; `unknown` without truth, `field` for a field."""
    values = parameter.sides.get(side)
    if values is None:
        return "unknown"
    return f"{float(values):.4g}" if parameter.is_scalar else "field"
