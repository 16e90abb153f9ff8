"""`settings`: both sides' settings beside each other, as the objects have them."""

import argparse

from rich.table import Table

from bridge.cli.console import console
from bridge.cli.words import add_word_arguments, words_of
from bridge.harness.ladder import Row
from bridge.harness.project import Project
from bridge.harness.words import ladders_of

HELP = "compare the settings of both sides"
DETAILS = """\
Builds both sides and reads their settings off the objects: unequal ones first,
then those whose difference is known, equal ones as a number.

examples:
  python -m bridge settings
  python -m bridge settings step2 --all
  python -m bridge settings step1 --config-name=burgers.yaml trainer.amp=bf16

reads   the code of both sides, conf/, docs/known_differences.md
writes  nothing
takes   20 seconds
ends    0 if all are equal or known to differ, 1 if one isn't, 2 without any"""


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """The ladder whose settings are compared, and what a run would be started with."""
    parser.add_argument(
        "ladder",
        nargs="?",
        default="all",
        help="its name, `all` (the default), or `module:object`",
    )
    add_word_arguments(parser)
    parser.add_argument("--all", action="store_true", help="show the equal ones too")
    parser.set_defaults(no_ladder="all")


def run(options: argparse.Namespace, project: Project) -> int:
    """0 if all settings are equal or known to differ, 1 if one isn't, 2 without any."""
    words = words_of(options, options.others)
    project.prepare()
    ladders = ladders_of(project, options.ladder, words)
    rows = [row for ladder in ladders.values() for row in ladder.settings()]
    cases = dict.fromkeys(row.case for row in rows)
    tables = [[row for row in rows if row.case == case] for case in cases]
    # Those with an unequal row first.
    for table in sorted(tables, key=lambda t: not any(r.unequal for r in t)):
        shown = sorted(table, key=lambda r: (not r.unequal, r.mark == "equal"))
        if not options.all:
            shown = [row for row in shown if row.mark != "equal"]
        if shown:
            console().print(_table(shown))
    unequal = sum(row.unequal for row in rows)
    equal = sum(row.mark == "equal" for row in rows)
    hidden = "" if options.all or not equal else " (shown with --all)"
    known = len(rows) - equal - unequal
    print(
        f"{len(rows)} settings, {unequal} unequal without a known reason,\n"
        f"{known} known to differ, {equal} equal{hidden}"
    )
    if not rows:
        return 2
    return 1 if unequal else 0


def _table(rows: list[Row]) -> Table:
    title = "\n".join(filter(None, (rows[0].case, rows[0].source)))
    table = Table(title=title, title_justify="left")
    for heading in ("setting", "control", "candidate", ""):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(row.setting, row.control, row.candidate, row.mark)
    return table
