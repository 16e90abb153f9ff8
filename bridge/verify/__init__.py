"""Proves both sides equal, rung by rung, and names what is not."""

from bridge.verify._cases import Case, CaseName, case_names
from bridge.verify._compare import Finding, Verdict, compare, exact
from bridge.verify._ladder import (
    CaseResult,
    RungResult,
    as_json,
    climb,
    climb_data,
    climb_hybrid,
    climb_physics,
    climb_training,
    data_case_names,
    exit_code,
    physics_case_names,
    training_case_names,
)

__all__ = [
    "Case",
    "CaseName",
    "CaseResult",
    "Finding",
    "RungResult",
    "Verdict",
    "as_json",
    "case_names",
    "climb",
    "climb_data",
    "climb_hybrid",
    "climb_physics",
    "climb_training",
    "compare",
    "data_case_names",
    "exact",
    "exit_code",
    "physics_case_names",
    "training_case_names",
]
