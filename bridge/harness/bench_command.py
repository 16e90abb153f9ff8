"""The command `bench`: what each side of a pair costs beside the control.

A project has one object of `BenchCommand` and names it in its `pyproject.toml`:

    [tool.bridge]
    bench = "mypackage.mybenchmarks:COMMAND"

Whoever builds a command line calls `COMMAND.add_arguments(parser)` once and then
`COMMAND.run(parser.parse_args())`, which returns the exit code. Importing a project's
object should import no framework, so that `--help` stays quick; `run` may.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bridge.harness.bench_baseline import compared, save
from bridge.harness.bench_case import PROFILES, BenchError, Case, of_profile
from bridge.harness.bench_pairs import Pair, Speed, identical, pairs_of
from bridge.harness.bench_table import table
from bridge.harness.bench_timing import FEWEST_ROUNDS
from bridge.harness.bench_verdicts import IsLack, lacks_a_module


@dataclass(frozen=True)
class Report:
    """What else a project can print of its sides; an option `--name` each.

    Attributes:
        description: What it tells, for `--help`.
        lines: Measures, and gives the lines.
    """

    description: str
    lines: Callable[[], Iterable[str]]


def _proved(ladder: str) -> list[str]:
    return []


@dataclass(frozen=True)
class BenchCommand:
    """Cases, and what their machine and their proofs are.

    Attributes:
        cases: All cases by name.
        prepare: Pins threads and the like; called once, before anything is built.
        facts: What a time depends on besides the code.
        unproved: Why a ladder's proof doesn't count for the code as it is, a sentence
            each; none if it does.
        is_lack: Which errors say that the installed code lacks what a side needs.
        words: The cases of a run's own words; None if there are none.
        reports: What else can be printed, by the name of its option.
        baseline: Where `--save` writes and `--compare` reads by default.
    """

    cases: Mapping[str, Case]
    prepare: Callable[[], None] = lambda: None
    facts: Callable[[], Mapping[str, str]] = dict
    unproved: Callable[[str], list[str]] = _proved
    is_lack: IsLack = lacks_a_module
    words: Callable[[Any], Mapping[str, Case]] | None = None
    reports: Mapping[str, Report] = field(default_factory=dict)
    baseline: Path = Path(".benchmarks") / "bench.json"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds all options of the command."""
        parser.add_argument("--profile", choices=PROFILES)
        parser.add_argument(
            "--only", metavar="TEXT", help="cases with TEXT in their name"
        )
        parser.add_argument("--rounds", type=int, metavar="N", help="15; at least 7")
        for name, text in (("save", "write"), ("compare", "compare with")):
            parser.add_argument(
                f"--{name}",
                help=f"{text} a baseline, {self.baseline} if no FILE is named",
                nargs="?",
                const=self.baseline,
                type=Path,
                metavar="FILE",
            )
        alone = parser.add_mutually_exclusive_group()
        alone.add_argument(
            "--identical",
            type=int,
            metavar="N",
            help="time the control against itself N times: false alarms of the gate",
        )
        for name, report in self.reports.items():
            alone.add_argument(
                f"--{name}",
                dest="report",
                action="store_const",
                const=name,
                help=report.description,
            )
        parser.set_defaults(profile=PROFILES[0], rounds=15, identical=0, report=None)

    def run(self, options: argparse.Namespace, words: Any = None) -> int:
        """Measures and prints what is asked for.

        Args:
            options: The parsed arguments.
            words: What a run would be started with, handed to `words`; its cases in
                place of all others.

        Returns:
            0; 1 if a judged side is slower than the control, or alarms were false; 2
            if nothing could be compared, or an argument or a file doesn't fit.
        """
        try:
            return self._run(options, words)
        except BenchError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2

    def _run(self, options: argparse.Namespace, words: Any) -> int:
        if options.rounds < FEWEST_ROUNDS:
            raise BenchError(
                f"`--rounds` is {options.rounds}; a verdict needs at least"
                f" {FEWEST_ROUNDS}"
            )
        cases = self._chosen(self._cases(options, words), options)
        self.prepare()
        print(", ".join(f"{key} {value}" for key, value in self.facts().items()))
        if options.report:
            for line in self.reports[options.report].lines():
                print(line, flush=True)
            return 0
        with tempfile.TemporaryDirectory() as folder:
            if options.identical:
                return _false_alarms(
                    cases, Path(folder), options.rounds, options.identical
                )
            pairs = self._pairs(cases, Path(folder), options.rounds)
        return self._conclude(pairs, options.compare, options.save)

    def _cases(self, options: argparse.Namespace, words: Any) -> Mapping[str, Case]:
        if not words:
            return of_profile(self.cases, options.profile)
        if self.words is None:
            raise BenchError(
                f"`{words}`: these cases take no settings; a `BenchCommand` that makes"
                " cases of them has `words`"
            )
        return self.words(words)

    def _chosen(
        self, every: Mapping[str, Case], options: argparse.Namespace
    ) -> list[Case]:
        text = options.only
        chosen = [case for case in every.values() if text is None or text in case.name]
        if not chosen:
            raise BenchError(
                f"no case of the profile {options.profile} has `{text}` in its name;"
                f" there are {', '.join(every)}"
            )
        return chosen

    def _pairs(self, cases: Sequence[Case], folder: Path, rounds: int) -> list[Pair]:
        pairs: list[Pair] = []
        unproved = cache(self.unproved)
        for case in cases:
            measured = pairs_of(case, folder, rounds, unproved, is_lack=self.is_lack)
            print("\n".join(table(case, measured)), flush=True)
            pairs += measured
        return pairs

    def _conclude(
        self, pairs: Sequence[Pair], baseline: Path | None, target: Path | None
    ) -> int:
        if baseline:
            print("\nbeside the baseline, control's time over the side's")
            print("\n".join(compared(baseline, pairs, self.facts())))
        if target:
            save(target, pairs, self.facts())
            print(f"\nsaved to {target}")
        judged = [pair for pair in pairs if pair.judged]
        counts = {speed: sum(p.speed is speed for p in judged) for speed in Speed}
        print(f"\n{len(judged)} judged pairs:", end=" ")
        print(", ".join(f"{n} {s.value}" for s, n in counts.items() if n) or "none")
        if counts[Speed.INCONCLUSIVE]:
            print("inconclusive is no failure: the interval is too wide to say")
        if any(pair.fails for pair in pairs):
            return 1
        return 2 if pairs and all(pair.ratio is None for pair in pairs) else 0


def _false_alarms(cases: Sequence[Case], folder: Path, rounds: int, times: int) -> int:
    judged = [case for case in cases if case.gated and case.candidates]
    pairs = []
    for number in range(times):
        for case in judged:
            pair = identical(case, folder, rounds)
            pairs.append(pair)
            assert pair.ratio is not None
            print(
                f"{number + 1}/{times} {case.name}: {pair.ratio.median:.3f}"
                f" [{pair.ratio.low:.3f}, {pair.ratio.high:.3f}] {pair.speed.value}",
                flush=True,
            )
    alarms = sum(pair.fails for pair in pairs)
    print(f"{alarms} false alarms in {len(pairs)} comparisons of identical code")
    return 1 if alarms else 0
