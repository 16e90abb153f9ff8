"""`env`: compares the machines, versions and code of two evidence cards."""

import argparse

from bridge.cli.cards import add_card_argument, between, card_at, differences
from bridge.harness.project import Project

HELP = "compare the machines of two cards"
DETAILS = """\
Says in what two evidence cards differ: CPU and its instruction sets, threads,
BLAS, versions of libraries, code. With one card, in what this machine differs.

examples:
  python -m bridge env evidence/step1.json evidence/step2.json
  python -m bridge env evidence/step1.json

reads   the cards; with one, the code and the installed versions
writes  nothing
takes   a second
ends    0 if nothing differs, 1 if something does, 2 if a card can't be
        believed"""


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """One card or two."""
    add_card_argument(parser, "first")
    add_card_argument(parser, "second", nargs="?")


def run(options: argparse.Namespace, project: Project) -> int:
    """0 if nothing differs."""
    first = card_at(project, options.first)
    if options.second is None:
        lines = [*differences(project, first)]
    else:
        second = card_at(project, options.second)
        names = options.first.name, options.second.name
        lines = [*between(first, second, *names)]
    print("\n".join(lines) or "nothing differs")
    return 1 if lines else 0
