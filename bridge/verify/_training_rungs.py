"""The rungs of the trainer: R4 loss, R6 update, R7 schedule, R9 trajectory."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from phiml import math

import bridge._factories as factories
from bridge._converters import to_phiml
from bridge.verify import _diagnosis as names
from bridge.verify._compare import Finding, Verdict, compare, exact
from bridge.verify._diagnosis import array, diagnose
from bridge.verify._rungs import Findings, Rung
from bridge.verify._training_cases import (
    VIEWS,
    TrainingCase,
    seen,
    steps,
    trained,
    trained_control,
)
from experiment.training import Checkpoint, TrainingState, draw_weights
from legacy import models
from legacy.training import rollout_loss

HALF_SUM = "half-sum loss for mean squared error"
SUMMED = "loss summed over fields"
ROLLOUT = "roll-out length from the wrong place"
EPSILON = "Adam eps 1e-7"
DECOUPLED = "weight decay decoupled"
NO_DECAY = "weight decay missing"
NO_SCHEDULE = "no LR schedule"
PER_BATCH = "schedule stepped per batch"
RECREATED = "optimiser re-created each epoch"
NO_MOMENTS = "checkpoint without optimiser moments"


def loss_rung(case: TrainingCase) -> Findings:
    """The trainers' loss at batch 1, 2 and 3, in training mode."""
    for size in (1, 2, 3):
        windows = case.windows[:size]
        control, candidate = case.control(), case.candidate()
        control.model.train()
        candidate.model.set_training(True)
        expected = array(control._loss(windows))[None]
        layout = "batch vector time x y"
        named = to_phiml(windows, layout, components=case.plan.names, boundary="verify")
        with math.precision(64):
            candidate._loss(named)
        found = np.array([candidate._value])
        again = []
        for view in VIEWS:
            twin = case.control(view)
            twin.model.train()
            other = torch.from_numpy(seen(windows.numpy(), view))
            again.append(array(twin._loss(other))[None])
        finding = compare(
            f"loss, batch {size}",
            found,
            expected,
            expected,
            factor=2,
            depth=case.depth,
            again=again,
        )
        yield _named(finding, found, expected, _of_loss(case, windows))


def _of_loss(case: TrainingCase, windows: torch.Tensor) -> names.Counterfactuals:
    control = case.control()
    control.model.train()
    dynamic = case.plan.dynamic
    with torch.no_grad():
        mean = rollout_loss(control.model, windows, dynamic).item()
        fewer = rollout_loss(case.control().model.train(), windows[:, :, :2], dynamic)
    cells = float(np.prod(windows.shape[3:]))
    volume = cells * len(dynamic)
    return {
        HALF_SUM: lambda: np.array([mean * volume * len(windows) / 2]),
        f"{HALF_SUM} (per sample)": lambda: np.array([mean * volume / 2]),
        SUMMED: lambda: np.array([mean * len(dynamic)]),
        ROLLOUT: lambda: np.array([fewer.item()]),
    }


def update_rung(case: TrainingCase) -> Findings:
    """Weight update and optimiser moments after 1 and 3 steps."""
    start = _start(case)
    for count in (1, 3):
        found = steps(case.candidate(), count)
        expected = steps(case.control(), count)
        again = {view: steps(case.control(view), count) for view in VIEWS}
        wrong = {
            EPSILON: lambda n=count: _variant(case, n, eps=1e-7),
            DECOUPLED: lambda n=count: _variant(case, n, kind=torch.optim.AdamW),
            NO_DECAY: lambda n=count: _variant(case, n, weight_decay=0.0),
        }
        yield from _states(
            case, f"after {count} steps", start, found, expected, again, wrong
        )


def _start(case: TrainingCase) -> dict[str, np.ndarray]:
    shapes = models.leaf_shapes(case.control().network)
    return draw_weights(shapes, case.settings.general.seed)


def _variant(
    case: TrainingCase, count: int, kind: Any = torch.optim.Adam, **options: Any
) -> Checkpoint:
    """The control after some steps with another optimiser."""
    trainer = case.control()
    training = case.settings.trainer.synthetic
    arguments = {"weight_decay": training.weight_decay, "eps": 1e-8, **options}
    trainer.optimiser = kind(
        trainer.network.parameters(), lr=training.learning_rate, **arguments
    )
    return steps(trainer, count)


def _states(
    case: TrainingCase,
    when: str,
    start: Mapping[str, np.ndarray],
    found: Checkpoint,
    expected: Checkpoint,
    again: Mapping[str, Checkpoint],
    wrong: Mapping[str, Callable[[], Checkpoint]],
    factor: float = 10,
    depth: float = 1,
) -> Findings:
    """Compares updates of weights, and moments, leaf by leaf."""
    made: dict[str, Checkpoint] = {}

    def counterfactuals(take: Callable[[Checkpoint], np.ndarray]) -> Any:
        def one(name: str) -> Callable[[], np.ndarray]:
            def make() -> np.ndarray:
                if name not in made:
                    made[name] = wrong[name]()
                return take(made[name])

            return make

        return {name: one(name) for name in wrong}

    leaves = [n for n in expected.weights if not n.endswith("num_batches_tracked")]
    updates = np.concatenate(
        [(expected.weights[n] - start[n]).ravel() for n in expected.optimiser]
    )
    overall = float(np.sqrt(np.mean(np.square(updates))))
    for name in leaves:
        # What only shifts the input of a batch norm has the gradient 0 but for
        # rounding, which weight decay and Adam turn into steps of their own; nothing
        # depends on it in training, and the running means follow it.
        if _follows_rounding(case, name):
            continue

        def take(c: Checkpoint, n: str = name) -> np.ndarray:
            return c.weights[n] - start[n]

        reference = take(expected)
        finding = compare(
            f"update of {name} {when}",
            take(found),
            reference,
            reference,
            factor=factor,
            depth=case.depth * depth,
            size=float(np.abs(expected.weights[name]).max()),
            scale=max(overall, float(np.sqrt(np.mean(np.square(reference))))),
            again=[
                seen(c.weights[name], view) - start[name] for view, c in again.items()
            ],
        )
        yield _named(finding, take(found), reference, counterfactuals(take))
    for name, moments in expected.optimiser.items():
        own = found.optimiser.get(name)
        if own is None:
            yield Finding(
                Verdict.FAILED, np.inf, 0.0, f"moments of {name} {when}", "structure"
            )
            continue
        yield exact(f"step count of {name} {when}", own["step"], moments["step"])
        for kind in ("exp_avg", "exp_avg_sq"):
            if _follows_rounding(case, name):
                continue

            def moment(c: Checkpoint, n: str = name, k: str = kind) -> np.ndarray:
                # A counterfactual may have lost its moments.
                return c.optimiser.get(n, {}).get(k, np.zeros(()))

            reference = moment(expected)
            finding = compare(
                f"{kind} of {name} {when}",
                moment(found),
                reference,
                reference,
                factor=factor,
                depth=case.depth * depth,
                again=[seen(moment(c), view) for view, c in again.items()],
            )
            yield _named(finding, moment(found), reference, counterfactuals(moment))


def _follows_rounding(case: TrainingCase, name: str) -> bool:
    """Whether a leaf has no gradient but rounding, or follows leaves that have none."""
    return name in case.without_signal or (
        bool(case.without_signal) and name.endswith("running_mean")
    )


def schedule_rung(case: TrainingCase) -> Findings:
    """The learning rate of every epoch, also of a training that was resumed."""
    expected = _rates(trained(case, "control"))
    for stop in (None, 2):
        found = _rates(trained(case, "candidate", stop))
        where = "rates" if stop is None else f"rates, resumed after {stop} epochs"
        finding = exact(where, found, expected)
        base = case.settings.trainer.synthetic.learning_rate
        batches, epochs = len(case.loader(case.windows)), len(expected)
        wrong = {
            NO_SCHEDULE: lambda base=base, n=epochs: np.full(n, base),
            PER_BATCH: lambda base=base, n=epochs, b=batches: (
                base / 2 * (1 + np.cos(np.pi * b * np.arange(n) / n))
            ),
        }
        yield _named(finding, found, expected, wrong)


def _rates(checkpoint: Checkpoint) -> np.ndarray:
    return np.array([row["learning_rate"] for row in checkpoint.state.history])


def trajectory_rung(case: TrainingCase) -> Findings:
    """100 steps from one start; 4 epochs with their schedule, also resumed."""
    start = _start(case)
    for count in (10, 100):
        found = steps(case.candidate(), count)
        expected = steps(case.control(), count)
        again = {VIEWS[0]: steps(case.control(VIEWS[0]), count)}
        yield from _states(
            case, f"after {count} steps", start, found, expected, again, {}, depth=count
        )
    expected = trained(case, "control")
    again = {view: trained_control(case, view) for view in VIEWS}
    for stop in (None, 2):
        found = trained(case, "candidate", stop)
        when = "after 4 epochs" + (f", resumed after {stop}" if stop else "")
        wrong = {
            RECREATED: lambda: _forgetful(case, every_epoch=True),
            NO_MOMENTS: lambda: _forgetful(case, every_epoch=False),
        }
        yield exact(
            f"steps {when}",
            np.array([found.state.iteration]),
            np.array([expected.state.iteration]),
        )
        yield from _states(case, when, start, found, expected, again, wrong, depth=100)


def _forgetful(case: TrainingCase, *, every_epoch: bool) -> Checkpoint:
    """The control, whose moments are lost at each epoch's end, or once after two."""
    trainer = case.control()
    training = case.settings.trainer.synthetic
    rate = training.learning_rate
    trainer.model.train()
    for epoch in range(training.epochs):
        trainer._train_loader.set_epoch(epoch)
        for windows in trainer._train_loader:
            trainer.training_step(windows, lambda loss: None)
        if every_epoch or epoch == 1:
            trainer.optimiser.state.clear()
        rate = factories.port_training.next_rate(rate, epoch, training.epochs)
        for group in trainer.optimiser.param_groups:
            group["lr"] = rate
    return trainer.snapshot(TrainingState())


def _named(
    finding: Finding,
    found: np.ndarray,
    expected: np.ndarray,
    counterfactuals: names.Counterfactuals,
) -> Finding:
    if finding.verdict is not Verdict.FAILED or finding.hint:
        return finding
    return replace(finding, hint=diagnose(found, expected, counterfactuals))


TRAINING_RUNGS = (
    Rung("R4", "trainer's loss at batch 1, 2, 3", loss_rung),
    Rung("R6", "update and moments, 1 and 3 steps", update_rung),
    Rung("R7", "learning rate of every epoch", schedule_rung),
    Rung("R9", "trajectory of 10, 100 steps, resume", trajectory_rung),
)
