"""One page that shows a run: `report.html`, to be opened in a browser."""

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from experiment.evaluation import EvaluationResult, RecoveredParameter, value_text
from experiment.settings import Settings, to_dict
from experiment.system import write_whole

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto;
       padding: 0 1rem; color: #222; }
img { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem; text-align: right;
border-bottom: 1px solid #ddd; } td:first-child, th:first-child { text-align: left; }
pre { background: #f6f6f6; padding: 1rem; overflow-x: auto; }
"""


def write_report(
    path: Path,
    settings: Settings,
    result: EvaluationResult,
    pictures: Sequence[Path],
    facts: Mapping[str, Any],
) -> None:
    """Writes the page; pictures are linked relative to it.

    Args:
        path: The page.
        settings: The settings of the run.
        result: The results of the evaluation.
        pictures: The pictures' files, in reading order.
        facts: Name and value of whatever else is worth a row.
    """
    title = f"{settings.general.experiment_name}: {settings.model.synthetic.name}"
    images = "\n".join(
        f'<img src="{html.escape(os.path.relpath(p, path.parent))}"'
        f' alt="{html.escape(p.stem.replace("_", " "))}">'
        for p in pictures
    )
    rows = "".join(
        f"<tr><td>{html.escape(str(k))}</td><td>{html.escape(str(v))}</td></tr>"
        for k, v in facts.items()
    )
    resolved = html.escape(yaml.safe_dump(to_dict(settings), sort_keys=False))
    write_whole(
        path,
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>
<style>{_STYLE}</style></head><body>
<h1>{html.escape(title)}</h1>
<table>{rows}</table>
<h2>Roll-out on unseen simulations</h2>
{_summary(result)}
{_parameters(result.parameters)}
<h2>Pictures</h2>
{images}
<h2>Settings</h2>
<pre>{resolved}</pre>
</body></html>
""",
    )


def _summary(result: EvaluationResult) -> str:
    keys = [k for k in result.summary[0] if k != "correlation_time_is"]
    head = "".join(f"<th>{html.escape(k.replace('_', ' '))}</th>" for k in keys)
    body = ""
    for row in result.summary:
        cells = [
            value if isinstance(value, str) else f"{value:.4g}"
            for value in (row[k] for k in keys)
        ]
        if row["correlation_time_is"] != "=":
            cells[-1] = f"≥ {cells[-1]}"
        cells[-1] += " s"
        body += "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>"
    return f"<table><tr>{head}</tr>{body}</table>"


def _parameters(parameters: Sequence[RecoveredParameter]) -> str:
    if not parameters:
        return ""
    keys = ("parameter", "unit", "error before", "error after")
    sides = ("truth", "guess", "found")
    head = "".join(f"<th>{key}</th>" for key in (*keys, *sides))
    body = ""
    for parameter in parameters:
        errors = (parameter.error_before, parameter.error_after)
        cells = [
            parameter.name,
            parameter.unit,
            *("unknown" if e is None else f"{e:.4g}" for e in errors),
            *(value_text(parameter, side) for side in sides),
        ]
        body += "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>"
    return (
        "<h2>Recovered parameters</h2>\n"
        "<p>Errors are relative, in the L2 norm.</p>\n"
        f"<table><tr>{head}</tr>{body}</table>"
    )
