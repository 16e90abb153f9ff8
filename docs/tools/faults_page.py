"""Every planted fault as a table: its name, its rung, and how far it is over the limit.

python -m docs.tools.faults_page    # prints it, in Markdown

Names, rungs and cases are those of the ladders as they are; the numbers are of the last
`python -m bridge selftest --json docs/faults.json`.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from bridge.harness import Fault, Project

NUMBERS = Path(__file__).parents[1] / "faults.json"
_HEAD = (
    "| fault, as the report names it | rung | case | error over its limit |\n"
    "|---|---|---|---|"
)


def markdown(numbers: Path = NUMBERS) -> str:
    """A heading and a table for each ladder.

    Args:
        numbers: What `selftest --json` wrote.
    """
    rows: list[dict[str, Any]] = json.loads(numbers.read_text(encoding="utf-8"))
    measured = {_key(r["rung"], r["name"], r["where"], r["case"]): r for r in rows}
    project = Project.find(NUMBERS.parent)
    project.prepare()
    parts = []
    for name, ladder in project.chosen("all").items():
        words = {r.name: r.compares for r in ladder.rungs}
        used = Counter(f.rung for f in ladder.faults())
        rungs = "\n".join(f"* {rung}: {words[rung]}" for rung in sorted(used))
        lines = "\n".join(_line(fault, measured) for fault in ladder.faults())
        parts.append(f"## {name}\n\n{rungs}\n\n{_HEAD}\n{lines}\n")
    return "\n".join(parts)


def _key(rung: str, name: str, where: str, case: str) -> tuple[str, str, str, str]:
    return rung, name, where, case


def _line(fault: Fault, measured: dict[tuple[str, ...], dict[str, Any]]) -> str:
    row = measured.get(_key(fault.rung, fault.name, fault.where, str(fault.case)))
    beside = f" ({fault.where})" if fault.where else ""
    cells = (f"{fault.name}{beside}", fault.rung, f"`{fault.case}`", _size(row))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _size(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not measured"
    if not row["caught"]:
        return "missed"
    if row["margin"] is None:
        return "no number"
    return _two_digits(row["margin"])


def _two_digits(number: float) -> str:
    """Two digits that count: 2.5, 12,000, 3e+13."""
    if number < 10:
        return f"{number:.1f}"
    rounded = float(f"{number:.1e}")
    return f"{rounded:,.0f}" if rounded < 1e6 else f"{rounded:.1e}"


if __name__ == "__main__":
    print(markdown())
