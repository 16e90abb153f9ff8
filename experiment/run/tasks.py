"""The tasks of a run, on the components that were assembled."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from experiment.data import Simulator, export_data, generate, import_data
from experiment.evaluation import check_export, parameter_table, summary_table
from experiment.run.comparison import ComparisonRun
from experiment.run.evaluating import (
    Evaluated,
    evaluate_run,
    evaluation_folder,
    report_path,
)
from experiment.run.folder import RunFolder
from experiment.run.lock import Lock, locked
from experiment.run.place import Place, find_place
from experiment.settings import Settings, is_trained, settings_warnings
from experiment.system import Progress, UserError, stopping_at_once
from experiment.training import checkpoint_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Components:
    """What the tasks need, each made when its task begins.

    Attributes:
        simulator: Makes the physical model.
        train: Trains by the settings of a run folder and writes checkpoints.
        evaluation: Reads the trained models of `general.checkpoint_dir`.
        summary: Says at the end of a training what is worth saying.
        comparison: The tasks of a comparison, in mode `compare` alone.
    """

    simulator: Callable[[], Simulator]
    train: Callable[[RunFolder, Progress], None]
    evaluation: Callable[[Settings], Evaluated]
    summary: Callable[[Progress], None]
    comparison: ComparisonRun | None = None


def run_tasks(settings: Settings, components: Components, progress: Progress) -> Path:
    """Runs `general.tasks` in order.

    Returns:
        The run folder.

    Raises:
        UserError: With the one message that says what to do.
        Stopped: A signal came; a training has saved.
    """
    place = find_place(settings)
    with contextlib.ExitStack() as stack:
        stack.enter_context(stopping_at_once())
        lock = _lock(place, stack) if is_trained(settings) else None
        return _run(place, lock, components, progress)


def _lock(place: Place, stack: contextlib.ExitStack) -> Lock:
    """Takes the folder of checkpoints for as long as this run trains and evaluates."""
    general = place.settings.general
    folder = checkpoint_folder(place.settings)
    try:
        lock = locked(folder, place.path, take_over=general.take_over)
        return stack.enter_context(lock)
    except UserError:
        if not place.goes_on:
            # Made a moment ago, and empty.
            with contextlib.suppress(OSError):
                place.path.rmdir()
        raise


def _run(
    place: Place, lock: Lock | None, components: Components, progress: Progress
) -> Path:
    settings = place.settings
    run = RunFolder(settings, path=place.path)
    handler = run.log_to_file()
    try:
        for line in place.lines:
            log.info("%s", line)
        if lock is not None and lock.before is not None:
            log.warning(
                "took over the lock of `%s` from a training that is no more: %s",
                *(lock.folder, lock.before),
            )
        for warning in settings_warnings(settings):
            log.warning("%s", warning)
        tasks = settings.general.tasks
        if settings.general.mode == "evaluate":
            tasks = ("evaluate",)
        if "evaluate" in tasks and components.comparison is None:
            check_export(settings)
        if "import" in tasks:
            import_data(settings, progress)
        comparison = components.comparison
        if comparison is not None:
            comparison = replace(comparison, settings=settings)
        if "generate" in tasks and comparison is not None:
            comparison.generate(progress)
        elif "generate" in tasks:
            generate(settings, components.simulator(), progress)
        if "export" in tasks:
            export_data(settings, progress)
        if "train" in tasks:
            components.train(run, progress)
            components.summary(progress)
            if lock is not None and "evaluate" in tasks:
                lock.require_held()
        if "evaluate" in tasks and comparison is not None:
            comparison.evaluate(run, progress)
        elif "evaluate" in tasks:
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
    evaluated = components.evaluation(settings)
    result = evaluate_run(settings, evaluated, run)
    progress.console.print(summary_table(result, settings))
    if result.parameters:
        progress.console.print(parameter_table(result.parameters))
    folder = evaluation_folder(settings, run)
    progress.console.print(f"pictures: {folder}", soft_wrap=True)
    progress.console.print(f"report:   {report_path(run)}", soft_wrap=True)
