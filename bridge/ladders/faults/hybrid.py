"""Faults of the hybrid loop that both sides share, seen by the reference: H1, H2."""

from typing import Any

import experiment.training.hybrid
from bridge.harness import Fault
from bridge.ladders import hybrid
from bridge.ladders.cases import CaseName
from bridge.ladders.faults.planting import Plant, wrapped
from bridge.ladders.training_counterfactuals import AVERAGED
from experiment.training import HybridTraining, SyntheticTraining

_CASE = CaseName("advection", "convnet", "float64", batch_norm=False)


def _crossed(_: Any) -> Any:
    def faulty(self: Any, states: Any, cycle: int) -> None:
        frames = self.settings.trainer.rollout_steps + 1
        predicted = self.synthetic.learner.predict(states, frames)
        access = self.settings.trainer.data_access
        self.synthetic.train_loader.augment(predicted, access)

    return faulty


def _first_states(draw: Any) -> Any:
    return lambda settings, cycle: draw(settings, 0)


def _averaged(count: Any) -> Any:
    return lambda self, loss, samples: count(self, loss, 1)


def _fault(name: str, rung: str, plant: Plant) -> Fault:
    return Fault(name, rung, _CASE, plant, "beside the reference")


FAULTS = (
    _fault(hybrid.HANDED, "H1", wrapped(HybridTraining, "teach_synthetic", _crossed)),
    _fault(
        hybrid.MISSING,
        "H1",
        wrapped(HybridTraining, "teach_physical", lambda _: lambda *_: None),
    ),
    _fault(
        hybrid.SAME_STATES,
        "H1",
        wrapped(experiment.training.hybrid, "new_states", _first_states),
    ),
    _fault(AVERAGED, "H2", wrapped(SyntheticTraining, "_count", _averaged)),
)
