"""A comparison that is removed, weakened or can't fail is seen."""

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bridge.harness import (
    Finding,
    HarnessError,
    Ladder,
    Project,
    Verdict,
    compare,
    exact,
    passed,
    run_ladder,
)
from bridge.harness.comparisons import defects, keep, kept, proved_text
from bridge.harness.proving import proving
from tests.bridge.harness import toy

Change = Callable[[Finding], Finding]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that keeps the comparisons of the toy ladder."""
    found = Project(tmp_path, {"comparisons": "kept", "evidence": "evidence"})
    keep(found, "toy", [run_ladder(toy.LADDER, case) for case in toy.LADDER.cases])
    return found


def changed(rung: str, run: Callable[..., object] | None) -> Ladder:
    """The toy ladder with another rung, or without it."""
    rungs = [r for r in toy.LADDER.rungs if r.name != rung or run is not None]
    rungs = [replace(r, run=run) if r.name == rung else r for r in rungs]
    return replace(toy.LADDER, rungs=tuple(rungs))


def found_in(project: Project, ladder: Ladder) -> list[str]:
    """Defects of a ladder that passes."""
    results = [run_ladder(ladder, case) for case in ladder.cases]
    assert all(r.verdict is Verdict.PASSED for r in results)
    return [*defects(project, "toy", results)]


def test_a_ladder_as_it_was_has_none(project: Project) -> None:
    assert found_in(project, toy.LADDER) == []
    assert kept(project, "toy") is not None


def test_a_removed_comparison_rung_or_case_is_seen(project: Project) -> None:
    assert found_in(project, changed("S2", None)) == [
        "11: S2 makes 0 comparisons, not 1",
        "S2: `count` is compared no more",
    ]
    fewer = replace(toy.LADDER, cases=(11,))
    assert found_in(project, fewer) == [
        "1 cases are gone: 13",
        "S1: `sum` is compared 1 times, not 2",
    ]


def test_another_comparison_in_its_place_is_seen(project: Project) -> None:
    one = np.array([1.0])
    defects_of = found_in(project, changed("S2", lambda _: [exact("other", one, one)]))
    assert defects_of[0] == "11: S2 compares other things than it did"


def test_a_limit_times_a_thousand_is_seen(project: Project) -> None:
    def loose(sides: toy.Sides) -> list[Finding]:
        actual, expected = sides.candidate(), sides.control()
        depth = len(sides.numbers) * 1e6
        return [compare("sum", actual, expected, expected, factor=2, depth=depth)]

    (defect,) = found_in(project, changed("S1", loose))
    assert "has the limit" in defect and "looser than" in defect


def test_an_exact_comparison_that_is_one_no_more_is_seen(project: Project) -> None:
    def rough(sides: toy.Sides) -> list[Finding]:
        one = np.array([1.0])
        return [compare("count", one, one, one, factor=2, depth=1)]

    (defect,) = found_in(project, changed("S2", rough))
    assert "`count` has the limit" in defect


def test_a_comparison_that_only_says_so_is_seen(project: Project) -> None:
    (defect,) = found_in(project, changed("S2", lambda _: [passed("count")]))
    assert defect == "S2: 1 of 1 comparisons of `count` pass whatever they are given"


def test_a_comparison_that_can_not_fail_is_seen(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge itself is broken: whatever it gets is equal."""
    # The package has a function of the module's name.
    module = importlib.import_module("bridge.harness.compare")
    monkeypatch.setattr(module, "_exactly", lambda where, *_: passed(where))
    (defect,) = found_in(project, toy.LADDER)
    assert defect == "S2: 1 of 1 comparisons of `count` pass whatever they are given"


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
def test_every_number_is_proved_at_ten_limits(dtype: str) -> None:
    values = np.random.default_rng(0).standard_normal(50).astype(dtype) * 1e3
    with proving() as proofs:
        assert compare("x", values, values, values, factor=2, depth=1).margin == 0
        exact("y", values, values)
        exact("words", np.array(["a", "b"]), np.array(["a", "b"]))
        exact("flags", np.array([True]), np.array([True]))
    assert proofs.proved == {"x": 1, "y": 1, "words": 1, "flags": 1}
    assert not proofs.unproved


def test_what_is_proved_is_said() -> None:
    results = [run_ladder(toy.LADDER, case) for case in toy.LADDER.cases]
    assert proved_text(results) == "3/3 comparisons proved"


def test_a_damaged_table_is_refused(project: Project) -> None:
    file = project.folder("comparisons") / "toy.json"
    for text in ("{", "[]", "{}", '{"cases": 1, "rungs": {}}'):
        file.write_text(text)
        with pytest.raises(HarnessError, match=r"can't be read .* verify toy --keep"):
            kept(project, "toy")
