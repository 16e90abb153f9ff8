"""Exact solutions of the equations on a periodic box of edge 1 m.

Each is a function of an equation, which knows its axes and cell centres, and of the
time in s; it returns the fields by name, float64 `(x, y, ..., vector)`, without the
last axis for a scalar.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Fields = Mapping[str, np.ndarray]
Exact = Callable[[Any, float], Fields]

WAVE = 2 * math.pi
#: Viscosity and diffusivity where they are constant, in m^2/s.
COEFFICIENT = 0.1
#: Of a carrying velocity, in m/s, by axis.
VELOCITY = (1.0, 0.5, -0.5)
#: How far a modulation or a coefficient varies.
VARIATION = 0.4
#: The same of `varying_divergence` and `varying_laplacian`.
SINE, THIRD = 0.1, 0.02


def _phases(equation: Any) -> list[np.ndarray]:
    """`2 pi x`, ... at the cell centres."""
    return [WAVE * np.asarray(equation.positions[axis]) for axis in equation.axes]


def cole_hopf(equation: Any, time: float) -> Fields:
    """Burgers' equation with a constant viscosity nu, in any number of dims.

    phi = 1 + a exp(-nu |k|^2 t) cos(k x) cos(k y) ... solves the heat equation, and
    u = -2 nu grad phi / phi then solves du/dt + (u . grad) u = nu lap u, as u is a
    gradient and so (u . grad) u = grad |u|^2 / 2 (Cole 1951, Hopf 1950).
    """
    phases = _phases(equation)
    decay = 0.5 * math.exp(-COEFFICIENT * len(phases) * WAVE**2 * time)
    phi = 1 + decay * np.prod([np.cos(p) for p in phases], 0)
    velocity = []
    for axis in range(len(phases)):
        factors = [np.sin(p) if i == axis else np.cos(p) for i, p in enumerate(phases)]
        slope = -WAVE * decay * np.prod(factors, 0)
        velocity.append(-2 * COEFFICIENT * slope / phi)
    return {"velocity": np.stack(velocity, -1)}


def fourier_mode(equation: Any, time: float) -> Fields:
    """Heat with a constant diffusivity kappa: exp(-kappa |k|^2 t) cos(k x) cos(k y)."""
    phases = _phases(equation)
    decay = math.exp(-COEFFICIENT * len(phases) * WAVE**2 * time)
    return {"temperature": decay * np.prod([np.cos(p) for p in phases], 0)}


#: kappa of `varying_divergence`, in m^2/s.
DIVERGENCE_COEFFICIENT = (
    f"{COEFFICIENT} * (1 + {SINE} * sin(2*pi*x)) / (1 + {4 * SINE} * sin(2*pi*x))"
)


def varying_divergence(equation: Any, time: float) -> Fields:
    """Heat along a line with dT/dt = d/dx(kappa dT/dx).

    With s = sin(k x), T = exp(-kappa0 k^2 t) (s - a cos(2 k x)) and kappa = kappa0 (1 +
    a s) / (1 + 4 a s): dT/dx is k cos(k x) (1 + 4 a s), so kappa dT/dx is kappa0 k
    cos(k x) (1 + a s), whose slope is -kappa0 k^2 T.
    """
    (phase,) = _phases(equation)
    shape = np.sin(phase) - SINE * np.cos(2 * phase)
    return {"temperature": math.exp(-COEFFICIENT * WAVE**2 * time) * shape}


#: kappa of `varying_laplacian`, in m^2/s.
LAPLACIAN_COEFFICIENT = (
    f"{COEFFICIENT} * (1 - {THIRD} * (1 + 2*cos(4*pi*x)))"
    f" / (1 - {9 * THIRD} * (1 + 2*cos(4*pi*x)))"
)


def varying_laplacian(equation: Any, time: float) -> Fields:
    """Heat along a line with dT/dt = kappa d2T/dx2.

    T = exp(-kappa0 k^2 t) (sin(k x) - b sin(3 k x)) and kappa = -kappa0 k^2 T / T'';
    sin(3 k x) is sin(k x) (1 + 2 cos(2 k x)), which cancels the zeros of both.
    """
    (phase,) = _phases(equation)
    shape = np.sin(phase) - THIRD * np.sin(3 * phase)
    return {"temperature": math.exp(-COEFFICIENT * WAVE**2 * time) * shape}


def _carried(equation: Any, start: np.ndarray) -> Fields:
    """A density, and the constant velocity that carries it.

    Args:
        equation: The equation.
        start: `2 pi` times where the density came from, along x.
    """
    first, *others = _phases(equation)
    # These do not change along the way of what is carried.
    density = np.sin(start)
    for phase, speed in zip(others, VELOCITY[1:], strict=False):
        density = density * np.cos(phase / abs(speed) - math.copysign(1, speed) * first)
    shape = (*first.shape, len(equation.axes))
    velocity = np.broadcast_to(VELOCITY[: shape[-1]], shape).copy()
    return {"density": density, "velocity": velocity}


def shifted(equation: Any, time: float) -> Fields:
    """Advection by a constant velocity."""
    return _carried(equation, _phases(equation)[0] - WAVE * VELOCITY[0] * time)


#: m of `modulated`.
MODULATION = f"1 / (1 + {VARIATION} * cos(2*pi*x))"


def modulated(equation: Any, time: float) -> Fields:
    """Advection by m(x) times a constant velocity, m = 1 / (1 + a cos(k x)).

    What moves by dx/dt = m needs the time s(x) = x + a sin(k x) / k from 0 to x, so it
    came from s^-1(s(x) - t): Kepler's equation, solved by Newton's method.
    """
    target = _phases(equation)[0]
    target = target + VARIATION * np.sin(target) - WAVE * VELOCITY[0] * time
    start = target.copy()
    for _ in range(20):
        residual = start + VARIATION * np.sin(start) - target
        start -= residual / (1 + VARIATION * np.cos(start))
    return _carried(equation, start)
