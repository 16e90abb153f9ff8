"""Evidence cards as arguments of commands, and what differs between machines."""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bridge.harness.cards import (
    TESTED,
    VERIFIED,
    fingerprints,
    installed_versions,
    read_card,
)
from bridge.harness.errors import HarnessError
from bridge.harness.machine import machine
from bridge.harness.project import Project


def add_card_argument(
    parser: argparse.ArgumentParser, name: str, **options: Any
) -> None:
    """A card's path."""
    parser.add_argument(name, type=Path, metavar="CARD", **options)


def card_at(project: Project, path: Path) -> dict[str, Any]:
    """A card that can be believed.

    Raises:
        HarnessError: It isn't there, or can't be.
    """
    selftest = path.name.endswith(".selftest.json")
    try:
        name = str(json.loads(path.read_text())["step"])
    except FileNotFoundError as error:
        raise HarnessError(
            f"there is no card `{path}`; `python -m bridge verify` writes them to"
            " the folder of the evidence"
        ) from error
    except OSError as error:
        raise HarnessError(f"can't read `{path}`: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise HarnessError(f"`{path}` is torn or no card ({error!r})") from error
    return read_card(project, path, name, TESTED if selftest else VERIFIED)


def differences(project: Project, card: Mapping[str, Any]) -> Iterator[str]:
    """What is different here from what a card says, a line each."""
    here = {
        "machine": machine(),
        "versions": installed_versions(project),
        "fingerprints": fingerprints(project),
    }
    yield from between(card, here, "the card", "here")


def between(
    one: Mapping[str, Any], other: Mapping[str, Any], first: str, second: str
) -> Iterator[str]:
    """What differs between two machines, their versions and their code."""
    for group in ("machine", "versions", "fingerprints"):
        for key in sorted({*one[group], *other[group]}):
            values = [side[group].get(key) for side in (one, other)]
            if values[0] != values[1]:
                what = "code of " if group == "fingerprints" else ""
                yield f"{what}{key}: {first} {values[0]}, {second} {values[1]}"
