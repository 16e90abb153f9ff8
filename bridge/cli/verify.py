"""`verify`: runs ladders, and writes evidence."""

import argparse
from pathlib import Path

from bridge.harness.errors import check_folder, write_file
from bridge.harness.evidence import write_evidence
from bridge.harness.ladder import (
    CaseResult,
    Ladder,
    Verdict,
    exit_code,
    run_ladder,
    to_json,
)
from bridge.harness.project import Project

HELP = "prove a step, rung by rung"


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """The ladder, and where the facts go."""
    parser.add_argument("ladder", help="its name, `all`, or `module:object`")
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="write the same facts"
    )


def run(options: argparse.Namespace, project: Project) -> int:
    """0 if every case passes, 1 for a failure, 2 if something was not judged."""
    ladders = project.chosen(options.ladder)
    if any(ladder.name in project.ladders for ladder in ladders.values()):
        # Said before the minutes that a ladder takes.
        check_folder(project.evidence)
    project.prepare()
    every: list[CaseResult] = []
    for ladder in ladders.values():
        results = _results(ladder)
        passes = sum(r.verdict is Verdict.PASSED for r in results)
        line = f"{ladder.name}: {passes}/{len(results)} cases pass"
        if ladder.name in project.ladders:
            path = write_evidence(project, ladder.name, results)
            line += f"; evidence in {path.name}"
        print(line)
        every += results
    if options.json:
        write_file(options.json, to_json(every))
    return exit_code(every)


def _results(ladder: Ladder) -> list[CaseResult]:
    results = []
    for case in ladder.cases:
        result = run_ladder(ladder, case)
        results.append(result)
        print(f"{ladder.name} {result.case}: {result.verdict.value}")
        for rung in result.rungs:
            print(rung.line())
    return results
