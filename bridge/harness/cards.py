"""Evidence cards: what was verified, on which code, how, where, and with what margins.

A card is believed only if nothing it says has been changed since, if it is of this
project and format, and if what it stands on is as it was.
"""

import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bridge.harness import comparisons
from bridge.harness.errors import HarnessError, write_file
from bridge.harness.ladder import CaseResult, exit_code
from bridge.harness.machine import machine
from bridge.harness.project import Project
from bridge.harness.selftest import Caught

FORMAT = 2
_SUFFIXES = (".py", ".yaml", ".json")
_FACTS = (
    *("format", "project", "step", "command", "date", "machine", "versions"),
    *("fingerprints", "checksum"),
)
#: What a card has beside `_FACTS`: of a verification, and of a self-test.
VERIFIED = ("exit_code", "cases", "comparisons")
TESTED = ("faults", "false alarms", "runs against itself")


def fingerprints(project: Project) -> dict[str, str]:
    """A hash of everything that a verification reads, and of the pinned versions.

    Not of the file that `promote` writes, or each promotion would make stale what it
    stands on; a case chooses all its sides itself. Nor of the kept comparisons, which
    judge the verification and are not judged by it.
    """
    without = [project.default_file]
    if "comparisons" in project.table:
        without.append(project.folder("comparisons"))
    hashes = {
        name: _hash(project.root, name, without) for name in project.setting("reads")
    }
    pins = json.dumps(list(project.pins)).encode()
    return hashes | {"versions in pyproject.toml": _short(hashlib.sha256(pins))}


def _hash(root: Path, name: str, without: Sequence[Path]) -> str:
    path = root / name
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    digest = hashlib.sha256()
    for file in files:
        left_out = any(file.is_relative_to(path) for path in without)
        if file.suffix in _SUFFIXES and not left_out:
            digest.update(str(file.relative_to(root)).encode())
            digest.update(file.read_bytes())
    return _short(digest)


def _short(digest: "hashlib._Hash") -> str:
    return digest.hexdigest()[:16]


def installed_versions(project: Project) -> dict[str, str]:
    """The installed version of every pinned library."""
    versions = {}
    for pin in project.pins:
        library = re.split(r"[\[=<>~! ]", pin)[0]
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = "not installed"
    return versions


def write_evidence(
    project: Project,
    name: str,
    results: Sequence[CaseResult],
    before: Mapping[str, str] | None = None,
) -> Path:
    """Writes the card of a verification; small enough to be committed.

    Args:
        project: The project.
        name: The ladder's name.
        results: What its cases gave.
        before: `fingerprints` when the verification began.

    Raises:
        HarnessError: What it read has changed meanwhile, so that nobody knows what was
            verified; or the file can't be written.
    """
    hashes = _unchanged(project, f"verify {name}", before)
    content = {
        "exit_code": exit_code(results),
        "cases": [_case(result) for result in results],
        "comparisons": comparisons.proved_text(results),
    }
    return _write(project, name, content, hashes, f"{name}.json")


def write_selftest(
    project: Project,
    name: str,
    results: Sequence[Caught],
    alarms: int,
    runs: int,
    before: Mapping[str, str],
) -> Path:
    """Writes the card of a self-test.

    Args:
        project: The project.
        name: The ladder's name.
        results: What was seen of its faults.
        alarms: How often the control was not equal to itself.
        runs: Of how many runs.
        before: `fingerprints` when the self-test began.

    Raises:
        HarnessError: As `write_evidence`.
    """
    content = {
        "faults": [
            {
                "name": r.fault.name,
                "rung": r.fault.rung,
                "case": str(r.fault.case),
                "caught": r.caught,
            }
            for r in results
        ],
        "false alarms": alarms,
        "runs against itself": runs,
    }
    hashes = _unchanged(project, f"selftest {name}", before)
    return _write(project, name, content, hashes, f"{name}.selftest.json")


def _unchanged(
    project: Project, command: str, before: Mapping[str, str] | None
) -> dict[str, str]:
    hashes = fingerprints(project)
    changed = [n for n, h in hashes.items() if before and before.get(n) != h]
    if changed:
        raise HarnessError(
            f"{', '.join(changed)} changed meanwhile, so nobody knows what was judged"
            f" and there is no evidence; run `python -m bridge {command}` again"
        )
    return hashes


def _write(
    project: Project,
    name: str,
    content: Mapping[str, Any],
    hashes: Mapping[str, str],
    file: str,
) -> Path:
    card: dict[str, Any] = {
        "format": FORMAT,
        "project": project.name,
        "step": name,
        "command": _command(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": installed_versions(project),
        "fingerprints": hashes,
        **content,
    }
    card["checksum"] = checksum(card)
    path = project.evidence / file
    write_file(path, json.dumps(card, indent=1) + "\n")
    return path


def _command() -> list[str]:
    """What was typed, without the folder that the program lies in."""
    return ["bridge", *sys.argv[1:]]


def _case(result: CaseResult) -> dict[str, Any]:
    rungs = {}
    for rung in result.rungs:
        margins = [judged.error for judged in rung.judged.values()]
        rungs[rung.rung] = {
            "verdict": rung.verdict.value,
            "comparisons": rung.comparisons,
            "margin": float(f"{max(margins, default=0.0):.2g}"),
        }
    return {"case": result.case, "verdict": result.verdict.value, "rungs": rungs}


def checksum(card: Mapping[str, Any]) -> str:
    """A hash of all that a card says but the hash itself."""
    content = {key: value for key, value in card.items() if key != "checksum"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_card(
    project: Project, path: Path, name: str, keys: Sequence[str] = VERIFIED
) -> dict[str, Any]:
    """A card that can be believed, whether or not it is green or fresh.

    Args:
        project: The project.
        path: The card.
        name: The ladder that it must be of.
        keys: What it must have, `VERIFIED` or `TESTED`.

    Raises:
        FileNotFoundError: There is none.
        HarnessError: It is torn, changed, of another project, ladder or format.
    """
    what = "verify" if keys is VERIFIED else "selftest"
    command = f"run `python -m bridge {what} {name}`"
    try:
        card = json.loads(path.read_text())
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise HarnessError(f"`{path.name}` is torn or no JSON: {command}") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        found = card.get("format") if isinstance(card, dict) else None
        raise HarnessError(
            f"`{path.name}` has the format {found}; this program reads {FORMAT}:"
            f" {command}"
        )
    lacking = [key for key in (*_FACTS, *keys) if key not in card]
    if lacking or card["checksum"] != checksum(card):
        what = f"lacks {', '.join(lacking)}" if lacking else "was changed by hand"
        raise HarnessError(f"`{path.name}` {what}: {command}")
    for key, expected in (("project", project.name), ("step", name)):
        if card[key] != expected:
            raise HarnessError(
                f"`{path.name}` is evidence for the {key} {card[key]}, not {expected}:"
                f" {command}"
            )
    return card
