"""Windows from disk: a warm epoch, and the first batch of a first and a second run."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._case import Case, Subject
from benchmarks._machine import finish
from benchmarks.cases._common import simulated_settings

_SIMULATIONS = (
    *("data.num_simulations=4", "trainer.train_sim=[0,1,2]"),
    *("trainer.val_sim=[]", "evaluation.test_sim=[3]"),
)
_PRESETS = {"legacy": "legacy", "phiml": "step3"}


def data_settings(folder: Path, side: str, *overrides: str) -> Any:
    """Settings of a side, with a cache of its own that another side can't warm."""
    own = f"cache.dir={folder}/cache-{side}"
    preset = f"migration={_PRESETS[side]}"
    return simulated_settings(folder, preset, own, *overrides)


def _loader(settings: Any) -> Any:
    from bridge import build_loader

    return build_loader(settings, settings.trainer.train_sim, True)


def _array(side: str, batch: Any) -> np.ndarray:
    """A batch as `(batch, time, x, y, vector)`."""
    if side == "legacy":
        return np.moveaxis(batch.cpu().numpy(), 1, -1).copy()
    return batch.numpy(["batch", "time", "x", "y", "vector"]).copy()


def _epoch(side: str, folder: Path) -> Subject:
    return epoch(folder, side, *_SIMULATIONS)


def epoch(folder: Path, side: str, *overrides: str) -> Subject:
    """All batches of an epoch, each epoch in an order of its own."""
    loader = _loader(data_settings(folder, side, *overrides))
    done = [0]

    def run() -> None:
        done[0] += 1
        loader.set_epoch(done[0])
        for _ in loader:
            pass
        finish()

    def outcome() -> dict[str, np.ndarray]:
        loader.set_epoch(0)
        return {"windows": np.concatenate([_array(side, b) for b in loader])}

    loader.set_epoch(0)
    return Subject(
        run, outcome, {"batches": len(loader), "samples": len(loader.dataset)}
    )


def _bare(folder: Path) -> Subject:
    """The same windows copied into one buffer: the least that NumPy can do."""
    from experiment.data import sample_order

    settings = data_settings(folder, "phiml", *_SIMULATIONS)
    port = _loader(settings)
    trajectories = [np.array(s.load()) for s in port.dataset.real]
    frames, size = port.dataset.window_frames, port.batch_size
    each = len(trajectories[0]) - frames + 1
    count = each * len(trajectories)
    buffer = np.empty((size, frames, *trajectories[0].shape[1:]), np.float32)
    done = [0]

    def gather(number: int, use: Callable[[np.ndarray], object]) -> None:
        order = sample_order(settings.general.seed, number, count)
        for first in range(0, count, size):
            chosen = order[first : first + size].tolist()
            for i, index in enumerate(chosen):
                place, start = divmod(index, each)
                buffer[i] = trajectories[place][start : start + frames]
            use(buffer[: len(chosen)])

    def run() -> None:
        done[0] += 1
        gather(done[0], len)

    def outcome() -> dict[str, np.ndarray]:
        batches: list[np.ndarray] = []
        gather(0, lambda batch: batches.append(batch.copy()))
        return {"windows": np.concatenate(batches)}

    return Subject(run, outcome, {"batches": -(-count // size), "samples": count})


def _first_batch(side: str, cold: bool, folder: Path) -> Subject:
    """Opens the data anew and takes the first batch; `cold` without a cache file.

    Removing the cache takes well below a millisecond and is timed too, on all sides.
    """
    settings = data_settings(folder, side, *_SIMULATIONS)

    def call() -> Any:
        if cold:
            shutil.rmtree(settings.cache.dir, ignore_errors=True)
        loader = _loader(settings)
        loader.set_epoch(0)
        batch = next(iter(loader))
        finish()
        return batch

    first = _array(side, call())
    return Subject(call, lambda: {"windows": _array(side, call())}, _work(first))


def _work(batch: np.ndarray) -> dict[str, int]:
    return {"samples": batch.shape[0], "frames": batch.shape[1]}


CASES = (
    Case(
        "loader-epoch",
        "data",
        {side: partial(_epoch, side) for side in _PRESETS},
        ("step3",),
        tolerance=0,
        calls=5,
        references={"bare": _bare},
    ),
    *(
        Case(
            f"first-batch-{'cold' if cold else 'warm'}",
            "data",
            {side: partial(_first_batch, side, cold) for side in _PRESETS},
            ("step3",),
            tolerance=0,
        )
        for cold in (True, False)
    ),
)
