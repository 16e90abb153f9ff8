"""Faults that only a whole run shows: of more simulations, modes, stops and seeds than
a small case has, and of what both sides share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import experiment.evaluation.metrics
import experiment.training.synthetic
import phiml_port.physics.model
import phiml_port.training.synthetic
from bridge.harness import Fault
from bridge.ladders.covering import stored_rows
from bridge.ladders.covering.factors import STOPPED
from bridge.ladders.entry import SHARED
from bridge.ladders.entry_cases import EntryCase
from bridge.ladders.faults.planting import Plant, wrapped

_PORT = phiml_port.training.synthetic.SyntheticLearner


def _row(**wanted: Any) -> EntryCase:
    """The first row with some values; `_` in a name stands for `.`, `__` for `_`."""
    keys = {
        name.replace("__", "\0").replace("_", ".").replace("\0", "_"): value
        for name, value in wanted.items()
    }
    for number, row in enumerate(stored_rows()):
        if all(row.values.get(key) == value for key, value in keys.items()):
            return EntryCase(number)
    raise LookupError(f"no row of the covering array has {keys}")


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


def _half_speed(parameters: Any) -> Callable[..., Any]:
    def faulty(self: Any, *args: Any) -> Any:
        return {n: v * 1.001 for n, v in parameters(self, *args).items()}

    return faulty


_TRAINED = {"general_mode": "synthetic", "migration_trainer": "phiml"}
_NORMED = {**_TRAINED, "model_synthetic_architecture_batch__norm": True}
_DECAYING = {"general_mode": "synthetic", "trainer_synthetic_schedule": "step"}


def _faults() -> list[Fault]:
    stopped = EntryCase(
        next(
            n
            for n, row in enumerate(stored_rows())
            if row.values[STOPPED] == "inside an epoch or a round"
            and row.values["general.mode"] == "hybrid"
            and row.values["migration.trainer"] == "phiml"
        )
    )
    normed = _row(**_NORMED)
    trainer = "with the port's trainer"
    simulated = _row(
        **{
            "general_mode": "synthetic",
            "migration_physics": "phiml",
            "data_reference": "same",
        }
    )
    plants: list[tuple[str, str, EntryCase, Plant]] = [
        (
            trainer,
            "E1",
            normed,
            wrapped(_PORT, "evaluation", _always_training),
        ),
        (trainer, "E1", stopped, wrapped(_PORT, "load", _without_moments)),
        (trainer, "E1", _row(**_TRAINED), wrapped(_PORT, "predict", _from_zero)),
        (
            "with the port's physics alone",
            "E1",
            simulated,
            wrapped(phiml_port.physics.model.PhysicalModel, "parameters", _half_speed),
        ),
        (
            SHARED,
            "G1",
            _row(**_DECAYING),
            wrapped(experiment.training.synthetic, "next_rate", _faulty_rate),
        ),
        (
            SHARED,
            "G1",
            _row(**_TRAINED),
            wrapped(experiment.evaluation.metrics, "_root_ratio", _off),
        ),
    ]
    return [Fault(name, rung, case, plant) for name, rung, case, plant in plants]


FAULTS = _faults()
