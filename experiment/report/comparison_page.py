"""The page of a comparison."""

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiment.evaluation import Comparison, guesses, spread_text
from experiment.report.page import images, write_page
from experiment.settings import Settings

_COLUMNS = {
    "trainings": "trainings",
    "nrmse_first": "nRMSE, step 1",
    "nrmse_mean": "nRMSE, mean",
    "nrmse_last": "nRMSE, last",
    "optimiser_steps": "optimiser steps",
    "lbfgs_iterations": "iterations of L-BFGS-B",
    "pde_steps": "steps of the PDE",
}
_ENDS = {"l2": "L2", "median": "median of the cells", "quantile90": "90 % of the cells"}
_WORDS = """<p>Median over the seeds (lowest to highest). nRMSE is
&radic;(&Sigma;(p - r)&sup2; / &Sigma;r&sup2;) over channels and cells of a frame, the
mean over the unseen simulations; <em>mean</em> is that over all frames but the initial
one. Steps of the PDE are those inside losses with a gradient, one for each window and
roll-out step, and those of trajectories that were rolled out for the surrogate. A model
alone has the settings of the hybrid training; its budget: the surrogate makes at least
as many optimiser steps, the physical model as many rounds of as many iterations at
most.</p>"""


def write_comparison_page(
    path: Path,
    settings: Settings,
    comparison: Comparison,
    pictures: Sequence[Path],
    facts: Mapping[str, Any],
    parts: Mapping[str, Path],
) -> None:
    """Writes the page; pictures and the pages of the parts are linked relative to it.

    Args:
        path: The page.
        settings: The settings of the comparison.
        comparison: Its results.
        pictures: The pictures' files, in reading order.
        facts: Name and value of whatever else is worth a row.
        parts: The page of each training by its name.
    """
    title = f"{settings.general.experiment_name}: each model alone and both together"
    links = "".join(
        f'<li><a href="{html.escape(os.path.relpath(p, path.parent))}">'
        f"{html.escape(name)}</a></li>"
        for name, p in parts.items()
    )
    body = f"""<h2>Roll-outs on unseen simulations</h2>
{_table(comparison.summary(), _COLUMNS)}
{_WORDS}
{_parameters(comparison)}
{images(path, pictures)}
<h2>Trainings</h2>
<ul>{links}</ul>"""
    write_page(path, title, settings, facts, body)


def _parameters(comparison: Comparison) -> str:
    parts = []
    for name, before in guesses(comparison).items():
        columns = {f"{name}_{end}": words for end, words in _ENDS.items()}
        rows: list[dict[str, Any]] = [
            {"model": "initial guess", "trainings": 1}
            | dict(zip(columns, before, strict=True))
        ]
        rows += [row for row in comparison.summary() if f"{name}_l2" in row]
        parts.append(
            f"<h2>Recovered: {html.escape(name)}</h2>\n<p>Relative errors.</p>\n"
            + _table(rows, columns)
        )
    return "\n".join(parts)


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    head = "".join(f"<th>{html.escape(w)}</th>" for w in ("model", *columns.values()))
    body = ""
    for row in rows:
        cells = [str(row["model"]), *(_cell(row, key) for key in columns)]
        body += "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>"
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(row: Mapping[str, Any], key: str) -> str:
    return str(row[key]) if key == "trainings" else spread_text(row, key)
