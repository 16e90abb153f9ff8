"""Step 1 trains as the control trains, and can be switched at any epoch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from phiml import math
from torch import nn

from bridge import (
    CONVERSIONS,
    PhimlView,
    TorchView,
    build_legacy_model,
    build_model,
    build_phiml_model,
    build_trainer,
    to_phiml,
    to_torch,
)
from experiment.data import generate
from experiment.run import RunFolder
from experiment.system import Progress, SettingsError
from experiment.training import LAST, load_checkpoint
from legacy.models import export_weights
from tests.helpers import control_trainer, relative_error, run_program, small

DOUBLE = "general.precision=float64"
NETS = ("model/synthetic=unet", "model/synthetic=resnet", "model/synthetic=convnet")
NORM = "model.synthetic.architecture.batch_norm=true"


def curve(path: Path, name: str, *overrides: str, **options: Any) -> Any:
    """Trains; returns the final checkpoint."""
    folder = f"general.checkpoint_dir={path}/{name}"
    settings = small(path, *overrides, folder, **options)
    build_trainer(settings).train(RunFolder(settings), Progress())
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
        trainer = build_trainer(begun)
        step, done = trainer.training_step, []

        def interrupt(*arguments: Any, step: Any = step, done: Any = done) -> float:
            done.append(1)
            if len(done) == 2 * 4 + 1:
                raise KeyboardInterrupt
            return step(*arguments)

        setattr(trainer, "training_step", interrupt)  # noqa: B010
        with pytest.raises(KeyboardInterrupt):
            trainer.train(RunFolder(begun), Progress())
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
    port = control_trainer(small(burgers_folder, NORM, "migration=step1"))
    port.restore(stored)
    again = port.snapshot(stored.state)
    assert list(again.weights) == list(export_weights(port.network))
    for name, leaf in stored.weights.items():
        np.testing.assert_array_equal(again.weights[name], leaf, err_msg=name)
    for name, moments in stored.optimiser.items():
        for kind, leaf in moments.items():
            np.testing.assert_array_equal(again.optimiser[name][kind], leaf)


def test_the_torch_view_is_a_module_like_any_other(tmp_path: Path) -> None:
    settings = small(tmp_path, NORM, DOUBLE)
    control = build_legacy_model(settings)
    view = TorchView(build_phiml_model(settings), rank=2, precision=64)
    names = [n for n, _ in control.network.named_parameters()]
    assert [n for n, _ in view.network.named_parameters()] == names
    assert len(list(view.parameters())) == len(names)
    assert list(view.network.state_dict()) == list(control.network.state_dict())
    native: Any = view.model.network.native
    for training in (False, True):
        view.train(training)
        assert {m.training for m in native.modules()} == {training}


def test_two_conversions_a_model_call(burgers_folder: Path) -> None:
    """2 R for each batch: R = 2 steps, 4 training and 2 validation batches an epoch."""
    curve(burgers_folder, "warm", "migration=step1", "trainer.synthetic.epochs=1")
    CONVERSIONS.reset()
    settings = small(burgers_folder, "migration=step1", "trainer.synthetic.epochs=1")
    trainer = build_trainer(settings)
    trainer.train(RunFolder(settings), Progress())
    assert trainer.batches_seen == 6
    counts = {n: (b.count, b.copies) for n, b in CONVERSIONS.boundaries.items()}
    assert counts == {"model: in": (12, 0), "model: out": (12, 0)}
    CONVERSIONS.reset()
    curve(burgers_folder, "legacy", "trainer.synthetic.epochs=1")
    assert not CONVERSIONS.boundaries


def test_a_torch_model_on_named_dims(tmp_path: Path) -> None:
    settings = small(tmp_path, DOUBLE, NORM)
    control = build_legacy_model(settings)
    view = PhimlView(control, control.plan, rank=2)
    x = torch.randn(2, 3, 2, 16, 8, dtype=torch.float64, requires_grad=True)
    named: Any = to_phiml(x, "batch time vector x y", components=control.plan.names)
    view.set_training(False)
    assert not control.training
    with math.precision(64):
        found = to_torch(view(named), "batch time vector x y")
        alone = view(named.batch[1].time[2])
    expected = control(x.flatten(0, 1)).unflatten(0, (2, 3))
    assert relative_error(found.detach().numpy(), expected.detach().numpy()) < 1e-14
    one = to_torch(alone, "vector x y").detach().numpy()
    assert relative_error(one, expected[1, 2].detach().numpy()) < 1e-13
    found.sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
    assert view.parameters().keys() == control.network.state_dict().keys()


class MyNet(nn.Module):
    """A user's own network."""

    def __init__(self, in_channels: int, out_channels: int, **_: Any) -> None:
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
    model: Any = build_model(settings)
    assert type(model.network).__name__ == "MyNet"
    build_trainer(settings).train(RunFolder(settings), Progress())


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
        build_model(source(tmp_path, path, side))
    assert f"migration.sources.model.{side}" in str(caught.value)


@pytest.mark.slow
def test_step1_from_the_command_line(tmp_path: Path) -> None:
    done = run_program(tmp_path, "migration=step1", "general.trace=true")
    assert done.returncode == 0, done.stderr
    output = " ".join(done.stdout.split())
    assert "model: phiml (phiml_port.models:UNet), by the preset step1" in output
    assert "trainer: legacy (legacy.training:SyntheticTrainer)" in output
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
    assert "model: legacy (legacy.models:UNet), by the command line" in output
    assert "conversions between torch and PhiML: none" in output
