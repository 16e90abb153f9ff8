"""Climbs the rungs in order; a rung runs only if those below it pass."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.verify._cases import (
    ARCHITECTURES,
    EXPERIMENTS,
    PRECISIONS,
    Case,
    CaseName,
)
from bridge.verify._compare import Finding, Verdict
from bridge.verify._data_cases import DataCase
from bridge.verify._data_rungs import DATA_RUNGS
from bridge.verify._rungs import RUNGS, Rung
from bridge.verify._training_cases import TrainingCase
from bridge.verify._training_rungs import TRAINING_RUNGS


@dataclass(frozen=True)
class RungResult:
    """What a rung found in one case; `worst` is None if it was not run."""

    rung: str
    compares: str
    verdict: Verdict
    comparisons: int
    worst: Finding | None

    def line(self) -> str:
        """One line: rung, verdict, worst error, its limit, where, hint."""
        if self.worst is None:
            return f"  {self.rung} {self.verdict.value}: a rung below did not pass"
        worst = self.worst
        numbers = "" if math.isnan(worst.error) else f" {_short(worst)}"
        hint = f"  <- {worst.hint}" if worst.hint else ""
        return f"  {self.rung} {self.verdict.value:<4}{numbers} {worst.where}{hint}"


def _short(worst: Finding) -> str:
    rule = "floor" if worst.rule.startswith("8 eps") else worst.rule
    return f"{worst.error:.1e} of {worst.limit:.1e} ({rule})"


@dataclass(frozen=True)
class CaseResult:
    """What the ladder found in one case."""

    case: str
    rungs: Sequence[RungResult]

    @property
    def verdict(self) -> Verdict:
        """The first verdict that is no pass, or pass."""
        for rung in self.rungs:
            if rung.verdict is not Verdict.PASSED:
                return rung.verdict
        return Verdict.PASSED

    @property
    def first_failure(self) -> RungResult | None:
        """The first rung that did not pass."""
        return next((r for r in self.rungs if r.verdict is not Verdict.PASSED), None)


def climb(name: CaseName) -> CaseResult:
    """Runs every rung of the models, R0 to R5, up to the first that does not pass."""
    return _climbed(str(name), Case(name), RUNGS)


def climb_training(name: CaseName) -> CaseResult:
    """Runs every rung of the trainers, up to the first that does not pass."""
    return _climbed(f"training-{name}", TrainingCase(name), TRAINING_RUNGS)


def climb_data(name: CaseName) -> CaseResult:
    """Runs every rung of the data pipelines, up to the first that does not pass."""
    # Training through bf16 or float32 is judged by the ladders of models and trainers.
    rungs = DATA_RUNGS if name.precision == "float64" else DATA_RUNGS[:1]
    label = f"data-{name.experiment}-{name.precision}"
    return _climbed(label, DataCase(name), rungs)


def climb_physics(name: CaseName) -> CaseResult:
    """Runs every rung of the physical models, up to the first that does not pass."""
    return _physics(name, "physics")


def climb_hybrid(name: CaseName) -> CaseResult:
    """Runs every rung of the hybrid training, up to the first that does not pass."""
    return _physics(name, "hybrid")


def _physics(name: CaseName, what: str) -> CaseResult:
    # PhiFlow takes seconds to import; the other ladders do without.
    from bridge.verify._physics_cases import PhysicsCase
    from bridge.verify._physics_rungs import HYBRID_RUNGS, PHYSICS_RUNGS

    rungs = PHYSICS_RUNGS if what == "physics" else HYBRID_RUNGS
    return _climbed(f"{what}-{name.experiment}", PhysicsCase(name), rungs)


def physics_case_names() -> list[CaseName]:
    """Every case of physics and hybrid training, in float64."""
    return [CaseName(e, "convnet", "float64", batch_norm=False) for e in EXPERIMENTS]


def data_case_names() -> list[CaseName]:
    """Every case of the data pipelines."""
    return [
        CaseName(experiment, "convnet", precision, batch_norm=False)
        for experiment in EXPERIMENTS
        for precision in PRECISIONS
    ]


def training_case_names() -> list[CaseName]:
    """Every case of the trainers, in float64."""
    names = [CaseName(e, a, "float64") for e in EXPERIMENTS for a in ARCHITECTURES]
    return [*names, CaseName("burgers", "unet", "float64", batch_norm=False)]


def _climbed(name: str, case: Any, rungs: Sequence[Rung]) -> CaseResult:
    results: list[RungResult] = []
    stopped = False
    for rung in rungs:
        if stopped:
            results.append(
                RungResult(rung.name, rung.compares, Verdict.NOT_RUN, 0, None)
            )
            continue
        try:
            findings = list(rung.climb(case))
        except Exception as error:  # the candidate's errors are findings
            findings = [_raised(rung.name, error)]
        result = _judged(rung.name, rung.compares, findings)
        results.append(result)
        stopped = result.verdict is not Verdict.PASSED
    return CaseResult(name, results)


def _raised(rung: str, error: Exception) -> Finding:
    hint = f"raised {type(error).__name__}: {error}"
    return Finding(Verdict.FAILED, math.inf, 0.0, rung, "no exception", hint)


def _judged(name: str, compares: str, findings: list[Finding]) -> RungResult:
    """The rung's verdict; nothing compared is no pass."""
    if not findings:
        nothing = Finding(
            Verdict.NOT_JUDGED, math.nan, math.nan, "nothing was compared", "structure"
        )
        return RungResult(name, compares, Verdict.NOT_JUDGED, 0, nothing)
    for verdict in (Verdict.NOT_JUDGED, Verdict.FAILED):
        bad = [f for f in findings if f.verdict is verdict]
        if bad:
            # A fault with a name says more than the largest error.
            worst = max(bad, key=lambda f: (bool(f.hint), _margin(f)))
            return RungResult(name, compares, verdict, len(findings), worst)
    worst = max(findings, key=_margin)
    return RungResult(name, compares, Verdict.PASSED, len(findings), worst)


def _margin(finding: Finding) -> float:
    return 0.0 if math.isnan(finding.error) else finding.margin


def exit_code(results: Sequence[CaseResult]) -> int:
    """0 all pass, 1 a numeric failure, 2 could not be judged or nothing was run."""
    verdicts = {r.verdict for r in results}
    if Verdict.FAILED in verdicts:
        return 1
    return 0 if verdicts == {Verdict.PASSED} else 2


def as_json(results: Sequence[CaseResult]) -> str:
    """The same facts as the lines."""

    def finding(worst: Finding | None) -> dict[str, Any] | None:
        if worst is None:
            return None
        return {
            "error": None if not math.isfinite(worst.error) else worst.error,
            "limit": None if not math.isfinite(worst.limit) else worst.limit,
            "where": worst.where,
            "rule": worst.rule,
            "hint": worst.hint,
        }

    rows = [
        {
            "case": result.case,
            "verdict": result.verdict.value,
            "rungs": [
                {
                    "rung": r.rung,
                    "verdict": r.verdict.value,
                    "comparisons": r.comparisons,
                    "worst": finding(r.worst),
                }
                for r in result.rungs
            ],
        }
        for result in results
    ]
    return json.dumps(rows, indent=2) + "\n"
