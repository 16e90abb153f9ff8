"""Task `evaluate` of one run: measures, draws, and writes its page."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiment.data import physics_text, reference_text
from experiment.evaluation import (
    EvaluationResult,
    Forecast,
    RecoveredParameter,
    evaluate,
    export_evaluation,
    write_evaluation,
)
from experiment.run.folder import RunFolder
from experiment.settings import COMPONENTS, Settings
from experiment.system import versions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluated:
    """What there is to evaluate, taken from checkpoints.

    Attributes:
        forecasts: Roll-outs by `SYNTHETIC` and `PHYSICAL`, in the order to be shown.
        parameters: What the physical model learned of its PDE.
        histories: Each model's training, row by row, by the same names.
        facts: What the report lists: checkpoints, epochs, optimiser steps.
        steps: Optimiser steps, or iterations of L-BFGS-B, by the same names.
    """

    forecasts: Mapping[str, Forecast]
    parameters: Sequence[RecoveredParameter]
    histories: Mapping[str, Sequence[dict[str, Any]]]
    facts: Mapping[str, object]
    steps: Mapping[str, int] = field(default_factory=dict)


def evaluate_run(
    settings: Settings, evaluated: Evaluated, run: RunFolder
) -> EvaluationResult:
    """Evaluates trained models; files, pictures and the page go to the run folder."""
    # matplotlib takes a while to import, which the other tasks need not wait for.
    from experiment.report import draw_evaluation, write_report

    log.info("the data were made by %s", reference_text(settings))
    result = evaluate(settings, evaluated.forecasts, evaluated.parameters)
    folder = evaluation_folder(settings, run)
    write_evaluation(result, folder)
    if settings.evaluation.export is not None:
        name, steps = run.path.name, evaluated.steps
        export_evaluation(result, settings, run=name, steps=steps)
    names = draw_evaluation(result, settings, evaluated.histories, folder)
    pictures = [folder / name for name in names]
    facts = {**evaluated.facts, **run_facts(settings)}
    write_report(report_path(run), settings, result, pictures, facts)
    return result


def evaluation_folder(settings: Settings, run: RunFolder) -> Path:
    """Where the results of an evaluation go."""
    output = settings.evaluation.output_dir
    return Path(output) if output else run.path / "evaluation"


def report_path(run: RunFolder) -> Path:
    """The page of a run."""
    return run.path / "report.html"


def run_facts(settings: Settings) -> dict[str, object]:
    """What the page of any run lists: seed, switches, versions."""
    coarse = physics_text(settings)
    return {
        "data by": reference_text(settings),
        **({} if coarse is None else {"physics on": coarse}),
        "seed": settings.general.seed,
        "switches": ", ".join(
            f"{s.name}={getattr(settings.migration, s.name)}" for s in COMPONENTS
        ),
        **versions(),
    }
