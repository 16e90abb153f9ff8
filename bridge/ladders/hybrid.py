"""Hybrid training: H1 what is handed over, H2 losses; with the reference beside.

H3 asks whether what is handed over matters: with noise in its place both models must
learn something else.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bridge.harness import (
    Finding,
    Findings,
    Ladder,
    Rung,
    Verdict,
    compare,
    diagnose,
    error_of,
    failed,
    named,
    rms,
)
from bridge.ladders.cases import CaseName
from bridge.ladders.faults import faults_of
from bridge.ladders.hybrid_cases import CYCLES, LOSSES, HybridCase, Recording
from bridge.ladders.hybrid_counterfactuals import of_cycles
from bridge.ladders.physics_cases import ITERATIONS, case_names
from bridge.ladders.run_cases import RunCase
from bridge.ladders.training_counterfactuals import AVERAGED

HANDED = "augmentation handed over in the wrong order"
MISSING = "hand-over missing"
SAME_STATES = "the same initial states in every cycle"
#: Of the model that it was handed to.
IGNORED = {m: f"what is handed to the {m} model doesn't matter" for m in LOSSES}
#: A change of a loss below this is none; rounding makes 1e-13.
_NO_CHANGE = 1e-6
#: Windows, steps and cells of a loss, in round numbers.
_OF_A_LOSS = 10_000


def hybrid_names() -> list[CaseName]:
    """Those of `case_names`, and with gaps and noise in the data."""
    return [
        *case_names(),
        *(
            CaseName(e, "convnet", "float64", batch_norm=False, observed=initial)
            for e, initial in (("burgers", "known"), ("advection", "nearest"))
        ),
    ]


def _pairs(case: HybridCase) -> list[tuple[str, Recording, Recording]]:
    """What is compared with what, and what is added to the name for it."""
    candidate, control = case.candidate_run, case.control_run
    if not case.has_reference:
        return [("", candidate, control)]
    return [
        ("", candidate, control),
        (", candidate beside the reference", candidate, case.reference_run),
        (", control beside the reference", control, case.reference_run),
    ]


def handover_rung(case: HybridCase) -> Findings:
    """What each model hands to the other in two cycles, and in which order."""
    for whom, actual, expected in _pairs(case):
        takers = [[taker for taker, _ in run.handed] for run in (actual, expected)]
        if takers[0] != takers[1]:
            hint = MISSING if len(takers[0]) < len(takers[1]) else HANDED
            yield failed(f"hand-overs{whom}", "exact", f"{hint}: {takers[0]}")
            continue
        for number, (taker, reference) in enumerate(expected.handed):
            values = actual.handed[number][1]
            before = case.control_run.handed[number][1]
            after = [run.handed[number][1] for run in case.nudged_runs]
            finding = compare(
                f"hand-over {number}, to the {taker} model{whom}",
                *(values, reference, reference),
                factor=10,
                depth=case.depth * _OF_A_LOSS,
                again=_moved(reference, before, after),
            )
            yield _named(case, finding, values, expected, number)


def _curves(case: HybridCase, where: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """A curve of the control, and of its runs that differ by rounding."""
    after = [run.curves[where] for run in case.nudged_runs]
    return case.control_run.curves[where], after


def _moved(
    expected: np.ndarray, before: np.ndarray, after: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """An array as rounding would move it, seen in the control (A/A)."""
    if before.shape != expected.shape:
        return []
    return [expected + (one - before) for one in after]


def _named(
    case: HybridCase,
    finding: Finding,
    values: np.ndarray,
    expected: Recording,
    number: int,
) -> Finding:
    if finding.verdict is not Verdict.FAILED:
        return finding
    taker, reference = expected.handed[number]
    if values.shape != reference.shape:
        others = [a.shape for whom, a in expected.handed if whom != taker]
        return replace(finding, hint=HANDED) if values.shape in others else finding

    def same_states() -> np.ndarray:
        starts = [case.initial_states(0)] * CYCLES
        return case.reference(starts).handed[number][1]

    wrong = {HANDED: lambda: reference[::-1], SAME_STATES: same_states}
    wrong |= of_cycles(case, lambda run: run.handed[number][1])
    return replace(finding, hint=diagnose(values, reference, wrong))


def cycles_rung(case: HybridCase) -> Findings:
    """Losses of both models in two cycles, and the parameters at the end."""
    for whom, actual, expected in _pairs(case):
        for where, reference in expected.curves.items():
            values = actual.curves[where]
            # A parameter has gone through one loss after the other.
            losses = CYCLES * ITERATIONS if where.endswith("at the end") else 1
            finding = compare(
                f"{where}{whom}",
                *(values, reference, reference),
                factor=10,
                depth=case.depth * _OF_A_LOSS * losses,
                again=_moved(reference, *_curves(case, where)),
            )
            # The reference has no validation.
            if where.startswith("validation"):
                yield finding
                continue
            wrong = of_cycles(case, lambda run, curve=where: run.curves[curve])
            wrong = {AVERAGED: lambda: _averaged(case), **wrong}
            yield named(finding, values, reference, wrong)


def _averaged(case: HybridCase) -> np.ndarray:
    epochs = case.reference_run.epochs
    return np.array([np.mean([loss for loss, _ in epoch]) for epoch in epochs])


def matters_rung(case: HybridCase) -> Findings:
    """Losses of both models with noise handed to one of them.

    They must change, whichever model gets it: its own by its term, the other's by what
    it is handed afterwards; and they must change equally on both sides.
    """
    clean = {"control": case.control_run, "candidate": case.candidate_run}
    for taker in LOSSES:
        noisy = {side: case.noisy_run(side, taker) for side in clean}
        for side, before in clean.items():
            changes = {}
            for model, curve in LOSSES.items():
                old, new = before.curves[curve], noisy[side].curves[curve]
                changes[model] = error_of(new, old, rms(old))
            # A taker that learned nothing else has nothing else to hand over.
            deaf = changes[taker] <= _NO_CHANGE
            for model, change in changes.items():
                where = f"noise to the {taker} model: {model} losses of the {side}"
                yield _must_change(where, change, IGNORED[taker if deaf else model])
        for model, curve in LOSSES.items():
            expected = noisy["control"].curves[curve]
            yield compare(
                f"noise to the {taker} model: {model} losses",
                *(noisy["candidate"].curves[curve], expected, expected),
                factor=10,
                depth=case.depth * _OF_A_LOSS,
                again=_moved(expected, *_curves(case, curve)),
            )


def _must_change(where: str, change: float, hint: str) -> Finding:
    rule = f"a change above {_NO_CHANGE:g}"
    if change > _NO_CHANGE:
        return Finding(Verdict.PASSED, _NO_CHANGE / change, 1.0, where, rule)
    return failed(where, rule, hint)


def _interacts(name: CaseName | RunCase) -> bool:
    """Whether the settings give what is handed over any weight."""
    if not isinstance(name, RunCase):
        return True
    trainer = name.settings.trainer
    weights = trainer.hybrid.weights
    both = weights.synthetic.interaction > 0 and weights.physical.interaction > 0
    return both and trainer.data_access == "both" and not trainer.hybrid.keep_best


LADDER = Ladder(
    "hybrid",
    hybrid_names(),
    HybridCase,
    (
        Rung("H1", "augmentation handed over", handover_rung),
        Rung("H2", "losses of two cycles", cycles_rung),
        Rung("H3", "noise handed over changes both losses", matters_rung, _interacts),
    ),
    faults=faults_of("hybrid"),
)
