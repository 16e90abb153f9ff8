"""The rungs of the data pipeline: R8 windows and their order, R9 training on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import bridge._factories as factories
from bridge.verify import _diagnosis as names
from bridge.verify._compare import Finding, Verdict, compare, exact
from bridge.verify._data_cases import (
    TRAIN,
    VALIDATE,
    DataCase,
    batches_of,
    candidate_windows,
    control_windows,
)
from bridge.verify._rungs import Findings, Rung
from bridge.verify._training_cases import run_folder
from experiment.system import Progress

OFF_BY_ONE = "window off by one frame"
DOUBLED = "one sample doubled, one lost"
LAST_BATCH = "last batch dropped"
SHUFFLED = "shuffled by another generator"
STALE = "stale cache"

Faults = Mapping[str, Callable[[], np.ndarray]]


def data_rung(case: DataCase) -> Findings:
    """Windows bitwise, batches, their order, each sample once, also from a cache."""
    yield from _windows(case, "first run")
    yield from _windows(case, "from the cache")
    for epoch, position in ((0, 0), (1, 0), (1, 2)):
        yield from _epoch(case, TRAIN, epoch, position)
    yield from _epoch(case, VALIDATE, 0, 0)
    before = control_windows(case.control())
    case.change_a_scene()
    yield from _windows(case, "after a Scene changed", stale=before)


def _windows(
    case: DataCase, when: str, stale: Sequence[np.ndarray] | None = None
) -> Findings:
    control, candidate = case.control(), case.candidate()
    expected, found = control_windows(control), candidate_windows(candidate)
    if control is candidate:
        yield Finding(
            Verdict.FAILED, np.inf, 0.0, "loader", "identity", names.ONE_OBJECT
        )
        return
    count = np.array([len(candidate.dataset)])
    yield exact(f"number of windows, {when}", count, np.array([len(expected)]))
    labels = candidate.dataset[0].shape.get_item_names("vector")
    plan = factories.channel_plan(case.settings)
    if labels != plan.names:
        hint = names.CHANNEL_ORDER if labels == tuple(sorted(plan.names)) else ""
        where = f"names of the channels, {when}"
        yield Finding(Verdict.FAILED, np.inf, 0.0, where, "exact", hint)
    for number, (ours, theirs) in enumerate(zip(found, expected, strict=False)):
        finding = exact(f"window {number}, {when}", ours, theirs)
        yield _named(finding, ours, _of_window(case, expected, number, stale))


def _of_window(
    case: DataCase,
    windows: Sequence[np.ndarray],
    number: int,
    stale: Sequence[np.ndarray] | None = None,
) -> Faults:
    """What a faulty pipeline would give for a window."""
    plan = factories.channel_plan(case.settings)
    order = sorted(range(len(plan.names)), key=lambda i: plan.names[i])
    faults = {names.CHANNEL_ORDER: lambda: windows[number][order]}
    if number + 1 < len(windows):
        faults[OFF_BY_ONE] = lambda: windows[number + 1]
    if number:
        faults[f"{OFF_BY_ONE} (early)"] = lambda: windows[number - 1]
    if stale is not None:
        faults[STALE] = lambda: stale[number]
    return faults


def _epoch(
    case: DataCase, simulations: tuple[int, ...], epoch: int, position: int
) -> Findings:
    """The batches of an epoch, and which windows they hold."""
    control, candidate = case.control(simulations), case.candidate(simulations)
    expected = batches_of(control, epoch, position)
    found = batches_of(candidate, epoch, position)
    where = f"epoch {epoch} from batch {position} of simulations {simulations}"
    every = control_windows(control)
    known = {window.tobytes(): i for i, window in enumerate(every)}
    if len(known) != len(every):
        hint = "two windows of the control are the same"
        yield Finding(Verdict.NOT_JUDGED, np.nan, np.nan, where, "structure", hint)
        return
    wanted = [known[w.tobytes()] for batch in expected for w in batch]
    if position == 0 and sorted(wanted) != list(range(len(every))):
        hint = "the control does not give each sample once"
        yield Finding(Verdict.NOT_JUDGED, np.nan, np.nan, where, "structure", hint)
    ours = [known.get(w.tobytes(), -1) for batch in found for w in batch]
    sizes = [np.array([len(b) for b in side]) for side in (found, expected)]
    finding = exact(f"sizes of the batches, {where}", *sizes)
    if finding.verdict is Verdict.FAILED and ours == wanted[: len(ours)]:
        finding = replace(finding, hint=LAST_BATCH)
    yield finding
    finding = exact(f"order of the samples, {where}", np.array(ours), np.array(wanted))
    if finding.verdict is Verdict.FAILED:
        finding = replace(finding, hint=_of_order(ours, wanted))
    yield finding
    for number, (batch, reference) in enumerate(zip(found, expected, strict=False)):
        finding = exact(f"batch {number}, {where}", batch, reference)
        if finding.verdict is Verdict.FAILED and batch.shape == reference.shape:
            numbers = wanted[number * len(expected[0]) :][: len(batch)]
            faults = {
                name: lambda n=name, k=tuple(numbers): np.stack(
                    [
                        _of_window(case, every, i).get(n, lambda i=i: every[i])()
                        for i in k
                    ]
                )
                for name in (names.CHANNEL_ORDER, OFF_BY_ONE, f"{OFF_BY_ONE} (early)")
            }
            finding = _named(finding, batch, faults)
        yield finding


def _of_order(ours: Sequence[int], wanted: Sequence[int]) -> str:
    """What is wrong with the order, if every window is one of the control's."""
    if -1 in ours:
        return ""
    if sorted(ours) == sorted(wanted):
        return SHUFFLED
    if len(ours) < len(wanted) and list(ours) == list(wanted[: len(ours)]):
        return LAST_BATCH
    return DOUBLED if len(set(ours)) < len(ours) else SHUFFLED


def _named(finding: Finding, found: np.ndarray, faults: Faults) -> Finding:
    """A failed finding with the fault's name: here a fault explains every bit."""
    if finding.verdict is not Verdict.FAILED:
        return finding
    for name, make in faults.items():
        if np.array_equal(make(), found):
            return replace(finding, hint=name)
    return finding


def training_rung(case: DataCase) -> Findings:
    """Losses of two epochs, trained from Scenes on either side throughout."""
    curves: dict[str, Any] = {}
    for side, settings in (("control", case.settings), ("port", case.port_settings)):
        with run_folder(settings) as (run, own):
            trainer = factories.build_trainer(own)
            history = trainer.train(run, Progress()).history
        keys = ("train_loss", "val_loss")
        curves[side] = np.array([[row[key] for key in keys] for row in history])
    yield compare(
        "losses of 2 epochs (epoch, training or validation)",
        curves["port"],
        curves["control"],
        curves["control"],
        factor=10,
        depth=case.depth,
    )


DATA_RUNGS = (
    Rung("R8", "windows, batches, order, caches", data_rung),
    Rung("R9", "losses of two epochs from Scenes", training_rung),
)
