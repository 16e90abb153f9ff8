"""`python -m bridge`: proves, measures and switches a pair of implementations."""

import argparse
import sys
from pathlib import Path

from bridge.cli import (
    bench,
    door,
    env,
    promote,
    recheck,
    rollback,
    selftest,
    settings,
    status,
    verify,
)
from bridge.harness.errors import HarnessError, load_object
from bridge.harness.project import Project

#: Every command by its name: a module with `HELP`, `DETAILS`, `add_arguments`, `run`.
COMMANDS = {
    "verify": verify,
    "selftest": selftest,
    "settings": settings,
    "bench": bench,
    "status": status,
    "recheck": recheck,
    "env": env,
    "promote": promote,
    "rollback": rollback,
}


def main() -> int:
    """Runs one command; 2 if its arguments or files don't fit."""
    try:
        migration = door.migration_in(sys.argv[1:])
        if migration is not None:
            return door.run(migration, sys.argv[1:])
    except HarnessError as error:
        return _end(error, error.status)
    parser = argparse.ArgumentParser(prog="python -m bridge", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    project = Project(Path())
    try:
        project = Project.find()
        for name, module in COMMANDS.items():
            command = commands.add_parser(
                name,
                help=module.HELP,
                description=module.DETAILS,
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
            module.add_arguments(command, project)
        options, others = parser.parse_known_args()
        # Words behind an option, which argparse leaves over.
        options.others = others
        if others and not hasattr(options, "words"):
            parser.error(f"unrecognized arguments: {' '.join(others)}")
        return COMMANDS[options.command].run(options, project)
    except HarnessError as error:
        return _end(error, error.status)
    except Exception as error:
        family = project.table.get("errors")
        if family is None or not isinstance(error, load_object(family)):
            raise
        return _end(error, getattr(error, "status", 2))


def _end(error: Exception, status: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return status
