"""Windows from disk: a warm epoch, and the first batch of a first and a second run."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import build
from benchmarks.cases.settings import simulated_settings
from benchmarks.harness.machine import finish
from bridge.harness.bench_case import Builder, Case, Profile, Subject

_SIMULATIONS = (
    *("data.num_simulations=4", "trainer.train_sim=[0,1,2]"),
    *("trainer.val_sim=[]", "evaluation.test_sim=[3]"),
)
#: 131 MB of data.
_MANY = (
    *("data.num_simulations=20", "data.trajectory_length=100"),
    f"trainer.train_sim=[{','.join(map(str, range(18)))}]",
    *("trainer.val_sim=[18]", "evaluation.test_sim=[19]"),
)
_PRESETS = {"legacy": "legacy", "phiml": "step3"}


def data_settings(folder: Path, side: str, *overrides: str) -> Any:
    """Settings of a side, with a cache of its own that another side can't warm."""
    cache = f"cache.dir={folder}/cache-{side}"
    preset = f"migration={_PRESETS[side]}"
    return simulated_settings(folder, preset, cache, *overrides)


def _array(side: str, batch: Any) -> np.ndarray:
    """A batch as `(batch, time, x, y, vector)`."""
    if side == "legacy":
        return np.moveaxis(batch.cpu().numpy(), 1, -1).copy()
    return batch.numpy(["batch", "time", "x", "y", "vector"]).copy()


def _generated(settings: Any) -> np.ndarray:
    """What the other model of a hybrid training might hand over: shorter, and noisy."""
    length = 3 * (settings.trainer.rollout_steps + 1)
    real = build.trajectories(settings)[:, :length]
    noise = np.random.default_rng(0).standard_normal(real.shape) * real.std() / 100
    return (real + noise).astype(real.dtype)


def _epoch(side: str, folder: Path) -> Subject:
    loader = build.loader(data_settings(folder, side, *_SIMULATIONS))
    return _epochs_of(loader, side)


def _epoch_with_generated(side: str, folder: Path) -> Subject:
    """As in a cycle of hybrid training: real and generated windows in one order."""
    settings = data_settings(folder, side, *_SIMULATIONS)
    loader = build.loader(settings)
    loader.augment(_generated(settings), "both")
    return _epochs_of(loader, side)


def _epochs_of(loader: Any, side: str) -> Subject:
    """All batches of an epoch, each epoch in an order of its own."""
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
    work = {"batches": len(loader), "samples": len(loader.dataset)}
    return Subject(run, outcome, work)


def _bare(generated: bool, folder: Path) -> Subject:
    """The same windows copied into one buffer: the least that NumPy can do."""
    from experiment.data import sample_order

    settings = data_settings(folder, "phiml", *_SIMULATIONS)
    trajectories = [*build.trajectories(settings)]
    if generated:
        trajectories += [*_generated(settings)]
    size, frames = settings.trainer.batch_size, settings.trainer.rollout_steps + 1
    starts = [
        (number, start)
        for number, trajectory in enumerate(trajectories)
        for start in range(len(trajectory) - frames + 1)
    ]
    shape = trajectories[0].shape[1:]
    buffer = np.empty((size, frames, *shape), np.float32)
    done = [0]

    def gather(epoch: int, use: Callable[[np.ndarray], object]) -> None:
        order = sample_order(settings.general.seed, epoch, len(starts))
        for first in range(0, len(starts), size):
            chosen = order[first : first + size].tolist()
            for i, index in enumerate(chosen):
                number, start = starts[index]
                buffer[i] = trajectories[number][start : start + frames]
            use(buffer[: len(chosen)])

    def run() -> None:
        done[0] += 1
        gather(done[0], len)

    def outcome() -> dict[str, np.ndarray]:
        batches: list[np.ndarray] = []
        gather(0, lambda batch: batches.append(batch.copy()))
        return {"windows": np.concatenate(batches)}

    count = len(starts)
    return Subject(run, outcome, {"batches": -(-count // size), "samples": count})


class _InThread:
    """The batches of a loader, made one ahead by another thread."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self.dataset = loader.dataset

    def set_epoch(self, epoch: int) -> None:
        self._loader.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        import queue
        import threading

        batches: queue.Queue[Any] = queue.Queue(1)

        def run() -> None:
            for windows in self._loader:
                batches.put(windows)
            batches.put(None)

        thread = threading.Thread(target=run)
        thread.start()
        while (windows := batches.get()) is not None:
            yield windows
        thread.join()


def _epoch_in_thread(folder: Path) -> Subject:
    loader = build.loader(data_settings(folder, "phiml", *_SIMULATIONS))
    return _epochs_of(_InThread(loader), "phiml")


def _epoch_by_numpy(folder: Path) -> Subject:
    settings = data_settings(folder, "phiml", *_SIMULATIONS, "cache.backend=numpy")
    return _epochs_of(build.loader(settings), "phiml")


def _first_batch(
    side: str, cold: bool, overrides: tuple[str, ...], folder: Path
) -> Subject:
    """Opens the data anew and takes the first batch; `cold` without a cache file.

    Removing the cache takes well below a millisecond and is timed too, on all sides.
    """
    settings = data_settings(folder, side, *overrides)

    def call() -> Any:
        if cold:
            shutil.rmtree(settings.cache.dir, ignore_errors=True)
        loader = build.loader(settings)
        loader.set_epoch(0)
        batch = next(iter(loader))
        finish()
        return batch

    first = _array(side, call())
    work = {"samples": first.shape[0], "frames": first.shape[1]}
    return Subject(call, lambda: {"windows": _array(side, call())}, work)


def _first_batch_case(cold: bool, name: str, profile: Profile, *size: str) -> Case:
    references: dict[str, Builder] = {}
    if cold and profile == "large":
        workers = (*size, "data.num_workers=2")
        references["phiml_2_workers"] = partial(_first_batch, "phiml", cold, workers)
    return Case(
        name,
        "data",
        {side: partial(_first_batch, side, cold, size) for side in _PRESETS},
        ("step3",),
        tolerance=0,
        profile=profile,
        references=references,
    )


CASES = (
    Case(
        "loader-epoch",
        "data",
        {side: partial(_epoch, side) for side in _PRESETS},
        ("step3",),
        tolerance=0,
        calls=5,
        references={"bare": partial(_bare, False)},
    ),
    Case(
        "loader-with-generated",
        "data",
        {side: partial(_epoch_with_generated, side) for side in _PRESETS},
        ("step3",),
        tolerance=0,
        calls=5,
        references={"bare": partial(_bare, True)},
    ),
    Case(
        "loader-other-ways",
        "data",
        {side: partial(_epoch, side) for side in _PRESETS},
        ("step3",),
        tolerance=0,
        profile="regular",
        calls=5,
        references={"numpy_take": _epoch_by_numpy, "one_ahead": _epoch_in_thread},
    ),
    _first_batch_case(True, "first-batch-cold", "fast", *_SIMULATIONS),
    _first_batch_case(False, "first-batch-warm", "fast", *_SIMULATIONS),
    _first_batch_case(True, "first-batch-cold-many", "large", *_MANY),
    _first_batch_case(False, "first-batch-warm-many", "large", *_MANY),
)
