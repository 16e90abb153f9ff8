"""Learns the parameters of the PDE: the whole loss with its gradient, compiled."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from phiml import math
from phiml.math import Tensor

from experiment import training
from experiment.data import channel_plan, chosen_windows
from experiment.settings import Settings, parameter_ranges, precision_bits
from experiment.training import Minimum, Unbounded
from phiml_port.data import PhiMLDataset, PhysicalSimulation
from phiml_port.physics.model import (
    PhysicalModel,
    joined,
    named_states,
    physics_backend,
    split,
)

#: Frames of a roll-out that one compiled call moves on; a whole trajectory in one call
#: runs no faster, and takes seconds to compile.
_CHUNK = 4


class TensorLearner(training.PhysicalLearner):
    """The roll-out of all windows and its loss as one compiled function.

    Args:
        settings: The settings of the run.
        dataset: The windows that there are.

    Raises:
        SettingsError: JAX is asked for and not installed.
    """

    def __init__(self, settings: Settings, dataset: PhiMLDataset) -> None:
        self._settings = settings
        self._dataset = dataset
        self._backend = physics_backend(settings.migration.phiml_backend)
        self._plan = channel_plan(settings)
        self._axes = tuple(settings.model.physical.domain)
        self._ranges = parameter_ranges(settings)
        self._bits = precision_bits(settings.general.precision)
        self._model = PhysicalModel(settings.model.physical)
        self._real = self._windows = self._chosen()
        self._compiled = math.jit_compile(self._loss)
        # torch can't trace a gradient; there it follows the compiled loss.
        if settings.migration.phiml_backend == "jax":
            whole: Any = math.gradient(self._loss, "values", get_output=True)
            self._differentiated: Any = math.jit_compile(whole)
        else:
            self._differentiated = math.gradient(
                self._compiled, "values", get_output=True
            )
        self._moved = math.jit_compile(self._roll, auxiliary_args="steps")

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """See `PhysicalLearner.augment`."""
        if trajectories is None:
            self._dataset.disable_augmentation()
        else:
            made = PhysicalSimulation.several(
                trajectories, self._axes, self._plan.names
            )
            self._dataset.enable_augmentation(made, access)  # type: ignore[arg-type]
        self._windows = self._chosen()

    def loss(self, unbounded: Unbounded, *, real_only: bool = False) -> float:
        """See `PhysicalLearner.loss`."""
        windows = self._real if real_only else self._windows
        with self._backend, math.precision(self._bits):
            values = self._tensors(unbounded)
            loss: Any = math.stop_gradient(self._compiled(windows, values))
            return float(loss)

    def loss_and_gradient(self, unbounded: Unbounded) -> tuple[Any, Any]:
        """The loss and its gradient by the unbounded values, native tensors."""
        with self._backend, math.precision(self._bits):
            return self._differentiated(self._windows, self._tensors(unbounded))

    def gradient(self, unbounded):
        raise NotImplementedError

    def minimise(self, unbounded: Unbounded, scale: float) -> Minimum:
        """See `PhysicalLearner.minimise`."""
        training = self._settings.trainer.physical
        failure: list[Exception] = []
        with self._backend, math.precision(self._bits), math.SolveTape() as tape:
            windows = self._windows

            def objective(*values: Tensor) -> Any:
                try:
                    named = dict(zip(unbounded, values, strict=True))
                    return self._compiled(windows, named) / scale
                except Exception as error:
                    # Raised later: math.minimize would wait for its threads for ever.
                    # A constant has no gradient, so the optimiser ends.
                    failure.append(error)
                    return math.sum(values[0] * 0, values[0].shape)

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
                name: value.numpy(self._axes if value.shape else ()).astype(np.float64)
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
        """See `PhysicalLearner.rollout`; all simulations and some frames a call."""
        with self._backend, math.precision(self._bits):
            known = {n: self._model.tensor(p) for n, p in parameters.items()}
            state = split(named_states(states, self._plan, self._axes), self._plan)
            every = [states]
            while len(every) < frames:
                moved = self._moved(state, self._all(known), steps=_CHUNK)
                every += [
                    np.concatenate(joined(fields, self._plan, self._axes), -1)
                    for fields in moved
                ]
                state = moved[-1]
        return np.stack(every[:frames], 1).astype(states.dtype)

    def _roll(
        self, state: Mapping[str, Any], parameters: Mapping[str, Any], steps: int
    ) -> list[dict[str, Any]]:
        every = []
        for _ in range(steps):
            state = self._model.step(state, parameters)
            every.append(dict(state))
        return every

    def _loss(self, windows: Any, values: Mapping[str, Any]) -> Any:
        """The mean over steps of the mean squared error of the dynamic fields."""
        known = {}
        for name, z in values.items():
            held = self._ranges[name]
            share = 1 / (1 + math.exp(-z))
            known[name] = held.lower + (held.upper - held.lower) * share
        parameters = self._all(known)
        state = split(windows.time[0], self._plan)
        total: Any = 0.0
        steps = windows.shape.get_size("time") - 1
        for t in range(1, steps + 1):
            state = self._model.step(state, parameters)
            target = split(windows.time[t], self._plan)
            errors = [(state[n] - target[n]) ** 2 for n in self._plan.dynamic_fields]
            count = sum(e.shape.volume for e in errors)
            total = total + sum(math.sum(e, e.shape) for e in errors) / count
        return total / steps

    def _all(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters of the equation, those that are not learned too."""
        if self._model.parameter in known:
            return dict(known)
        return {**known, self._model.parameter: self._model.known_parameter()}

    def _chosen(self) -> Any:
        """The windows `(batch, time, x, ..., vector)` that the loss is taken over."""
        wanted = self._settings.trainer.physical.windows
        numbers = chosen_windows(len(self._dataset), wanted)
        order = ["batch", "time", *self._axes, "vector"]
        with self._backend, math.precision(self._bits):
            windows: Any = self._dataset.get_batch(numbers)
            return math.tensor(windows.numpy(order), windows.shape)

    def _tensors(self, unbounded: Unbounded) -> dict[str, Any]:
        return {name: self._model.tensor(z) for name, z in unbounded.items()}


PhysicalLearner = TensorLearner
