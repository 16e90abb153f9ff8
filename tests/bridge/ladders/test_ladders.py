"""The ladders: no false alarm, and every fault at its rung under its name."""

from typing import Any

import pytest

from bridge.harness import Ladder, Project, Verdict, exit_code, run_ladder
from bridge.ladders import LADDERS
from tests.helpers import ROOT

EVERY = [Project.find(ROOT).ladder(name) for name in LADDERS]
RUNGS = {
    "step1": ["R0", "R1", "R2", "R3", "R4", "R5"],
    "step2": ["R4", "R6", "R7", "R9"],
    "step3": ["R8", "R9"],
    "physics": ["P1", "P2", "P3", "P4"],
    "hybrid": ["H1", "H2", "H3"],
}
CASES = [pytest.param(x, c, id=f"{x.name}-{c}") for x in EVERY for c in x.cases]
FAULTS = [
    pytest.param(x, f, id=f"{x.name}-{f.name}{f.where and ' in the loop'}")
    for x in EVERY
    for f in x.faults()
]


def test_the_registry_names_each_ladder_as_it_names_itself() -> None:
    assert [ladder.name for ladder in EVERY] == list(LADDERS)


@pytest.mark.parametrize(("ladder", "case"), CASES)
def test_every_case_passes_every_rung(ladder: Ladder, case: Any) -> None:
    result = run_ladder(ladder, case)
    assert result.verdict is Verdict.PASSED, [r.line() for r in result.rungs]
    # Training in float32 is judged elsewhere.
    single = ladder.name == "step3" and case.precision == "float32"
    assert [r.rung for r in result.rungs] == RUNGS[ladder.name][: 1 if single else None]
    assert all(r.comparisons for r in result.rungs)


@pytest.mark.parametrize(("ladder", "fault"), FAULTS)
def test_every_planted_fault_is_found_at_its_rung_under_its_name(
    ladder: Ladder, fault: Any
) -> None:
    assert fault.case in ladder.cases
    with fault.plant():
        result = run_ladder(ladder, fault.case)
    failure = result.first_failure
    assert failure is not None and failure.worst is not None
    assert failure.rung == fault.rung, failure.line()
    assert fault.name in failure.worst.hint, failure.line()
    assert fault.where in failure.worst.where
    after = [r.verdict for r in result.rungs if r.rung > fault.rung]
    assert set(after) <= {Verdict.NOT_RUN}
    assert exit_code([result]) in (1, 2)


def test_the_shared_loop_is_judged_by_the_reference_alone() -> None:
    """Faults that both sides have make no difference between them."""
    shared = [f for x in EVERY for f in x.faults() if f.where]
    rungs = {"R7", "R8", "R9", "P3", "H1", "H2"}
    assert len(shared) >= 4 and {f.rung for f in shared} == rungs
