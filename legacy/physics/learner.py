"""Learns the parameters of the PDE, one compiled step at a time, on PhiFlow fields."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from phi.field import CenteredGrid, Field
from phi.geom import Box
from phiml import math
from phiml.math import Tensor, batch, channel, extrapolation, spatial

from experiment import training
from experiment.data import channel_plan, chosen_windows
from experiment.settings import Settings, parameter_ranges, precision_bits
from experiment.training import Minimum, Unbounded
from legacy.data import WindowDataset
from legacy.physics.simulator import compiled_step


class FieldLearner(training.PhysicalLearner):
    """PhiFlow on its torch backend: a compiled step, looped, with torch's gradient.

    Args:
        settings: The settings of the run.
        dataset: The windows that there are.
    """

    def __init__(self, settings: Settings, dataset: WindowDataset) -> None:
        math.use("torch")
        self._settings = settings
        self._dataset = dataset
        self._plan = channel_plan(settings)
        self._ranges = parameter_ranges(settings)
        self._bits = precision_bits(settings.general.precision)
        self._move = compiled_step(settings.model.physical)
        self._real = self._windows = self._chosen()

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """See `PhysicalLearner.augment`."""
        self._dataset.augment(trajectories, access)
        self._windows = self._chosen()

    def loss(self, unbounded: Unbounded, *, real_only: bool = False) -> float:
        """See `PhysicalLearner.loss`."""
        windows = self._real if real_only else self._windows
        with math.precision(self._bits), torch.no_grad():
            return float(self._loss(self._tensors(unbounded), windows))

    def gradient(self, unbounded):
        raise NotImplementedError

    def minimise(self, unbounded: Unbounded, scale: float) -> Minimum:
        """See `PhysicalLearner.minimise`."""
        training = self._settings.trainer.physical
        axes = tuple(self._settings.model.physical.domain)
        failure: list[Exception] = []

        def objective(*values: Tensor) -> Any:
            named = dict(zip(unbounded, values, strict=True))
            try:
                return self._loss(named, self._windows) / scale
            except Exception as error:
                # Raised later: math.minimize would wait for its threads for ever. A
                # constant has no gradient, so the optimiser ends.
                failure.append(error)
                return math.sum(values[0] * 0, values[0].shape)

        with math.precision(self._bits), math.SolveTape() as tape:
            start: Any = list(self._tensors(unbounded).values())
            solve = math.Solve(
                "L-BFGS-B",
                0,
                training.tolerance,
                x0=start,
                max_iterations=training.iterations,
                suppress=(math.NotConverged, math.Diverged),
            )
            found: Any = math.minimize(objective, solve)
            if failure:
                raise failure[0]
            # Read in here: outside, PhiML would cast it to 32 bits.
            best = {
                name: value.numpy(axes if value.shape else ()).astype(np.float64)
                for name, value in zip(unbounded, found, strict=True)
            }
        info: Any = tape[0]
        return Minimum(
            best,
            int(info.iterations),
            int(info.function_evaluations),
            bool(info.converged.all),
            str(np.asarray(info.msg).reshape(-1)[0] if info.msg is not None else ""),
        )

    def rollout(
        self, parameters: Mapping[str, np.ndarray], states: np.ndarray, frames: int
    ) -> np.ndarray:
        """See `PhysicalLearner.rollout`."""
        axes = tuple(self._settings.model.physical.domain)
        with math.precision(self._bits), torch.no_grad():
            known = {
                n: self._as_parameter(self._tensor(p)) for n, p in parameters.items()
            }
            native = torch.from_numpy(np.moveaxis(states, -1, 1).copy())
            state = self._fields(native)
            result = [states]
            for _ in range(frames - 1):
                state = state | self._move(state | self._parameters(known))
                values = [
                    state[name].values.native(
                        ["batch", *axes, *(["vector"] if components else [])]
                    )
                    for name, components in self._plan.fields.items()
                ]
                columns = [
                    v if v.ndim > 1 + len(axes) else v[..., None] for v in values
                ]
                result.append(torch.cat(columns, -1).numpy())
        return np.stack(result, 1).astype(states.dtype)

    def _loss(self, unbounded: Mapping[str, Tensor], windows: torch.Tensor) -> Tensor:
        """The mean over steps of the mean squared error of the dynamic fields."""
        known = {}
        for name, z in unbounded.items():
            held = self._ranges[name]
            share = 1 / (1 + math.exp(-z))
            known[name] = self._as_parameter(
                held.lower + (held.upper - held.lower) * share
            )
        parameters = self._parameters(known)
        state = self._fields(windows[:, :, 0])
        total: Any = 0.0
        steps = windows.shape[2] - 1
        dynamic = self._plan.dynamic_fields
        for t in range(1, steps + 1):
            state = state | self._move(state | parameters)
            target = self._fields(windows[:, :, t])
            errors = [(state[n].values - target[n].values) ** 2 for n in dynamic]
            count = sum(e.shape.volume or 0 for e in errors)
            total = total + sum(math.sum(e, e.shape) for e in errors) / count
        return total / steps

    def _chosen(self) -> torch.Tensor:
        """The windows `(batch, vector, time, x, ...)` that the loss is taken over."""
        wanted = self._settings.trainer.physical.windows
        numbers = chosen_windows(len(self._dataset), wanted)
        return torch.stack([self._dataset[int(i)] for i in numbers])

    def _fields(self, values: torch.Tensor) -> dict[str, Field]:
        """Fields by name from `(batch, vector, x, ...)`."""
        physical = self._settings.model.physical
        axes = tuple(physical.domain)
        fields, first = {}, 0
        for name, components in self._plan.fields.items():
            last = first + max(len(components), 1)
            part = values[:, first:last]
            dims: list[Any] = [batch("batch"), channel(vector=components)]
            if not components:
                part, dims = part[:, 0], [batch("batch")]
            fields[name] = CenteredGrid(
                math.wrap(part, *dims, spatial(*axes)),
                extrapolation.PERIODIC,
                bounds=Box(**physical.domain),
            )
            first = last
        return fields

    def _parameters(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters of the PDE; those that are not learned as they are known."""
        physical = self._settings.model.physical
        name = "viscosity" if physical.name == "burgers" else "velocity_factor"
        if name in known:
            return {name: known[name]}
        return {name: self._as_parameter(self._tensor(physical.true_parameter(name)))}

    def _as_parameter(self, value: Tensor) -> Any:
        if not value.shape:
            return value
        bounds = Box(**self._settings.model.physical.domain)
        return CenteredGrid(value, extrapolation.PERIODIC, bounds=bounds)

    def _tensors(self, unbounded: Unbounded) -> dict[str, Tensor]:
        return {name: self._tensor(z) for name, z in unbounded.items()}

    def _tensor(self, values: np.ndarray) -> Tensor:
        axes = tuple(self._settings.model.physical.domain)
        dims = [spatial(*axes)] if np.ndim(values) else []
        return math.tensor(np.asarray(values), *dims)


PhysicalLearner = FieldLearner
