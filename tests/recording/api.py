"""All that the recorder knows of the program; the one file to follow a renaming."""

import io
import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from rich.console import Console

from bridge.assemble import MixedParts, build_components
from bridge.convert import to_torch
from experiment.data import scene_path
from experiment.run import run_tasks
from experiment.settings import Settings, check_settings
from experiment.system import Bar, Progress, TrainingError, load_arrays, versions
from experiment.training import BEST, LAST, PHYSICAL_BEST, PHYSICAL_LAST

__all__ = [
    "CHECKPOINTS",
    "PHYSICAL_CHECKPOINTS",
    "Settings",
    "Stop",
    "batches",
    "build_settings",
    "checkpoint_folder",
    "forget_noise",
    "loader",
    "read_arrays",
    "run",
    "scene_folder",
    "versions",
]
CHECKPOINTS = (LAST, BEST)
PHYSICAL_CHECKPOINTS = (PHYSICAL_LAST, PHYSICAL_BEST)
#: The one layout that batches of either side are hashed in.
LAYOUT = "batch vector time x y"
_CONF = Path(__file__).parents[2] / "conf"


class _Killed(BaseException):
    """As a process that ends at once: nothing is saved on the way out."""


@dataclass(frozen=True)
class Stop:
    """Where a training ends before its time.

    Attributes:
        bar: `train` counts batches of the synthetic model, `physical` rounds.
        count: How many are done when it happens, in this process.
        signalled: By SIGTERM, upon which the trainer saves where it stands; otherwise
            as by a kill, which leaves the checkpoints as they are.
    """

    bar: str
    count: int
    signalled: bool


class _StoppingBar(Bar):
    def __init__(self, progress: "_Silent") -> None:
        super().__init__(None, None)
        self._progress = progress

    def step(self, count: int = 1, **values: float | int) -> None:
        self._progress.advance(count)


class _Silent(Progress):
    """Shows nothing, and ends the training where it is told to."""

    def __init__(self, stop: Stop | None = None) -> None:
        super().__init__(Console(file=io.StringIO(), width=80))
        self._stop = stop
        self._done = 0

    @contextmanager
    def bar(self, title: str, total: int, unit: str, done: int = 0) -> Iterator[Bar]:
        if self._stop is not None and title == self._stop.bar:
            yield _StoppingBar(self)
        else:
            yield Bar(None, None)

    def advance(self, count: int) -> None:
        assert self._stop is not None
        self._done += count
        if self._done == self._stop.count:
            if not self._stop.signalled:
                raise _Killed
            signal.raise_signal(signal.SIGTERM)


def build_settings(experiment: str, overrides: Sequence[str]) -> Settings:
    """Settings as `run.py` composes and checks them."""
    with initialize_config_dir(str(_CONF), version_base="1.3"):
        config = compose(experiment, list(overrides))
    values = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    return check_settings(values)


def run(settings: Settings, stop: Stop | None = None) -> Path | None:
    """Runs the tasks of the settings as `run.py` does.

    Returns:
        The run folder; None if the run was stopped, as asked.
    """
    try:
        folder = run_tasks(settings, build_components(settings), _Silent(stop))
    except (TrainingError, _Killed):
        if stop is None:
            raise
        return None
    assert stop is None, f"it came to its end before {stop}"
    return folder


def loader(settings: Settings, simulations: Sequence[int], shuffle: bool) -> Any:
    """A loader of the data side, in the language of the trainer side."""
    return MixedParts().build_loader(settings, simulations, shuffle=shuffle)


def batches(
    windows: Any, epoch: int, position: int = 0
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Batches of an epoch in `LAYOUT`: the values, and a view with its strides."""
    windows.set_epoch(epoch, position)
    for batch in windows:
        native = batch if isinstance(batch, torch.Tensor) else to_torch(batch, LAYOUT)
        yield native.numpy(), native


def scene_folder(settings: Settings, simulation: int) -> Path:
    """Where a simulation lies."""
    return scene_path(settings, simulation)


def checkpoint_folder(settings: Settings) -> Path:
    """Where checkpoints go."""
    assert settings.general.checkpoint_dir is not None
    return Path(settings.general.checkpoint_dir)


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of one of the program's files, and the state of its training."""
    content = load_arrays(path)
    return dict(content.arrays), dict(content.facts.get("state", {}))


def forget_noise() -> None:
    """One thread, and neither logs nor the warnings that `run.py` leaves out."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    logging.getLogger("Φ-ML").setLevel(logging.WARNING)
