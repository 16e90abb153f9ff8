"""Every command on a migration of one's own, `bridge COMMAND package.module:object`."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.harness.errors import HarnessError, load_object
from bridge.harness.ladder import Ladder

#: What a migration can be asked for, and what each does, reads and writes.
HELP = {
    "verify": "prove the candidate equal, rung by rung; writes the proof",
    "selftest": "plant every fault that matters, and see it found by name",
    "settings": "both sides' settings beside each other",
    "bench": "time forward, gradient and step of both sides",
    "explain": "what is compared, what isn't and why",
    "status": "the side in use, and whether the stored proof is fresh",
    "promote": "put the candidate in use, on a fresh green proof",
    "rollback": "put the control in use again; asks for nothing",
    "report": "write a page with what was compared",
    "suggest": "suggest which leaf is which; writes a mapping to edit",
}


def migration_in(arguments: Sequence[str]) -> Any:
    """The migration that the arguments name, or None if they name none.

    Raises:
        HarnessError: `module:object` doesn't import, or is neither a migration nor
            anything else that the command takes.
    """
    if len(arguments) < 2 or arguments[0] not in HELP:
        return None
    paths = [a for a in arguments[1:] if ":" in a and not a.startswith("-")]
    if not paths or "=" in paths[0]:
        return None
    found = load_object(paths[0])
    if hasattr(found, "suggest_mapping"):
        return found
    # Cases and a command are what `bench` takes.
    if isinstance(found, Ladder | Mapping) or hasattr(found, "add_arguments"):
        return None
    raise HarnessError(
        f"`{paths[0]}` is a {type(found).__name__}; expected a `bridge.Migration`"
    )


def run(migration: Any, arguments: Sequence[str]) -> int:
    """Runs one command on a migration; its exit code."""
    command = arguments[0]
    parser = argparse.ArgumentParser(
        prog=f"bridge {command}",
        description=HELP[command],
        epilog=f"example: bridge {command} mypackage.migration:m",
    )
    parser.add_argument("target", help="`package.module:object`, a bridge.Migration")
    if command == "verify":
        parser.add_argument("--rungs", nargs="+", metavar="RUNG", help="such as R3 R5")
    if command == "selftest":
        parser.add_argument(
            "--faults", nargs="+", metavar="TEXT", help="parts of names"
        )
    if command == "bench":
        parser.add_argument("--rounds", type=int, default=15, help="15 by default")
    if command in ("report", "suggest"):
        name = "report.html" if command == "report" else "mapping.yaml"
        default = Path(f"{migration.name}.{name}")
        parser.add_argument("--file", type=Path, default=default, help="%(default)s")
    options = parser.parse_args(list(arguments[1:]))
    return _COMMANDS[command](migration, options)


def _verify(migration: Any, options: argparse.Namespace) -> int:
    proof = migration.verify(options.rungs)
    folder = migration.folder
    print(f"proof written to {folder / f'{migration.name}.proof.json'}")
    return int(proof.exit_code)


def _selftest(migration: Any, options: argparse.Namespace) -> int:
    results = migration.selftest(options.faults)
    return 0 if results and all(r.caught for r in results) else 1


def _settings(migration: Any, options: argparse.Namespace) -> int:
    rows = migration.settings()
    unequal = [row for row in rows if row.unequal]
    for row in unequal:
        print(f"UNEQUAL  {row.setting}: {row.control} | {row.candidate}")
    print(f"{len(rows) - len(unequal)} settings equal, {len(unequal)} unequal")
    return 1 if unequal else 0


def _bench(migration: Any, options: argparse.Namespace) -> int:
    migration.bench(options.rounds)
    return 0


def _explain(migration: Any, options: argparse.Namespace) -> int:
    print(migration.explain())
    return 0


def _status(migration: Any, options: argparse.Namespace) -> int:
    print(f"{migration.name}: {migration.current()} in use")
    print(f"chosen by the argument `side`, {migration.variable}, or {migration.folder}")
    for reason in migration.unproved():
        print(f"can't be promoted: {reason}")
    return 0


def _promote(migration: Any, options: argparse.Namespace) -> int:
    print(f"candidate in use; written to {migration.promote()}")
    return 0


def _rollback(migration: Any, options: argparse.Namespace) -> int:
    print(f"control in use; written to {migration.rollback()}")
    return 0


def _report(migration: Any, options: argparse.Namespace) -> int:
    print(f"page written to {migration.report(options.file)}")
    return 0


def _suggest(migration: Any, options: argparse.Namespace) -> int:
    leaves = migration.suggest_mapping(options.file)
    print(f"{len(leaves)} leaves mapped; written to {options.file}: look at it, edit")
    print("it, and give it as `Side(rename=...)`")
    return 0


_COMMANDS = {
    "verify": _verify,
    "selftest": _selftest,
    "settings": _settings,
    "bench": _bench,
    "explain": _explain,
    "status": _status,
    "promote": _promote,
    "rollback": _rollback,
    "report": _report,
    "suggest": _suggest,
}
