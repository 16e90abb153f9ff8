"""The tasks of a run, on whatever components the door put together."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from experiment._check import settings_warnings
from experiment._checkpoints import BEST, LAST, load_checkpoint
from experiment._errors import UserError
from experiment._evaluation import (
    Forecast,
    evaluate,
    summary_table,
    write_evaluation,
)
from experiment._generation import Simulator, generate
from experiment._progress import Progress
from experiment._report import write_report
from experiment._run_folder import RunFolder, versions
from experiment._settings import COMPONENTS, Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Components:
    """What the tasks need, each made when its task begins.

    Attributes:
        simulator: Makes the physical model.
        train: Trains and writes checkpoints.
        forecast: Makes the roll-out of the model in the checkpoint at a path.
        summary: Says at the end of a training what is worth saying.
    """

    simulator: Callable[[], Simulator]
    train: Callable[[RunFolder, Progress], None]
    forecast: Callable[[Path], Forecast]
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
        if "generate" in settings.general.tasks:
            generate(settings, components.simulator(), progress)
        if "train" in settings.general.tasks:
            components.train(run, progress)
            components.summary(progress)
        if "evaluate" in settings.general.tasks:
            _evaluate(settings, components, run, progress)
        run.mark_latest()
    except UserError as error:
        # To the run's log alone: the door prints it.
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
    # matplotlib takes a second to import, which the other tasks need not wait for.
    from experiment._pictures import draw_evaluation

    file = LAST if settings.evaluation.checkpoint == "last" else BEST
    path = Path(settings.general.checkpoint_dir) / file
    result = evaluate(settings, components.forecast(path))
    output = settings.evaluation.output_dir
    folder = Path(output) if output else run.path / "evaluation"
    write_evaluation(result, folder)
    state = load_checkpoint(path).state
    names = draw_evaluation(result, settings, state.history, folder)
    pictures = [folder / name for name in names]
    facts = {
        "checkpoint": path,
        "epochs trained": state.epoch,
        "optimiser steps": state.iteration,
        "seed": settings.general.seed,
        "switches": ", ".join(
            f"{s.component}={getattr(settings.migration, s.component)}"
            for s in COMPONENTS
        ),
        **versions(),
    }
    report = run.path / "report.html"
    write_report(report, settings, result, pictures, facts)
    progress.console.print(summary_table(result, settings))
    progress.console.print(f"pictures: {folder}", soft_wrap=True)
    progress.console.print(f"report:   {report}", soft_wrap=True)
