"""Measures step 3: `python -m benchmarks.measure_step3 ways|first|...`."""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks._door import THREADS, measure_one
from benchmarks._interleaved import interleaved
from benchmarks._memory import peak_anonymous
from benchmarks.settings import experiment_settings, simulated
from bridge import build_loader, build_trainer, phiml_loader
from experiment.data import scene_path
from experiment.run import RunFolder
from experiment.settings import Settings
from experiment.system import Progress


def _rates(count: int, seconds: tuple[float, float]) -> str:
    first, second = (f"{count / s:,.0f}" for s in seconds)
    return f"{first} against {second} windows/s"


def _epoch(loader: Any) -> Callable[[], None]:
    epoch = [0]

    def run() -> None:
        epoch[0] += 1
        loader.set_epoch(epoch[0])
        for _ in loader:
            pass

    return run


def ways(folder: Path) -> None:
    """Other ways to gather a batch, each beside legacy's loader."""
    settings = simulated(experiment_settings(folder, "burgers"))
    legacy = build_loader(settings, settings.trainer.train_sim, True)
    port = phiml_loader(settings, settings.trainer.train_sim, True)
    numpy = experiment_settings(folder, "burgers", "cache.backend=numpy")
    on_numpy = phiml_loader(numpy, settings.trainer.train_sim, True)
    for name, side in {
        "torch.index_select on one mapped array (what is used)": _epoch(port),
        "numpy.take on one mapped array (cache.backend=numpy)": _epoch(on_numpy),
        "a window at a time, then stacked": _epoch(_WindowByWindow(port)),
        "index_select in a thread, one batch ahead": _epoch(_Threaded(port)),
    }.items():
        ratio = interleaved(side, _epoch(legacy), rounds=15, calls=3)
        rates = _rates(len(port.dataset), ratio.seconds)
        print(f"{name}: {1 / ratio.median:.2f} times legacy, {rates}")


class _WindowByWindow:
    """The same batches, each window copied by itself."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def set_epoch(self, epoch: int) -> None:
        self._loader.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        dataset, size = self._loader.dataset, self._loader.batch_size
        order = self._loader.order()
        for first in range(0, len(order), size):
            yield dataset._put_together(order[first : first + size])


class _Threaded:
    """The same batches, made one ahead by another thread."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def set_epoch(self, epoch: int) -> None:
        self._loader.set_epoch(epoch)

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


_LARGE = ("data.num_simulations=20", "data.trajectory_length=100")
_SPLIT = (
    f"trainer.train_sim=[{','.join(map(str, range(18)))}]",
    "trainer.val_sim=[18]",
    "evaluation.test_sim=[19]",
)


def first(folder: Path) -> None:
    """Time to the first batch, first and second run, at 20 simulations of 100."""
    simulated(experiment_settings(folder, "burgers", *_LARGE, *_SPLIT))
    for side in ("phiml", "legacy"):
        times = [_in_process("first_batch", folder, side) for _ in range(4)]
        second = sorted(times[1:])[1]
        print(
            f"{side}: first run {times[0]:.3f} s, second run {second:.4f} s, ratio"
            f" {times[0] / second:.0f}"
        )
    shutil.rmtree(folder / "cache")
    several = _in_process("first_batch", folder, "phiml", "data.num_workers=2")
    print(f"phiml, first run with 2 processes: {several:.3f} s")


def first_batch(folder: Path, side: str, *more: str) -> float:
    """Seconds from opening the data to the first batch; imports left out."""
    settings = experiment_settings(
        folder, "burgers", *_LARGE, *_SPLIT, f"migration.data={side}", *more
    )
    import phiml_port.data  # noqa: F401

    start = time.perf_counter()
    batches = build_loader(settings, settings.trainer.train_sim, True)
    batches.set_epoch(0)
    next(iter(batches))
    return time.perf_counter() - start


def _in_process(what: str, folder: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", "benchmarks.measure_step3", what, str(folder)]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def memory(folder: Path) -> None:
    """Peak anonymous memory of training with 4, 40 and 400 simulations."""
    for name, overrides in {
        "16x16 cells, 400 frames": (_SMALL, 400),
        "64x64 cells, 100 frames": ((), 100),
    }.items():
        peaks = {}
        counts = (4, 40, 400) if overrides[0] else (4, 40)
        for count in counts:
            own = folder / f"{overrides[1]}-{count}"
            settings = _many(own, count, overrides[1], overrides[0])
            _copies_of_one(settings)
            keys = (str(count), str(overrides[1]), *overrides[0])
            _in_process("train", own, *keys)
            peaks[count] = _in_process("train", own, *keys)
            size = _cache_bytes(own)
            print(f"{name}, {count} simulations, {size / 1e6:.0f} MB cached:", end=" ")
            print(f"peak {peaks[count]:.1f} MB")
        ratio = max(peaks.values()) / min(peaks.values())
        print(f"  largest / smallest: {ratio:.3f}")


_SMALL = ("model.physical.resolution={x: 16, y: 16}",)


def _many(folder: Path, count: int, frames: int, more: tuple[str, ...]) -> Settings:
    train = ",".join(str(i) for i in range(count - 1))
    return experiment_settings(
        folder,
        "burgers",
        *("migration=step3", "model/synthetic=convnet"),
        "model.synthetic.architecture.layers=[4]",
        *(f"data.num_simulations={count}", f"data.trajectory_length={frames}"),
        *(f"trainer.train_sim=[{train}]", f"trainer.val_sim=[{count - 1}]"),
        *("evaluation.test_sim=[0]", "trainer.synthetic.epochs=1"),
        "trainer.batch_size=64",
        *more,
    )


def _copies_of_one(settings: Settings) -> None:
    """Simulates once and copies the Scene: how much there is counts here, not what."""
    one = replace(settings.data, num_simulations=1)
    simulated(replace(settings, data=one))
    for simulation in range(1, settings.data.num_simulations):
        target = scene_path(settings, simulation)
        if not target.exists():
            shutil.copytree(scene_path(settings, 0), target)
        described = json.loads((target / "description.json").read_text())
        described["simulation"] = simulation
        (target / "description.json").write_text(json.dumps(described))


def _cache_bytes(folder: Path) -> int:
    return sum(f.stat().st_size for f in (folder / "cache").rglob("*.safetensors"))


def train(folder: Path, count: str, frames: str, *more: str) -> float:
    """Trains an epoch; the peak of anonymous resident memory in MB."""
    torch.set_num_threads(THREADS)
    settings = _many(folder, int(count), int(frames), more)
    trainer = build_trainer(settings)
    return peak_anonymous(lambda: trainer.train(RunFolder(settings), Progress()))


def limited(folder: Path) -> None:
    """Trains on data far larger than the memory that the process may take."""
    grid = ("model.physical.resolution={x: 32, y: 32}",)
    settings = _many(folder, 400, 400, grid)
    _copies_of_one(settings)
    keys = ("400", "400", *grid)
    peak = _in_process("train", folder, *keys)
    print(f"data {_cache_bytes(folder) / 1e6:.0f} MB, peak without limit {peak:.0f} MB")
    for limit in (400, 500, 600):
        try:
            peak = _in_process("train_limited", folder, str(limit), *keys)
        except RuntimeError as error:
            print(f"ulimit -d {limit} MB: ends with {str(error).splitlines()[-1][:60]}")
            continue
        print(f"ulimit -d {limit} MB: trains, peak {peak:.0f} MB")
        return


def train_limited(folder: Path, limit: str, *arguments: str) -> float:
    """`train` in a process that may take so many MB of memory of its own."""
    size = int(limit) * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    return train(folder, *arguments)


_PARTS = {"first_batch": first_batch, "train": train, "train_limited": train_limited}


def _part() -> None:
    """A measurement's part that needs a process of its own."""
    import logging
    import warnings

    warnings.filterwarnings("ignore", category=DeprecationWarning)
    logging.getLogger("Φ-ML").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=[*_PARTS])
    parser.add_argument("folder", type=Path)
    parser.add_argument("arguments", nargs="*")
    chosen = parser.parse_args()
    print(json.dumps(_PARTS[chosen.what](chosen.folder, *chosen.arguments)))


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in _PARTS:
        _part()
    else:
        measure_one(
            {
                "ways": ways,
                "first": first,
                "memory": memory,
                "limited": limited,
            },
            __doc__,
        )
