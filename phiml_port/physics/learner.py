"""Learns the parameters of the PDE: the whole loss with its gradient, compiled."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from phiml import math
from phiml.math import batch, channel, spatial

from experiment import training
from experiment.data import channel_plan, chosen_windows
from experiment.settings import Settings, parameter_ranges, precision_bits
from experiment.training import Minimum, Unbounded
from phiml_port.data import PhiMLDataset
from phiml_port.physics.model import Fields, PhysicalModel, physics_backend, vector

#: Frames of a roll-out that one compiled call computes; a whole trajectory in one call
#: runs no faster, and takes seconds to compile.
_CHUNK = 4


class PhysicalLearner(training.PhysicalLearner):
    """The roll-out of all windows and its loss as one compiled function.

    Args:
        settings: The settings of the run.
        dataset: The windows that there are.

    Attributes:
        model: The PDE.
        windows: Those that the loss is taken over, `(batch, time, x, ..., vector)`.
    """

    def __init__(self, settings: Settings, dataset: PhiMLDataset) -> None:
        self.model = PhysicalModel(settings.model.physical)
        self._training = settings.trainer.physical
        self._dataset = dataset
        self._backend = physics_backend(settings.migration.phiml_backend)
        self._plan = channel_plan(settings)
        self._order = ["batch", *self.model.equation.axes, "vector"]
        self._ranges = parameter_ranges(settings)
        self._bits = precision_bits(settings.general.precision)
        self._real = self.windows = self._chosen()
        self._compiled = math.jit_compile(self._loss)
        # torch can't trace a gradient; there it follows the compiled loss.
        jax = settings.migration.phiml_backend == "jax"
        loss = self._loss if jax else self._compiled
        slopes: Any = math.gradient(loss, "unbounded", get_output=False)
        self._slopes = math.jit_compile(slopes) if jax else slopes

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """See `PhysicalLearner.augment`."""
        self._dataset.augment(trajectories, access)
        self.windows = self._chosen()

    def loss(self, unbounded: Unbounded, *, real_only: bool = False) -> float:
        """See `PhysicalLearner.loss`."""
        windows = self._real if real_only else self.windows
        with self._backend, math.precision(self._bits):
            loss = self._compiled(windows, self._tensors(unbounded))
            detached: Any = math.stop_gradient(loss)
            return float(detached)

    def gradient(self, unbounded: Unbounded) -> dict[str, np.ndarray]:
        """See `PhysicalLearner.gradient`."""
        with self._backend, math.precision(self._bits):
            return self._arrays(self._slopes(self.windows, self._tensors(unbounded)))

    def minimise(self, unbounded: Unbounded, scale: float) -> Minimum:
        """See `PhysicalLearner.minimise`."""
        failure: list[Exception] = []

        def objective(values: Fields) -> Any:
            try:
                return self._compiled(self.windows, values) / scale
            except Exception as error:
                # Raised later: math.minimize would wait for its threads for ever. A
                # constant has no gradient, so the optimiser ends.
                failure.append(error)
                (first, *_) = values.values()
                return math.sum(first * 0, first.shape)

        with self._backend, math.precision(self._bits), math.SolveTape() as tape:
            solve: Any = math.Solve(
                "L-BFGS-B",
                0,
                self._training.tolerance,
                x0=self._tensors(unbounded),
                max_iterations=self._training.iterations,
                suppress=(math.NotConverged, math.Diverged),
            )
            found: Any = math.minimize(objective, solve)
            if failure:
                raise failure[0]
            # Read in here: outside, PhiML would cast it to 32 bits.
            best = self._arrays(found)
        info: Any = tape[0]
        counts = int(info.iterations), int(info.function_evaluations)
        (message,) = np.ravel(info.msg)
        return Minimum(best, *counts, bool(info.converged.all), str(message))

    def rollout(
        self, parameters: Mapping[str, np.ndarray], states: np.ndarray, frames: int
    ) -> np.ndarray:
        """See `PhysicalLearner.rollout`; all simulations and some frames a call."""
        dims = batch("batch"), spatial(*self.model.equation.axes), channel("vector")
        with self._backend, math.precision(self._bits):
            known = self.model.parameters(self._tensors(parameters))
            state = self._fields(math.tensor(states, *dims))
            later = self.model.rollout(state, known, frames - 1, chunk=_CHUNK)
            every = [states, *(self._joined(fields) for fields in later)]
        return np.stack(every, 1).astype(states.dtype)

    def _loss(self, windows: Any, unbounded: Fields) -> Any:
        """The mean over steps of the mean squared error of the dynamic fields."""
        known = {n: self._ranges[n].bounded(z, math.exp) for n, z in unbounded.items()}
        parameters = self.model.parameters(known)
        state, *targets = [self._fields(frame) for frame in windows.time]
        total: Any = 0.0
        for target in targets:
            state = self.model.step(state, parameters)
            errors = [(state[n] - target[n]) ** 2 for n in self._plan.dynamic_fields]
            count = sum(e.shape.volume for e in errors)
            total = total + sum(math.sum(e, e.shape) for e in errors) / count
        return total / len(targets)

    def _chosen(self) -> Any:
        """The windows that the loss is taken over."""
        numbers = chosen_windows(len(self._dataset), self._training.windows)
        with self._backend, math.precision(self._bits):
            windows: Any = self._dataset.get_batch(numbers)
            return math.tensor(windows.numpy(windows.shape), windows.shape)

    def _fields(self, values: Any) -> Fields:
        """Fields by name from all channels, `(..., vector)`."""
        fields, first = {}, 0
        for name, components in self._plan.fields.items():
            if components:
                part = values.vector[first : first + len(components)]
                fields[name] = math.rename_dims(part, "vector", vector(components))
            else:
                fields[name] = values.vector[first]
            first += len(components) or 1
        return fields

    def _joined(self, fields: Fields) -> np.ndarray:
        """All channels `(batch, x, ..., vector)` of some fields."""
        arrays = [fields[name].numpy(self._order) for name in self._plan.fields]
        return np.concatenate(arrays, -1)

    def _tensors(self, values: Unbounded) -> Fields:
        """Parameters by name, over the axes that they are learned over."""
        tensor = self.model.tensor
        return {n: tensor(z, self._ranges[n].axes) for n, z in values.items()}

    def _arrays(self, values: Fields) -> dict[str, np.ndarray]:
        return {
            name: value.numpy(self._ranges[name].axes).astype(np.float64)
            for name, value in values.items()
        }
