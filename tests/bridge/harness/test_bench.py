"""Timing, verdicts and baselines of any pair, and what `bench` refuses."""

import argparse
import ast
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.harness.bench_baseline import compared, save
from bridge.harness.bench_case import BenchError, Case, Subject
from bridge.harness.bench_command import BenchCommand, Report
from bridge.harness.bench_pairs import Pair, Speed, judge, pairs_of
from bridge.harness.bench_table import WIDTH, table
from bridge.harness.bench_timing import Ratio, paired, timed_in_turn
from bridge.harness.words import Words
from tests.helpers import ROOT

MACHINE = {"processor": "Abacus 2000", "cores": "2"}


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
    assert all(len(line) <= WIDTH for line in table(case, [pair]))


_PAIR = Pair("step", "phiml", _ratio(1.5, 1.4, 1.6), Speed.FASTER, True)


def test_without_a_baseline_it_says_how_to_make_one(tmp_path: Path) -> None:
    [line] = compared(tmp_path / "bench.json", [_PAIR], MACHINE)
    assert line.startswith("no baseline yet") and "--save" in line


def test_a_baseline_of_another_machine_is_not_compared(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    save(path, [_PAIR], MACHINE)
    stored = json.loads(path.read_text())
    stored["machine"]["processor"] = "Abacus 3000"
    path.write_text(json.dumps(stored))
    [line] = compared(path, [_PAIR], MACHINE)
    assert "another machine (processor Abacus 3000)" in line
    assert "not compared" in line


def test_a_baseline_tells_better_from_worse(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    save(path, [_PAIR], MACHINE)
    now = [
        Pair("step", "phiml", _ratio(2.0, 1.9, 2.1), Speed.FASTER, True),
        Pair("step", "phiml", _ratio(1.55, 1.45, 1.65), Speed.FASTER, True),
        Pair("step", "phiml", _ratio(1.1, 1.0, 1.2), Speed.EQUAL, True),
        Pair("step", "other", _ratio(1.1, 1.0, 1.2), Speed.EQUAL, True),
    ]
    words = [
        line.rsplit(", ")[-1].split(": ")[-1] for line in compared(path, now, MACHINE)
    ]
    assert words == ["better", "as before", "worse", "not in the baseline"]


def test_a_torn_baseline_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text('{"machine": ')
    with pytest.raises(BenchError, match="can't be read.*--save"):
        compared(path, [_PAIR], MACHINE)


def test_a_baseline_without_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="can't be written.*another file"):
        save(tmp_path / "file" / "bench.json", [_PAIR], MACHINE)


def _command(cases: Sequence[Case], *words: str, **options: Any) -> int:
    """Runs the command with its arguments in words."""
    command = BenchCommand({case.name: case for case in cases}, **options)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rounds", "3"], "`--rounds` is 3; a verdict needs at least 7"),
        (["--only", "nonsense"], "no case of the profile fast has `nonsense`"),
    ],
)
def test_the_command_refuses_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _command([_case(True, [])], *words) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_words_have_cases_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    """In place of all others; refused where there are none."""
    asked: list[Words] = []
    calls: list[str] = []

    def cases(words: Words) -> Mapping[str, Case]:
        asked.append(words)
        return {"twins": _case(True, calls)}

    given = Words("mine.yaml", ("rate=2",))
    command = BenchCommand({"slow": _case(False, calls)}, words=cases)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    options = parser.parse_args(["--rounds", "7"])
    assert command.run(options, given) in (0, 1)
    assert asked == [given] and "twins: legacy takes" in capsys.readouterr().out
    assert replace(command, words=None).run(options, given) == 2
    assert "`mine.yaml rate=2`: these cases take no" in capsys.readouterr().err


def test_the_command_needs_nothing_but_cases(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Any project's pair: no machine, no evidence, no reports."""
    calls: list[str] = []
    assert _command([_case(True, calls)], "--rounds", "7") in (0, 1)
    assert "1 judged pairs: 1 " in capsys.readouterr().out
    assert _command([_case(False, calls)], "--rounds", "7") == 2


def test_the_command_saves_and_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "bench.json")
    words = ("--rounds", "7", "--save", file)
    _command([_case(True, [])], *words, facts=lambda: MACHINE)
    assert json.loads(Path(file).read_text())["machine"] == MACHINE
    words = ("--rounds", "7", "--compare", file)
    _command([_case(True, [])], *words, facts=lambda: MACHINE)
    assert "twins phiml: " in capsys.readouterr().out


def test_a_report_is_an_option_and_times_no_case(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[str] = []
    reports = {"lines": Report("what it tells", lambda: ["one", "two"])}
    assert _command([_case(True, calls)], "--lines", reports=reports) == 0
    assert capsys.readouterr().out.endswith("one\ntwo\n")
    assert not calls


def test_identical_code_gives_no_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    def build(folder: Path) -> Subject:
        array = np.ones(20_000)
        run = lambda: np.linalg.norm(array)  # noqa: E731
        return Subject(run, lambda: {"x": array}, {"samples": 1})

    case = Case("twins", "group", {"legacy": build, "phiml": build}, (), 0.0, calls=50)
    _command([case], "--rounds", "7", "--identical", "2")
    assert "in 2 comparisons of identical code" in capsys.readouterr().out


def test_the_engine_imports_no_pipeline_and_no_framework() -> None:
    """What another project installs, and what asv takes to older commits."""
    allowed = {"numpy", "bridge", *sys.stdlib_module_names}
    files = sorted((ROOT / "bridge" / "harness").glob("bench_*.py"))
    assert len(files) > 5
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [getattr(node, "module", None) or ""]
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert {n.split(".")[0] for n in names} <= allowed, file.name
                ours = [n for n in names if n.startswith("bridge")]
                assert all(n.startswith("bridge.harness.bench_") for n in ours)
