"""What `python -m bridge bench` says, and what it refuses to say."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import bench
from benchmarks._baseline import compared, save
from benchmarks._case import Case, Subject
from benchmarks._code import code_lines
from benchmarks._interleaved import Ratio, paired, timed_in_turn
from benchmarks._pairs import Pair, Speed, judge, pairs_of
from experiment.system import UserError


def _ratio(median: float, low: float, high: float) -> Ratio:
    return Ratio(median, low, high, (1.0, 1.0 / median), 15)


@pytest.mark.parametrize(
    ("ratio", "speed"),
    [
        (_ratio(1.5, 1.4, 1.6), Speed.FASTER),
        (_ratio(1.1, 1.04, 1.2), Speed.INCONCLUSIVE),
        (_ratio(1.0, 0.97, 1.03), Speed.EQUAL),
        (_ratio(1.0, 0.7, 1.4), Speed.INCONCLUSIVE),
        (_ratio(0.93, 0.9, 0.97), Speed.INCONCLUSIVE),
        (_ratio(0.8, 0.7, 0.9), Speed.SLOWER),
    ],
)
def test_a_verdict_is_of_the_whole_interval(ratio: Ratio, speed: Speed) -> None:
    assert judge(ratio) is speed


def test_the_interval_of_paired_ratios_leaves_common_noise_out() -> None:
    """Both sides twice as slow in some rounds: every ratio is still exactly 3."""
    load = np.array([1.0, 2.0, 1.0, 5.0, 1.0, 1.0, 3.0])
    ratio = paired(3 * load, load)
    assert (ratio.median, ratio.low, ratio.high) == (3.0, 3.0, 3.0)


def test_fewer_rounds_than_a_verdict_needs_are_refused() -> None:
    with pytest.raises(ValueError, match="`rounds` is 6; expected at least 7"):
        paired(np.ones(6), np.ones(6))
    options = argparse.Namespace(rounds=3)
    with pytest.raises(UserError, match="`--rounds` is 3; a verdict needs at least 7"):
        bench.run(options)


def test_every_side_runs_in_every_round_and_none_always_first() -> None:
    seen: list[str] = []
    sides = {name: lambda name=name: seen.append(name) for name in "abc"}
    timed_in_turn(sides, rounds=6, calls=1, warm_up=0)
    rounds = [seen[i : i + 3] for i in range(0, 18, 3)]
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert {each[0] for each in rounds} == {"a", "b", "c"}


def _subject(outcome: Mapping[str, np.ndarray], calls: list[str], name: str) -> Any:
    return lambda folder: Subject(
        lambda: calls.append(name), lambda: outcome, {"samples": 1}
    )


def _case(right: bool, calls: list[str]) -> Case:
    same = {"x": np.ones(3)}
    other = same if right else {"x": np.array([1.0, 1.0, 1.1])}
    sides = {
        "legacy": _subject(same, calls, "legacy"),
        "phiml": _subject(other, calls, "phiml"),
    }
    return Case("twins", "group", sides, ("step1",), tolerance=1e-6)


def _proved(step: str) -> list[str]:
    return []


def test_a_case_whose_verification_fails_is_not_timed(tmp_path: Path) -> None:
    calls: list[str] = []
    [pair] = pairs_of(_case(False, calls), tmp_path, 7, _proved)
    assert pair.speed is Speed.NOT_COMPARABLE and pair.ratio is None
    assert "`x` is off by" in pair.reason
    assert "phiml" not in calls


def test_a_case_without_fresh_evidence_is_not_timed(tmp_path: Path) -> None:
    calls: list[str] = []
    stale: Callable[[str], list[str]] = lambda step: [f"{step} is stale"]  # noqa: E731
    [pair] = pairs_of(_case(True, calls), tmp_path, 7, stale)
    assert pair.speed is Speed.NOT_COMPARABLE and pair.reason == "step1 is stale"
    assert not calls


def test_a_verified_case_is_timed_on_both_sides(tmp_path: Path) -> None:
    calls: list[str] = []
    [pair] = pairs_of(_case(True, calls), tmp_path, 7, _proved)
    assert pair.ratio is not None and pair.ratio.rounds >= 7
    assert calls.count("legacy") >= 9 and calls.count("phiml") >= 9


def test_a_side_that_became_slower_fails(tmp_path: Path) -> None:
    """The planted fault: the same outcome, but a hundred times the work."""

    def side(repeats: int) -> Any:
        def build(folder: Path) -> Subject:
            def run() -> None:
                for _ in range(repeats):
                    np.linalg.norm(np.ones(10_000))

            return Subject(run, lambda: {"x": np.ones(3)}, {"samples": 1})

        return build

    sides = {"legacy": side(2), "phiml": side(200)}
    case = Case("slow", "group", sides, (), tolerance=0.0)
    [pair] = pairs_of(case, tmp_path, 7, _proved)
    assert pair.speed is Speed.SLOWER and pair.fails
    report = Case("slow", "group", sides, (), tolerance=0.0, gated=False)
    [pair] = pairs_of(report, tmp_path, 7, _proved)
    assert pair.speed is Speed.SLOWER and not pair.fails
    assert all(len(line) <= 80 for line in bench.table(case, [pair]))


_PAIR = Pair("step", "phiml", _ratio(1.5, 1.4, 1.6), Speed.FASTER, True)


def test_without_a_baseline_it_says_how_to_make_one(tmp_path: Path) -> None:
    [line] = compared(tmp_path / "bench.json", [_PAIR])
    assert line.startswith("no baseline yet") and "--save" in line


def test_a_baseline_of_another_machine_is_not_compared(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    save(path, [_PAIR])
    held = json.loads(path.read_text())
    held["machine"]["processor"] = "Abacus 3000"
    path.write_text(json.dumps(held))
    [line] = compared(path, [_PAIR])
    assert "another machine (processor Abacus 3000)" in line
    assert "not compared" in line


def test_a_baseline_tells_better_from_worse(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    save(path, [_PAIR])
    now = [
        Pair("step", "phiml", _ratio(2.0, 1.9, 2.1), Speed.FASTER, True),
        Pair("step", "phiml", _ratio(1.55, 1.45, 1.65), Speed.FASTER, True),
        Pair("step", "phiml", _ratio(1.1, 1.0, 1.2), Speed.EQUAL, True),
        Pair("step", "other", _ratio(1.1, 1.0, 1.2), Speed.EQUAL, True),
    ]
    words = [line.rsplit(", ")[-1].split(": ")[-1] for line in compared(path, now)]
    assert words == ["better", "as before", "worse", "not in the baseline"]


def test_a_torn_baseline_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text('{"machine": ')
    with pytest.raises(UserError, match="can't be read.*--save"):
        compared(path, [_PAIR])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "4"], "`--rounds` is 4; a verdict needs at least 7"),
        (["--only", "nonsense"], "no case of the profile fast has `nonsense`"),
    ],
)
def test_the_command_refuses_in_one_line(arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bridge", "bench", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}")


def test_code_lines_leave_out_what_is_no_code() -> None:
    source = '"""Module.\n\nText.\n"""\n\nimport os  # why\n\n# comment\n'
    source += 'def f():\n    """Doc."""\n    return [\n        os,\n    ]\n'
    assert code_lines(source) == 5
