"""What both sides read of incomplete, noisy data, beside what the ladder makes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from bridge.assemble import MixedParts
from bridge.harness import (
    Counterfactuals,
    Finding,
    Findings,
    exact,
    failed,
    named_exactly,
)
from bridge.ladders import observed as names
from bridge.ladders.data_cases import VALIDATE, DataCase, windows_of
from bridge.ladders.run_cases import RunCase
from experiment.data import channel_plan, read_trajectory
from experiment.run import build_synthetic_training
from experiment.settings import Settings

_EPOCH, _POSITION = 1, 1


def observed_findings(case: DataCase) -> Findings:
    """Windows with noise, masks in the order of an epoch, exact validation windows."""
    if isinstance(case.name, RunCase):
        yield from _masks_of_both(case)
    if not case.name.observed:
        return
    sides = {"control": case.control, "candidate": case.candidate}
    expected = names.measured(case.settings, names.channels_of(case.plan))
    for side, build in sides.items():
        where = f"as measured, {side} beside the reference"
        yield exact(f"windows {where}", np.stack(windows_of(build())), expected)
        for access in ("real_only", "both", "generated_only"):
            yield _masks(case, build(), side, access)
    for side, settings in (
        ("control", case.settings),
        ("candidate", case.port_settings),
    ):
        yield from _validation(settings, side)


def _masks_of_both(case: DataCase) -> Findings:
    """The masks of both sides, where a run's own words ask for gaps."""
    for access in ("real_only", "both", "generated_only"):
        where = f"masks of epoch {_EPOCH} from batch {_POSITION}, {access}"
        control, candidate = case.control(), case.candidate()
        for loader in (control, candidate):
            if access != "real_only":
                loader.augment(case.trajectories(), access)
            loader.set_epoch(_EPOCH, _POSITION)
        seen, expected = candidate.observed(), control.observed()
        if (seen is None) != (expected is None):
            side = "candidate" if seen is None else "control"
            yield failed(where, "exact", f"the {side} takes all for observed")
        elif seen is not None:
            for part in ("steps", "cells", "generated"):
                yield exact(
                    f"{where}: {part}", getattr(seen, part), getattr(expected, part)
                )


def _masks(case: DataCase, loader: Any, side: str, access: str) -> Finding:
    made = 0
    if access != "real_only":
        trajectories = case.trajectories()
        loader.augment(trajectories, access)
        steps = case.settings.trainer.rollout_steps
        made = len(trajectories) * (trajectories.shape[1] - steps)
    loader.set_epoch(_EPOCH, _POSITION)
    seen = loader.observed()
    actual = seen.steps[..., None, None] & seen.cells_of_each()[:, None]
    real = names.masks_of(case.settings)[: 0 if access == "generated_only" else None]
    seed = case.settings.general.seed
    order = np.random.default_rng([seed, _EPOCH]).permutation(len(real) + made)
    order = order[_POSITION * case.batch :]

    def in_order(masks: np.ndarray, generated: bool | np.ndarray = True) -> np.ndarray:
        shape = made, *masks.shape[1:]
        every = np.concatenate([masks, np.broadcast_to(generated, shape)])
        return every[order]

    cells = names.cells_of(case.settings)
    rows = np.any(real, (2, 3), keepdims=True)
    wrong: Counterfactuals = {
        names.IGNORED: lambda: in_order(np.ones_like(real)),
        names.OTHER_AXIS: lambda: in_order(rows & names.other_axis(cells)),
        names.ON_GENERATED: lambda: in_order(real, cells),
        names.SHIFTED: lambda: in_order(_one_later(case.settings)[: len(real)]),
    }
    where = f"masks of epoch {_EPOCH} from batch {_POSITION}, {access}"
    finding = exact(f"{where}, {side} beside the reference", actual, in_order(real))
    return named_exactly(finding, actual, wrong)


def _one_later(settings: Settings) -> np.ndarray:
    """The masks of windows that begin a frame later."""
    starts, steps = names.steps_of(settings), settings.trainer.rollout_steps
    frames, later = settings.data.trajectory_length, range(2, steps + 2)
    seen = [[names.was_observed((s + step) % frames) for step in later] for s in starts]
    rows = np.array(seen * len(settings.trainer.train_sim))
    return rows[..., None, None] & names.cells_of(settings)


def _validation(settings: Settings, side: str) -> Iterator[Finding]:
    loader: Any = build_synthetic_training(settings, MixedParts()).val_loader
    actual = np.stack(windows_of(loader))
    (number,) = VALIDATE

    def windows(values: np.ndarray) -> np.ndarray:
        moved, frames = np.moveaxis(values, -1, 0), settings.trainer.rollout_steps + 1
        starts = range(len(values) - frames + 1)
        return np.stack([moved[:, start : start + frames] for start in starts])

    exactly = read_trajectory(settings, number)
    channels = names.channels_of(channel_plan(settings))
    wrong = {
        names.NOISE_IN_VALIDATION: lambda: windows(
            np.moveaxis(names.noisy(settings, number, channels), 1, -1)
        )
    }
    where = f"windows of validation, {side} beside the reference"
    finding = exact(where, actual, windows(exactly))
    yield named_exactly(finding, actual, wrong)
