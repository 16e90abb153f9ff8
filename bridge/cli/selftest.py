"""`selftest`: plants every fault, and runs the control against itself."""

import argparse
from pathlib import Path

from bridge.harness.apart import Apart
from bridge.harness.errors import write_file
from bridge.harness.project import Project
from bridge.harness.selftest import Caught, false_alarms, plant_all, to_json

HELP = "plant every fault and see it found"
DETAILS = """\
Plants every known fault in the candidate and sees that its ladder reports it at
the right rung under the right name; then compares the control with itself,
where everything must pass.

examples:
  python -m bridge selftest
  python -m bridge selftest step1

reads   the code of both sides, conf/
writes  nothing
takes   a minute (step1) to 30 minutes (all) on 2 cores
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

    def report(result: Caught) -> None:
        print(result.lines(), flush=True)

    with Apart(project) as apart:
        results = plant_all(ladders, lambda n, i: apart.plant(n, fault=i), report)
    if options.json:
        write_file(options.json, to_json(results))
    alarms = 0
    for ladder in ladders.values():
        if ladder.control_twice is not None:
            alarms += (found := false_alarms(ladder, AA_RUNS))
            print(
                f"A/A, control against its copy ({ladder.name}): {found} false alarms"
                f" in {AA_RUNS}"
            )
    caught = [r for r in results if r.caught]
    weakest = min(caught, key=lambda r: r.margin, default=None)
    margin = "-"
    if weakest is not None:
        margin = f"{weakest.fault.name}, {weakest.margin:.0f}x over the limit"
    print(f"{len(caught)}/{len(results)} faults caught; weakest margin: {margin}")
    return 0 if results and len(caught) == len(results) and not alarms else 1
