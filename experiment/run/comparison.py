"""Mode `compare`: each model alone and both together, at equal budget, over seeds."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from experiment.data import Simulator, generate
from experiment.evaluation import (
    PERSISTENCE,
    ComparedModel,
    Comparison,
    EvaluationResult,
    compared_models,
    comparison_tables,
    spread_text,
)
from experiment.run.evaluating import (
    Evaluated,
    evaluate_run,
    evaluation_folder,
    report_path,
    run_facts,
)
from experiment.run.folder import RunFolder
from experiment.run.subruns import COMPARISON, SubRun, data_settings, sub_runs
from experiment.settings import Settings
from experiment.system import Progress, Stopped, StopSignal, UserError
from experiment.training import (
    PHYSICAL,
    SYNTHETIC,
    checkpoint_folder,
    equal_budget,
    pde_steps,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ComparisonRun:
    """The tasks of a comparison, on the tasks of one training.

    Each training has the folder `<kind>-seed_<seed>` below
    `<general.checkpoint_dir>/comparison`, and one of the same name below the run folder
    for its log, metrics, evaluation and page. With `trainer.resume` what is complete is
    taken over, what was stopped goes on, and what is missing is trained.

    Attributes:
        settings: The settings of the comparison.
        simulator: Makes the physical model of some settings.
        train_one: Trains what the settings say; returns the batches that went through
            the surrogate.
        evaluated: Reads the trained models of some settings.
    """

    settings: Settings
    simulator: Callable[[Settings], Simulator]
    train_one: Callable[[Settings, RunFolder, Progress], int]
    evaluated: Callable[[Settings], Evaluated]

    def generate(self, progress: Progress) -> None:
        """Simulates what is missing, for each seed where data are redrawn."""
        for settings in data_settings(self.settings):
            generate(settings, self.simulator(settings), progress)

    def train(self, run: RunFolder, progress: Progress) -> int:
        """Trains everything, one after another.

        Returns:
            The batches that went through surrogates.

        Raises:
            CheckpointError: `trainer.resume` is set and a checkpoint doesn't fit.
            TrainingError: A loss is not finite, or a signal asked to stop.
        """
        resume = bool(self.settings.trainer.resume)
        if not resume:
            _start_afresh(checkpoint_folder(self.settings))
        budget = equal_budget(self.settings)
        log.info(
            "equal budget: %d optimiser steps of the synthetic model in the hybrid"
            " training, %d alone (%d epochs); %d rounds of the physical model in both,"
            " %d iterations each at most",
            *(budget.hybrid_steps, budget.steps, budget.epochs, budget.rounds),
            self.settings.trainer.physical.iterations,
        )
        batches, runs = 0, sub_runs(self.settings)
        with StopSignal() as stop:
            for number, part in enumerate(runs):
                go_on = resume and part.has_begun
                log.info("training %d/%d: %s", number + 1, len(runs), part.name)
                batches += self._train_part(part, go_on, run, progress)
                if stop.name is not None and number + 1 < len(runs):
                    raise Stopped(
                        f"stopped by {stop.name} after {number + 1} of {len(runs)}"
                        " trainings; nothing is lost: go on with"
                        " `trainer.resume=true`.",
                        stop.number,
                    )
        return batches

    def _train_part(
        self, part: SubRun, resume: bool, run: RunFolder, progress: Progress
    ) -> int:
        trainer = replace(part.settings.trainer, resume=resume)
        settings = replace(part.settings, trainer=trainer)
        folder = RunFolder(settings, run, part.name)
        handler = folder.log_to_file()
        try:
            return self.train_one(settings, folder, progress)
        except UserError:
            log.warning("the training %s did not come to its end", part.name)
            raise
        finally:
            folder.close()
            logging.getLogger().removeHandler(handler)
            handler.close()

    def evaluate(self, run: RunFolder, progress: Progress) -> Comparison:
        """Evaluates every training on unseen simulations and compares them.

        Raises:
            CheckpointError: A training isn't complete, or had other settings.
        """
        # matplotlib takes a while to import, which the other tasks need not wait for.
        from experiment.report import (
            draw_comparison,
            draw_spreads,
            write_comparison_page,
        )

        runs = sub_runs(self.settings)
        # Before the first evaluation, which takes a while.
        for part in runs:
            part.require_complete()
        models, pages = [], {}
        for part in runs:
            folder = RunFolder(part.settings, run, part.name)
            evaluated = self.evaluated(part.settings)
            result = evaluate_run(part.settings, evaluated, folder)
            folder.close()
            log.info("evaluated %s", part.name)
            models += _models(part, result, evaluated)
            pages[part.name] = report_path(folder)
        comparison = Comparison(_persistence_once(models, self.settings), self.settings)
        written = evaluation_folder(self.settings, run)
        comparison.write(written)
        picture = written / "comparison.png"
        draw_comparison(comparison, picture)
        pictures = [picture, *(written / n for n in draw_spreads(comparison, written))]
        facts = {"trainings": len(runs), **run_facts(self.settings)}
        report = report_path(run)
        write_comparison_page(report, self.settings, comparison, pictures, facts, pages)
        for table in comparison_tables(comparison):
            progress.console.print(table)
        for line in _log_lines(comparison):
            log.info("%s", line)
        progress.console.print(f"tables:  {written}", soft_wrap=True)
        progress.console.print(f"report:  {report}", soft_wrap=True)
        return comparison


def _start_afresh(folder: Path) -> None:
    """Moves an earlier comparison's checkpoints aside, all of them at once.

    Else those of an earlier comparison would count as complete in one that was stopped.
    """
    if not (folder / COMPARISON).exists():
        return
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
    aside = folder / "earlier" / stamp
    aside.mkdir(parents=True, exist_ok=True)
    (folder / COMPARISON).rename(aside / COMPARISON)
    log.info("the checkpoints of an earlier comparison are now in `%s`", aside)


def _models(
    part: SubRun, result: EvaluationResult, evaluated: Evaluated
) -> list[ComparedModel]:
    work = {}
    if SYNTHETIC in part.models:
        work[SYNTHETIC] = {"optimiser_steps": evaluated.steps[SYNTHETIC]}
    if PHYSICAL in part.models:
        work[PHYSICAL] = {
            "lbfgs_iterations": evaluated.steps[PHYSICAL],
            "pde_steps": pde_steps(part.settings, evaluated.histories[PHYSICAL]),
        }
    return compared_models(part.kind, part.seed, result, work)


def _persistence_once(
    models: list[ComparedModel], settings: Settings
) -> list[ComparedModel]:
    """Every model, and persistence once for each set of simulations."""
    kept, seen = [], set()
    for model in models:
        data = model.seed if settings.compare.redraw_data else 0
        if model.name != PERSISTENCE or data not in seen:
            kept.append(model)
        if model.name == PERSISTENCE:
            seen.add(data)
    return kept


def _log_lines(comparison: Comparison) -> list[str]:
    """One line for each model: what the tables say, for the log."""
    lines = []
    for row in comparison.summary():
        errors = [k for k in row if k == "nrmse_mean" or k.endswith("_l2")]
        work = [k for k in ("optimiser_steps", "pde_steps") if k in row]
        values = [f"{k} {spread_text(row, k)}" for k in (*errors, *work)]
        lines.append(f"{row['model']}: {', '.join(values)}")
    return lines
