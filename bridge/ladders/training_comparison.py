"""Compares two trained states leaf by leaf, and both with the reference's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bridge.harness import Counterfactuals, Findings, compare, exact, failed, named, rms
from bridge.ladders.reference import Reference
from bridge.ladders.training_cases import TrainingCase
from bridge.ladders.training_counterfactuals import FaultyStates
from bridge.ladders.training_states import Trained, of_reference

_MOMENTS = ("exp_avg", "exp_avg_sq")
Take = Callable[[Trained], np.ndarray]


@dataclass(frozen=True)
class Witness:
    """The reference's state, and its states on other axes: its own rounding (A/A).

    Attributes:
        state: The reference's state.
        views: Its states in other views, turned back.
    """

    state: Trained
    views: Sequence[Trained]

    def again(self, take: Take, expected: np.ndarray) -> list[np.ndarray]:
        """An array as the rounding of the reference would move it."""
        return [expected + (take(view) - take(self.state)) for view in self.views]


def witness(
    case: TrainingCase, views: Sequence[str], act: Callable[[Reference], None]
) -> Witness:
    """The reference after `act`, in all views."""
    states = []
    for view in ("", *views):
        reference = case.reference(view)
        act(reference)
        states.append(of_reference(reference, view))
    return Witness(states[0], states[1:])


def pairs(
    candidate: Trained, control: Trained, reference: Trained
) -> list[tuple[str, Trained, Trained]]:
    """What is compared with what, and what is added to the name for it."""
    return [
        ("", candidate, control),
        (", candidate beside the reference", candidate, reference),
        (", control beside the reference", control, reference),
    ]


def compared(
    case: TrainingCase,
    when: str,
    candidate: Trained,
    control: Trained,
    beside: Witness,
    wrong: FaultyStates,
    depth: float = 1,
) -> Findings:
    """Updates of weights, and moments, leaf by leaf.

    Args:
        case: The case.
        when: After what, in words.
        candidate: The candidate's state.
        control: The control's.
        beside: The reference's.
        wrong: States of faulty trainings.
        depth: Training steps in a row.
    """
    made: dict[str, Trained] = {}

    def counterfactuals(take: Take) -> Counterfactuals:
        def state(name: str) -> Trained:
            if name not in made:
                made[name] = wrong[name]()
            return made[name]

        return {name: lambda n=name: take(state(n)) for name in wrong}

    for whom, actual, expected in pairs(candidate, control, beside.state):
        yield from _updates(
            case, f"{when}{whom}", actual, expected, beside, counterfactuals, depth
        )
        yield from _moments(
            case, f"{when}{whom}", actual, expected, beside, counterfactuals, depth
        )


def _updates(
    case: TrainingCase,
    when: str,
    actual: Trained,
    expected: Trained,
    beside: Witness,
    counterfactuals: Callable[[Take], Counterfactuals],
    depth: float,
) -> Findings:
    trained = [expected.weights[n] - case.start[n] for n in expected.moments]
    overall = rms(np.concatenate([update.ravel() for update in trained]))
    for name, weights in expected.weights.items():
        if name.endswith("num_batches_tracked") or case.follows_rounding(name):
            continue
        if weights.dtype.kind not in "fc":
            yield exact(f"{name} {when}", actual.weights[name], weights)
            continue

        def update(state: Trained, name: str = name) -> np.ndarray:
            return state.weights[name] - case.start[name]

        reference = update(expected)
        finding = compare(
            f"update of {name} {when}",
            *(update(actual), reference, reference),
            factor=10,
            depth=case.depth * depth,
            size=float(np.abs(weights).max()),
            scale=max(overall, rms(reference)),
            again=beside.again(update, reference),
        )
        yield named(finding, update(actual), reference, counterfactuals(update))


def _moments(
    case: TrainingCase,
    when: str,
    actual: Trained,
    expected: Trained,
    beside: Witness,
    counterfactuals: Callable[[Take], Counterfactuals],
    depth: float,
) -> Findings:
    for name, moments in expected.moments.items():
        if name not in actual.moments:
            yield failed(f"moments of {name} {when}: missing", "structure")
            continue
        steps = actual.moments[name]["step"]
        yield exact(f"step count of {name} {when}", steps, moments["step"])
        if case.follows_rounding(name):
            continue
        for kind in _MOMENTS:

            def moment(s: Trained, name: str = name, kind: str = kind) -> np.ndarray:
                # A counterfactual may have lost its moments.
                none: Mapping[str, np.ndarray] = {}
                return s.moments.get(name, none).get(kind, np.zeros(()))

            reference = moment(expected)
            finding = compare(
                f"{kind} of {name} {when}",
                *(moment(actual), reference, reference),
                factor=10,
                depth=case.depth * depth,
                again=beside.again(moment, reference),
            )
            yield named(finding, moment(actual), reference, counterfactuals(moment))
