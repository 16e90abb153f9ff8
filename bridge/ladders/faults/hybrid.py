"""Faults of the hybrid training, reported by H1 to H3.

Those of the loop that both sides share are seen by the reference; what both sides and
the reference get wrong in the same way is seen by H3 alone.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

import experiment.training.hybrid
import experiment.training.synthetic
import legacy.data
import legacy.physics.learner
import phiml_port.data
import phiml_port.physics.learner
from bridge.harness import Fault
from bridge.ladders import hybrid, hybrid_counterfactuals, hybrid_reference
from bridge.ladders.cases import CaseName
from bridge.ladders.faults import coarse
from bridge.ladders.faults.observed import IGNORED_BY_THE_LOOP, OF_A_LOSS, SHARED
from bridge.ladders.faults.planting import Plant, wrapped
from bridge.ladders.hybrid_reference import HybridReference
from bridge.ladders.observed import IGNORED, ON_GENERATED
from bridge.ladders.physics_cases import COARSE
from bridge.ladders.training_counterfactuals import AVERAGED
from experiment.data import Windows
from experiment.training import INTERACTION, HybridTraining, SyntheticTraining

_BURGERS = CaseName("burgers", "convnet", "float64", batch_norm=False)
_CASE = CaseName("advection", "convnet", "float64", batch_norm=False)


def _crossed(_: Any) -> Any:
    def faulty(self: Any, states: Any, cycle: int) -> None:
        frames = self.settings.trainer.rollout_steps + 1
        predicted = self.synthetic.learner.predict(states, frames)
        self.synthetic.augment(predicted, self.settings.trainer.data_access)

    return faulty


def _first_states(draw: Any) -> Any:
    return lambda settings, cycle: draw(settings, 0)


def _averaged(count: Any) -> Any:
    return lambda self, loss, samples: count(self, loss, 1)


def _other_weights(terms: Any) -> Any:
    other = {"synthetic": "physical", "physical": "synthetic"}
    return lambda settings, model, counts: terms(settings, other[model], counts)


def _no_interaction(terms: Any) -> Any:
    def faulty(settings: Any, model: str, counts: Any) -> Any:
        right = terms(settings, model, counts)
        return {**right, INTERACTION: 1.0} if len(right) == 2 else right

    return faulty


def _one_mean(terms: Any) -> Any:
    def faulty(settings: Any, model: str, counts: Any) -> Any:
        numbers = counts.real, counts.generated
        right = terms(settings, model, counts)
        if len(right) == 1:
            return right
        pairs = zip(right.items(), numbers, strict=True)
        return {kind: f * n / sum(numbers) for (kind, f), n in pairs}

    return faulty


#: Where the factors of both terms are asked for, by the model that they are of.
_SYNTHETIC = (experiment.training.synthetic,)
_PORT = (phiml_port.physics.learner,)
_BOTH_SIDES = (*_PORT, legacy.physics.learner)


def _weighted(wrap: Any, *modules: Any) -> Plant:
    return _all(*(wrapped(module, "term_weights", wrap) for module in modules))


def _all(*plants: Plant) -> Plant:
    @contextmanager
    def planted() -> Iterator[None]:
        with ExitStack() as stack:
            for plant in plants:
                stack.enter_context(plant())
            yield

    return planted


def _pattern(augment: Any) -> Any:
    """Takes the same pattern whatever is handed over."""

    def faulty(self: Any, trajectories: Any, access: str) -> None:
        same = None if trajectories is None else _same_for(trajectories)
        augment(self, same, access)

    return faulty


def _pattern_windows(make: Any) -> Any:
    return lambda trajectories, frames: make(_same_for(trajectories), frames)


def _same_for(trajectories: Any) -> Any:
    waves = np.cos(np.arange(trajectories.size))
    return waves.reshape(trajectories.shape).astype(trajectories.dtype)


def _real_alone(choose: Any) -> Any:
    def faulty(self: Any, wanted: int) -> Any:
        real, _ = choose(self, wanted)
        return real, real[:0]

    return faulty


def _counted_real_alone(count: Any) -> Any:
    def faulty(self: Any, predicted: int) -> Any:
        return {k: n for k, n in count(self, predicted).items() if k != INTERACTION}

    return faulty


#: Both sides and the reference ignore what the synthetic model is handed.
_IGNORED_BY_SYNTHETIC = _all(
    wrapped(legacy.data.WindowLoader, "augment", _pattern),
    wrapped(phiml_port.data.WindowLoader, "augment", _pattern),
    wrapped(hybrid_reference, "made_windows", _pattern_windows),
)
#: The same of the physical model; the reference asks the control's learner.
_IGNORED_BY_PHYSICAL = _all(
    wrapped(legacy.physics.learner.PhysicalLearner, "augment", _pattern),
    wrapped(phiml_port.physics.learner.PhysicalLearner, "augment", _pattern),
)
#: Both sides and the reference leave the predicted windows out, as once they did.
_NEVER_CHOSEN = _all(
    wrapped(Windows, "chosen", _real_alone),
    wrapped(HybridReference, "physical_counts", _counted_real_alone),
)


def _fault(name: str, rung: str, plant: Plant) -> Fault:
    return Fault(name, rung, _CASE, plant, "beside the reference")


_OBSERVED = replace(_BURGERS, observed="known")
_BESIDE = "beside the reference"

FAULTS = (
    Fault(IGNORED, "H1", _OBSERVED, IGNORED_BY_THE_LOOP, _BESIDE),
    Fault(ON_GENERATED, "H1", _OBSERVED, SHARED[ON_GENERATED], _BESIDE),
    *(Fault(n, "H1", COARSE[0], plant, _BESIDE) for n, plant in coarse.SHARED.items()),
    *(
        # The candidate alone; what it hands over differs by what it learned.
        Fault(name, "H1", _OBSERVED, OF_A_LOSS[name])
        for name in (IGNORED, ON_GENERATED)
    ),
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
    _fault(
        hybrid_counterfactuals.OTHER_WEIGHTS,
        "H1",
        _weighted(_other_weights, *_SYNTHETIC, *_BOTH_SIDES),
    ),
    _fault(hybrid_counterfactuals.ONE_MEAN, "H1", _weighted(_one_mean, *_SYNTHETIC)),
    _fault(
        hybrid_counterfactuals.NO_INTERACTION,
        "H1",
        _weighted(_no_interaction, *_BOTH_SIDES),
    ),
    *(
        Fault(name, "H1", _CASE, _weighted(wrap, *_PORT))
        for name, wrap in (
            (hybrid_counterfactuals.OTHER_WEIGHTS, _other_weights),
            (hybrid_counterfactuals.NO_INTERACTION, _no_interaction),
            (hybrid_counterfactuals.ONE_MEAN, _one_mean),
        )
    ),
    Fault(hybrid.IGNORED["synthetic"], "H3", _CASE, _IGNORED_BY_SYNTHETIC),
    Fault(hybrid.IGNORED["physical"], "H3", _CASE, _IGNORED_BY_PHYSICAL),
    Fault(hybrid.IGNORED["physical"], "H3", _BURGERS, _NEVER_CHOSEN),
)
