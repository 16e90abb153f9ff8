"""The ladders: no false alarm, and every fault at its rung under its name."""

from collections.abc import Iterator

import pytest

from bridge.harness import Ladder, Project, Verdict, comparisons, exit_code
from bridge.harness.apart import Apart
from bridge.ladders import LADDERS
from tests.helpers import ROOT

EVERY = [Project.find(ROOT).ladder(name) for name in LADDERS]
RUNGS = {
    "step1": ["R0", "R1", "R2", "R3", "R4", "R5"],
    "step2": ["R4", "R6", "R7", "R9"],
    "step3": ["R8", "R9"],
    "physics": ["P1", "P2", "P3", "P4"],
    "hybrid": ["H1", "H2", "H3"],
    "run": ["E0", "G1", "E1"],
}
#: Of the cases each so-many-th; `python -m bridge verify all` takes all of them.
EVERY_CASE = {"step2": 3, "physics": 4, "hybrid": 5, "run": 9}
#: Of the faults each so-many-th; `python -m bridge selftest` plants all of them.
EVERY_FAULT = {"step2": 6, "physics": 12, "hybrid": 24, "run": 12}
CASES = [
    pytest.param(x, i, id=f"{x.name}-{c}")
    for x in EVERY
    for i, c in enumerate(x.cases)
    if i % EVERY_CASE.get(x.name, 1) == 0
]
FAULTS = [
    pytest.param(x, i, id=f"{x.name}-{f.name}{f.where and ' in the loop'}")
    for x in EVERY
    for i, f in enumerate(x.faults())
    if i % EVERY_FAULT.get(x.name, 3) == 0
]


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    """Else what torch traced would fill the memory of the tests."""
    with Apart(Project.find(ROOT)) as process:
        yield process


def test_the_registry_names_each_ladder_as_it_names_itself() -> None:
    assert [ladder.name for ladder in EVERY] == list(LADDERS)


@pytest.mark.parametrize(("ladder", "case"), CASES)
def test_every_case_passes_every_rung(apart: Apart, ladder: Ladder, case: int) -> None:
    result = apart.run(ladder.name, case=case)
    assert result.verdict is Verdict.PASSED, [r.line() for r in result.rungs]
    # Training in float32 is judged elsewhere.
    single = ladder.name == "step3" and ladder.cases[case].precision == "float32"
    assert [r.rung for r in result.rungs] == RUNGS[ladder.name][: 1 if single else None]
    assert all(r.comparisons for r in result.rungs)
    kept = comparisons.kept(Project.find(ROOT), ladder.name)
    assert kept is not None and result.case in kept["cases"]
    assert [*comparisons.case_defects(kept, result)] == []
    assert [*comparisons.unproved(kept, result)] == []


@pytest.mark.parametrize(("ladder", "fault"), FAULTS)
def test_every_planted_fault_is_found_at_its_rung_under_its_name(
    apart: Apart, ladder: Ladder, fault: int
) -> None:
    expected = ladder.faults()[fault]
    assert expected.case in ladder.cases
    result = apart.plant(ladder.name, fault=fault)
    failure = result.first_failure
    assert failure is not None and failure.worst is not None
    assert failure.rung == expected.rung, failure.line()
    assert expected.name in failure.worst.hint, failure.line()
    assert expected.where in failure.worst.where
    after = result.rungs[result.rungs.index(failure) + 1 :]
    assert {r.verdict for r in after} <= {Verdict.NOT_RUN}
    assert exit_code([result]) in (1, 2)


def test_the_shared_loop_is_judged_by_the_reference_alone() -> None:
    """Faults that both sides have make no difference between them."""
    shared = [f for x in EVERY for f in x.faults() if f.where]
    rungs = {"R7", "R8", "R9", "P1", "P3", "H1", "H2"}
    assert len(shared) >= 4 and {f.rung for f in shared} == rungs
