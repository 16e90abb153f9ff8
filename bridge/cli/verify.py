"""`verify`: runs ladders, and writes evidence."""

import argparse
import textwrap
from pathlib import Path

from bridge.cli.words import add_word_arguments, words_of
from bridge.harness import comparisons
from bridge.harness.apart import Apart, processes
from bridge.harness.cards import fingerprints, write_evidence
from bridge.harness.errors import check_folder, write_file
from bridge.harness.ladder import (
    CaseResult,
    Ladder,
    Verdict,
    exit_code,
    run_ladder,
    to_json,
)
from bridge.harness.project import Project
from bridge.harness.words import SIZES, Words, ladders_of

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

Every comparison that passes is made again, off by ten times its limit, and must
fail; and what a ladder compared must be at least what it compared before.

reads   the code of both sides, conf/; simulations are made in a folder that
        vanishes
writes  evidence/<ladder>.json, which `promote` asks for, unless settings were
        given; FILE with --json; the kept table of comparisons with --keep
takes   a minute (step1) to 15 minutes (all) on 2 cores; --sizes run up to 2
        minutes more a ladder, as the grid is large
ends    0 if all pass, 1 if a number is wrong, 2 if something can't be judged"""
LEGEND = """\
Each line: verdict, what was compared [rung], the largest error of what is
allowed (rule), where. A rung runs if those before it pass. Rules: floor is the
rounding of so many operations, n x control what rounding makes of the control
itself, ceiling what no rounding excuses."""

#: Cases that aren't worth another process.
FEW = 4


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
    parser.add_argument(
        "--keep",
        action="store_true",
        help="from now on, ask for the comparisons that are made now",
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
    before = fingerprints(project) if "reads" in project.table else None
    every: list[CaseResult] = []
    status = 0
    with Apart(project, processes=processes()) as apart:
        for asked, ladder in ladders.items():
            results = _results(apart, asked, ladder, words)
            every += results
            is_own = ladder.name in project.ladders and not words
            if is_own and options.keep:
                print(f"kept as {comparisons.keep(project, ladder.name, results).name}")
            lost = _defects(project, ladder, results) if is_own else []
            for text in lost:
                print(textwrap.fill(text, 80, subsequent_indent="        "))
            passes = sum(r.verdict is Verdict.PASSED for r in results)
            line = f"{ladder.name}: {passes}/{len(results)} cases pass"
            line += f", {comparisons.proved_text(results)}"
            if is_own and not lost:
                path = write_evidence(project, ladder.name, results, before)
                line += f"; evidence in {path.name}"
            elif lost:
                status = 2
            print(textwrap.fill(line, 80, subsequent_indent="  "), flush=True)
    if options.json:
        write_file(options.json, to_json(every))
    return exit_code(every) or status


def _defects(project: Project, ladder: Ladder, results: list[CaseResult]) -> list[str]:
    """What is compared less than before; of a ladder that passes, as one that doesn't
    stops at the first rung that fails."""
    if any(r.verdict is not Verdict.PASSED for r in results):
        return []
    return [*comparisons.defects(project, ladder.name, results)]


def _results(
    apart: Apart, asked: str, ladder: Ladder, words: Words
) -> list[CaseResult]:
    count = len(ladder.cases)
    results = []
    # A few cases are done before another process has begun.
    several = apart.run_all(asked, cases=count, words=words)
    here = (run_ladder(ladder, case) for case in ladder.cases)
    for result in several if count > FEW else here:
        results.append(result)
        print(f"{ladder.name} {result.case}: {result.verdict.value}")
        for rung in result.rungs:
            print(rung.line(), flush=True)
    return results
