"""`status`: what is built, and what a run uses by default."""

import argparse

from rich.table import Table

from bridge.cli.console import console
from bridge.harness.project import Project
from bridge.harness.switch import components, default_preset, switch_values

HELP = "what is built, and what runs by default"
DETAILS = """\
Says of each component which sides are built and which one runs by default.

example:
  python -m bridge status

reads   conf/migration/
writes  nothing
takes   a second
ends    0"""


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """None."""


def run(options: argparse.Namespace, project: Project) -> int:
    """A row per component: its step, its sides, the default side."""
    preset = default_preset(project)
    values = switch_values(project, preset)
    sides = ", ".join(project.setting("sides"))
    table = Table(title=f"migration; a run's default is the preset {preset}")
    for heading in ("component", "step", "sides that are built", "default"):
        table.add_column(heading)
    for component in components(project):
        table.add_row(component.name, component.step, sides, values[component.name])
    console().print(table)
    return 0
