"""Step 3 trains as the control trains, in all eight combinations."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

import legacy.assemble
import phiml_port.assemble
from bridge import CONVERSIONS, TorchCompatibleDataLoader
from experiment.data import generate
from experiment.system import Progress
from legacy.physics import SceneSimulator
from tests.bridge.test_step1 import DOUBLE, curve, folder_for, losses
from tests.bridge.test_step2 import interrupted
from tests.helpers import run_program, small

SIDES = ("legacy", "phiml")
STEPS = 2


def expected_conversions(model: str, trainer: str, data: str, batches: int) -> dict:
    """A boundary where two neighbours speak different languages, and none else."""
    found = {}
    if trainer != data:
        found["batch: in" if data == "legacy" else "batch: out"] = batches
    if model != trainer:
        found |= {"model: in": STEPS * batches, "model: out": STEPS * batches}
    return found


@pytest.mark.parametrize("experiment", ("burgers", "advection"))
def test_all_eight_combinations_train_the_same(tmp_path: Path, experiment: str) -> None:
    folder_for(tmp_path, experiment)
    common = ("trainer.synthetic.epochs=3", DOUBLE, "trainer.synthetic.clip_norm=0.1")
    control = curve(tmp_path, "control", *common, experiment=experiment)
    batches = 3 * (4 + 2)
    for model, trainer, data in itertools.product(SIDES, repeat=3):
        CONVERSIONS.reset()
        found = curve(
            tmp_path,
            model + trainer + data,
            *common,
            f"migration.model={model}",
            f"migration.trainer={trainer}",
            f"migration.data={data}",
            experiment=experiment,
        )
        counted = {n: b.count for n, b in CONVERSIONS.boundaries.items()}
        assert counted == expected_conversions(model, trainer, data, batches)
        assert not any(b.copies for b in CONVERSIONS.boundaries.values())
        np.testing.assert_allclose(losses(found), losses(control), rtol=1e-9)
        for name, leaf in control.weights.items():
            np.testing.assert_allclose(
                found.weights[name], leaf, rtol=1e-9, atol=1e-12, err_msg=name
            )


def test_torch_batches_of_the_port_are_views_and_bitwise_legacys(
    burgers_folder: Path,
) -> None:
    settings = small(burgers_folder)
    control = legacy.assemble.build_loader(settings, [0, 1], shuffle=True)
    named = phiml_port.assemble.build_loader(settings, [0, 1], shuffle=True)
    loader = TorchCompatibleDataLoader(named, rank=2)
    for epoch, position in ((0, 0), (2, 1)):
        control.set_epoch(epoch, position)
        loader.set_epoch(epoch, position)
        assert len(loader) == len(control)
        for left, right in zip(loader, control, strict=True):
            assert torch.equal(left, right) and left.dtype == right.dtype
            # channels innermost: the port's own memory, not a copy in legacy's order
            assert left.stride(1) == 1


def test_data_roll_back_in_the_middle_of_a_run(burgers_folder: Path) -> None:
    """Two epochs on the port's data, two on legacy's: as four on either."""
    epochs = ("trainer.synthetic.epochs=4", DOUBLE)
    whole = curve(burgers_folder, "whole", *epochs)
    step3 = (*epochs, "migration=step3")
    for first, second in (("phiml", "legacy"), ("legacy", "phiml")):
        folder = f"general.checkpoint_dir={burgers_folder}/{first}"
        begun = small(burgers_folder, *step3, f"migration.data={first}", folder)
        interrupted(begun, 2)
        found = curve(
            burgers_folder,
            first,
            *step3,
            f"migration.data={second}",
            "trainer.resume=true",
        )
        assert found.state.epoch == 4
        np.testing.assert_allclose(losses(found), losses(whole), rtol=1e-9)


def test_the_run_says_that_nothing_was_converted(burgers_folder: Path) -> None:
    done = run_program(burgers_folder, "migration=step3")
    assert done.returncode == 0, done.stderr
    assert "data: phiml (phiml_port.data.loader:WindowLoader)" in done.stdout
    assert "conversions between torch and PhiML: none" in done.stdout


@pytest.mark.slow
def test_several_processes_simulate_the_same(simulated: Path, tmp_path: Path) -> None:
    settings = small(tmp_path, "data.num_workers=2")
    assert generate(settings, SceneSimulator(settings), Progress()) == 4
    for file in sorted((simulated / "data").rglob("*.npz")):
        other = tmp_path / file.relative_to(simulated)
        with np.load(file) as left, np.load(other) as right:
            np.testing.assert_array_equal(left["data"], right["data"])
    assert not list((tmp_path / "data").glob(".partial*"))
