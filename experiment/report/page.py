"""One page that shows a run: `report.html`, to be opened in a browser."""

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from experiment.evaluation import (
    EvaluationResult,
    RecoveredParameter,
    certainty_text,
    error_lines,
    value_text,
)
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

_FORMULAS = """<p>Of all dynamic channels c, mean over frames and simulations; p is the
forecast, r the truth. nrmse: &radic;(&Sigma;(p - r)&sup2; / &Sigma;r&sup2;) over
channels and cells. nrmse channels (APEBench): the sum over c of
&radic;(&Sigma;(p<sub>c</sub> - r<sub>c</sub>)&sup2; / &Sigma;r<sub>c</sub>&sup2;).
vrmse (The Well): the mean over c of &radic;(mean (p<sub>c</sub> - r<sub>c</sub>)&sup2;
/ (var r<sub>c</sub> + 1e-7)). In spectra, E(k) is the sum of half the squared
amplitudes whose wave number rounds to k.</p>"""


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
    body = f"""<h2>Roll-out on unseen simulations</h2>
{_summary(result)}
{_FORMULAS}
{_parameters(result.parameters)}
<h2>Pictures</h2>
{images(path, pictures)}"""
    write_page(path, title, settings, facts, body)


def write_page(
    path: Path, title: str, settings: Settings, facts: Mapping[str, Any], body: str
) -> None:
    """Writes a page: a title, facts, its own part, and the settings.

    Args:
        path: The page.
        title: Its title.
        settings: The settings of the run.
        facts: Name and value of what stands in a table at the top.
        body: HTML.
    """
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
{body}
<h2>Settings</h2>
<pre>{resolved}</pre>
</body></html>
""",
    )


def images(path: Path, pictures: Sequence[Path]) -> str:
    """The pictures of a page as HTML, linked relative to it."""
    return "\n".join(
        f'<img src="{html.escape(os.path.relpath(p, path.parent))}"'
        f' alt="{html.escape(p.stem.replace("_", " "))}">'
        for p in pictures
    )


def _summary(result: EvaluationResult) -> str:
    """A column for each forecast."""
    keys = [k for k in result.summary[0] if k != "correlation_time_is"]
    body = ""
    for key in keys:
        cell = "th" if key == "forecast" else "td"
        values = [_summary_text(row, key) for row in result.summary]
        columns = [key.replace("_", " "), *values]
        row = "".join(f"<{cell}>{html.escape(c)}</{cell}>" for c in columns)
        body += f"<tr>{row}</tr>"
    return f"<table>{body}</table>"


def _summary_text(row: Mapping[str, str | float], key: str) -> str:
    value = row[key]
    if isinstance(value, str):
        return value
    if key != "correlation_time":
        return f"{value:.4g}"
    at_least = "" if row["correlation_time_is"] == "=" else "≥ "
    return f"{at_least}{value:.4g} s"


def _parameters(parameters: Sequence[RecoveredParameter]) -> str:
    if not parameters:
        return ""
    keys = ("parameter", "unit", "error before", "error after")
    sides = ("truth", "guess", "found")
    head = "".join(f"<th>{key}</th>" for key in (*keys, *sides))
    body = ""
    for parameter in parameters:
        (name, *errors), *others = error_lines(parameter)
        values = (value_text(parameter, side) for side in sides)
        rows = [(name, parameter.unit, *errors, *values)]
        rows += [(name, "", *errors, "", "", "") for name, *errors in others]
        for cells in rows:
            columns = "".join(f"<td>{html.escape(c)}</td>" for c in cells)
            body += f"<tr>{columns}</tr>"
    return (
        "<h2>Recovered parameters</h2>\n"
        "<p>Errors are relative: in the L2 norm, which the cells with the largest"
        " values rule, and the median and the 90 % quantile of the cells' own.</p>\n"
        f"<table><tr>{head}</tr>{body}</table>\n{_certainty(parameters)}"
    )


def _certainty(parameters: Sequence[RecoveredParameter]) -> str:
    words = [certainty_text(parameter) for parameter in parameters]
    lines = "".join(f"<li>{html.escape(text)}</li>" for text in words if text)
    return f"<ul>{lines}</ul>" if lines else ""
