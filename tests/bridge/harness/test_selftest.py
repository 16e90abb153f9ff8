"""The self-test: a fault counts only at its rung, under its name, at its place."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bridge.harness import Project, Verdict
from bridge.harness.apart import Apart
from bridge.harness.ladder import run_ladder
from bridge.harness.selftest import (
    Trace,
    elsewhere,
    false_alarms,
    plant,
    to_json,
)
from tests.bridge.harness import toy
from tests.helpers import ROOT


def test_a_fault_is_caught_at_its_rung_under_its_name() -> None:
    result = plant(toy.LADDER, toy.FAULT)
    assert result.caught and result.margin > 1e6
    assert result.lines() == "caught  S1  doubled"


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (replace(toy.FAULT, rung="S2"), "S1: doubled, sum"),
        (replace(toy.FAULT, name="halved"), "S1: doubled, sum"),
        (replace(toy.FAULT, where="elsewhere"), "S1: doubled, sum"),
        (replace(toy.FAULT, plant=toy.planted(lambda x: x)), "nothing"),
        (replace(toy.FAULT, plant=toy.planted(lambda x: x + 1)), "S1: no name, sum"),
    ],
)
def test_a_fault_that_is_reported_otherwise_is_missed(
    fault: toy.Fault, seen: str
) -> None:
    caught = plant(toy.LADDER, fault)
    assert not caught.caught and caught.seen.startswith(seen)
    assert caught.lines().startswith(f"MISSED  {fault.rung}  {fault.name}\n")


def test_what_cannot_be_judged_has_an_infinite_margin() -> None:
    fault = replace(
        toy.FAULT, name="", plant=toy.planted(lambda x: x[:0].astype(np.float32))
    )
    assert plant(toy.LADDER, fault).margin == np.inf


def test_a_row_of_json_says_where_a_fault_shows_and_how_far_over_the_limit() -> None:
    other = replace(
        toy.FAULT, name="", plant=toy.planted(lambda x: x[:0].astype(np.float32))
    )
    rows = json.loads(to_json([plant(toy.LADDER, toy.FAULT), plant(toy.LADDER, other)]))
    named = {k: rows[0][k] for k in ("name", "rung", "case", "caught")}
    assert named == {
        "name": toy.DOUBLED,
        "rung": "S1",
        "case": str(toy.FAULT.case),
        "caught": True,
    }
    assert rows[0]["margin"] > 1e6
    # JSON has no word for infinity.
    assert rows[1]["margin"] is None


def test_false_alarms_are_counted() -> None:
    assert false_alarms(toy.LADDER, 5) == 0
    noisy = replace(toy.LADDER, control_twice=toy.planted(lambda x: x + 1))
    assert false_alarms(noisy, 5) == 5
    assert false_alarms(replace(toy.LADDER, control_twice=None), 5) == 0


def test_a_ladder_runs_in_a_process_of_its_own_that_is_replaced() -> None:
    name = "tests.bridge.harness.toy:LADDER"
    with Apart(Project.find(ROOT), tasks=1) as apart:
        found = apart.plant(name, fault=0)
        clean = apart.run(name, case=0)
    assert found.first_failure is not None
    assert found.first_failure.rung == toy.FAULT.rung
    assert clean.verdict is Verdict.PASSED


TRACES = {
    Trace.CAUGHT: lambda x: 2 * x,
    Trace.OTHERWISE: lambda x: 3 * x,
    Trace.NONE: lambda x: x,
    Trace.MISSED: lambda x: x * (1 + 4e-16),
}


@pytest.mark.parametrize("trace", TRACES)
def test_what_a_fault_left_in_a_case_of_words(trace: Trace) -> None:
    """A number that moves within its limit is missed; one that doesn't, unused."""
    without = run_ladder(toy.LADDER, 13)
    with toy.planted(TRACES[trace])():
        found = elsewhere(toy.FAULT, run_ladder(toy.LADDER, 13), without)

    assert found.trace is trace
    assert found.lines().startswith(trace.value)
    assert ("S1: sum" in found.seen) is (trace is Trace.MISSED)


def test_a_fault_without_a_place_says_why() -> None:
    without = run_ladder(toy.LADDER, 13)

    found = elsewhere(toy.FAULT, "AttributeError: no block", without)

    assert found.lines() == (
        "no place  S1  doubled\n          AttributeError: no block"
    )
