"""`settings`: both sides' settings beside each other, as the objects have them."""

import argparse

from rich.table import Table

from bridge.cli.console import console
from bridge.harness.ladder import Row
from bridge.harness.project import Project

HELP = "compare the settings of both sides"


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """The ladder whose settings are compared."""
    parser.add_argument(
        "ladder",
        nargs="?",
        default="all",
        help="its name, `all` (the default), or `module:object`",
    )


def run(options: argparse.Namespace, project: Project) -> int:
    """0 if all settings are equal or known to differ, 1 if one isn't, 2 without any."""
    ladders = project.chosen(options.ladder)
    project.prepare()
    rows = [row for ladder in ladders.values() for row in ladder.settings()]
    for case in dict.fromkeys(row.case for row in rows):
        console().print(_table([row for row in rows if row.case == case]))
    unequal = sum(row.unequal for row in rows)
    print(f"{len(rows)} settings, {unequal} unequal without a known reason")
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
