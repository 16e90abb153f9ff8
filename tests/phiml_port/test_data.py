"""The candidate's data pipeline: the right windows, from files that are mapped."""

import logging
import resource
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from phiml import math
from phiml.math import batch, channel, spatial

import phiml_port.data.cache as cache_module
import phiml_port.data.dataset
from experiment.data import generate, open_scene, sample_order
from experiment.settings import Settings
from experiment.system import Progress, SceneError, SettingsError, TornFile, UserError
from legacy.physics import SceneSimulator
from phiml_port.data import (
    PhiMLDataLoader,
    PhiMLDataset,
    Simulation,
    TrajectoryFile,
    read_scene,
)
from phiml_port.data.dataset import Access
from tests.helpers import ROOT, small
from tests.legacy.test_data import from_scene, rewritten

ORDER = "time,x,y,vector"


@pytest.fixture(autouse=True)
def _torch() -> None:
    math.use("torch")


def as_array(tensor: Any, order: str = ORDER) -> np.ndarray:
    return tensor.numpy(order)


def scene_window(path: Path, simulation: int, start: int) -> np.ndarray:
    return from_scene(path, simulation, start, 3).transpose(1, 2, 3, 0)


def loader_of(
    settings: Settings, simulations: tuple[int, ...] = (0, 1), **options: Any
) -> PhiMLDataLoader:
    options = {"shuffle": True, **options}
    dataset = PhiMLDataset(settings, simulations)
    return PhiMLDataLoader(dataset, batch_size=3, seed=0, **options)


def cache_file(path: Path) -> Path:
    (file,) = (path / "cache" / "phiml").iterdir()
    return file


@pytest.mark.parametrize("backend", ("torch", "numpy"))
@pytest.mark.parametrize("cached", (True, False))
def test_every_window_is_bitwise_that_of_the_scene(
    burgers_folder: Path, backend: str, cached: bool
) -> None:
    own = () if cached else ("cache.dir=null", "cache.open_simulations=1")
    settings = small(burgers_folder, f"cache.backend={backend}", *own)
    dataset = PhiMLDataset(settings, [2, 0])
    assert len(dataset) == 2 * (7 - 2)
    indices = [7, 0, 9, 5, 4]
    windows: Any = dataset.get_batch(indices)
    assert windows.shape.names == ("batch", "time", "x", "y", "vector")
    assert windows.shape.batch.names == ("batch", "time")
    assert windows.vector.item_names == ("velocity.x", "velocity.y")
    assert windows.default_backend.name == backend
    for place, index in enumerate(indices):
        expected = scene_window(burgers_folder, (2, 0)[index // 5], index % 5)
        for window in (dataset[index], windows.batch[place]):
            assert as_array(window).dtype == np.float32
            np.testing.assert_array_equal(as_array(window), expected)
    assert (burgers_folder / "cache").exists() is cached


def test_windows_and_trajectories_are_views_that_cannot_be_written(
    burgers_folder: Path,
) -> None:
    dataset = PhiMLDataset(small(burgers_folder), [0, 1])
    trajectory: Any = dataset.real[1].trajectory
    assert trajectory.shape.names == ("time", "x", "y", "vector")
    native = trajectory.native(ORDER)
    window: Any = dataset[6]
    assert np.shares_memory(native, window.native(ORDER))
    with pytest.raises(ValueError, match="read-only"):
        native[0, 0, 0, 0] = 1
    with pytest.raises(IndexError, match="simulation 1 has no window of 2 steps"):
        dataset.real[1].window(5, 2)
    for wrong in ([10], [-1], []):
        with pytest.raises(IndexError, match="windows .* of 10"):
            dataset.get_batch(wrong)
    with pytest.raises(IndexError):
        dataset[10]


def test_channels_are_concatenated_in_config_order(tmp_path: Path) -> None:
    settings = small(tmp_path, experiment="advection")
    generate(settings, SceneSimulator(settings), Progress())
    dataset = PhiMLDataset(settings, [1])
    windows: Any = dataset.get_batch([2])
    scene = open_scene(settings, 1)
    for t in range(3):
        frame: Any = windows.batch[0].time[t]
        density = frame.vector["density"].numpy("x,y")
        np.testing.assert_array_equal(density, scene.read("density", 2 + t)[0])
        carrier = frame.vector["velocity.x,velocity.y"].numpy("vector,x,y")
        np.testing.assert_array_equal(carrier, scene.read("velocity", 0))
    fields_of: Any = dataset.get_fields([2, 0])
    assert fields_of["density"].shape.names == ("batch", "time", "x", "y")
    velocity = fields_of["velocity"]
    assert velocity.shape.get_item_names("vector") == ("x", "y")
    assert velocity.extrapolation == math.extrapolation.PERIODIC
    assert velocity.bounds.size.numpy("vector").tolist() == [8.0, 4.0]
    np.testing.assert_array_equal(
        velocity.values.batch[1].time[0].numpy("vector,x,y"),
        scene.read("velocity", 0),
    )


def test_each_window_comes_once_an_epoch_in_the_order_of_the_semantics(
    burgers_folder: Path,
) -> None:
    loader = loader_of(small(burgers_folder))
    for epoch in (0, 3):
        loader.set_epoch(epoch)
        batches: list[Any] = list(loader)
        assert [b.shape.get_size("batch") for b in batches] == [3, 3, 3, 1]
        order = sample_order(0, epoch, 10)
        expected = as_array(loader.dataset.get_batch(order), f"batch,{ORDER}")
        found = [as_array(b, f"batch,{ORDER}") for b in batches]
        np.testing.assert_array_equal(np.concatenate(found), expected)
        loader.set_epoch(epoch, position=2)
        assert len(loader) == 2
        later = [as_array(b, f"batch,{ORDER}") for b in loader]
        np.testing.assert_array_equal(np.concatenate(later), expected[6:])


def test_batches_do_not_share_memory(burgers_folder: Path) -> None:
    """A batch that is kept stays what it was."""
    loader = loader_of(small(burgers_folder))
    held: list[Any] = list(loader)
    before = [as_array(b, f"batch,{ORDER}").copy() for b in held]
    list(loader)
    for kept, was in zip(held, before, strict=True):
        np.testing.assert_array_equal(as_array(kept, f"batch,{ORDER}"), was)


def test_the_last_batch_is_dropped_when_asked(burgers_folder: Path) -> None:
    loader = loader_of(small(burgers_folder), shuffle=False, drop_last=True)
    batches: list[Any] = list(loader)
    assert len(loader) == 3 == len(batches)
    assert {b.shape.get_size("batch") for b in batches} == {3}
    loader.set_epoch(0, position=3)
    assert len(loader) == 0 == len(list(loader))


def generated_from(settings: Settings, frames: int, count: int = 2) -> list[Simulation]:
    made = []
    for number in range(count):
        values = np.full((frames, 16, 8, 2), 100 + number, np.float32)
        values += np.arange(frames, dtype=np.float32)[:, None, None, None] / 10
        names = ("velocity.x", "velocity.y")
        made.append(Simulation(number, frames, ("x", "y"), names, lambda v=values: v))
    return made


def test_augmentation(burgers_folder: Path) -> None:
    settings = small(burgers_folder)
    dataset = PhiMLDataset(settings, [0, 1])
    real = [as_array(dataset[i]) for i in range(10)]
    made = generated_from(settings, frames=5)
    sizes: dict[Access, int] = {"both": 16, "real_only": 10, "generated_only": 6}
    for access, size in sizes.items():
        dataset.enable_augmentation(made, access)
        assert dataset.access == access and len(dataset) == size
        windows: Any = dataset.get_batch(range(size))
        found = as_array(windows, f"batch,{ORDER}")
        first = 0
        if access != "generated_only":
            np.testing.assert_array_equal(found[:10], real)
            first = 10
        for place in range(first, size):
            number, start = divmod(place - first, 3)
            assert found[place, 0, 0, 0, 0] == np.float32(100 + number + start / 10)
            np.testing.assert_array_equal(found[place], as_array(dataset[place]))
    loader = PhiMLDataLoader(dataset, batch_size=4, seed=0, shuffle=True)
    assert len(loader) == 2
    dataset.disable_augmentation()
    assert len(loader) == 3 and dataset.access == "real_only"
    np.testing.assert_array_equal(as_array(dataset[9]), real[9])


def test_generated_simulations_that_do_not_fit(burgers_folder: Path) -> None:
    settings = small(burgers_folder)
    dataset = PhiMLDataset(settings, [0, 1])
    short = generated_from(settings, frames=2)
    with pytest.raises(SceneError, match="simulation 0 has 2 frames.*needs 3"):
        dataset.enable_augmentation(short)
    mixed = [*generated_from(settings, 5, 1), *generated_from(settings, 6, 1)]
    with pytest.raises(SceneError, match=r"is \(6, 16, 8, 2\).*expected \(5, 16"):
        dataset.enable_augmentation(mixed)
    with pytest.raises(SettingsError, match="got none"):
        dataset.enable_augmentation([])
    assert len(dataset) == 10 and dataset.access == "real_only"
    with pytest.raises(SettingsError, match="needs a simulation; got none"):
        PhiMLDataset(settings, [])


def test_scenes_are_read_once(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = as_array(PhiMLDataset(small(burgers_folder), [1, 2])[6])

    def forbidden(*arguments: object, **options: object) -> None:
        raise AssertionError("the Scene was read again")

    monkeypatch.setattr(np, "load", forbidden)
    again = PhiMLDataset(small(burgers_folder), [1, 2])
    np.testing.assert_array_equal(as_array(again[6]), first)


@pytest.mark.parametrize("damage", ("cut", "flipped", "empty", "header"))
def test_a_torn_cache_is_built_again_with_a_notice(
    burgers_folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = small(burgers_folder)
    first = as_array(PhiMLDataset(settings, [1, 2]).get_batch([7, 2]), f"batch,{ORDER}")
    file = cache_file(burgers_folder)
    content = bytearray(file.read_bytes())
    if damage == "cut":
        content = content[:-100]
    elif damage == "flipped":
        content[-50] ^= 1
    elif damage == "empty":
        content = bytearray()
    else:
        content[100] ^= 0xFF
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        again = PhiMLDataset(settings, [1, 2]).get_batch([7, 2])
    np.testing.assert_array_equal(as_array(again, f"batch,{ORDER}"), first)
    assert file.name in caplog.text and "again from the Scenes" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        PhiMLDataset(settings, [1, 2]).get_batch(range(10))
    assert not caplog.text


def test_a_file_cut_anywhere_or_flipped_in_its_header_is_torn(
    burgers_folder: Path,
) -> None:
    PhiMLDataset(small(burgers_folder), [1, 2])
    file = cache_file(burgers_folder)
    whole = file.read_bytes()
    held = TrajectoryFile(file)
    layout, facts, values = held.layout, held.facts, held.trajectories.tobytes()
    for length in (*range(0, 60), 4095, 4096, 4097, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(TornFile, match=file.name):
            TrajectoryFile(file)
    written = len(whole[:4096].rstrip(b" "))
    for place in range(written):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        file.write_bytes(flipped)
        try:
            opened = TrajectoryFile(file)
        except TornFile:
            continue
        # Another dtype or shape of the same size is held against the settings; what
        # nobody looks at harms nothing.
        if opened.layout == layout:
            assert opened.facts == facts
            assert opened.trajectories.tobytes() == values


def test_a_changed_scene_never_gives_old_data(
    burgers_folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    settings = small(burgers_folder)
    before = PhiMLDataset(settings, [1, 2])
    old = as_array(before[0]).copy()
    file = burgers_folder / "data/sim_000001/velocity_000000.npz"
    status = file.stat()
    content = bytearray(file.read_bytes())
    rewritten(burgers_folder, lambda data: data, frame=0)
    # The same size and date, other content: what a careless copy does.
    file.write_bytes(content)
    import os

    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    read = []
    original = cache_module.read_scene
    monkeypatch.setattr(
        cache_module,
        "read_scene",
        lambda s, number: read.append(number) or original(s, number),
    )
    with caplog.at_level(logging.WARNING):
        PhiMLDataset(settings, [1, 2])
    assert "made from other Scenes of simulations 1;" in caplog.text
    assert read == [1]
    rewritten(burgers_folder, lambda data: data * 2, frame=0)
    after = PhiMLDataset(settings, [1, 2])
    np.testing.assert_array_equal(as_array(after[0])[0], 2 * old[0])
    # The dataset that was open keeps the file that it opened.
    np.testing.assert_array_equal(as_array(before[0]), old)


def test_settings_that_change_the_content_have_files_of_their_own(
    burgers_folder: Path,
) -> None:
    single = PhiMLDataset(small(burgers_folder), [1])
    double = PhiMLDataset(small(burgers_folder, "general.precision=float64"), [1])
    with math.precision(64):
        wide = as_array(double[0])
    assert wide.dtype == np.float64
    np.testing.assert_array_equal(wide.astype("f4"), as_array(single[0]))
    PhiMLDataset(small(burgers_folder), [1, 2])
    assert len(list((burgers_folder / "cache" / "phiml").iterdir())) == 3


@pytest.mark.parametrize("backend", ("torch", "numpy"))
def test_the_worker_backend_changes_no_bit(burgers_folder: Path, backend: str) -> None:
    for precision in ("float32", "float64"):
        own = (f"cache.worker_backend={backend}", f"general.precision={precision}")
        trajectory = read_scene(small(burgers_folder, *own), 2)
        assert trajectory.dtype == precision
        for t in range(7):
            expected = open_scene(small(burgers_folder), 2).read("velocity", t)
            np.testing.assert_array_equal(trajectory[t], np.moveaxis(expected, 0, -1))


def built(path: Path) -> bytes:
    """Builds the cache of three simulations and reads a window of each."""
    math.use("torch")
    dataset = PhiMLDataset(small(path), [2, 0, 1])
    return as_array(dataset.get_batch([0, 5, 10]), f"batch,{ORDER}").tobytes()


@pytest.mark.slow
def test_two_processes_that_build_the_same_cache_both_end_well(
    burgers_folder: Path,
) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        results = {r for r in pool.map(built, [burgers_folder] * 6)}
    assert results == {built(burgers_folder)}
    assert [f.suffix for f in (burgers_folder / "cache/phiml").iterdir()] == [
        ".safetensors"
    ]


@pytest.mark.slow
def test_several_processes_build_the_same_file(burgers_folder: Path) -> None:
    PhiMLDataset(small(burgers_folder), [2, 0, 1])
    alone = cache_file(burgers_folder).read_bytes()
    cache_file(burgers_folder).unlink()
    PhiMLDataset(small(burgers_folder, "data.num_workers=2"), [2, 0, 1])
    assert cache_file(burgers_folder).read_bytes() == alone
    (burgers_folder / "data/sim_000001/velocity_000004.npz").write_bytes(b"torn")
    with pytest.raises(SceneError, match=r"sim_000001/velocity_000004\.npz` is torn"):
        PhiMLDataset(small(burgers_folder, "data.num_workers=2"), [2, 0, 1])


def test_a_full_disk_while_caching(burgers_folder: Path) -> None:
    """A real limit on the size of files; then training goes on from the Scenes."""
    settings = small(burgers_folder)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        with pytest.raises(
            UserError, match=r"can't write the cache.*Nothing was left.*cache\.dir=null"
        ):
            PhiMLDataset(settings, [0, 1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((burgers_folder / "cache" / "phiml").iterdir()) == []
    without = PhiMLDataset(small(burgers_folder, "cache.dir=null"), [0, 1])
    cached = PhiMLDataset(settings, [0, 1])
    np.testing.assert_array_equal(as_array(without[7]), as_array(cached[7]))


def test_what_nobody_uses_leaves_memory(burgers_folder: Path, monkeypatch: Any) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    settings = small(burgers_folder, "cache.ttl=10")
    dataset = PhiMLDataset(settings, [0, 1, 2])
    released = []
    cache = dataset._cache
    assert cache is not None
    release = cache.file.release
    monkeypatch.setattr(
        cache.file, "release", lambda place: (released.append(place), release(place))
    )
    first = as_array(dataset.get_batch([0, 5]), f"batch,{ORDER}").copy()
    for now[0], expected in ((109.0, []), (112.0, [0]), (125.0, [0, 1])):
        dataset.get_batch([5] if now[0] < 120 else [10])
        assert released == expected
    again = as_array(dataset.get_batch([0, 5]), f"batch,{ORDER}")
    np.testing.assert_array_equal(again, first)


def test_a_batch_that_waits_for_the_disk_has_the_next_one_read_ahead(
    burgers_folder: Path, monkeypatch: Any
) -> None:
    loader = loader_of(small(burgers_folder), shuffle=False)
    list(loader)
    cache = loader.dataset._cache
    assert cache is not None
    asked = []
    advise = cache.file.read_ahead

    def read_ahead(place: int, start: int, count: int) -> None:
        asked.append((place, start, count))
        advise(place, start, count)

    monkeypatch.setattr(cache.file, "read_ahead", read_ahead)
    monkeypatch.setattr(phiml_port.data.dataset, "_MEMORY_SPEED", 1.0)
    list(loader)
    assert not asked and not loader.dataset.reads_ahead
    monkeypatch.setattr(phiml_port.data.dataset, "_MEMORY_SPEED", 1e18)
    next(iter(loader))
    assert asked == [(0, 3, 3), (0, 4, 3), (1, 0, 3)]
    list(loader)
    assert loader.dataset.reads_ahead


def test_bad_scenes_are_named(burgers_folder: Path) -> None:
    settings = small(burgers_folder)
    rewritten(burgers_folder, lambda data: data[:8])
    with pytest.raises(SceneError, match="velocity_000004.*has the dims .*expected"):
        PhiMLDataset(settings, [1])
    rewritten(burgers_folder, lambda data: np.full((16, 8, 2), np.nan, np.float32))
    with pytest.raises(SceneError, match="velocity_000004.*NaN or infinity"):
        PhiMLDataset(settings, [1])
    (burgers_folder / "data/sim_000001/velocity_000004.npz").unlink()
    for own in ((), ("cache.dir=null",)):
        with pytest.raises(SceneError, match=r"velocity_000004\.npz` is missing"):
            PhiMLDataset(small(burgers_folder, *own), [0, 1])
    with pytest.raises(SceneError, match=r"sim_000007` doesn't exist"):
        PhiMLDataset(settings, [0, 7])
    assert not list((burgers_folder / "cache" / "phiml").glob("*"))


def test_a_process_that_only_builds_caches_does_without_torch() -> None:
    code = (
        "import sys, phiml_port.data.cache as c, phiml_port.data.store;"
        "c.backend_named('numpy'); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_named_dims_are_what_they_say(burgers_folder: Path) -> None:
    """The tensors are made without PhiML's own checks; these are the checks."""
    windows: Any = PhiMLDataset(small(burgers_folder), [0]).get_batch([0, 1])
    native = windows.native(f"batch,{ORDER}")
    checked: Any = math.wrap(
        native,
        batch("batch,time"),
        spatial("x,y"),
        channel(vector="velocity.x,velocity.y"),
    )
    assert windows.shape == checked.shape
    assert windows.dtype == checked.dtype
    assert torch.equal((windows * 2).native(f"batch,{ORDER}"), native * 2)
    assert native.is_contiguous()
