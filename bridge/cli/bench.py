"""`bench`: measures what each side costs beside the control."""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from bridge.cli.words import add_word_arguments, words_of
from bridge.harness.errors import load_object
from bridge.harness.project import Project

HELP = "measure what each side costs"
DETAILS = """\
Times each side against the control in turns, after its outcome and its work
have been compared; what does not hold is not timed. With a configuration or
settings it times what run.py would run with the same words, at its own sizes.

examples:
  python -m bridge bench
  python -m bridge bench --only trainer
  python -m bridge bench --explain
  python -m bridge bench --config-name=burgers.yaml trainer.batch_size=4

reads   the code of both sides, evidence/; simulations are made in a folder that
        vanishes
writes  nothing; a baseline with --save
takes   90 seconds on 2 quiet cores; --profile regular or large longer
ends    0; 1 if a judged side is slower than the control; 2 if nothing was timed"""


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """What is measured; its own arguments follow from it."""
    parser.add_argument(
        "--cases",
        metavar="MODULE:OBJECT",
        default=project.table.get("bench"),
        help="a BenchCommand, or its cases by name; %(default)s by default",
    )
    add_word_arguments(parser)
    parser.set_defaults(ladder=None)
    # Only this command waits for the cases to be imported.
    if sys.argv[1:2] == ["bench"]:
        early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        early.add_argument("--cases", default=project.table.get("bench"))
        path = early.parse_known_args(sys.argv[2:])[0].cases
        if path is None and not {"-h", "--help"} & {*sys.argv}:
            project.setting("bench")
        if path is not None:
            command = _command(path)
            command.add_arguments(parser)
            parser.set_defaults(bench=command)


def run(options: argparse.Namespace, project: Project) -> int:
    """0; 1 if a judged side is slower than the control; 2 if nothing was compared."""
    words = words_of(options, options.others)
    return options.bench.run(options, words) if words else options.bench.run(options)


def _command(path: str) -> Any:
    """A project's `BenchCommand`, or one of the cases alone."""
    from bridge.harness.bench_command import BenchCommand

    found = load_object(path)
    return BenchCommand(found) if isinstance(found, Mapping) else found
