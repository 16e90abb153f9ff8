"""Step 1 trains as the control trains, and can be switched at any epoch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bridge import CONVERSIONS, build_components
from bridge.assemble import MixedParts
from experiment.data import generate
from experiment.run import RunFolder
from experiment.system import Progress, SettingsError
from experiment.training import LAST, LearnerState, load_checkpoint
from tests.helpers import run_program, small, synthetic_training

DOUBLE = "general.precision=float64"
NETS = ("model/synthetic=unet", "model/synthetic=resnet", "model/synthetic=convnet")
NORM = "model.synthetic.architecture.batch_norm=true"


def curve(path: Path, name: str, *overrides: str, **options: Any) -> Any:
    """Trains; returns the final checkpoint."""
    folder = f"general.checkpoint_dir={path}/{name}"
    settings = small(path, *overrides, folder, **options)
    synthetic_training(settings).train(RunFolder(settings), Progress())
    return load_checkpoint(path / name / LAST)


def losses(checkpoint: Any) -> np.ndarray:
    rows = checkpoint.state.history
    return np.array([[r["train_loss"], r["val_loss"]] for r in rows])


def folder_for(path: Path, experiment: str) -> Path:
    from legacy.physics import SceneSimulator

    settings = small(path, experiment=experiment)
    generate(settings, SceneSimulator(settings), Progress())
    return path


@pytest.mark.parametrize("experiment", ("burgers", "advection"))
@pytest.mark.parametrize("net", NETS)
def test_the_loss_curve_is_that_of_the_control(
    tmp_path: Path, experiment: str, net: str
) -> None:
    """Three epochs in float64, relative 1e-9 as step 1 promises."""
    folder_for(tmp_path, experiment)
    small_net = (net, "trainer.synthetic.epochs=3", DOUBLE, NORM)
    if net.endswith("unet"):
        small_net += (
            "model.synthetic.architecture.levels=2",
            "model.synthetic.architecture.filters=4",
        )
    control = curve(tmp_path, "control", *small_net, experiment=experiment)
    port = curve(tmp_path, "port", *small_net, "migration=step1", experiment=experiment)
    np.testing.assert_allclose(losses(port), losses(control), rtol=1e-9)
    for name, leaf in control.weights.items():
        # A bias before a batch norm gets a gradient of pure rounding, which Adam
        # turns into steps of any sign.
        if not name.endswith(("conv.bias", "conv1.bias", "conv2.bias", "skip.bias")):
            np.testing.assert_allclose(port.weights[name], leaf, rtol=1e-6, atol=1e-9)


def test_float32_curves_differ_by_rounding_only(burgers_folder: Path) -> None:
    """Within 10 x the distance of the control itself from float64 (rung R9's rule)."""
    epochs = "trainer.synthetic.epochs=3"
    exact = losses(curve(burgers_folder, "exact", epochs, DOUBLE))
    control = losses(curve(burgers_folder, "control", epochs))
    port = losses(curve(burgers_folder, "port", epochs, "migration=step1"))
    own = np.abs(control / exact - 1).max()
    assert 0 < own < 1e-4
    assert np.abs(port / exact - 1).max() <= 10 * own


def test_switching_at_any_epoch_goes_on_where_the_other_stood(
    burgers_folder: Path,
) -> None:
    """4 epochs of the control; 2 of the port, rolled back, 2 of the control."""
    common = ("trainer.synthetic.epochs=4", DOUBLE)
    whole = curve(burgers_folder, "whole", *common)
    for name, first, second in (
        ("back", "phiml", "legacy"),
        ("forth", "legacy", "phiml"),
    ):
        folder = f"general.checkpoint_dir={burgers_folder}/{name}"
        begun = small(burgers_folder, *common, folder, f"migration.model={first}")
        training = synthetic_training(begun)
        step, done = training.learner.step, []

        def interrupt(*arguments: Any, step: Any = step, done: Any = done) -> float:
            done.append(1)
            if len(done) == 2 * 4 + 1:
                raise KeyboardInterrupt
            return step(*arguments)

        setattr(training.learner, "step", interrupt)  # noqa: B010
        with pytest.raises(KeyboardInterrupt):
            training.train(RunFolder(begun), Progress())
        assert load_checkpoint(burgers_folder / name / LAST).state.epoch == 2
        resumed = curve(
            burgers_folder,
            name,
            *common,
            f"migration.model={second}",
            "trainer.resume=true",
        )
        np.testing.assert_allclose(losses(resumed), losses(whole), rtol=1e-9)


def test_a_checkpoint_of_the_port_is_bitwise_the_controls(burgers_folder: Path) -> None:
    """legacy -> port -> legacy keeps every bit of weights and moments."""
    curve(burgers_folder, "control", NORM)
    stored = load_checkpoint(burgers_folder / "control" / LAST)
    learner = synthetic_training(small(burgers_folder, NORM, "migration=step1")).learner
    learner.load(LearnerState(stored.weights, stored.optimiser, stored.random))
    again = learner.state()
    assert again.weights.keys() == stored.weights.keys()
    for name, leaf in stored.weights.items():
        np.testing.assert_array_equal(again.weights[name], leaf, err_msg=name)
    assert again.optimiser.keys() == stored.optimiser.keys()
    for name, moments in stored.optimiser.items():
        for kind, leaf in moments.items():
            np.testing.assert_array_equal(again.optimiser[name][kind], leaf)


def test_two_conversions_a_model_call(burgers_folder: Path) -> None:
    """2 R for each batch: R = 2 steps, 4 training and 2 validation batches an epoch."""
    curve(burgers_folder, "warm", "migration=step1", "trainer.synthetic.epochs=1")
    CONVERSIONS.reset()
    settings = small(burgers_folder, "migration=step1", "trainer.synthetic.epochs=1")
    training = synthetic_training(settings)
    training.train(RunFolder(settings), Progress())
    assert training.batches_seen == 6
    counts = {n: (b.count, b.copies) for n, b in CONVERSIONS.boundaries.items()}
    assert counts == {"model: in": (12, 0), "model: out": (12, 0)}
    CONVERSIONS.reset()
    curve(burgers_folder, "legacy", "trainer.synthetic.epochs=1")
    assert not CONVERSIONS.boundaries


class MyNet(nn.Module):
    """A user's own network."""

    def __init__(self, in_channels: int, out_channels: int, *_: Any) -> None:
        super().__init__()
        self.only = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.only(x)


class Forgetful(nn.Module):
    """A network without `forward`."""


def source(tmp_path: Path, path: str, side: str = "legacy") -> Any:
    return small(
        tmp_path, f"migration.sources.model.{side}={path}", f"migration.model={side}"
    )


def test_a_users_own_network_takes_part(burgers_folder: Path) -> None:
    settings = source(burgers_folder, "tests.bridge.test_step1:MyNet")
    model = MixedParts().build_model(settings)
    assert type(model.network).__name__ == "MyNet"
    synthetic_training(settings).train(RunFolder(settings), Progress())


@pytest.mark.parametrize(
    ("path", "side", "message"),
    [
        ("nowhere.nets:UNet", "legacy", "`nowhere.nets` doesn't import.*nowhere"),
        ("tests.bridge.test_step1:MyNett", "legacy", "did you mean `MyNet`"),
        ("MyNet", "legacy", "expected `package.module:Class`"),
        ("tests.bridge.test_step1:Forgetful", "legacy", "lacks the method `forward`"),
        (
            "tests.bridge.test_step1:MyNet",
            "phiml",
            "lacks the method `export_weights`, `import_weights`, `set_training`",
        ),
    ],
)
def test_a_source_that_does_not_fit_is_named(
    tmp_path: Path, path: str, side: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        build_components(source(tmp_path, path, side))
    assert f"migration.sources.model.{side}" in str(caught.value)


@pytest.mark.slow
def test_step1_from_the_command_line(tmp_path: Path) -> None:
    done = run_program(tmp_path, "migration=step1", "general.trace=true")
    assert done.returncode == 0, done.stderr
    output = " ".join(done.stdout.split())
    assert "model: phiml (phiml_port.models.unet:UNet), by the preset step1" in output
    assert "trainer: legacy (legacy.training.synthetic:SyntheticLearner)" in output
    assert output.count("model: in: (batch=3, vector=2, x=16, y=8) float32") == 1
    assert "conversions between torch and PhiML" in output
    resumed = run_program(
        tmp_path,
        "migration=step1",
        "migration.model=legacy",
        "trainer.resume=true",
        "general.tasks=[train,evaluate]",
    )
    assert resumed.returncode == 0, resumed.stderr
    output = " ".join(resumed.stdout.split())
    assert "model: legacy (legacy.models.unet:UNet), by the command line" in output
    assert "conversions between torch and PhiML: none" in output
