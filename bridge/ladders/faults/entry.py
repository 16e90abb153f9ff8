"""Faults that only a whole run shows: of more simulations, modes, stops and seeds than
a small case has, and of what both sides share."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import experiment.evaluation.metrics
import experiment.training.synthetic
import phiml_port.training.synthetic
from bridge.harness import Fault
from bridge.ladders.covering import stored_rows
from bridge.ladders.covering.factors import STOPPED
from bridge.ladders.entry import SHARED
from bridge.ladders.entry_cases import EntryCase
from bridge.ladders.entry_runs import INSIDE
from bridge.ladders.faults.planting import Plant, wrapped
from phiml_port.physics.model import PhysicalModel

_METRICS, _LOOP = experiment.evaluation.metrics, experiment.training.synthetic
_PORT = phiml_port.training.synthetic.SyntheticLearner


def _row(values: Mapping[str, Any]) -> EntryCase:
    """The first row with some values."""
    for number, row in enumerate(stored_rows()):
        if values.items() <= row.values.items():
            return EntryCase(number)
    raise LookupError(f"no row of the covering array has {dict(values)}")


def _always_training(evaluation: Any) -> Callable[..., Any]:
    @contextmanager
    def faulty(self: Any) -> Iterator[None]:
        with evaluation(self):
            self.model.set_training(True)
            yield

    return faulty


def _without_moments(load: Any) -> Callable[..., Any]:
    def faulty(self: Any, state: Any) -> None:
        load(self, type(state)(state.weights, {}, state.random))

    return faulty


def _off(ratio: Any) -> Callable[..., Any]:
    return lambda *args: ratio(*args) * 1.01


def _faulty_rate(rate: Any) -> Callable[..., Any]:
    return lambda settings, old, epoch: rate(settings, old, epoch + 1)


def _from_zero(method: Any) -> Callable[..., Any]:
    return lambda self, *args, **more: method(self, *args, **more) + 1e-6


def _larger(parameters: Any) -> Callable[..., Any]:
    def faulty(self: Any, *args: Any) -> Any:
        return {n: v * 1.001 for n, v in parameters(self, *args).items()}

    return faulty


_TRAINED = {"general.mode": "synthetic", "migration.trainer": "phiml"}
_NORMED = {**_TRAINED, "model.synthetic.architecture.batch_norm": True}
_STOPPED = {**_TRAINED, "general.mode": "hybrid", STOPPED: INSIDE}
_DECAYING = {"general.mode": "synthetic", "trainer.synthetic.schedule": "step"}
_SIMULATED = {
    "general.mode": "synthetic",
    "migration.physics": "phiml",
    "data.reference": "same",
}
_TRAINER, _PHYSICS = "with the port's trainer", "with the port's physics alone"
_PLANTS: tuple[tuple[str, str, Mapping[str, Any], Plant], ...] = (
    (_TRAINER, "E1", _NORMED, wrapped(_PORT, "evaluation", _always_training)),
    (_TRAINER, "E1", _STOPPED, wrapped(_PORT, "load", _without_moments)),
    (_TRAINER, "E1", _TRAINED, wrapped(_PORT, "predict", _from_zero)),
    (_PHYSICS, "E1", _SIMULATED, wrapped(PhysicalModel, "parameters", _larger)),
    (SHARED, "G1", _DECAYING, wrapped(_LOOP, "next_rate", _faulty_rate)),
    (SHARED, "G1", _TRAINED, wrapped(_METRICS, "_root_ratio", _off)),
)
FAULTS = tuple(Fault(name, rung, _row(at), plant) for name, rung, at, plant in _PLANTS)
