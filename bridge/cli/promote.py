"""`promote`: makes a preset the default, on fresh green evidence up to it."""

import argparse

from bridge.harness import switch
from bridge.harness.project import Project

HELP = "make a preset the default"


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """The preset; the first one is what every other goes back to."""
    names = list(project.table.get("presets", ()))[1:]
    parser.add_argument("step", choices=names)


def run(options: argparse.Namespace, project: Project) -> int:
    """0 if the preset is the default now."""
    print(switch.promote(project, options.step))
    return 0
