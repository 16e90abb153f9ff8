"""The learners' loss in less than float64, with the autocast that the run asks for."""

from dataclasses import replace

import numpy as np
import torch

from bridge.convert import to_phiml
from bridge.convert.converters import window_layout
from bridge.harness import Finding, Findings, Verdict, compare, failed
from bridge.ladders.training_cases import TrainingCase
from experiment.settings import Settings
from experiment.training import SyntheticLearner

IGNORED = "autocast ignored (`trainer.amp`)"
#: What bfloat16 changes in a loss, at least; float32 changes less.
_CHANGE = 1e-6


def low_loss(case: TrainingCase) -> Findings:
    """The loss of a batch beside the control's in float64; what autocast changes."""
    amp, layout = case.settings.trainer.amp, window_layout(case.rank)
    windows = case.windows[: case.batch]
    batch = to_phiml(windows, layout, components=case.plan.names, boundary="verify")
    oracle = _control(case, "off", "float64").loss(windows.double())
    control = case.control().loss(windows)
    candidate = case.candidate().loss(batch)
    again = []
    for view in case.views:
        turned = torch.from_numpy(case.turned(windows.numpy(), view))
        again.append(np.array([case.control(view).loss(turned)], np.float32))
    where = f"loss, batch {case.batch}" + (f", autocast {amp}" if amp != "off" else "")
    yield compare(
        where,
        np.array([candidate], np.float32),
        np.array([control], np.float32),
        np.array([oracle]),
        factor=2,
        depth=case.depth,
        again=again,
        computed_in="bfloat16" if amp == "bf16" else None,
    )
    if amp == "off":
        return
    without = _control(case, "off", case.settings.general.precision).loss(windows)
    for side, loss in (("candidate", candidate), ("control", control)):
        yield _must_change(f"{where}: what it changes, {side}", loss, without)


def _must_change(where: str, loss: float, without: float) -> Finding:
    change, rule = abs(loss - without) / abs(without), f"a change above {_CHANGE:g}"
    if change > _CHANGE:
        return Finding(Verdict.PASSED, _CHANGE / change, 1.0, where, rule)
    return failed(where, rule, IGNORED)


def _control(case: TrainingCase, amp: str, precision: str) -> SyntheticLearner:
    """A learner of the control with another autocast and precision."""
    settings: Settings = case.settings
    twin = replace(
        settings,
        general=replace(settings.general, precision=precision),
        trainer=replace(settings.trainer, amp=amp),
    )
    return case.control(settings=twin)
