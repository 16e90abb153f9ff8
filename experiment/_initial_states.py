"""Initial states: smooth, periodic, random, the same for every implementation.

Framework-free, because initial states are data: both sides start from these arrays.
A state is a sum of Fourier modes, so it doesn't depend on the resolution that it is
sampled at, and its values are exact at any grid.
"""

import itertools

import numpy as np

from experiment._expressions import evaluate_expression
from experiment._grids import grid_positions
from experiment._settings import Advection, Burgers


def initial_state(
    physical: Burgers | Advection, seed: int, simulation: int
) -> dict[str, np.ndarray]:
    """The fields of one simulation at time 0.

    Args:
        physical: The physical model's settings.
        seed: Seed of the experiment.
        simulation: Number of the simulation; each draws its own state.

    Returns:
        By field name, float64 `(x, y, ..., vector)`; scalar fields have no last axis.
        Burgers: velocity (m/s), viscosity (m^2/s). Advection: density (kg/m^rank),
        velocity (m/s), divergence-free and constant in time.
    """
    generator = np.random.default_rng([seed, simulation])
    if isinstance(physical, Burgers):
        velocity = _waves(
            physical,
            len(physical.domain),
            physical.pde_params.initial_wavenumber,
            generator,
        )
        viscosity = evaluate_expression(
            physical.pde_params.viscosity,
            "model.physical.pde_params.viscosity",
            grid_positions(physical),
        )
        return {
            "velocity": velocity * physical.pde_params.initial_speed,
            "viscosity": viscosity,
        }
    density = _waves(physical, 1, physical.pde_params.initial_wavenumber, generator)
    velocity = _waves(
        physical,
        len(physical.domain),
        physical.pde_params.speed_wavenumber,
        generator,
        divergence_free=True,
    )
    return {
        "density": density[..., 0] * physical.pde_params.initial_density,
        "velocity": velocity * physical.pde_params.speed,
    }


def _waves(
    physical: Burgers | Advection,
    components: int,
    highest: int,
    generator: np.random.Generator,
    divergence_free: bool = False,
) -> np.ndarray:
    """Random Fourier sum `(x, y, ..., components)` with root mean square 1.

    Wave vectors k (waves across the domain) with 0 < |k| <= `highest`; coefficients
    are Gaussian, weighted by 1/|k|. Normalised by the coefficients, not by samples, so
    that every resolution gives the same function.
    """
    axes = tuple(physical.domain)
    positions = grid_positions(physical)
    total = np.zeros((*physical.resolution.values(), components))
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
                [k / physical.domain[a] for k, a in zip(wave, axes, strict=True)]
            )
            unit = physical_wave / np.linalg.norm(physical_wave)
            coefficients -= np.outer(coefficients @ unit, unit)
        phase = sum(
            2 * np.pi * k * positions[a] / physical.domain[a]
            for k, a in zip(wave, axes, strict=True)
        )
        total += np.cos(phase)[..., None] * coefficients[0]
        total += np.sin(phase)[..., None] * coefficients[1]
        power += float((coefficients**2).sum()) / 2
    return total / np.sqrt(power)
