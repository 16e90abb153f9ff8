"""Evidence: the result of a verification, for which code, settings and libraries."""

import hashlib
import json
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bridge.harness.errors import write_file
from bridge.harness.ladder import CaseResult, exit_code
from bridge.harness.project import Project

_SUFFIXES = (".py", ".yaml")


def fingerprints(project: Project) -> dict[str, str]:
    """A hash of everything that a verification reads, and of the pinned versions.

    Not of the file that `promote` writes, or each promotion would make stale what it
    stands on; a case chooses all its sides itself.
    """
    default = project.default_file
    hashes = {
        name: _hash(project.root, name, default) for name in project.setting("reads")
    }
    pins = json.dumps(list(project.pins)).encode()
    return hashes | {"versions in pyproject.toml": _short(hashlib.sha256(pins))}


def _hash(root: Path, name: str, without: Path) -> str:
    path = root / name
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    digest = hashlib.sha256()
    for file in files:
        if file.suffix in _SUFFIXES and file != without:
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


def write_evidence(project: Project, name: str, results: Sequence[CaseResult]) -> Path:
    """Writes the results of a ladder; small enough to be committed."""
    content = {
        "step": name,
        "exit_code": exit_code(results),
        "fingerprints": fingerprints(project),
        "versions": installed_versions(project),
        "cases": [
            {"case": r.case, "verdict": r.verdict.value, "rungs": len(r.rungs)}
            for r in results
        ],
    }
    path = project.evidence / f"{name}.json"
    write_file(path, json.dumps(content, indent=2) + "\n")
    return path


def promotion_blockers(project: Project, name: str) -> list[str]:
    """Why the evidence for a ladder is not enough, a sentence each."""
    path = project.evidence / f"{name}.json"
    command = f"run `python -m bridge verify {name}`"
    try:
        stored = json.loads(path.read_text())
        hashes, code = stored["fingerprints"], stored["exit_code"]
        libraries = stored["versions"]
    except FileNotFoundError:
        return [f"there is no evidence for {name}: {command}"]
    except (ValueError, KeyError, TypeError):
        return [f"`evidence/{name}.json` can't be read: {command}"]
    blockers = []
    if code != 0:
        blockers.append(f"the evidence for {name} is not green (exit code {code})")
    stale = [n for n, h in fingerprints(project).items() if hashes.get(n) != h]
    if stale:
        blockers.append(
            f"{', '.join(stale)} changed since {name} was verified: {command}"
        )
    now = installed_versions(project)
    other = [n for n, value in now.items() if libraries.get(n) != value]
    if other:
        blockers.append(
            f"other versions of {', '.join(other)} were verified: {command}"
        )
    return blockers
