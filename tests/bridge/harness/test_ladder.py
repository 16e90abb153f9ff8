"""Running a ladder: rungs in order, and nothing green that wasn't judged."""

import json
import math

import numpy as np

from bridge.harness import (
    Findings,
    Ladder,
    Rung,
    Verdict,
    exit_code,
    failed,
    not_judged,
    passed,
    run_ladder,
    to_json,
)
from tests.bridge.harness import toy


def ladder(*findings: Findings) -> Ladder:
    rungs = [Rung(f"T{i}", "x", lambda _, f=f: f) for i, f in enumerate(findings)]
    return Ladder("test", ("case",), lambda _: None, rungs)


def test_every_rung_that_applies_is_run() -> None:
    results = [run_ladder(toy.LADDER, size) for size in toy.LADDER.cases]
    assert [[r.rung for r in result.rungs] for result in results] == [
        ["S1", "S2"],
        ["S1"],
    ]
    assert all(r.comparisons == 1 for result in results for r in result.rungs)
    assert exit_code(results) == 0


def test_rungs_above_a_failure_are_not_run() -> None:
    result = run_ladder(ladder([failed("a", "exact", "wrong")], [passed("b")]), "case")
    assert [r.verdict for r in result.rungs] == [Verdict.FAILED, Verdict.NOT_RUN]
    first = result.first_failure
    assert first is not None and first.rung == "T0"
    assert first.line() == "  T0 FAIL inf of 0.0e+00 (exact) a  <- wrong"
    assert result.rungs[1].line() == "  T1 not run: a rung below did not pass"
    assert result.verdict is Verdict.FAILED and exit_code([result]) == 1


def test_an_exception_is_a_failure_with_its_words() -> None:
    result = run_ladder(toy.BROKEN, 1)
    worst = result.rungs[0].worst
    assert result.verdict is Verdict.FAILED and worst is not None
    assert worst.hint == "raised ToyError: the toy is broken"


def test_nothing_compared_and_nothing_run_are_no_pass() -> None:
    assert exit_code([run_ladder(toy.EMPTY, 1)]) == 2
    assert exit_code([]) == 2


def test_what_cannot_be_judged_outranks_a_failure() -> None:
    findings = [failed("a", "exact", "wrong"), not_judged("b", "NaN on both sides")]
    result = run_ladder(ladder(findings), "case")
    assert result.verdict is Verdict.NOT_JUDGED and exit_code([result]) == 2
    worst = result.rungs[0].worst
    assert worst is not None and math.isnan(worst.error)


def test_a_named_failure_is_shown_before_a_larger_one() -> None:
    named = toy.compare(
        "small", np.ones(2) * 1.1, np.ones(2), np.ones(2), factor=1, depth=1
    )
    findings = [failed("large", "exact"), failed("b", "exact", "name"), named]
    worst = run_ladder(ladder(findings), "case").rungs[0].worst
    assert worst is not None and worst.where == "b"


def test_json_has_the_same_facts() -> None:
    rows = json.loads(to_json([run_ladder(toy.LADDER, 11)]))
    assert [(r["ladder"], r["case"], r["verdict"]) for r in rows] == [
        ("toy", "11", "pass")
    ]
    (first, _) = rows[0]["rungs"]
    assert first["rung"] == "S1" and first["worst"]["error"] < first["worst"]["limit"]
    failing = json.loads(to_json([run_ladder(toy.BROKEN, 1)]))
    assert failing[0]["rungs"][0]["worst"]["error"] is None
