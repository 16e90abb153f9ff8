"""The control's training: the reference semantics, exact resume, bad input."""

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from experiment.data import ChannelPlan, channel_plan
from experiment.run import RunFolder
from experiment.settings import Settings
from experiment.system import CheckpointError, Progress, TrainingError
from experiment.training import BEST, LAST, SyntheticTraining, load_checkpoint
from legacy.models import Surrogate, import_weights
from legacy.training import SyntheticLearner, rollout_loss
from tests.helpers import ROOT, command, small, synthetic_training

BATCH_NORM = "model.synthetic.architecture.batch_norm=true"


class Scale(nn.Module):
    """change = factor * dynamic input."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x[:, :1]


def test_the_loss_and_its_gradient_through_the_roll_out() -> None:
    """With next = (1 + f) s the roll-out is s0 (1 + f)^t, by hand with its derivative.

    loss = 1/R sum_t mean((s0 (1 + f)^t - target_t)^2)
    d loss/df = 1/R sum_t mean(2 (s0 (1 + f)^t - target_t) s0 t (1 + f)^(t-1))
    """
    windows = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 2, 5, 7)))
    plan = ChannelPlan({"a": (), "s": ()}, dynamic_fields=("a",), inputs="all")
    network, f = Scale(0.3), 0.3
    loss = rollout_loss(Surrogate(network, plan), windows, plan.dynamic)
    loss.backward()
    start, targets = windows[:, 0, 0].numpy(), windows[:, 0, 1:].numpy()
    value = slope = 0.0
    for t in range(1, 5):
        error = start * (1 + f) ** t - targets[:, t - 1]
        value += np.mean(error**2) / 4
        slope += np.mean(2 * error * start * t * (1 + f) ** (t - 1)) / 4
    assert loss.item() == pytest.approx(value, rel=1e-13)
    assert network.factor.grad is not None
    assert network.factor.grad.item() == pytest.approx(slope, rel=1e-13)


def learner_of(training: SyntheticTraining) -> SyntheticLearner:
    assert isinstance(training.learner, SyntheticLearner)
    return training.learner


def trained(settings: Settings) -> Any:
    """Trains and returns the trainer."""
    trainer = synthetic_training(settings)
    trainer.train(RunFolder(settings), Progress())
    return trainer


def same(left: Path, right: Path) -> None:
    """Two checkpoints are bitwise equal, but for the seconds that epochs took."""
    a, b = load_checkpoint(left), load_checkpoint(right)
    assert a.weights.keys() == b.weights.keys() and a.optimiser.keys()
    for name, leaf in a.weights.items():
        np.testing.assert_array_equal(leaf, b.weights[name], err_msg=name)
    for name, moments in a.optimiser.items():
        for kind, leaf in moments.items():
            np.testing.assert_array_equal(leaf, b.optimiser[name][kind], err_msg=name)

    def untimed(checkpoint: Any) -> Any:
        rows = tuple(
            {k: v for k, v in row.items() if k != "seconds"}
            for row in checkpoint.state.history
        )
        return replace(checkpoint.state, history=rows)

    assert untimed(a) == untimed(b)


def test_adam_and_cosine_against_the_formulas(burgers_folder: Path) -> None:
    """The first step moves each weight by lr * g / (|g| + eps sqrt(...)), the rates
    follow lr/2 (1 + cos(pi epoch / epochs))."""
    settings = small(
        burgers_folder, "trainer.synthetic.epochs=5", "general.precision=float64"
    )
    trainer = synthetic_training(settings)
    group = learner_of(trainer).optimiser.param_groups[0]
    assert (group["betas"], group["eps"]) == ((0.9, 0.999), 1e-8)
    trainer.train(RunFolder(settings), Progress())
    history = load_checkpoint(burgers_folder / "checkpoints" / LAST).state.history
    rates = [row["learning_rate"] for row in history]
    expected = 2e-3 / 2 * (1 + np.cos(np.pi * np.arange(5) / 5))
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_weight_decay_and_clipping(burgers_folder: Path) -> None:
    """By hand, from the gradient: g = clip(g) + decay w; m = 0.1 g; v = 0.001 g^2."""
    settings = small(
        burgers_folder,
        "general.precision=float64",
        "trainer.synthetic.weight_decay=0.1",
        "trainer.synthetic.clip_norm=1e-3",
    )
    trainer = synthetic_training(settings)
    network = learner_of(trainer).network
    windows = next(iter(trainer.train_loader))
    before = {n: p.detach().clone() for n, p in network.named_parameters()}
    rollout_loss(
        learner_of(trainer).model, windows, channel_plan(settings).dynamic
    ).backward()
    raw = {
        n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None
    }
    norm = torch.cat([g.flatten() for g in raw.values()]).norm()
    assert norm > 1e-3, "clipping must matter"

    trainer.learner.step(windows, lambda loss: None)
    for name, parameter in network.named_parameters():
        gradient = raw[name] * 1e-3 / (norm + 1e-6) + 0.1 * before[name]
        expected = before[name] - 2e-3 * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(
            parameter.detach(), expected, rtol=1e-9, atol=1e-14, msg=name
        )


def test_validation_runs_in_evaluation_mode_and_training_goes_on(
    burgers_folder: Path,
) -> None:
    trainer = synthetic_training(small(burgers_folder, BATCH_NORM))
    network = learner_of(trainer).network
    before = network.state_dict()["encoder.0.norm1.running_mean"].clone()
    first = trainer.validation_loss()
    assert first == trainer.validation_loss()
    after = network.state_dict()["encoder.0.norm1.running_mean"]
    assert torch.equal(before, after)
    assert learner_of(trainer).model.training


def test_training_lowers_the_loss_and_keeps_the_best(burgers_folder: Path) -> None:
    settings = small(
        burgers_folder,
        "trainer.synthetic.epochs=6",
        "trainer.synthetic.learning_rate=1e-2",
        "trainer.synthetic.checkpoint_every=4",
    )
    trained(settings)
    folder = burgers_folder / "checkpoints"
    state = load_checkpoint(folder / LAST).state
    losses = [row["val_loss"] for row in state.history]
    assert state.epoch == 6 and state.iteration == 6 * 4
    assert state.history[-1]["train_loss"] < 0.8 * state.history[0]["train_loss"]
    assert state.best_loss == min(losses)
    assert load_checkpoint(folder / BEST).state.epoch == losses.index(min(losses)) + 1
    assert load_checkpoint(folder / "epoch_000004.safetensors").state.epoch == 4


def test_without_validation_the_training_loss_judges(burgers_folder: Path) -> None:
    trained(small(burgers_folder, "trainer.val_sim=[]"))
    state = load_checkpoint(burgers_folder / "checkpoints" / LAST).state
    assert state.best_loss == min(row["train_loss"] for row in state.history)


def test_bf16_autocast_changes_the_forward_pass_only_when_asked(
    burgers_folder: Path,
) -> None:
    plain_run = synthetic_training(small(burgers_folder))
    half = synthetic_training(small(burgers_folder, "trainer.amp=bf16"))
    windows = next(iter(plain_run.train_loader))
    exact, rounded = plain_run.learner.loss(windows), half.learner.loss(windows)
    assert exact != rounded
    assert rounded == pytest.approx(exact, rel=3e-2)
    assert all(p.dtype == torch.float32 for p in learner_of(half).model.parameters())


@pytest.mark.parametrize("schedule", ("cosine", "constant"))
def test_interrupted_between_epochs_and_resumed_is_uninterrupted(
    burgers_folder: Path, schedule: str
) -> None:
    common = (
        BATCH_NORM,
        "trainer.synthetic.epochs=4",
        f"trainer.synthetic.schedule={schedule}",
    )
    apart = f"general.checkpoint_dir={burgers_folder}/apart"
    trained(small(burgers_folder, *common))
    stopped = synthetic_training(small(burgers_folder, *common, apart))
    step, done = stopped.learner.step, []

    def interrupt(*arguments: Any) -> float:
        done.append(1)
        if len(done) == 10:
            raise KeyboardInterrupt
        return step(*arguments)

    setattr(stopped.learner, "step", interrupt)  # noqa: B010
    with pytest.raises(KeyboardInterrupt):
        stopped.train(RunFolder(stopped.settings), Progress())
    assert load_checkpoint(burgers_folder / "apart" / LAST).state.epoch == 2
    trained(small(burgers_folder, *common, apart, "trainer.resume=true"))
    same(burgers_folder / "checkpoints" / LAST, burgers_folder / "apart" / LAST)
    # The columns of a resumed run are those of a run that was not interrupted.
    tables = sorted(burgers_folder.glob("runs/20*/metrics.csv"))
    headers = {file.read_text().splitlines()[0] for file in tables}
    assert len(tables) == 3 and len(headers) == 1


def started(path: Path, *overrides: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(path, "general.tasks=[train]", BATCH_NORM, *overrides),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def finished(process: subprocess.Popen[str]) -> None:
    output = process.communicate(timeout=120)
    assert process.returncode == 0, output


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", (pytest.param(signal.SIGKILL, marks=pytest.mark.long), signal.SIGTERM)
)
def test_a_killed_process_resumes_bitwise(
    burgers_folder: Path, how: signal.Signals
) -> None:
    """SIGTERM, as Slurm sends it, saves inside the epoch; SIGKILL loses one epoch."""
    epochs = "trainer.synthetic.epochs=30"
    finished(started(burgers_folder, epochs))
    apart = f"general.checkpoint_dir={burgers_folder}/apart"
    victim = started(burgers_folder, epochs, apart)
    last = burgers_folder / "apart" / LAST
    limit = time.monotonic() + 60
    while not last.exists() and victim.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)
    victim.send_signal(how)
    _, message = victim.communicate(timeout=60)
    reached = load_checkpoint(last).state
    assert reached.epoch < 30, "the process was killed too late to prove anything"
    if how == signal.SIGTERM:
        assert victim.returncode == 128 + signal.SIGTERM
        assert "trainer.resume=true" in message
    else:
        assert victim.returncode == -signal.SIGKILL
    finished(started(burgers_folder, epochs, apart, "trainer.resume=true"))
    same(burgers_folder / "checkpoints" / LAST, last)


def test_a_stop_inside_an_epoch_saves_the_batch(burgers_folder: Path) -> None:
    common = (BATCH_NORM, "trainer.synthetic.epochs=3")
    apart = f"general.checkpoint_dir={burgers_folder}/apart"
    trained(small(burgers_folder, *common))
    stopped = synthetic_training(small(burgers_folder, *common, apart))
    step, done = stopped.learner.step, []

    def terminate(*arguments: Any) -> float:
        done.append(1)
        if len(done) == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(*arguments)

    setattr(stopped.learner, "step", terminate)  # noqa: B010
    with pytest.raises(
        TrainingError, match="stopped by SIGTERM after 1 epochs and 2 batches"
    ):
        stopped.train(RunFolder(stopped.settings), Progress())
    state = load_checkpoint(burgers_folder / "apart" / LAST).state
    assert (state.epoch, state.position, state.iteration) == (1, 2, 6)
    trained(small(burgers_folder, *common, apart, "trainer.resume=true"))
    same(burgers_folder / "checkpoints" / LAST, burgers_folder / "apart" / LAST)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(
    burgers_folder: Path,
) -> None:
    settings = small(burgers_folder, "trainer.synthetic.epochs=3")
    trainer = synthetic_training(settings)
    step, done = trainer.learner.step, []

    def poisoned(windows: torch.Tensor, log: Any) -> float:
        done.append(1)
        return step(windows * (torch.nan if len(done) == 6 else 1), log)

    setattr(trainer.learner, "step", poisoned)  # noqa: B010
    with pytest.raises(TrainingError, match=r"loss at epoch 2, batch 2 is nan.*kept"):
        trainer.train(RunFolder(settings), Progress())
    kept = load_checkpoint(burgers_folder / "checkpoints" / LAST)
    assert kept.state.epoch == 1
    assert all(np.isfinite(leaf).all() for leaf in kept.weights.values())
    for name, leaf in learner_of(trainer).network.named_parameters():
        assert torch.isfinite(leaf).all(), name


def test_a_new_training_moves_the_old_checkpoints_aside(burgers_folder: Path) -> None:
    trained(small(burgers_folder))
    folder = burgers_folder / "checkpoints"
    before = (folder / LAST).read_bytes()
    trained(small(burgers_folder, "general.seed=0", "trainer.synthetic.epochs=1"))
    (aside,) = (folder / "earlier").iterdir()
    assert (aside / LAST).read_bytes() == before


def test_resume_without_or_with_a_wrong_checkpoint(burgers_folder: Path) -> None:
    resume = "trainer.resume=true"
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        trained(small(burgers_folder, resume))
    trained(small(burgers_folder))
    with pytest.raises(CheckpointError, match="had other settings") as caught:
        trained(small(burgers_folder, resume, "trainer.synthetic.learning_rate=0.5"))
    assert "trainer.synthetic.learning_rate" in str(caught.value)
    assert "0.002" in str(caught.value) and "0.5" in str(caught.value)
    with pytest.raises(
        CheckpointError,
        match=r"another architecture: leaf `decoder\.0\.conv1\.bias` has the shape",
    ):
        trained(small(burgers_folder, resume, "model.synthetic.architecture.filters=6"))
    with pytest.raises(CheckpointError, match="another architecture: leaf"):
        trained(small(burgers_folder, resume, BATCH_NORM))
    with pytest.raises(CheckpointError, match=r"float32; this model has float64"):
        trained(small(burgers_folder, resume, "general.precision=float64"))
    with pytest.raises(CheckpointError, match="trained for something else") as caught:
        trained(
            small(burgers_folder, resume, "model.synthetic.architecture.periodic=false")
        )
    assert "architecture.periodic" in str(caught.value)
    last = burgers_folder / "checkpoints" / LAST
    last.write_bytes(last.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="torn.*another checkpoint"):
        trained(small(burgers_folder, resume))


def test_import_after_export_keeps_every_bit(burgers_folder: Path) -> None:
    trainer = trained(small(burgers_folder, BATCH_NORM))
    checkpoint = load_checkpoint(burgers_folder / "checkpoints" / LAST)
    fresh = synthetic_training(small(burgers_folder, BATCH_NORM))
    import_weights(learner_of(fresh).network, checkpoint.weights)
    for name, leaf in learner_of(trainer).network.state_dict().items():
        assert torch.equal(learner_of(fresh).network.state_dict()[name], leaf), name
