"""Smooth, periodic, random functions, the same for every implementation.

A function is a sum of Fourier modes, so it doesn't depend on the resolution that it is
sampled at, and its values are exact at any grid.
"""

import itertools

import numpy as np

from experiment.equations.base import Equation


def random_waves(
    equation: Equation,
    components: int,
    highest: int,
    generator: np.random.Generator,
    *,
    divergence_free: bool = False,
) -> np.ndarray:
    """Random Fourier sum `(x, y, ..., components)` with root mean square 1.

    Wave vectors k (waves across the domain) with 0 < |k| <= `highest`; coefficients
    are Gaussian, weighted by 1/|k|. Normalised by the coefficients, not by samples, so
    that every resolution gives the same function.
    """
    axes = equation.axes
    positions = equation.positions
    total = np.zeros((*equation.resolution.values(), components))
    power = 0.0
    ranges = [range(-highest, highest + 1)] * len(axes)
    for wave in itertools.product(*ranges):
        norm = float(np.linalg.norm(wave))
        # One of k and -k is enough for a real field.
        first = next((k for k in wave if k != 0), 0)
        if not 0 < norm <= highest or first < 0:
            continue
        coefficients = generator.standard_normal((2, components)) / norm
        if divergence_free:
            physical_wave = np.array(
                [k / equation.domain[a] for k, a in zip(wave, axes, strict=True)]
            )
            unit = physical_wave / np.linalg.norm(physical_wave)
            coefficients -= np.outer(coefficients @ unit, unit)
        phase = sum(
            2 * np.pi * k * positions[a] / equation.domain[a]
            for k, a in zip(wave, axes, strict=True)
        )
        total += np.cos(phase)[..., None] * coefficients[0]
        total += np.sin(phase)[..., None] * coefficients[1]
        power += float((coefficients**2).sum()) / 2
    return total / np.sqrt(power)
