"""Small settings and runs for tests."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from bridge.assemble import MixedParts
from experiment.run import build_synthetic_training
from experiment.settings import (
    UNREAD,
    Architecture,
    Settings,
    check_settings,
    why_unread,
)
from experiment.training import SyntheticTraining

ROOT = Path(__file__).parent.parent
#: What is installed.
PACKAGES = ("experiment", "legacy", "phiml_port", "bridge", "hyco")
SMALL = (
    "general.mode=synthetic",
    "model.physical.resolution={x: 16, y: 8}",
    "model.physical.domain={x: 8.0, y: 4.0}",
    "data.num_simulations=4",
    "data.trajectory_length=7",
    "trainer.train_sim=[0,1]",
    "trainer.val_sim=[2]",
    "trainer.batch_size=3",
    "trainer.rollout_steps=2",
    "trainer.synthetic.epochs=2",
    "evaluation.test_sim=[3]",
    "evaluation.num_frames=5",
)
SMALL_UNET = (
    "model.synthetic.architecture.levels=2",
    "model.synthetic.architecture.filters=4",
)


def folders(path: Path) -> tuple[str, ...]:
    """Overrides that keep all files of a run below `path`."""
    return (
        f"general.checkpoint_dir={path}/checkpoints",
        f"general.run_dir={path}/runs",
        f"data.data_dir={path}/data",
        f"cache.dir={path}/cache",
    )


def composed(experiment: str, *overrides: str) -> dict[str, Any]:
    """An experiment of `conf/` as nested dicts, not checked yet."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose(experiment, list(overrides))
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))


def small(path: Path, *overrides: str, experiment: str = "burgers") -> Settings:
    """Checked settings of a run that takes a second, below `path`."""
    chosen = [o for o in overrides if o.startswith("model/synthetic")]
    net = () if chosen else SMALL_UNET
    return check_settings(
        composed(experiment, *SMALL, *net, *folders(path), *overrides)
    )


def synthetic_training(settings: Settings) -> SyntheticTraining:
    """The training of the surrogate, of the sides that are on."""
    return build_synthetic_training(settings, MixedParts())


def architecture(**options: Any) -> Architecture:
    """An architecture with SiLU, batch norm and periodic boundary, if not said."""
    unused = dict.fromkeys(("levels", "filters", "layers"))
    common = {"batch_norm": True, "activation": "SiLU", "periodic": True}
    return Architecture(**{**unused, **common, "inputs": "all", **options})


def run_program(
    path: Path, *overrides: str, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`python run.py` with small settings below `path`, in a process of its own."""
    return subprocess.run(
        command(path, *overrides),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        **options,
    )


def command(path: Path, *overrides: str) -> list[str]:
    """The command line of a small run below `path`."""
    options = [o for o in overrides if o.startswith("--")]
    values = [o for o in overrides if not o.startswith("--")]
    modes = [o.partition("=")[2] for o in values if o.startswith("general.mode=")]
    mode = modes[-1] if modes and modes[-1] in UNREAD else "synthetic"
    # What the mode doesn't read is refused on a command line.
    common = [
        o
        for o in (*SMALL, *SMALL_UNET)
        if why_unread(mode, o.partition("=")[0]) is None
    ]
    return [
        *(sys.executable, "run.py", *options),
        *(*common, *folders(path), *values),
    ]


def relative_error(value: np.ndarray, reference: np.ndarray) -> float:
    """Relative L2 error; shapes must agree."""
    assert value.shape == reference.shape
    scale = float(np.linalg.norm(reference))
    assert scale > 0, "a reference of zeros proves nothing"
    return float(np.linalg.norm(value - reference)) / scale
