"""The result of a verification: of which code, with which libraries, on what."""

import hashlib
import json
import platform
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.harness import CaseResult, HarnessError, exit_code, write_file
from bridge.harness.ladder import to_rows

if TYPE_CHECKING:
    from bridge.migration.migration import Migration

_FORMAT = 1
_LIBRARIES = ("numpy", "torch", "phiml", "jax", "jaxlib", "scipy")


@dataclass(frozen=True)
class Proof:
    """What `verify` found; stored beside the choice.

    Attributes:
        content: All facts, as they are stored.
        results: The results, if they were made in this process.
    """

    content: Mapping[str, Any]
    results: Sequence[CaseResult] = ()

    @property
    def passed(self) -> bool:
        """Whether everything that was run passed."""
        return self.content.get("exit_code") == 0

    @property
    def exit_code(self) -> int:
        """0 all pass, 1 a numeric failure, 2 something could not be judged."""
        return int(self.content["exit_code"])


def make_proof(
    migration: "Migration", results: Sequence[CaseResult], complete: bool
) -> Proof:
    """Notes the results with everything they hang on, and stores them."""
    content: dict[str, Any] = {
        "format": _FORMAT,
        "migration": migration.name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "exit_code": exit_code(results),
        "complete": complete,
        "cases": to_rows(results),
        "code": code_hashes(),
        "versions": versions(),
        "machine": f"{platform.machine()}, {platform.processor() or 'unknown'}",
    }
    content["checksum"] = _checksum(content)
    proof = Proof(content, results)
    write_file(proof_file(migration), json.dumps(content, indent=2) + "\n")
    return proof


def proof_file(migration: "Migration") -> Path:
    """Where the proof is stored."""
    return migration.folder / f"{migration.name}.proof.json"


def read_proof(migration: "Migration") -> Proof:
    """The stored proof.

    Raises:
        HarnessError: There is none, or it can't be read.
    """
    path = proof_file(migration)
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise HarnessError(
            f"there is no proof of `{migration.name}` at `{path}`: verify it first"
        ) from error
    except (OSError, ValueError) as error:
        raise HarnessError(f"`{path}` can't be read: {error}; verify again") from error
    if not isinstance(content, dict):
        raise HarnessError(f"`{path}` is no proof; verify again")
    return Proof(content)


def blockers(migration: "Migration", proof: Proof) -> list[str]:
    """Why a proof isn't enough to promote, a sentence each."""
    content = dict(proof.content)
    if content.get("format") != _FORMAT:
        return [
            f"the proof has format {content.get('format')}; this one reads {_FORMAT}"
        ]
    if content.get("migration") != migration.name:
        return [f"the proof is of `{content.get('migration')}`"]
    if content.pop("checksum", None) != _checksum(content):
        return ["the proof was changed after it was written; verify again"]
    reasons = []
    if content["exit_code"] != 0 or not content["cases"]:
        reasons.append("the proof isn't green; see `verify`")
    cases = [row["case"] for row in content["cases"]]
    lacking = [p for p in migration.precisions if p not in cases]
    if not content["complete"] or lacking:
        reasons.append("the proof is of some rungs or precisions only; verify all")
    now = code_hashes()
    changed = [n for n, h in content["code"].items() if now.get(n, h) != h]
    if changed:
        reasons.append(f"{', '.join(changed[:3])} changed since then; verify again")
    here = versions()
    other = [n for n, v in content["versions"].items() if here.get(n) != v]
    if other:
        reasons.append(f"other versions of {', '.join(other)} were verified")
    return reasons


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps({k: v for k, v in content.items() if k != "checksum"})
    return hashlib.sha256(text.encode()).hexdigest()


def code_hashes() -> dict[str, str]:
    """A hash of every module that was imported and isn't an installed library."""
    installed = {
        Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")
    }
    standard = Path(sysconfig.get_path("stdlib")).resolve()
    own = Path(__file__).resolve().parents[1]
    hashes = {}
    for name, module in sorted(sys.modules.copy().items()):
        file = getattr(module, "__file__", None)
        if not file or not Path(file).is_file():
            continue
        path = Path(file).resolve()
        library = any(p in path.parents for p in installed) or standard in path.parents
        if own in path.parents or not library:
            hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    hashes.pop("__main__", None)
    return hashes


def versions() -> dict[str, str]:
    """The installed versions of what computes."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
