"""Evidence: what a verification found, for which code and settings."""

import hashlib
import json
from pathlib import Path
from typing import Any

from experiment.system import versions, write_whole

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "evidence"
#: The files that a verification speaks of.
_SPEAKS_OF = (
    "experiment",
    "legacy",
    "phiml_port",
    "bridge",
    "conf/model",
    "conf/base.yaml",
)


def fingerprints() -> dict[str, str]:
    """A hash of every room whose code or settings a verification depends on."""
    return {name: _hash(ROOT / name) for name in _SPEAKS_OF}


def _hash(place: Path) -> str:
    files = [place] if place.is_file() else sorted(place.rglob("*"))
    digest = hashlib.sha256()
    for file in files:
        if file.suffix in (".py", ".yaml"):
            digest.update(str(file.relative_to(ROOT)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def write_evidence(step: str, exit_code: int, cases: list[dict[str, Any]]) -> Path:
    """Writes what `verify` found for a step; small enough to be committed."""
    worst = [
        {"case": case["case"], "verdict": case["verdict"], "rungs": len(case["rungs"])}
        for case in cases
    ]
    content = {
        "step": step,
        "exit_code": exit_code,
        "fingerprints": fingerprints(),
        "versions": versions(),
        "cases": worst,
    }
    path = FOLDER / f"{step}.json"
    write_whole(path, json.dumps(content, indent=2) + "\n")
    return path


def problems(step: str) -> list[str]:
    """Why a step may not be promoted, a sentence each; none if it may."""
    path = FOLDER / f"{step}.json"
    command = f"run `python -m bridge verify {step}`"
    try:
        held = json.loads(path.read_text())
        stored, code = held["fingerprints"], held["exit_code"]
        libraries = held["versions"]
    except FileNotFoundError:
        return [f"there is no evidence for {step}: {command}"]
    except (ValueError, KeyError, TypeError):
        return [f"`evidence/{step}.json` can't be read: {command}"]
    found = []
    if code != 0:
        found.append(f"the evidence for {step} is not green (exit code {code})")
    stale = [n for n, value in fingerprints().items() if stored.get(n) != value]
    if stale:
        found.append(f"{', '.join(stale)} changed since {step} was verified: {command}")
    now = versions()
    other = [n for n, value in now.items() if libraries.get(n) != value]
    if other:
        found.append(f"other versions of {', '.join(other)} were verified: {command}")
    return found
