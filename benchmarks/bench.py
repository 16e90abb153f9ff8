"""`python -m bridge bench`: what each side costs beside the control, with verdicts."""

import argparse
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from benchmarks._baseline import compared, save
from benchmarks._case import Case, Profile
from benchmarks._code import code_table
from benchmarks._conversions import conversion_table
from benchmarks._explain import explain
from benchmarks._interleaved import FEWEST_ROUNDS
from benchmarks._machine import machine_facts, prepare
from benchmarks._pairs import Pair, Speed, identical, pairs_of
from benchmarks._scaling import SERIES, scaling_rows
from benchmarks.cases import cases_of
from bridge._evidence import problems
from experiment.system import UserError


def _scaling() -> Iterable[str]:
    return (line for name in SERIES for line in scaling_rows(name))


_REPORTS: dict[str, Callable[[], Iterable[str]]] = {
    "explain": explain,
    "scaling": _scaling,
    "conversions": conversion_table,
    "code": code_table,
}


def run(options: argparse.Namespace) -> int:
    """Measures what is asked for.

    Args:
        options: What `python -m bridge bench --help` says.

    Returns:
        0; 1 if a judged side is slower than the control, or alarms were false; 2 if
        nothing could be compared.

    Raises:
        UserError: An argument doesn't fit.
    """
    if options.rounds < FEWEST_ROUNDS:
        raise UserError(
            f"`--rounds` is {options.rounds}; a verdict needs at least {FEWEST_ROUNDS}"
        )
    prepare()
    facts = machine_facts()
    print(", ".join(f"{key} {value}" for key, value in facts.items()))
    for name, lines in _REPORTS.items():
        if getattr(options, name):
            for line in lines():
                print(line, flush=True)
            return 0
    cases = _chosen(options.profile, options.only)
    with tempfile.TemporaryDirectory() as folder:
        if options.identical:
            return _false_alarms(cases, Path(folder), options.rounds, options.identical)
        return _pairs(cases, Path(folder), options)


def _chosen(profile: Profile, text: str | None) -> list[Case]:
    every = list(cases_of(profile).values())
    chosen = [case for case in every if text is None or text in case.name]
    if not chosen:
        raise UserError(
            f"no case of the profile {profile} has `{text}` in its name; there are"
            f" {', '.join(case.name for case in every)}"
        )
    return chosen


def _pairs(cases: Sequence[Case], folder: Path, options: argparse.Namespace) -> int:
    pairs: list[Pair] = []
    unproved = cache(problems)
    for case in cases:
        found = pairs_of(case, folder, options.rounds, unproved)
        print("\n".join(table(case, found)), flush=True)
        pairs += found
    if options.compare:
        print("\nbeside the baseline, control's time over the side's")
        print("\n".join(compared(options.compare, pairs)))
    if options.save:
        save(options.save, pairs)
        print(f"\nsaved to {options.save}")
    judged = [pair for pair in pairs if pair.judged]
    counts = {speed: sum(p.speed is speed for p in judged) for speed in Speed}
    print(f"\n{len(judged)} judged pairs:", end=" ")
    print(", ".join(f"{n} {s.value}" for s, n in counts.items() if n) or "none")
    if counts[Speed.INCONCLUSIVE]:
        print("inconclusive is no failure: the interval is too wide to say")
    if any(pair.fails for pair in pairs):
        return 1
    return 2 if pairs and all(pair.ratio is None for pair in pairs) else 0


def table(case: Case, pairs: Sequence[Pair]) -> list[str]:
    """The pairs of a case, a line each, no wider than 80 columns."""
    control = next((p.ratio.seconds[0] for p in pairs if p.ratio), None)
    rounds = next((p.ratio.rounds for p in pairs if p.ratio), 0)
    title = f"\n{case.name}: {case.baseline}"
    if control is not None:
        title += f" takes {_shown(control)}; {rounds} rounds"
    lines = [title]
    for pair in pairs:
        if pair.ratio is None:
            lines.append(f"  {pair.side:13} {pair.speed.value}:")
            for line in pair.reason.splitlines()[-3:]:
                lines += textwrap.wrap(f"    {line}", 80, subsequent_indent="    ")
            continue
        r = pair.ratio
        interval = f"{r.median:.2f} [{r.low:.2f}, {r.high:.2f}]"
        word = pair.speed.value if pair.judged else f"({pair.speed.value})"
        lines.append(
            f"  {pair.side:13} {_shown(r.seconds[1]):>10}   x {interval:22} {word}"
        )
    return lines


def _shown(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


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
