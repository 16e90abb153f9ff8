"""A pseudo-spectral reference on periodic boxes, in NumPy: another scheme altogether.

Space: Fourier collocation; products are cut at two thirds of the highest wave number
(Orszag 1971, doi:10.1175/1520-0469(1971)028<1074:OTEOAI>2.0.CO;2). Time: the classical
fourth-order Runge-Kutta method, in steps that stay well inside its stability. For
smooth solutions the error falls faster than any power of the cell, and as the fourth
power of the step. Where a coefficient jumps (as one that isn't periodic does at the
edge of the box), or a shock is thinner than a cell, it converges slowly and rings; the
share of the shortest waves tells, and is warned about.
"""

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from experiment.data.descriptions import scene_description
from experiment.data.generation import GrowthCheck, Simulator
from experiment.data.writing import write_description, write_frame
from experiment.equations import Derivatives, Equation
from experiment.settings import Settings

log = logging.getLogger(__name__)

#: Rate of the fastest mode times the step; RK4 is stable up to about 2.8.
_FASTEST = 1.0
#: Share of the shortest waves in a field's root mean square that is warned about.
_TAIL = 1e-2


class SpectralSimulator(Simulator):
    """Simulates by Fourier collocation and RK4 in float64.

    The grid has `data.reference_refinement` times as many points along each axis; what
    is stored are values at the cell centres of the settings, by trigonometric
    interpolation.

    Args:
        settings: The settings of the run.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def simulate(
        self, simulation: int, parent: Path, on_frame: Callable[[int], None]
    ) -> Path:
        """See `Simulator.simulate`."""
        settings, factor = self._settings, self._settings.data.reference_refinement
        coarse = settings.model.physical
        growth = GrowthCheck(coarse, simulation)
        scene = parent / f"spectral_{simulation:06d}"
        scene.mkdir()
        run = SpectralRun(coarse, settings.data.seed, simulation, factor)
        for frame in range(settings.data.trajectory_length):
            if frame:
                run.advance(coarse.dt)
            for name in settings.data.fields:
                if frame and name in coarse.constant_fields:
                    continue
                values = run.sample(name).astype(settings.data.precision)
                growth.check(name, values, frame)
                write_frame(scene, name, frame, values, settings)
            on_frame(frame)
        tail = run.tail()
        if tail > _TAIL:
            log.warning(
                "the shortest waves hold %.1e of simulation %d's last frame; expected"
                " below %.0e of a resolved one. Raise `data.reference_refinement`, or"
                " take smoother coefficients (periodic ones, not 0 anywhere)",
                *(tail, simulation, _TAIL),
            )
        write_description(scene, scene_description(settings, simulation))
        return scene


class SpectralRun:
    """The fields of one simulation, moved on in time.

    Args:
        equation: The equation on the grid of the settings.
        seed: Seed of the data.
        simulation: Number of the simulation.
        refinement: Points along each axis for each cell.
    """

    def __init__(
        self, equation: Equation, seed: int, simulation: int, refinement: int
    ) -> None:
        self._equation = equation
        self._refinement = refinement
        self._fine = equation.refined(refinement)
        self._operators = FourierDerivatives(self._fine)
        self.state = dict(self._fine.initial_state(seed, simulation))
        # What is not there has its true value, such as a parameter that is no field.
        self._parameters = {
            name: self._fine.true_parameter(name) for name in equation.parameters
        }
        self._constant = equation.constant_fields

    # A simulation that diverges ends at its next frame, with a message.
    @np.errstate(over="ignore", invalid="ignore")
    def advance(self, time: float, steps: int | None = None) -> None:
        """Moves the fields on by `time` in s, in as many steps as stability needs.

        Args:
            time: How far.
            steps: How many steps to take instead.
        """
        fastest = self._operators.fastest_rate(
            *self._fine.spectral_speeds(self.state, self._parameters)
        )
        steps = steps or max(1, math.ceil(time * fastest / _FASTEST))
        for _ in range(steps):
            self._step(time / steps)

    def _step(self, dt: float) -> None:
        moving = {n: v for n, v in self.state.items() if n not in self._constant}

        def moved(rates: Mapping[str, np.ndarray], by: float) -> dict[str, np.ndarray]:
            return {n: v + by * rates[n] for n, v in moving.items()}

        first = self._rates(moving)
        second = self._rates(moved(first, dt / 2))
        third = self._rates(moved(second, dt / 2))
        fourth = self._rates(moved(third, dt))
        for name, value in moving.items():
            change = first[name] + 2 * (second[name] + third[name]) + fourth[name]
            self.state[name] = value + dt / 6 * change

    def _rates(self, moving: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        state = {**self.state, **moving}
        return self._fine.spectral_rates(state, self._parameters, self._operators)

    def sample(self, name: str) -> np.ndarray:
        """A field at the cell centres of the settings, `(x, y, ..., vector)`."""
        if name in self._equation.parameters:
            # Exact, whereas a coefficient that jumps would ring between points.
            return self._equation.true_parameter(name)
        values, factor = self.state[name], self._refinement
        cells = self._equation.cell_sizes
        shift = [0.5 * size * (1 - 1 / factor) for size in cells.values()]
        every = (slice(None, None, factor),) * len(cells)
        return self._operators.shifted(values, shift)[every]

    def tail(self) -> float:
        """Share of the waves above half of the highest kept ones, by the worst field.

        Of the root mean square without the mean; 0 of a field without waves.
        """
        shares = [
            self._operators.tail(value)
            for name, value in self.state.items()
            if name not in self._constant
        ]
        return max(shares)


class FourierDerivatives(Derivatives):
    """Derivatives of periodic fields by fast Fourier transforms.

    Args:
        equation: Its box and grid.
    """

    def __init__(self, equation: Equation) -> None:
        self._sizes = tuple(equation.resolution.values())
        axes = len(self._sizes)
        self._axes = tuple(range(axes))
        waves, keep, self._highest = [], np.ones((1,) * axes, bool), []
        for axis, (name, size) in enumerate(equation.resolution.items()):
            turns = np.arange(size // 2 + 1)
            if axis < axes - 1:
                turns = np.fft.fftfreq(size, 1 / size)
            shape = [1] * axes
            shape[axis] = len(turns)
            scale = 2 * np.pi / equation.domain[name]
            waves.append((turns * scale).reshape(shape))
            keep = keep & (np.abs(turns) < size / 3).reshape(shape)
            self._highest.append(scale * size / 3)
        self._waves, self._keep = waves, keep

    def gradient(self, values: np.ndarray) -> list[np.ndarray]:
        """See `Derivatives.gradient`."""
        modes = self._modes(values)
        return [self._values(1j * self._of(values, k) * modes) for k in self._waves]

    def divergence(self, fluxes: list[np.ndarray]) -> np.ndarray:
        """See `Derivatives.divergence`."""
        modes = [
            1j * self._of(f, k) * self._modes(f)
            for k, f in zip(self._waves, fluxes, strict=True)
        ]
        return self._values(sum(modes[1:], modes[0]))

    def resolved(self, values: np.ndarray) -> np.ndarray:
        """See `Derivatives.resolved`."""
        return self._values(self._modes(values))

    def shifted(self, values: np.ndarray, by: list[float]) -> np.ndarray:
        """Values at the points moved on by some m along each axis."""
        phase = sum(k * b for k, b in zip(self._waves, by, strict=True))
        return self._values(self._modes(values) * self._of(values, np.exp(1j * phase)))

    def fastest_rate(self, speeds: np.ndarray, diffusivity: float) -> float:
        """Bound of the rates of all modes, in 1/s.

        Args:
            speeds: Largest speed along each axis, in m/s.
            diffusivity: Largest diffusivity, in m^2/s.
        """
        highest = np.array(self._highest)
        return float(speeds @ highest + diffusivity * (highest**2).sum())

    def tail(self, values: np.ndarray) -> float:
        """Share of the shorter half of the waves in the root mean square."""
        power = np.abs(self._modes(values)) ** 2
        # The last axis has half of the waves.
        doubled = (self._waves[-1] > 0) + 1.0
        power = power * self._of(values, doubled)
        power[(0,) * len(self._axes)] = 0.0
        short = np.zeros(self._keep.shape, bool)
        for wave, highest in zip(self._waves, self._highest, strict=True):
            short = short | (np.abs(wave) > highest / 2)
        total = power.sum()
        part = (power * self._of(values, short)).sum()
        return float(np.sqrt(part / total)) if total else 0.0

    def _modes(self, values: np.ndarray) -> np.ndarray:
        modes = np.fft.rfftn(values, axes=self._axes)
        return modes * self._of(values, self._keep)

    def _values(self, modes: np.ndarray) -> np.ndarray:
        return np.fft.irfftn(modes, s=self._sizes, axes=self._axes)

    def _of(self, values: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Factors of the modes, with an axis for components where there are some."""
        return factors[..., None] if values.ndim > len(self._axes) else factors
