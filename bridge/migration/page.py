"""A page of what was compared and how it came out, for people."""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.harness import write_file

if TYPE_CHECKING:
    from bridge.migration.migration import Migration
    from bridge.migration.proof import Proof

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:1rem auto;max-width:60rem;padding:0 1rem}
table{border-collapse:collapse;display:block;overflow-x:auto}
td,th{border:1px solid #bbb;padding:.3rem .6rem;text-align:left;vertical-align:top}
.FAIL{background:#fdd}.pass{background:#dfd}.other{background:#ffd}
"""


def write_page(
    migration: "Migration", path: Path, proof: "Proof | None" = None
) -> Path:
    """Writes the page; of the stored proof if none is given.

    Raises:
        HarnessError: There is no proof, or the page can't be written.
    """
    from bridge.migration.proof import read_proof

    content = (proof or read_proof(migration)).content
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width,initial-scale=1">'
        f"<title>{_text(migration.name)}</title><style>{_STYLE}</style>",
        f"<h1>{_text(migration.name)}: candidate beside control</h1>",
        f"<p>{_text(content['date'])}, {_text(_versions(content['versions']))}.</p>",
        "<p>Error is the larger of the relative L2 error and the largest difference"
        " over the root mean square of the control in float64.</p>",
    ]
    for case in content["cases"]:
        parts.append(f"<h2>{_text(case['case'])}: {_text(case['verdict'])}</h2>")
        parts.append(
            "<table><tr><th>compared<th>verdict<th>number<th>worst error"
            "<th>limit<th>where<th>cause</tr>"
        )
        parts += [_row(rung) for rung in case["rungs"]]
        parts.append("</table>")
    write_file(path, "\n".join(parts) + "</html>\n")
    return path


def _row(rung: Mapping[str, Any]) -> str:
    worst = rung["worst"] or {}
    verdict = rung["verdict"]
    kind = verdict if verdict in ("pass", "FAIL") else "other"
    compares = rung.get("compares") or rung["rung"]
    cells = (
        f"{_text(compares)} [{_text(rung['rung'])}]",
        _text(verdict),
        str(rung["comparisons"]),
        _number(worst.get("error")),
        _number(worst.get("limit")),
        _text(worst.get("where", "")),
        _text(worst.get("hint", "")),
    )
    return f"<tr class={kind}>" + "".join(f"<td>{c}" for c in cells) + "</tr>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _text(value: object) -> str:
    return html.escape(str(value))


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{n} {v}" for n, v in versions.items())
