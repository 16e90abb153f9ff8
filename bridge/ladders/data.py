"""Step 3: data; R8 windows, batches and their order, R9 training on them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bridge.harness import (
    Counterfactuals,
    Findings,
    Ladder,
    Rung,
    Verdict,
    compare,
    exact,
    failed,
    named_exactly,
    not_judged,
)
from bridge.ladders.cases import EXPERIMENTS, PRECISIONS, CaseName, run_folder
from bridge.ladders.data_cases import (
    TRAIN,
    VALIDATE,
    DataCase,
    batches_of,
    windows_of,
)
from bridge.ladders.data_observed import observed_findings
from bridge.ladders.data_settings import settings_rows
from bridge.ladders.faults import faults_of
from bridge.ladders.names import CHANNEL_ORDER, LAST_BATCH, ONE_OBJECT
from bridge.ladders.run_cases import RunCase
from bridge.ladders.started import StartedParts
from experiment.run import build_synthetic_training
from experiment.settings import Settings
from experiment.system import Progress

OFF_BY_ONE = "window off by one frame"
EARLY = f"{OFF_BY_ONE} (early)"
DOUBLED = "one sample doubled, one lost"
SHUFFLED = "shuffled by another generator"
STALE = "stale cache"
_NO_WINDOWS: Sequence[np.ndarray] = ()


def case_names() -> list[CaseName]:
    """Every experiment and precision."""
    return [
        *(
            CaseName(experiment, "convnet", precision, batch_norm=False)
            for experiment in EXPERIMENTS
            for precision in PRECISIONS
        ),
        *(
            CaseName(e, "convnet", p, batch_norm=False, observed=initial)
            for e, p, initial in (
                ("burgers", "float64", "known"),
                ("advection", "float64", "nearest"),
                ("burgers", "float32", "nearest"),
            )
        ),
    ]


def data_rung(case: DataCase) -> Findings:
    """Windows bitwise, batches, their order, each sample once, also from a cache."""
    yield from _windows(case, "first run")
    yield from _windows(case, "from the cache")
    for epoch, position in ((0, 0), (1, 0), (1, 2)):
        yield from _epoch(case, TRAIN, epoch, position)
    yield from _epoch(case, VALIDATE, 0, 0)
    for access in ("both", "generated_only"):
        yield from _epoch(case, TRAIN, 1, 1, access)
    yield from observed_findings(case)
    before = windows_of(case.control())
    case.change_a_scene()
    yield from _windows(case, "after a Scene changed", before)


def _windows(
    case: DataCase, when: str, stale: Sequence[np.ndarray] = _NO_WINDOWS
) -> Findings:
    control, candidate = case.control(), case.candidate()
    if control is candidate:
        yield failed("loader", "identity", ONE_OBJECT)
        return
    expected, actual = windows_of(control), windows_of(candidate)
    counts = [np.array([len(side.dataset)]) for side in (candidate, control)]
    yield exact(f"number of windows, {when}", *counts)
    labels = candidate.dataset[0].shape.get_item_names("vector")
    if labels != case.plan.names:
        hint = CHANNEL_ORDER if labels == tuple(sorted(case.plan.names)) else ""
        yield failed(f"names of the channels, {when}", "exact", hint)
    for number, (window, reference) in enumerate(zip(actual, expected, strict=False)):
        finding = exact(f"window {number}, {when}", window, reference)
        wrong = _of_window(case, expected, number, stale)
        yield named_exactly(finding, window, wrong)


def _of_window(
    case: DataCase,
    windows: Sequence[np.ndarray],
    number: int,
    stale: Sequence[np.ndarray] = _NO_WINDOWS,
) -> Counterfactuals:
    """What a faulty pipeline would give for a window."""
    names = case.plan.names
    order = sorted(range(len(names)), key=lambda i: names[i])
    last = len(windows) - 1
    wrong = {
        CHANNEL_ORDER: lambda: windows[number][order],
        OFF_BY_ONE: lambda: windows[min(number + 1, last)],
        EARLY: lambda: windows[max(number - 1, 0)],
    }
    return wrong | ({STALE: lambda: stale[number]} if stale else {})


def _epoch(
    case: DataCase,
    simulations: tuple[int, ...],
    epoch: int,
    position: int,
    access: str = "real_only",
) -> Findings:
    """The batches of an epoch, and which windows they are made of."""
    control, candidate = case.control(simulations), case.candidate(simulations)
    where = f"epoch {epoch} from batch {position} of simulations {simulations}"
    if access != "real_only":
        where += f", {access}"
        for loader in (control, candidate):
            loader.augment(case.trajectories(), access)
    expected = batches_of(control, epoch, position)
    actual = batches_of(candidate, epoch, position)
    every = windows_of(control)
    numbers = {window.tobytes(): i for i, window in enumerate(every)}
    if len(numbers) != len(every):
        yield not_judged(where, "two windows of the control are the same")
        return
    order = [numbers[w.tobytes()] for batch in expected for w in batch]
    if position == 0 and sorted(order) != list(range(len(every))):
        yield not_judged(where, "the control does not give each sample once")
    candidates = [numbers.get(w.tobytes(), -1) for batch in actual for w in batch]
    sizes = [np.array([len(b) for b in side]) for side in (actual, expected)]
    finding = exact(f"sizes of the batches, {where}", *sizes)
    if finding.verdict is Verdict.FAILED and candidates == order[: len(candidates)]:
        finding = replace(finding, hint=LAST_BATCH)
    yield finding
    orders = [np.array(side) for side in (candidates, order)]
    finding = exact(f"order of the samples, {where}", *orders)
    if finding.verdict is Verdict.FAILED:
        finding = replace(finding, hint=_of_order(candidates, order))
    yield finding
    for number, (batch, reference) in enumerate(zip(actual, expected, strict=False)):
        finding = exact(f"batch {number}, {where}", batch, reference)
        inside = order[number * len(expected[0]) :][: len(reference)]
        yield named_exactly(finding, batch, _of_batch(case, every, inside))


def _of_batch(
    case: DataCase, windows: Sequence[np.ndarray], inside: Sequence[int]
) -> Counterfactuals:
    """What a faulty pipeline would give for a batch of some windows."""
    wrong = [_of_window(case, windows, i) for i in inside]
    return {name: lambda n=name: np.stack([w[n]() for w in wrong]) for name in wrong[0]}


def _of_order(actual: Sequence[int], expected: Sequence[int]) -> str:
    """What is wrong with the order, if every window is one of the control's."""
    if -1 in actual:
        return ""
    if sorted(actual) == sorted(expected):
        return SHUFFLED
    if len(actual) < len(expected) and list(actual) == list(expected[: len(actual)]):
        return LAST_BATCH
    return DOUBLED if len(set(actual)) < len(actual) else SHUFFLED


def training_rung(case: DataCase) -> Findings:
    """Losses of two epochs, trained from Scenes on either side throughout."""
    actual = _losses(case.port_settings)
    expected = _losses(case.settings)
    # What kinks and long roll-outs make of rounding is not known beforehand.
    unknown = isinstance(case.name, RunCase)
    again = [_losses(case.settings, nudge=True)] if unknown else []
    yield compare(
        f"losses of {case.epochs} epochs (epoch, training or validation)",
        *(actual, expected, expected),
        factor=10,
        depth=case.depth,
        again=again,
    )


def _losses(settings: Settings, *, nudge: bool = False) -> np.ndarray:
    """Losses of a training `(epoch, training or validation)`."""
    with run_folder(settings) as (run, in_folder):
        parts = StartedParts(nudge=nudge)
        training = build_synthetic_training(in_folder, parts)
        history = training.train(run, Progress()).history
    keys = ("train_loss", "val_loss")
    return np.array([[row[key] for key in keys] for row in history])


def _in_float64(name: CaseName | RunCase) -> bool:
    # Training in float32 is judged by the ladders of models and trainers.
    return name.precision == "float64"


LADDER = Ladder(
    "step3",
    case_names(),
    DataCase,
    (
        Rung("R8", "windows, batches, order, caches", data_rung),
        Rung("R9", "losses of two epochs from Scenes", training_rung, _in_float64),
    ),
    settings_rows,
    faults_of("data"),
)
