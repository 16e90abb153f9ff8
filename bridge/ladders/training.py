"""Step 2: learners and their loop; R4, R6, R7, R9, with the reference beside both."""

from functools import lru_cache

import numpy as np
import torch

from bridge.convert import to_phiml
from bridge.convert.converters import window_layout
from bridge.harness import (
    Findings,
    Ladder,
    Rung,
    compare,
    exact,
    named,
    named_exactly,
)
from bridge.ladders.cases import EXPERIMENTS, CaseName
from bridge.ladders.faults import faults_of
from bridge.ladders.names import LAST_BATCH
from bridge.ladders.run_cases import RunCase
from bridge.ladders.training_cases import CURRICULA, REORDERED, TrainingCase
from bridge.ladders.training_comparison import Witness, compared, pairs, witness
from bridge.ladders.training_counterfactuals import (
    of_epochs,
    of_loss,
    of_losses,
    of_rates,
    of_steps,
)
from bridge.ladders.training_precision import low_loss
from bridge.ladders.training_settings import settings_rows
from bridge.ladders.training_states import Trained, stepped, take_steps, trained
from experiment.data import Observed
from experiment.settings import ARCHITECTURES


def case_names() -> list[CaseName]:
    """Every experiment and architecture, in float64, and two curricula."""
    names = [CaseName(e, a, "float64") for e in EXPERIMENTS for a in ARCHITECTURES]
    return [
        *names,
        CaseName("burgers", "unet", "float64", batch_norm=False),
        CaseName("advection", "convnet", "float64", observed="known"),
        *CURRICULA,
    ]


def loss_rung(case: TrainingCase) -> Findings:
    """The learners' loss at batch 1, 2 and 3, in training mode."""
    if case.settings.general.precision != "float64":
        yield from low_loss(case)
        return
    layout = window_layout(case.rank)
    for size in {min(size, case.count) for size in (1, 2, 3)}:
        windows = case.windows[:size]
        batch = to_phiml(windows, layout, components=case.plan.names, boundary="verify")
        seen = {v: _part(case.observed(v), size, v) for v in ("", *case.views)}
        actual = np.array([case.candidate().loss(batch, seen[""])])
        expected = np.array([case.control().loss(windows, seen[""])])
        views = [
            (v, torch.from_numpy(case.turned(windows.numpy(), v))) for v in case.views
        ]
        again = [np.array([case.control(v).loss(w, seen[v])]) for v, w in views]
        reference = case.reference()
        beside = np.array([reference.step(reference.windows[:size])[0]])
        wrong = of_loss(case, windows, seen[""])
        for whom, value, against in (
            ("", actual, expected),
            (", candidate beside the reference", actual, beside),
            (", control beside the reference", expected, beside),
        ):
            finding = compare(
                f"loss, batch {size}{whom}",
                *(value, against, against),
                factor=2,
                depth=case.depth,
                again=again,
            )
            yield named(finding, value, against, wrong)


def _part(seen: Observed | None, size: int, view: str) -> Observed | None:
    """What was observed of the first windows, in a view."""
    if seen is None:
        return None
    return seen[-size:] if view == REORDERED else seen[:size]


def update_rung(case: TrainingCase) -> Findings:
    """Weight update and optimiser moments after 1 and 3 steps."""
    for count in (1,) if case.is_short else (1, 3):
        yield from compared(
            case,
            f"after {count} steps",
            stepped(case, "candidate", count),
            stepped(case, "control", count),
            witness(case, case.views, lambda r, n=count: take_steps(r, n)),
            of_steps(case, count),
        )


def schedule_rung(case: TrainingCase) -> Findings:
    """The learning rate of every epoch, also of a training that was resumed."""
    control, beside = trained(case, "control"), _epochs(case).state
    for stop in (None, 2):
        resumed = f", resumed after {stop} epochs" if stop else ""
        candidate = trained(case, "candidate", stop)
        for whom, actual, expected in pairs(candidate, control, beside):
            finding = exact(f"rates{resumed}{whom}", actual.rates, expected.rates)
            wrong = of_rates(case)
            yield named(finding, actual.rates, expected.rates, wrong)


def trajectory_rung(case: TrainingCase) -> Findings:
    """100 steps from one start; 4 epochs with their schedule, also resumed.

    At the sizes of a run, 3 steps.
    """
    for count in (3,) if case.is_short else (10, 100):
        yield from compared(
            case,
            f"after {count} steps",
            stepped(case, "candidate", count),
            stepped(case, "control", count),
            witness(case, case.few_views, lambda r, n=count: take_steps(r, n)),
            {},
            depth=count,
        )
    if case.is_short:
        return
    control = trained(case, "control")
    beside = _epochs(case)
    for stop in (None, 2):
        when = f"after {case.epochs} epochs" + (
            f", resumed after {stop}" if stop else ""
        )
        candidate = trained(case, "candidate", stop)
        yield from _steps_and_losses(case, when, candidate, control, beside.state)
        yield from compared(
            *(case, when, candidate, control, beside, of_epochs(case)), depth=100
        )


@lru_cache(maxsize=2)
def _epochs(case: TrainingCase) -> Witness:
    """The reference after all epochs."""
    return witness(case, case.views, lambda r: r.train())


def _steps_and_losses(case: TrainingCase, when: str, *states: Trained) -> Findings:
    full = case.epochs * (case.count // case.batch)
    whole = {LAST_BATCH: lambda: np.array([full])}
    for whom, actual, expected in pairs(*states):
        counts = [np.array([state.steps]) for state in (actual, expected)]
        yield named_exactly(exact(f"steps {when}{whom}", *counts), counts[0], whole)
        finding = compare(
            f"losses {when}{whom}",
            *(actual.losses, expected.losses, expected.losses),
            factor=10,
            depth=case.depth * 100,
        )
        yield named(finding, actual.losses, expected.losses, of_losses(case))


def _in_float64(name: CaseName | RunCase) -> bool:
    # In less, Adam makes steps of what is rounding.
    return name.precision == "float64"


def _is_whole(name: CaseName | RunCase) -> bool:
    short = isinstance(name, RunCase) and name.at_own_sizes
    return _in_float64(name) and not short


LADDER = Ladder(
    "step2",
    case_names(),
    TrainingCase,
    (
        Rung("R4", "learner's loss at batch 1, 2, 3", loss_rung),
        Rung("R6", "update and moments, 1 and 3 steps", update_rung, _in_float64),
        Rung("R7", "learning rate of every epoch", schedule_rung, _is_whole),
        Rung("R9", "trajectory of 10, 100 steps, resume", trajectory_rung, _in_float64),
    ),
    settings_rows,
    faults_of("training"),
)
