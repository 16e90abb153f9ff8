"""Plants every fault and sees that the ladder finds it, by name, and nothing else."""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch

import bridge._factories as factories
from bridge.verify._cases import Case, case_names
from bridge.verify._compare import Verdict
from bridge.verify._ladder import climb
from experiment.system import UserError

AA_RUNS = 50


@dataclass(frozen=True)
class Caught:
    """How one planted fault fared."""

    name: str
    rung: str
    seen: str
    caught: bool
    margin: float


def planted_faults() -> tuple[Any, ...]:
    """The faults in `tests/planted/`; loaded by name, as no part of the bridge.

    Raises:
        UserError: The folder is not there.
    """
    try:
        return importlib.import_module("tests.planted").FAULTS
    except ModuleNotFoundError as error:
        raise UserError(
            "the planted faults are in `tests/planted/`, which is not here; run the"
            " self-test in the project's folder."
        ) from error


def plant_all(report: Callable[[Caught], None]) -> list[Caught]:
    """Plants each fault in turn, in the candidate, and climbs the ladder."""
    results = []
    for fault in planted_faults():
        with fault.plant():
            result = fault.climb(fault.case).first_failure
        if result is None or result.worst is None:
            caught = Caught(fault.name, fault.rung, "nothing", False, 0.0)
        else:
            hint = result.worst.hint
            right = result.rung == fault.rung and fault.name in hint
            seen = f"{result.rung}: {hint or 'no name'}"
            margin = result.worst.margin
            if result.verdict is Verdict.NOT_JUDGED or math.isnan(margin):
                margin = math.inf
            caught = Caught(fault.name, fault.rung, seen, right, margin)
        results.append(caught)
        report(caught)
    return results


def false_alarms(runs: int = AA_RUNS) -> int:
    """How often the ladder fails when the control is judged beside its own copy."""

    def copy(case: Case) -> torch.nn.Module:
        return factories.build_legacy_model(case.settings)

    names = case_names()
    alarms = 0
    with patch.object(Case, "build_candidate", copy):
        for run in range(runs):
            alarms += climb(names[run % len(names)]).verdict is not Verdict.PASSED
    return alarms
