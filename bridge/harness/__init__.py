"""Proves a pair of implementations equal; knows none of them.

Another project gives ladders (`Ladder`) and a table `[tool.bridge]` (`Project`).
"""

from bridge.harness.compare import (
    CEILINGS,
    Finding,
    Verdict,
    compare,
    error_of,
    exact,
    failed,
    not_judged,
    passed,
    rms,
)
from bridge.harness.diagnosis import Counterfactuals, diagnose, named, named_exactly
from bridge.harness.errors import HarnessError, load_object, write_file
from bridge.harness.ladder import (
    CaseResult,
    Fault,
    Findings,
    Ladder,
    Row,
    Rung,
    RungResult,
    exit_code,
    run_ladder,
    to_json,
)
from bridge.harness.project import Project

__all__ = [
    "CaseResult",
    "CEILINGS",
    "Counterfactuals",
    "Fault",
    "Finding",
    "Findings",
    "HarnessError",
    "Ladder",
    "Project",
    "Row",
    "Rung",
    "RungResult",
    "Verdict",
    "compare",
    "diagnose",
    "error_of",
    "exact",
    "exit_code",
    "failed",
    "load_object",
    "named",
    "named_exactly",
    "not_judged",
    "passed",
    "rms",
    "run_ladder",
    "to_json",
    "write_file",
]
