"""Learns the parameters of the PDE: the whole loss with its gradient, compiled."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from phiml import math
from phiml.math import batch, channel, spatial

from experiment import training
from experiment.data import CoarseGrid, WindowCounts, channel_plan
from experiment.settings import Settings, parameter_ranges, precision_bits
from experiment.training import (
    INTERACTION,
    PHYSICAL,
    REAL,
    Minimum,
    Unbounded,
    term_weights,
)
from phiml_port.data import PhiMLDataset
from phiml_port.physics.model import Fields, PhysicalModel, physics_backend, vector
from phiml_port.physics.regularisation import gradient_penalty

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
        windows: Those that each term of the loss is taken over, by `REAL` and
            `INTERACTION`, `(batch, time, x, ..., vector)` on the model's grid.
        masks: What was observed of the real windows: steps, bool `(batch, step)`, and
            cells, bool `(batch, x, ...)`; empty if everything was.
    """

    def __init__(self, settings: Settings, dataset: PhiMLDataset) -> None:
        self._grid = CoarseGrid.of(settings)
        self.model = PhysicalModel(self._grid.equation)
        self._settings = settings
        self._training = settings.trainer.physical
        self._dataset = dataset
        self._backend = physics_backend(settings.migration.phiml_backend)
        self._plan = channel_plan(settings)
        self._order = ["batch", *self.model.equation.axes, "vector"]
        self._ranges = parameter_ranges(settings)
        self._bits = precision_bits(settings.general.precision)
        self._choose()
        self._real = self.windows[REAL]
        self.masks = self._read_masks()
        self._jax = settings.migration.phiml_backend == "jax"
        self._compiled, self._slopes = self._compile(self._loss)
        self._masked = self._compile(self._observed_loss) if self.masks else None
        self._penalty_slopes: Any = math.gradient(
            self._penalty, "unbounded", get_output=False
        )

    def _compile(self, loss: Any) -> tuple[Any, Any]:
        """A loss, compiled, and its gradient by the parameters."""
        compiled = math.jit_compile(loss)
        # torch can't trace a gradient; there it follows the compiled loss.
        own = loss if self._jax else compiled
        slopes: Any = math.gradient(own, "unbounded", get_output=False)
        return compiled, math.jit_compile(slopes) if self._jax else slopes

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """See `PhysicalLearner.augment`."""
        self._dataset.augment(trajectories, access)
        self._choose()

    def counts(self) -> WindowCounts:
        """See `PhysicalLearner.counts`."""
        return self._counts

    def loss(self, unbounded: Unbounded, *, only: str | None = None) -> float:
        """See `PhysicalLearner.loss`."""
        with self._backend, math.precision(self._bits):
            tensors = self._tensors(unbounded)
            if only is None:
                loss = self._weighted(tensors)
            else:
                loss = self._loss_of(only, tensors)
            detached: Any = math.stop_gradient(loss)
            return float(detached)

    def gradient(self, unbounded: Unbounded) -> dict[str, np.ndarray]:
        """See `PhysicalLearner.gradient`."""
        total: dict[str, np.ndarray] = {}
        with self._backend, math.precision(self._bits):
            tensors = self._tensors(unbounded)
            for kind in self.windows:
                slopes = self._arrays(
                    self._loss_of(kind, tensors, self._frames, slopes=True)
                )
                for name, slope in slopes.items():
                    own = self._factors[kind] * slope
                    total[name] = total[name] + own if name in total else own
            if self._training.regularisation is not None:
                slopes = self._arrays(self._penalty_slopes(tensors))
                total = {name: slope + slopes[name] for name, slope in total.items()}
        return total

    def minimise(self, unbounded: Unbounded, scale: float) -> Minimum:
        """See `PhysicalLearner.minimise`."""
        failure: list[Exception] = []

        def objective(values: Fields) -> Any:
            try:
                return self._weighted(values) / scale
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
            start = self._grid.restrict(states)
            state = self._fields(math.tensor(start, *dims))
            later = self.model.rollout(state, known, frames - 1, chunk=_CHUNK)
            every = [start, *(self._joined(fields) for fields in later)]
        return self._grid.prolong(np.stack(every, 1).astype(states.dtype), states)

    def _weighted(self, unbounded: Fields) -> Any:
        """The sum of both terms, and of the learned fields' gradient."""
        total: Any = 0.0
        for kind in self.windows:
            loss = self._loss_of(kind, unbounded, self._frames)
            total = total + self._factors[kind] * loss
        if self._training.regularisation is not None:
            total = total + self._penalty(unbounded)
        return total

    @property
    def _frames(self) -> int | None:
        """Frames of the windows that are learned from; None: all of them."""
        return None if self.rollout_steps is None else self.rollout_steps + 1

    def _penalty(self, unbounded: Fields) -> Any:
        """The weighted gradient of every learned field over the mean of its guess."""
        known, total = self._known(unbounded), 0.0
        kind = self._training.regularisation or ""
        for name, ranges in self._ranges.items():
            if ranges.axes:
                relative = known[name] / ranges.guess.mean()
                cells = self.model.equation.cell_sizes
                total = total + gradient_penalty(relative, cells, kind)
        return self._training.regularisation_weight * total

    def _known(self, unbounded: Fields) -> Fields:
        """The learned parameters themselves."""
        return {n: self._ranges[n].bounded(z, math.exp) for n, z in unbounded.items()}

    def _loss_of(
        self,
        kind: str,
        unbounded: Fields,
        frames: int | None = None,
        *,
        slopes: bool = False,
    ) -> Any:
        """The mean over windows of one kind, or its gradient, by their first frames.

        Real ones may be masked.
        """
        windows = self._real if kind == REAL else self.windows[kind]
        if frames is not None:
            windows = windows.time[:frames]
        if kind == REAL and self._masked is not None:
            steps, cells = self.masks
            if frames is not None:
                steps = steps.step[: frames - 1]
            return self._masked[slopes](windows, steps, cells, unbounded)
        return (self._slopes if slopes else self._compiled)(windows, unbounded)

    def _loss(self, windows: Any, unbounded: Fields) -> Any:
        """The mean over steps of the mean squared error of the dynamic fields."""
        parameters = self.model.parameters(self._known(unbounded))
        state, *targets = [self._fields(frame) for frame in windows.time]
        total: Any = 0.0
        for target in targets:
            state = self.model.step(state, parameters)
            errors = [(state[n] - target[n]) ** 2 for n in self._plan.dynamic_fields]
            count = sum(e.shape.volume for e in errors)
            total = total + sum(math.sum(e, e.shape) for e in errors) / count
        return total / len(targets)

    def _observed_loss(
        self, windows: Any, steps: Any, cells: Any, unbounded: Fields
    ) -> Any:
        """The mean over windows of the mean squared error over what was observed.

        Of a window: the mean over its observed steps of the mean over its observed
        cells and the components of all dynamic fields.
        """
        parameters = self.model.parameters(self._known(unbounded))
        state, *targets = [self._fields(frame) for frame in windows.time]
        number: Any = math.sum(cells, cells.shape.spatial)
        total: Any = 0.0
        for step, target in enumerate(targets):
            state = self.model.step(state, parameters)
            mask, error, components = cells & steps.step[step], 0.0, 0
            for name in self._plan.dynamic_fields:
                apart: Any = math.where(mask, state[name] - target[name], 0.0)
                error = error + math.sum(apart**2, apart.shape.without("batch"))
                components += apart.shape.channel.volume or 1
            total = total + error / (number * components)
        return math.mean(total / math.sum(steps, "step"), "batch")

    def _read_masks(self) -> tuple[Any, ...]:
        """Observed steps and cells of the real windows; empty if all was observed."""
        real, _ = self._dataset.windows.chosen(self._training.windows)
        seen = self._grid.observed(self._dataset.windows.observed(real))
        if seen is None:
            return ()
        axes = spatial(*self.model.equation.axes)
        with self._backend:
            return (
                math.tensor(seen.steps, batch("batch,step")),
                math.tensor(seen.cells_of_each(), batch("batch"), axes),
            )

    def _choose(self) -> None:
        """Reads the windows that the terms of the loss are taken over."""
        chosen = self._dataset.windows.chosen(self._training.windows)
        self._counts = WindowCounts(*map(len, chosen))
        self._factors = term_weights(self._settings, PHYSICAL, self._counts)
        self.windows: dict[str, Any] = {
            kind: self._read(numbers)
            for kind, numbers in zip((REAL, INTERACTION), chosen, strict=True)
            if len(numbers)
        }

    def _read(self, numbers: np.ndarray) -> Any:
        with self._backend, math.precision(self._bits):
            windows: Any = self._dataset.get_batch(numbers)
            values = self._grid.restrict(windows.numpy(windows.shape))
            return math.tensor(values, windows.shape.with_sizes(values.shape))

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
