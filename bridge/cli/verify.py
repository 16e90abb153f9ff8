"""`verify`: runs ladders, and writes evidence."""

import argparse
import textwrap
from pathlib import Path

from bridge.cli.words import add_word_arguments, words_of
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
from bridge.harness.words import SIZES, ladders_of

HELP = "prove a step, rung by rung"
DETAILS = """\
Compares both sides, rung by rung, and says of each comparison how far it is
from what is allowed. With a configuration or settings it judges what run.py
would run with the same words: your network (migration.sources), your data
settings, your precision.

examples:
  python -m bridge verify step2
  python -m bridge verify step2 --config-name=burgers.yaml --sizes run
  python -m bridge verify step1 model/synthetic=resnet general.seed=3
  python -m bridge verify mypackage.pairs:LADDER --json facts.json

reads   the code of both sides, conf/; simulations are made in a folder that
        vanishes
writes  evidence/<ladder>.json, which `promote` asks for, unless settings were
        given; FILE with --json
takes   seconds (step1) to 20 minutes (all) on 2 cores; --sizes run up to 2
        minutes more a ladder, as the grid is large
ends    0 if all pass, 1 if a number is wrong, 2 if something can't be judged"""
LEGEND = """\
Each line: verdict, what was compared [rung], the largest error of what is
allowed (rule), where. A rung runs if those before it pass. Rules: floor is the
rounding of so many operations, n x control what rounding makes of the control
itself, ceiling what no rounding excuses."""


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """The ladder, what a run would be started with, and where the facts go."""
    parser.add_argument("ladder", help="its name, `all`, or `module:object`")
    add_word_arguments(parser)
    parser.add_argument(
        "--sizes",
        choices=SIZES,
        default=SIZES[0],
        help="run: also at the run's own sizes, fewer comparisons (%(default)s)",
    )
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="write the same facts"
    )
    parser.set_defaults(no_ladder=None)


def run(options: argparse.Namespace, project: Project) -> int:
    """0 if every case passes, 1 for a failure, 2 if something was not judged."""
    words = words_of(options, options.others)
    ladders = project.chosen(options.ladder)
    if not words and any(x.name in project.ladders for x in ladders.values()):
        # Said before the minutes that a ladder takes.
        check_folder(project.evidence)
    project.prepare()
    ladders = ladders_of(project, options.ladder, words)
    print(f"{LEGEND}\n")
    if words:
        text = f"As a run of: {words or 'the default configuration'}"
        print(textwrap.fill(text, 80, subsequent_indent="  ") + "\n")
    every: list[CaseResult] = []
    for ladder in ladders.values():
        results = _results(ladder)
        passes = sum(r.verdict is Verdict.PASSED for r in results)
        line = f"{ladder.name}: {passes}/{len(results)} cases pass"
        if ladder.name in project.ladders and not words:
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
            print(rung.line(), flush=True)
    return results
