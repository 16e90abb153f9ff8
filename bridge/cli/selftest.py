"""`selftest`: plants every fault, and runs the control against itself."""

import argparse
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

from bridge.cli.words import add_word_arguments, words_of
from bridge.harness.apart import Apart, processes
from bridge.harness.cards import fingerprints, write_selftest
from bridge.harness.errors import write_file
from bridge.harness.ladder import Ladder
from bridge.harness.project import Project
from bridge.harness.selftest import (
    Caught,
    Elsewhere,
    Trace,
    caught,
    elsewhere,
    false_alarms,
    to_json,
)
from bridge.harness.words import Words, ladders_of

HELP = "plant every fault and see it found"
DETAILS = """\
Plants every known fault in the candidate and sees that its ladder reports it at
the right rung under the right name; then compares the control with itself,
where everything must pass. With a configuration or settings the faults are
planted into what run.py would run with the same words: `seen` is a fault under
another name, `unused` one that moves no number there, `no place` one made for
another network or equation, `MISSED` one that moves some and stays within
their limits.

examples:
  python -m bridge selftest
  python -m bridge selftest step1
  python -m bridge selftest step2 --config-name=burgers.yaml trainer.amp=bf16

reads   the code of both sides, conf/
writes  evidence/<ladder>.selftest.json, which `promote` asks for, unless
        settings were given; FILE with --json
takes   a minute (step1) to 15 minutes (all) on 2 cores
ends    0 if all are caught and nothing else is, else 1"""
#: Runs of each ladder that knows how to compare the control with a copy of itself.
AA_RUNS, AA_RUNS_OF_WORDS = 50, 5


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """The ladders whose faults are planted."""
    parser.add_argument(
        "ladder",
        nargs="?",
        default="all",
        help="its name, `all` (the default), or `module:object`",
    )
    add_word_arguments(parser)
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="write a row for each fault"
    )
    parser.set_defaults(no_ladder="all")


def run(options: argparse.Namespace, project: Project) -> int:
    """0 if every fault is caught by name and no run gives a false alarm."""
    words = words_of(options, options.others)
    project.prepare()
    ladders = ladders_of(project, options.ladder, words)
    if words:
        return _of_words(options, project, ladders, words)
    before = fingerprints(project) if "reads" in project.table else {}
    every: list[Caught] = []
    alarms = 0
    with Apart(project, processes=processes()) as apart:
        for asked, ladder in ladders.items():
            results = _planted(apart, asked, ladder)
            every += results
            found, runs = _against_itself(ladder, AA_RUNS)
            alarms += found
            if ladder.name in project.ladders:
                write_selftest(project, ladder.name, results, found, runs, before)
    if options.json:
        write_file(options.json, to_json(every))
    found_out = [r for r in every if r.caught]
    weakest = min(found_out, key=lambda r: r.margin, default=None)
    margin = "-"
    if weakest is not None:
        margin = f"{weakest.fault.name}, {weakest.margin:.0f}x over the limit"
    print(f"{len(found_out)}/{len(every)} faults caught; weakest margin: {margin}")
    return 0 if every and len(found_out) == len(every) and not alarms else 1


def _planted(apart: Apart, asked: str, ladder: Ladder) -> list[Caught]:
    faults = ladder.faults()
    results = []
    seen = apart.plant_all(asked, faults=len(faults))
    for fault, result in zip(faults, seen, strict=True):
        results.append(caught(fault, result))
        print(results[-1].lines(), flush=True)
    return results


def _of_words(
    options: argparse.Namespace,
    project: Project,
    ladders: Mapping[str, Ladder],
    words: Words,
) -> int:
    """1 if the unchanged run fails, a fault is missed or none is seen."""
    print(textwrap.fill(f"Into a run of: {words}", 80, subsequent_indent="  "))
    every: list[Elsewhere] = []
    failed = 0
    with Apart(project, processes=processes()) as apart:
        for asked, ladder in ladders.items():
            if not ladder.cases:
                print(f"{ladder.name}: nothing of this run is judged by it")
                continue
            without = apart.run(asked, case=0, words=words)
            if without.first_failure is not None:
                print(f"{ladder.name}: the run fails without any fault")
                print(without.first_failure.line(), flush=True)
                failed += 1
                continue
            faults = ladder.faults()
            seen = apart.plant_elsewhere(asked, faults=len(faults), words=words)
            for fault, result in zip(faults, seen, strict=True):
                every.append(elsewhere(fault, result, without))
                print(every[-1].lines(), flush=True)
            failed += _against_itself(ladder, AA_RUNS_OF_WORDS)[0]
    counts = {trace: sum(e.trace is trace for e in every) for trace in Trace}
    print(
        f"{counts[Trace.CAUGHT]} of {len(every)} faults caught by name,"
        f" {counts[Trace.OTHERWISE]} under another,\n"
        f"{counts[Trace.NONE]} change nothing in this run,"
        f" {counts[Trace.UNFIT]} have no place in it,"
        f" {counts[Trace.MISSED]} missed"
    )
    if options.json:
        rows = [
            {"name": e.fault.name, "rung": e.fault.rung, "trace": e.trace.value}
            | {"case": str(e.fault.case), "seen": e.seen}
            for e in every
        ]
        write_file(options.json, json.dumps(rows, indent=1) + "\n")
    none_seen = not counts[Trace.CAUGHT] + counts[Trace.OTHERWISE]
    return 1 if failed or counts[Trace.MISSED] or none_seen else 0


def _against_itself(ladder: Ladder, runs: int) -> tuple[int, int]:
    """False alarms, and runs of the control against itself."""
    if ladder.control_twice is None:
        return 0, 0
    found = false_alarms(ladder, runs)
    print(
        f"A/A, control against its copy ({ladder.name}): {found} false alarms in {runs}"
    )
    return found, runs
