"""`rollback`: makes the preset before one the default; asks for no evidence."""

import argparse

from bridge.harness import switch
from bridge.harness.project import Project

HELP = "go back to the preset before"
DETAILS = """\
Makes the preset before one what a run uses by default. Asks for no evidence.

example:
  python -m bridge rollback step2

reads   conf/migration/
writes  one line of conf/migration/current.yaml
takes   a second
ends    0"""


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """The preset; the first one is what every other goes back to."""
    names = list(project.table.get("presets", ()))[1:]
    parser.add_argument("step", choices=names)


def run(options: argparse.Namespace, project: Project) -> int:
    """0 if the preset is not the default any more."""
    print(switch.rollback(project, options.step))
    return 0
