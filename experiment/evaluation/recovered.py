"""Learned parameters of a PDE, compared with the truth and the initial guess."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from experiment.evaluation.laplace import INFORMED


@dataclass(frozen=True, eq=False)
class RecoveredParameter:
    """A parameter before and after learning: a scalar `()` or a field `(x, y, ...)`.

    Attributes:
        name: What it is called, `viscosity`.
        unit: Its unit, `m²/s`.
        truth: What the simulations were made with; None if unknown.
        guess: The initial value.
        found: The learned value.
        deviation: Its standard deviation (`evaluation.laplace`); None if unknown.
        informed: Share of the prior's variance that the data take away, from 0 where
            they say nothing to 1; None if unknown.

    Raises:
        ValueError: The arrays have different shapes.
    """

    name: str
    unit: str
    truth: np.ndarray | None
    guess: np.ndarray
    found: np.ndarray
    deviation: np.ndarray | None = None
    informed: np.ndarray | None = None

    def __post_init__(self) -> None:
        # NumPy would broadcast a scalar guess over a field without a word.
        shapes = {side: values.shape for side, values in self.arrays.items()}
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
    def arrays(self) -> dict[str, np.ndarray]:
        """The sides, and `deviation` and `informed` where they are known."""
        others = {"deviation": self.deviation, "informed": self.informed}
        known = {name: values for name, values in others.items() if values is not None}
        return {**self.sides, **known}

    @property
    def is_scalar(self) -> bool:
        """Whether it is one number."""
        return self.found.ndim == 0

    @property
    def error_before(self) -> float | None:
        """Relative L2 error of the guess, dimensionless; None without truth."""
        return None if self.before is None else self.before.l2

    @property
    def error_after(self) -> float | None:
        """Relative L2 error of the learned value, dimensionless; None without truth."""
        return None if self.after is None else self.after.l2

    @property
    def before(self) -> "ParameterError | None":
        """Errors of the guess; None without truth."""
        return None if self.truth is None else parameter_error(self.guess, self.truth)

    @property
    def after(self) -> "ParameterError | None":
        """Errors of the learned value; None without truth."""
        return None if self.truth is None else parameter_error(self.found, self.truth)


@dataclass(frozen=True)
class ParameterError:
    """How far a parameter is from the truth; dimensionless.

    A field whose size varies by orders of magnitude may have a small norm of the error
    and be wrong nearly everywhere: the norm is that of the cells where the parameter is
    large. So the cells' own errors stand beside it. For a scalar all three are equal.

    Attributes:
        l2: `sqrt(sum (v - t)^2 / sum t^2)` over the cells.
        median: Median over the cells of `|v - t| / |t|`.
        quantile: 90 % quantile of the same: nine of ten cells are nearer to the truth.
    """

    l2: float
    median: float
    quantile: float


@np.errstate(divide="ignore", over="ignore", invalid="ignore")
def parameter_error(values: np.ndarray, truth: np.ndarray) -> ParameterError:
    """The errors of a parameter, a scalar or a field, beside the truth."""
    difference, size = np.abs(_wide(values) - _wide(truth)), np.abs(_wide(truth))
    # A truth of zero is met exactly or missed infinitely, as in `metrics.nrmse`.
    cells = np.where(difference == 0, 0.0, difference / size)
    norm = np.linalg.norm(difference)
    return ParameterError(
        0.0 if norm == 0 else float(norm / np.linalg.norm(size)),
        _quantile(cells, 0.5),
        _quantile(cells, 0.9),
    )


def _quantile(cells: np.ndarray, share: float) -> float:
    # Between a finite and an infinite cell NumPy's own interpolation gives nan.
    if np.isnan(cells).any():
        return float("nan")
    place = share * (cells.size - 1)
    low, high = np.sort(cells)[[math.floor(place), math.ceil(place)]]
    return float(low if low == high else low + (place % 1) * (high - low))


def _wide(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64).ravel()


@dataclass(frozen=True)
class Certainty:
    """How sure a recovered parameter is.

    Attributes:
        informed: Share of the cells of which the data say something.
        deviation: Median standard deviation of these, in the parameter's unit.
        within: Share of these whose truth is within two standard deviations of what was
            found, 0.95 of a Gaussian; None without truth.
    """

    informed: float
    deviation: float
    within: float | None


def certainty(parameter: RecoveredParameter) -> Certainty | None:
    """The certainty of a parameter; None where no standard deviation is known."""
    if parameter.deviation is None or parameter.informed is None:
        return None
    seen = parameter.informed >= INFORMED
    share = float(np.mean(seen))
    if not seen.any():
        return Certainty(share, float("nan"), None)
    deviation, within = parameter.deviation[seen], None
    if parameter.truth is not None:
        error = np.abs(parameter.found - parameter.truth)[seen]
        within = float(np.mean(error <= 2 * deviation))
    return Certainty(share, float(np.median(deviation)), within)


def certainty_text(parameter: RecoveredParameter) -> str:
    """The certainty in words; empty where it isn't known."""
    sure = certainty(parameter)
    if sure is None:
        return ""
    words = f"{parameter.name}: the data say something of {sure.informed:.0%} of it"
    if not sure.informed:
        return words
    size = f"{sure.deviation:.2g} {parameter.unit}"
    words += f", standard deviation there {size} (median)"
    if sure.within is None:
        return words
    return f"{words}, truth within two of them in {sure.within:.0%} (Gaussian: 95%)"


def parameter_rows(
    parameters: Sequence[RecoveredParameter],
) -> list[dict[str, str | float | None]]:
    """One row per parameter: name, unit, errors, and each side's min, mean, max.

    Errors are relative: `error_` in the L2 norm, `median_` and `quantile90_` of the
    cells' own (see `ParameterError`).

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
        for when, error in (("before", parameter.before), ("after", parameter.after)):
            row[f"median_{when}"] = None if error is None else error.median
            row[f"quantile90_{when}"] = None if error is None else error.quantile
        for side in ("truth", "guess", "found"):
            values = parameter.sides.get(side)
            wide = None if values is None else _wide(values)
            row[f"{side}_min"] = None if wide is None else float(wide.min())
            row[f"{side}_mean"] = None if wide is None else float(wide.mean())
            row[f"{side}_max"] = None if wide is None else float(wide.max())
        sure = certainty(parameter)
        if sure is not None:
            row |= {
                "deviation_median": sure.deviation,
                "informed_cells": sure.informed,
                "within_two_deviations": sure.within,
            }
        rows.append(row)
    return rows


def parameter_arrays(
    parameters: Sequence[RecoveredParameter],
) -> Mapping[str, np.ndarray]:
    """All sides of all parameters by `<parameter>/<side>`."""
    return {
        f"{parameter.name}/{side}": values
        for parameter in parameters
        for side, values in parameter.arrays.items()
    }


def error_lines(parameter: RecoveredParameter) -> list[tuple[str, str, str]]:
    """Name, error before and error after, in words; a field has three such lines.

    The first is in the L2 norm, the others are the median and the 90 % quantile of the
    cells' own errors.
    """
    before, after = parameter.before, parameter.after
    if before is None or after is None:
        return [(parameter.name, "unknown", "unknown")]
    lines = [(parameter.name, f"{before.l2:.4g}", f"{after.l2:.4g}")]
    if parameter.is_scalar:
        return lines
    return [
        (f"{parameter.name}, L2", *lines[0][1:]),
        ("  median of cells", f"{before.median:.4g}", f"{after.median:.4g}"),
        ("  90 % of cells", f"{before.quantile:.4g}", f"{after.quantile:.4g}"),
    ]


def parameter_table(parameters: Sequence[RecoveredParameter]) -> Table:
    """Relative errors before and after; scalars with values; it fits 80 columns."""
    table = Table(title="recovered parameters (relative errors)")
    for heading in ("parameter", "unit"):
        table.add_column(heading)
    for heading in ("error before", "error after"):
        table.add_column(heading, justify="right")
    scalars = any(parameter.is_scalar for parameter in parameters)
    if scalars:
        for heading in ("truth", "guess", "found"):
            table.add_column(heading, justify="right")
    for parameter in parameters:
        (name, *errors), *others = error_lines(parameter)
        values = (value_text(parameter, side) for side in ("truth", "guess", "found"))
        table.add_row(name, parameter.unit, *errors, *(values if scalars else ()))
        for name, *errors in others:
            table.add_row(name, "", *errors)
    words = [certainty_text(parameter) for parameter in parameters]
    table.caption = "\n".join(text for text in words if text) or None
    return table


def value_text(parameter: RecoveredParameter, side: str) -> str:
    """A scalar's value on a side; `unknown` without truth, `field` for a field."""
    values = parameter.sides.get(side)
    if values is None:
        return "unknown"
    return f"{float(values):.4g}" if parameter.is_scalar else "field"
