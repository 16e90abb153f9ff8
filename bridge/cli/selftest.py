"""`selftest`: plants every fault, and runs the control against itself."""

import argparse
from pathlib import Path

from bridge.harness.apart import Apart, processes
from bridge.harness.cards import fingerprints, write_selftest
from bridge.harness.errors import write_file
from bridge.harness.ladder import Ladder
from bridge.harness.project import Project
from bridge.harness.selftest import Caught, caught, false_alarms, to_json

HELP = "plant every fault and see it found"
DETAILS = """\
Plants every known fault in the candidate and sees that its ladder reports it at
the right rung under the right name; then compares the control with itself,
where everything must pass.

examples:
  python -m bridge selftest
  python -m bridge selftest step1

reads   the code of both sides, conf/
writes  evidence/<ladder>.selftest.json, which `promote` asks for; FILE with
        --json
takes   a minute (step1) to 15 minutes (all) on 2 cores
ends    0 if all are caught and nothing else is, else 1"""
#: Runs of each ladder that knows how to compare the control with a copy of itself.
AA_RUNS = 50


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """The ladders whose faults are planted."""
    parser.add_argument(
        "ladder",
        nargs="?",
        default="all",
        help="its name, `all` (the default), or `module:object`",
    )
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="write a row for each fault"
    )


def run(options: argparse.Namespace, project: Project) -> int:
    """0 if every fault is caught by name and no run gives a false alarm."""
    ladders = project.chosen(options.ladder)
    project.prepare()

    before = fingerprints(project) if "reads" in project.table else {}
    every: list[Caught] = []
    alarms = 0
    with Apart(project, processes=processes()) as apart:
        for asked, ladder in ladders.items():
            results = _planted(apart, asked, ladder)
            every += results
            found, runs = _against_itself(ladder)
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


def _against_itself(ladder: Ladder) -> tuple[int, int]:
    """False alarms, and runs of the control against itself."""
    if ladder.control_twice is None:
        return 0, 0
    found = false_alarms(ladder, AA_RUNS)
    print(
        f"A/A, control against its copy ({ladder.name}): {found} false alarms in"
        f" {AA_RUNS}"
    )
    return found, AA_RUNS
