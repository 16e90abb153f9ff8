"""Derivatives where a side has none of its own: along directions, by differences."""

from collections.abc import Mapping

import numpy as np

from bridge.harness import Finding, Findings, Verdict, not_judged
from bridge.migration.arrays import cast
from bridge.migration.pair import Pair
from bridge.migration.subject import Subject

DIRECTIONS = 5
#: A difference quotient is never asked for more.
CEILING = 1e-6


def directional(pair: Pair) -> Findings:
    """The loss's derivative along random directions of leaves and inputs.

    A quotient of central differences, extrapolated; its own error is estimated from a
    second step size. A side that has gradients gives its own.
    """
    if pair.precision != "float64":
        return
    for number in range(DIRECTIONS):
        generator = np.random.default_rng([7, number])
        trained = pair.oracle.trainable()
        inputs, _ = pair.batch(max(pair.migration.sizes))
        leaves = {n: _direction(generator, pair.weights[n]) for n in trained}
        moved = [_direction(generator, v) for v in inputs]
        values, errors = zip(
            *(
                _derivative(pair, side, leaves, moved)
                for side in (pair.candidate, pair.control)
            ),
            strict=True,
        )
        yield _judged(f"derivative of the loss, direction {number}", values, errors)


def _direction(generator: np.random.Generator, value: np.ndarray) -> np.ndarray:
    if value.dtype.kind not in "fc":
        return np.zeros_like(value)
    drawn = generator.standard_normal(value.shape)
    if value.dtype.kind == "c":
        return drawn + 1j * generator.standard_normal(value.shape)
    return drawn


def _judged(
    where: str, values: tuple[float, ...], errors: tuple[float, ...]
) -> Finding:
    candidate, control = values
    if control == 0 or not np.isfinite(control):
        return not_judged(where, "zero signal")
    error = abs(candidate - control) / abs(control)
    limit = min(max(4 * sum(errors) / abs(control), 1e-9), CEILING)
    verdict = Verdict.PASSED if error <= limit else Verdict.FAILED
    return Finding(verdict, error, limit, where, "4 x error of the quotient")


def _derivative(
    pair: Pair, side: Subject, leaves: Mapping[str, np.ndarray], moved: list[np.ndarray]
) -> tuple[float, float]:
    """The derivative and its error."""
    inputs, targets = pair.batch(max(pair.migration.sizes))
    if side.differentiates:
        pair.refill(side)
        found = side.gradients(inputs, targets)
        own = {
            n: g
            for n, g in found.items()
            if not n.startswith("input ") and g is not None
        }
        common = pair.to_common(side, own)
        total = sum(float(np.vdot(g, leaves[n]).real) for n, g in common.items())
        for number, direction in enumerate(moved):
            gradient = found.get(f"input {number}")
            if gradient is not None:
                total += float(np.vdot(gradient, direction).real)
        return total, 1e-12 * abs(total)

    def at(step: float) -> float:
        shifted = dict(pair.weights)
        for name, direction in leaves.items():
            shifted[name] = shifted[name] + step * direction
        pair.refill(side)
        side.load(pair.to_own(side, shifted))
        given = [
            cast(v + step * d, pair.precision)
            for v, d in zip(inputs, moved, strict=True)
        ]
        return side.loss(given, targets)

    def quotient(step: float) -> float:
        return (at(step) - at(-step)) / (2 * step)

    coarse, middle, fine = (quotient(h) for h in (4e-3, 2e-3, 1e-3))
    first, second = (4 * middle - coarse) / 3, (4 * fine - middle) / 3
    value = (16 * second - first) / 15
    return value, abs(value - second) + 1e-12 * abs(value)
