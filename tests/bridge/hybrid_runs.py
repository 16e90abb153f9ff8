"""Small hybrid trainings for tests."""

from pathlib import Path
from typing import Any

import numpy as np

from bridge.assemble import MixedParts
from experiment.run import RunFolder, build_hybrid_training
from experiment.settings import Settings
from experiment.system import Progress
from experiment.training import (
    LAST,
    PHYSICAL,
    PHYSICAL_LAST,
    Checkpoint,
    HybridTraining,
    load_checkpoint,
)
from tests.bridge import test_physics as physics
from tests.bridge.test_step1 import DOUBLE, losses
from tests.helpers import relative_error, small

EXPERIMENTS = ("burgers", "advection")
SIDES = ("legacy", "phiml")
TINY = (
    "model/synthetic=convnet",
    "model.synthetic.architecture.layers=[4,4]",
    "model.physical.resolution={x: 11, y: 13}",
    "general.mode=hybrid",
    DOUBLE,
    "trainer.physical.windows=6",
    "trainer.physical.iterations=3",
    "trainer.hybrid.warm_up_epochs=1",
    "trainer.hybrid.cycles=2",
    "trainer.hybrid.epochs=1",
    "trainer.hybrid.rounds=1",
)
#: Stable with one substep, which compiles sooner.
PDE = {
    "burgers": (
        "model.physical.pde_params.diffusion_substeps=1",
        "model.physical.pde_params.viscosity='0.02 * (x/size_x + y/size_y)**3'",
    ),
    "advection": (),
}
#: Losses and parameters of both sides agree to this, relative.
NEAR = 1e-6


def tiny(path: Path, experiment: str, *overrides: str) -> Settings:
    return small(path, *TINY, *PDE[experiment], *overrides, experiment=experiment)


def switches(hybrid: str, physics: str, others: str) -> tuple[str, ...]:
    rest = (f"migration.{name}={others}" for name in ("model", "trainer", "data"))
    return (f"migration.hybrid={hybrid}", f"migration.physics={physics}", *rest)


def everything(side: str) -> tuple[str, ...]:
    return switches(side, side, side)


def training_of(settings: Settings) -> HybridTraining:
    """The training of both models, of the sides that are on."""
    return build_hybrid_training(settings, MixedParts())


def trained(
    path: Path, name: str, experiment: str, *overrides: str
) -> tuple[Checkpoint, Checkpoint]:
    """Trains; returns the last checkpoints of the synthetic and the physical model."""
    checkpoints = f"general.checkpoint_dir={path}/{name}"
    settings = tiny(path / experiment, experiment, *overrides, checkpoints)
    training_of(settings).train(RunFolder(settings), Progress())
    return last(path / name)


def last(path: Path) -> tuple[Checkpoint, Checkpoint]:
    return load_checkpoint(path / LAST), load_checkpoint(path / PHYSICAL_LAST, PHYSICAL)


def near(found: tuple[Checkpoint, Checkpoint], control: Any) -> None:
    """Loss curves, weights and parameters, relative."""
    np.testing.assert_allclose(losses(found[0]), losses(control[0]), rtol=NEAR)
    for name, leaf in control[0].weights.items():
        assert relative_error(found[0].weights[name], leaf) < NEAR, name
    physics.near(found[1], control[1], NEAR)
