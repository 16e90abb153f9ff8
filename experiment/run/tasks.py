"""The tasks of a run, on the components that were assembled."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiment.data import Simulator, export_data, generate, import_data
from experiment.evaluation import (
    Forecast,
    RecoveredParameter,
    evaluate,
    parameter_table,
    summary_table,
    write_evaluation,
)
from experiment.run.folder import RunFolder
from experiment.settings import COMPONENTS, Settings, settings_warnings
from experiment.system import Progress, UserError, versions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluated:
    """What there is to evaluate, taken from checkpoints.

    Attributes:
        forecasts: Roll-outs by `SYNTHETIC` and `PHYSICAL`, in the order to be shown.
        parameters: What the physical model learned of its PDE.
        histories: Each model's training, row by row, by the same names.
        facts: What the report lists: checkpoints, epochs, optimiser steps.
    """

    forecasts: Mapping[str, Forecast]
    parameters: Sequence[RecoveredParameter]
    histories: Mapping[str, Sequence[dict[str, Any]]]
    facts: Mapping[str, object]


@dataclass(frozen=True)
class Components:
    """What the tasks need, each made when its task begins.

    Attributes:
        simulator: Makes the physical model.
        train: Trains and writes checkpoints.
        evaluation: Reads the trained models.
        summary: Says at the end of a training what is worth saying.
    """

    simulator: Callable[[], Simulator]
    train: Callable[[RunFolder, Progress], None]
    evaluation: Callable[[], Evaluated]
    summary: Callable[[Progress], None]


def run_tasks(settings: Settings, components: Components, progress: Progress) -> Path:
    """Runs `general.tasks` in order.

    Returns:
        The run folder.

    Raises:
        UserError: With the one message that says what to do.
    """
    run = RunFolder(settings)
    handler = run.log_to_file()
    try:
        for warning in settings_warnings(settings):
            log.warning("%s", warning)
        tasks = settings.general.tasks
        if settings.general.mode == "evaluate":
            tasks = ("evaluate",)
        if "import" in tasks:
            import_data(settings, progress)
        if "generate" in tasks:
            generate(settings, components.simulator(), progress)
        if "export" in tasks:
            export_data(settings, progress)
        if "train" in tasks:
            components.train(run, progress)
            components.summary(progress)
        if "evaluate" in tasks:
            _evaluate(settings, components, run, progress)
        run.mark_latest()
    except UserError as error:
        # To the run's log alone: `run.py` prints it.
        handler.handle(
            log.makeRecord(log.name, logging.ERROR, __file__, 0, str(error), (), None)
        )
        raise
    finally:
        run.close()
        logging.getLogger().removeHandler(handler)
        handler.close()
    return run.path


def _evaluate(
    settings: Settings, components: Components, run: RunFolder, progress: Progress
) -> None:
    # matplotlib takes a while to import, which the other tasks need not wait for.
    from experiment.report import draw_evaluation, write_report

    evaluated = components.evaluation()
    result = evaluate(settings, evaluated.forecasts, evaluated.parameters)
    output = settings.evaluation.output_dir
    folder = Path(output) if output else run.path / "evaluation"
    write_evaluation(result, folder)
    names = draw_evaluation(result, settings, evaluated.histories, folder)
    pictures = [folder / name for name in names]
    facts = {
        **evaluated.facts,
        "seed": settings.general.seed,
        "switches": ", ".join(
            f"{s.name}={getattr(settings.migration, s.name)}" for s in COMPONENTS
        ),
        **versions(),
    }
    report = run.path / "report.html"
    write_report(report, settings, result, pictures, facts)
    progress.console.print(summary_table(result, settings))
    if result.parameters:
        progress.console.print(parameter_table(result.parameters))
    progress.console.print(f"pictures: {folder}", soft_wrap=True)
    progress.console.print(f"report:   {report}", soft_wrap=True)
