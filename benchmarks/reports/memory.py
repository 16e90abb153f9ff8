"""Peak memory of a training with few and with many simulations.

Simulations are copies of one: how much there is counts, not what.
"""

import json
import resource
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cases import build
from benchmarks.cases.settings import grid_of, settings_of, simulated
from benchmarks.harness.memory import peak_anonymous
from benchmarks.harness.process import answer, measure_apart

PRESETS = ("legacy", "step3")
#: Grid, frames and numbers of simulations.
_SIZES: dict[str, tuple[tuple[str, ...], int, tuple[int, ...]]] = {
    "16x16 cells, 400 frames": (grid_of(16), 400, (4, 40, 400)),
    "64x64 cells, 100 frames": ((), 100, (4, 40)),
}
#: MB that a process may take of its own, the smallest first.
_LIMITS = (400, 500, 600)


def lines() -> Iterator[str]:
    """Peaks of both sides, and a training that may take less than its data."""
    for name, (grid, frames, counts) in _SIZES.items():
        for preset in PRESETS:
            peaks = []
            for count in counts:
                with tempfile.TemporaryDirectory() as folder:
                    keys = (preset, str(count), str(frames), *grid)
                    _copies_of_one(_settings(Path(folder), *keys))
                    # The first training builds the cache, the second is measured.
                    measure_apart(__name__, "train", folder, *keys)
                    peak = measure_apart(__name__, "train", folder, *keys)
                    cached = _cache_bytes(Path(folder))
                yield (
                    f"{name}, {preset}, {count} simulations, {cached / 1e6:.0f} MB"
                    f" cached: peak {peak:.1f} MB"
                )
                peaks.append(peak)
            yield f"  largest / smallest: {max(peaks) / min(peaks):.3f}"
    yield from _limited()


def _limited() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        keys = ("step3", "400", "400", *grid_of(32))
        _copies_of_one(_settings(Path(folder), *keys))
        peak = measure_apart(__name__, "train", folder, *keys)
        cached = _cache_bytes(Path(folder))
        yield f"{cached / 1e6:.0f} MB of data, peak without a limit {peak:.0f} MB"
        for limit in _LIMITS:
            try:
                arguments = ("train_limited", str(limit), folder, *keys)
                peak = measure_apart(__name__, *arguments)
            except RuntimeError as error:
                last = str(error).splitlines()[-1][:60]
                yield f"`ulimit -d` {limit} MB: ends with {last}"
                continue
            yield f"`ulimit -d` {limit} MB: trains, peak {peak:.0f} MB"
            return


def _settings(folder: Path, preset: str, count: str, frames: str, *more: str) -> Any:
    last = int(count) - 1
    return settings_of(
        folder,
        *(f"migration={preset}", "model/synthetic=convnet"),
        "model.synthetic.architecture.layers=[4]",
        *(f"data.num_simulations={count}", f"data.trajectory_length={frames}"),
        f"trainer.train_sim=[{','.join(map(str, range(last)))}]",
        *(f"trainer.val_sim=[{last}]", "evaluation.test_sim=[0]"),
        *("trainer.synthetic.epochs=1", "trainer.batch_size=64"),
        *more,
    )


def _copies_of_one(settings: Any) -> None:
    from experiment.data import scene_path

    simulated(replace(settings, data=replace(settings.data, num_simulations=1)))
    for simulation in range(1, settings.data.num_simulations):
        target = scene_path(settings, simulation)
        shutil.copytree(scene_path(settings, 0), target)
        described = json.loads((target / "description.json").read_text())
        described["simulation"] = simulation
        (target / "description.json").write_text(json.dumps(described))


def _cache_bytes(folder: Path) -> int:
    files = (f for f in (folder / "cache").rglob("*") if f.is_file())
    return sum(file.stat().st_size for file in files)


def train(folder: str, *keys: str) -> float:
    """Trains an epoch; the peak of anonymous resident memory in MB."""
    settings = _settings(Path(folder), *keys)
    return peak_anonymous(lambda: build.train(settings))


def train_limited(limit: str, folder: str, *keys: str) -> float:
    """`train` in a process that may take so many MB of memory of its own."""
    size = int(limit) * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    return train(folder, *keys)


if __name__ == "__main__":
    answer({"train": train, "train_limited": train_limited})
