"""Compares the newest commit with the one before: `python -m benchmarks.asv.speed`.

A few cases of asv on both commits, each in the versions that it pins. What is not
committed isn't measured, but for the benchmarks themselves. Results stay in `.asv/`.
"""

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.asv.groups import RATIO

_CASES = "(step-unet-16|unet-forward-64-batch-8|loader-epoch)"
#: Which benchmarks run unless others are asked for; expressions as asv takes them.
BENCH = (
    rf"(time|track_ratio)\w+\('(legacy|phiml|step3)', '{_CASES}'",
    rf"track_same\w+\('(phiml|step3)', '{_CASES}'",
)
#: A smaller change of a ratio is called equal; wider than the ratio of the control to
#: itself is seen to be off 1.
BAND = 0.25
KEPT = Path(".asv")
MACHINE = "this-machine"


@dataclass(frozen=True)
class Row:
    """One figure of one side on both commits.

    nan where the commit lacks the side, infinite where the benchmark failed.
    """

    benchmark: str
    case: str
    side: str
    unit: str
    before: float
    after: float

    def change(self) -> str:
        """Whether the side became slower, which only a ratio to the control can say.

        Seconds of two processes differ by more than most changes do. The control is
        frozen, and was timed in turn with the side, so that their ratio stays.
        """
        if self.unit != RATIO:
            return ""
        if not math.isfinite(self.after) or not math.isfinite(self.before):
            return "-"
        change = self.after / self.before
        word = "equal" if abs(change - 1) < BAND else "slower"
        return f"{change:.2f} {'faster' if change >= 1 + BAND else word}"


def last_two() -> list[str]:
    """The newest commit and the one before.

    Raises:
        SystemExit: There are no two commits.
    """
    asked = ["git", "rev-parse", "--verify", "-q"]
    answers = [
        subprocess.run([*asked, f"{name}^{{commit}}"], capture_output=True, text=True)
        for name in ("HEAD", "HEAD~1")
    ]
    if any(answer.returncode for answer in answers):
        raise SystemExit(
            "`make speed` compares the newest commit with the one before, and this"
            " checkout has no two: commit what is to be compared; in a shallow clone,"
            " `git fetch --unshallow` first"
        )
    return [answer.stdout.strip() for answer in answers]


def measured(commits: list[str], bench: list[str]) -> list[Row]:
    """Runs asv on the commits, newest first, and reads its results."""
    # asv finds its benchmarks by importing every module of this folder, in an
    # environment that has no asv.
    from asv.commands.run import Run
    from asv.config import Config
    from asv.console import log
    from asv.machine import Machine, MachineCollection

    machine_file = str(KEPT / "machine.json")
    KEPT.mkdir(exist_ok=True)
    fields = {**Machine.get_defaults(), "machine": MACHINE}
    MachineCollection.save(MACHINE, fields, _path=machine_file)
    config: Any = Config.load("asv.conf.json")
    config.results_dir = str(KEPT / "speed")
    log.enable(False)
    given: dict[str, Any] = {}
    code = Run.run(
        config,
        range_spec=commits,
        bench=bench,
        machine=MACHINE,
        _machine_file=machine_file,
        _returns=given,
    )
    log.flush()
    if "benchmarks" not in given:
        raise SystemExit(code or 2)
    after, before = (_results(config, commit) for commit in commits)
    return list(_rows(given["benchmarks"], before, after))


def _results(config: Any, commit: str) -> list[Any]:
    from asv.results import Results

    folder = Path(config.results_dir) / MACHINE
    paths = sorted(folder.glob(f"{commit[: config.hash_length]}-*.json"))
    return [Results.load(str(path), MACHINE) for path in paths]


def _rows(benchmarks: Any, before: list[Any], after: list[Any]) -> Iterator[Row]:
    for name, benchmark in benchmarks.items():
        params = benchmark["params"]
        chosen = benchmarks.benchmark_selection[name]
        for number, (side, case) in enumerate(product(*params)):
            if number in chosen:
                old, new = (_value(r, name, params, number) for r in (before, after))
                if not (math.isnan(old) and math.isnan(new)):
                    words = case.strip("'"), side.strip("'")
                    yield Row(name, *words, benchmark["unit"], old, new)


def _value(results: list[Any], name: str, params: Any, number: int) -> float:
    for result in results:
        if name in result.get_all_result_keys():
            value = result.get_result_value(name, params)[number]
            return math.inf if value is None else value
    return math.nan


def table(rows: list[Row], commits: list[str]) -> str:
    """The rows by benchmark, no wider than 80 columns."""
    lines = []
    for benchmark in dict.fromkeys(row.benchmark for row in rows):
        chosen = [row for row in rows if row.benchmark == benchmark]
        title = f"{benchmark.removeprefix('asv.groups.')} ({chosen[0].unit})"
        lines += ["", title, _line("case", "side", commits[1][:8], commits[0][:8], "")]
        lines += [
            _line(
                row.case,
                row.side,
                _shown(row.before, row.unit),
                _shown(row.after, row.unit),
                row.change(),
            )
            for row in chosen
        ]
    return "\n".join(lines)


def _line(*cells: str) -> str:
    widths = 27, 11, 10, 10, 13
    case, side, before, after, change = (
        c[:w] for c, w in zip(cells, widths, strict=True)
    )
    return f"  {case:27} {side:11} {before:>10} {after:>10}  {change}".rstrip()


def _shown(number: float, unit: str) -> str:
    if math.isnan(number):
        return "-"
    if math.isinf(number):
        return "failed"
    if unit == "seconds":
        return f"{1e3 * number:.3g} ms"
    return f"{number:.3g}"


def main() -> int:
    """Runs and prints; returns the exit code, 1 if the newest commit fails a benchmark.

    A slower figure is no failure: `python -m bridge bench` is the gate.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        *("-b", "--bench"), action="append", help="expressions as for `asv run --bench`"
    )
    asked: list[str] | None = parser.parse_args().bench
    bench = asked or [*BENCH]
    start = time.perf_counter()
    commits = last_two()
    rows = measured(commits, bench)
    if not rows:
        print(f"nothing was measured: no benchmark is named like {', '.join(bench)}")
        return 2
    print(table(rows, commits))
    slower = [row for row in rows if row.change().endswith("slower")]
    minutes = (time.perf_counter() - start) / 60
    failed = [row for row in rows if math.isinf(row.after)]
    counts = f"{len(rows)} figures, {len(slower)} slower, {len(failed)} failed"
    print(f"\n{counts}; {minutes:.1f} minutes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
