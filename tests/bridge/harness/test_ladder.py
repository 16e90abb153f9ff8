"""Running a ladder: rungs in order, and nothing green that wasn't judged."""

import json
import math
from dataclasses import replace

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
    assert first.line() == "  FAIL  x [T0]: not equal, a <- wrong"
    assert result.rungs[1].line() == "  not run  x [T1]: a rung below did not pass"
    assert result.verdict is Verdict.FAILED and exit_code([result]) == 1


def test_a_line_says_what_was_compared_before_its_code() -> None:
    result = run_ladder(ladder([passed("a")]), "case").rungs[0]
    assert result.line() == "  pass  x [T0]: equal bit by bit"
    one = np.ones(3)
    finding = toy.compare(
        "loss of the roll-out, batch 3", one + 1e-15, one, one, factor=2, depth=4
    )
    text = run_ladder(ladder([finding]), "case").rungs[0].line()
    assert text.splitlines() == [
        "  pass  x [T0]: 1.1e-15 of 3.6e-15 (floor), loss of the roll-out, batch 3[0]"
    ]
    long = replace(finding, where=" ".join(["a long place"] * 12))
    lines = run_ladder(ladder([long]), "case").rungs[0].line().splitlines()
    assert len(lines) > 1 and all(len(line) <= 80 for line in lines)
    assert all(line.startswith(" " * 8) for line in lines[1:])


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
