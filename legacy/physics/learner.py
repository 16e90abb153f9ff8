"""Learns the parameters of the PDE, one compiled step at a time, on PhiFlow fields."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from phiml import math
from phiml.math import Tensor, batch, spatial
from scipy import optimize

from experiment import training
from experiment.data import CoarseGrid, Observed, WindowCounts, channel_plan
from experiment.settings import Settings, parameter_ranges, precision_bits
from experiment.training import (
    INTERACTION,
    PHYSICAL,
    REAL,
    Minimum,
    Unbounded,
    term_weights,
)
from legacy.data import WindowDataset
from legacy.physics.model import Fields, PhysicalModel, vector
from legacy.physics.regularisation import gradient_penalty


class PhysicalLearner(training.PhysicalLearner):
    """PhiFlow on its torch backend: a compiled step, looped, with torch's gradient.

    Args:
        settings: The settings of the run.
        dataset: The windows that there are.

    Attributes:
        model: The PDE.
        windows: Those that each term of the loss is taken over, by `REAL` and
            `INTERACTION`, `(batch, vector, time, x, ...)` on the model's grid.
        observed: What was observed of the real windows; None: all.
    """

    def __init__(self, settings: Settings, dataset: WindowDataset) -> None:
        self._grid = CoarseGrid.of(settings)
        self.model = PhysicalModel(self._grid.equation)
        self._settings = settings
        self._training = settings.trainer.physical
        self._dataset = dataset
        self._plan = channel_plan(settings)
        self._ranges = parameter_ranges(settings)
        self._fields_learned = [n for n, r in self._ranges.items() if r.axes]
        self._cells = self.model.equation.cell_sizes
        self._bits = precision_bits(settings.general.precision)
        self._choose()
        self._real = self.windows[REAL]
        real, _ = dataset.windows.chosen(self._training.windows)
        self.observed = self._grid.observed(dataset.windows.observed(real))
        self._traced: set[int] = set()

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """See `PhysicalLearner.augment`."""
        self._dataset.augment(trajectories, access)
        self._choose()

    def counts(self) -> WindowCounts:
        """See `PhysicalLearner.counts`."""
        return self._counts

    def loss(self, unbounded: Unbounded, *, only: str | None = None) -> float:
        """See `PhysicalLearner.loss`."""
        with math.precision(self._bits), torch.no_grad():
            tensors = self._tensors(unbounded)
            if only is None:
                return float(self._weighted(tensors))
            return float(self._loss_of(only, tensors))

    def gradient(self, unbounded: Unbounded) -> dict[str, np.ndarray]:
        """See `PhysicalLearner.gradient`."""
        return self._split(self._loss_and_gradient(self._flat(unbounded), 1.0)[1])

    def minimise(self, unbounded: Unbounded, scale: float) -> Minimum:
        """See `PhysicalLearner.minimise`; SciPy itself, not PhiML's way to it."""
        kind = np.dtype(f"float{self._bits}")
        found = optimize.minimize(
            self._loss_and_gradient,
            self._flat(unbounded).astype(kind).astype(np.float64),
            (scale,),
            "L-BFGS-B",
            jac=True,
            tol=self._training.tolerance,
            options={"maxiter": self._training.iterations},
        )
        best = self._split(found.x.astype(kind).astype(np.float64))
        return Minimum(
            best, found.nit, found.nfev, bool(found.success), str(found.message)
        )

    def rollout(
        self, parameters: Mapping[str, np.ndarray], states: np.ndarray, frames: int
    ) -> np.ndarray:
        """See `PhysicalLearner.rollout`."""
        order = ["batch", *self.model.equation.axes, "vector"]
        with math.precision(self._bits), torch.no_grad():
            known = self.model.parameters(self._tensors(parameters))
            start = self._grid.restrict(states)
            state = self._fields(torch.from_numpy(np.moveaxis(start, -1, 1).copy()))
            later = [
                [fields[name].values.numpy(order) for name in self._plan.fields]
                for fields in self.model.rollout(state, known, frames - 1)
            ]
        every = [start, *(np.concatenate(arrays, -1) for arrays in later)]
        return self._grid.prolong(np.stack(every, 1).astype(states.dtype), states)

    def _weighted(self, unbounded: Mapping[str, Tensor]) -> Any:
        """The sum of both terms, and of the learned fields' gradient."""
        frames = None if self.rollout_steps is None else self.rollout_steps + 1
        total: Any = 0.0
        for kind in self.windows:
            total = total + self._factors[kind] * self._loss_of(kind, unbounded, frames)
        options = self._training
        if options.regularisation is not None:
            known = self._known(unbounded)
            for name in self._fields_learned:
                relative = known[name] / self._ranges[name].guess.mean()
                penalty = gradient_penalty(
                    relative, self._cells, options.regularisation
                )
                total = total + options.regularisation_weight * penalty
        return total

    def _known(self, unbounded: Mapping[str, Tensor]) -> dict[str, Any]:
        """The learned parameters themselves."""
        return {n: self._ranges[n].bounded(z, math.exp) for n, z in unbounded.items()}

    def _loss_of(
        self, kind: str, unbounded: Mapping[str, Tensor], frames: int | None = None
    ) -> Tensor:
        """The mean over the windows of one kind, by their first frames.

        Real ones may be masked.
        """
        windows = self._real if kind == REAL else self.windows[kind]
        windows = windows[:, :, :frames]
        if kind == REAL and self.observed is not None:
            return self._observed_loss(unbounded, windows, self.observed)
        return self._loss(unbounded, windows)

    def _loss(self, unbounded: Mapping[str, Tensor], windows: torch.Tensor) -> Tensor:
        """The mean over steps of the mean squared error of the dynamic fields."""
        known = self._known(unbounded)
        frames = [self._fields(frame) for frame in windows.unbind(2)]
        steps, parameters = len(frames) - 1, self.model.parameters(known)
        later = self.model.rollout(frames[0], parameters, steps)
        total: Any = 0.0
        for state, target in zip(later, frames[1:], strict=True):
            errors = [
                (state[name].values - target[name].values) ** 2
                for name in self._plan.dynamic_fields
            ]
            count = sum(e.shape.volume or 0 for e in errors)
            total = total + sum(math.sum(e, e.shape) for e in errors) / count
        return total / steps

    def _observed_loss(
        self, unbounded: Mapping[str, Tensor], windows: torch.Tensor, seen: Observed
    ) -> Tensor:
        """The mean over windows of the mean squared error over what was observed.

        Of a window: the mean over its observed steps of the mean over its observed
        cells and the components of all dynamic fields.
        """
        frames = [self._fields(frame) for frame in windows.unbind(2)]
        parameters = self.model.parameters(self._known(unbounded))
        later = self.model.rollout(frames[0], parameters, len(frames) - 1)
        axes = spatial(*self.model.equation.axes)
        cells = math.tensor(seen.cells_of_each(), batch("batch"), axes)
        steps = math.tensor(seen.steps[:, : len(frames) - 1], batch("batch,step"))
        number = math.sum(cells, axes)
        total: Any = 0.0
        for step, (state, target) in enumerate(zip(later, frames[1:], strict=True)):
            mask, error, components = cells & steps.step[step], 0.0, 0
            for name in self._plan.dynamic_fields:
                apart: Any = state[name].values - target[name].values
                apart = math.where(mask, apart, 0.0)
                error = error + math.sum(apart**2, apart.shape.without("batch"))
                components += apart.shape.channel.volume or 1
            total = total + error / (number * components)
        return math.mean(total / math.sum(steps, "step"), "batch")

    def _loss_and_gradient(
        self, flat: np.ndarray, scale: float
    ) -> tuple[float, np.ndarray]:
        """The loss over `scale`, and its gradient in float64, of all parameters."""
        dtype = torch.float64 if self._bits == 64 else torch.float32
        leaf = torch.tensor(flat, dtype=dtype, requires_grad=True)
        sizes = {len(windows) for windows in self.windows.values()}
        if not sizes <= self._traced:
            # What torch traced forgets the gradient of all that had none in its first
            # call, such as the first step's fields; so no gradient is asked for in it.
            self._traced |= sizes
            self.loss(self._split(flat))
        with math.precision(self._bits):
            loss = self._weighted(self._tensors(self._split(leaf))) / scale
            # Read in here: outside, PhiML would cast it to 32 bits.
            native = loss.native()
        (slope,) = torch.autograd.grad(native, leaf)
        return native.item(), slope.numpy().astype(np.float64)

    def _flat(self, values: Unbounded) -> np.ndarray:
        """All parameters one after another."""
        return np.concatenate([np.ravel(values[name]) for name in self._ranges])

    def _split(self, flat: Any) -> dict[str, Any]:
        """Parameters by name, from an array or a tensor of all."""
        values, first = {}, 0
        for name, bounds in self._ranges.items():
            last = first + bounds.guess.size
            values[name] = flat[first:last].reshape(bounds.guess.shape)
            first = last
        return values

    def _choose(self) -> None:
        """Reads the windows that the terms of the loss are taken over."""
        chosen = self._dataset.windows.chosen(self._training.windows)
        self._counts = WindowCounts(*map(len, chosen))
        self._factors = term_weights(self._settings, PHYSICAL, self._counts)
        self.windows = {
            kind: self._read(numbers)
            for kind, numbers in zip((REAL, INTERACTION), chosen, strict=True)
            if len(numbers)
        }

    def _read(self, numbers: np.ndarray) -> torch.Tensor:
        """Some windows `(batch, vector, time, x, ...)` on the model's grid."""
        windows = torch.stack([self._dataset[int(i)] for i in numbers])
        if self._grid.factor == 1:
            return windows
        coarse = self._grid.restrict(np.moveaxis(windows.numpy(), 1, -1))
        return torch.from_numpy(np.moveaxis(coarse, -1, 1).copy())

    def _fields(self, values: torch.Tensor) -> Fields:
        """Fields by name from `(batch, vector, x, ...)`."""
        axes, fields, first = spatial(*self.model.equation.axes), {}, 0
        for name, components in self._plan.fields.items():
            last = first + max(len(components), 1)
            part = values[:, first:last] if components else values[:, first]
            tensor = math.wrap(part, batch("batch"), vector(components), axes)
            fields[name] = self.model.grid(tensor)
            first = last
        return fields

    def _tensors(self, values: Mapping[str, Any]) -> dict[str, Tensor]:
        """Parameters by name, over the axes that they are learned over."""
        tensor = self.model.tensor
        return {n: tensor(z, self._ranges[n].axes) for n, z in values.items()}
