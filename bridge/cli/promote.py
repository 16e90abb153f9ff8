"""`promote`: makes a preset the default, on fresh green evidence up to it."""

import argparse

from bridge.harness import switch
from bridge.harness.project import Project

HELP = "make a preset the default"
DETAILS = """\
Makes a preset what a run uses by default, if every ladder up to it has green
evidence of the code as it is, and found all planted faults in its self-test.

example:
  python -m bridge promote step2

reads   evidence/, the code, conf/ and the installed versions
writes  one line of conf/migration/current.yaml
takes   a second
ends    0, or 2 and what is missing"""


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """The preset; the first one is what every other goes back to."""
    names = list(project.table.get("presets", ()))[1:]
    parser.add_argument("step", choices=names)


def run(options: argparse.Namespace, project: Project) -> int:
    """0 if the preset is the default now."""
    print(switch.promote(project, options.step))
    return 0
