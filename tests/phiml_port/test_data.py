"""The candidate's data pipeline: the right windows, from files that are mapped."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from phiml import math
from phiml.math import batch, channel, spatial

import phiml_port.data.dataset
from experiment.data import generate, open_scene, sample_order
from experiment.settings import Settings
from experiment.system import Progress, SceneError, SettingsError
from legacy.physics import SceneSimulator
from phiml_port.data import PhiMLDataLoader, PhiMLDataset, WindowLoader, read_scene
from phiml_port.data.dataset import WindowDataset
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


def loader_of(settings: Settings, *, shuffle: bool = True) -> WindowLoader:
    return WindowLoader(settings, (0, 1), shuffle=shuffle)


def test_the_names_of_the_plan_stay() -> None:
    assert (PhiMLDataset, PhiMLDataLoader) == (WindowDataset, WindowLoader)


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
    trajectory = dataset.trajectory(1)
    window: Any = dataset[6]
    assert window.shape.names == ("time", "x", "y", "vector")
    assert np.shares_memory(trajectory, window.native(ORDER))
    with pytest.raises(ValueError, match="read-only"):
        window.native(ORDER)[0, 0, 0, 0] = 1
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
        np.testing.assert_array_equal(density, scene.read("density", 2 + t)[..., 0])
        carrier = frame.vector["velocity.x,velocity.y"].numpy("x,y,vector")
        np.testing.assert_array_equal(carrier, scene.read("velocity", 0))


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
    kept: list[Any] = list(loader)
    before = [as_array(b, f"batch,{ORDER}").copy() for b in kept]
    list(loader)
    for now, then in zip(kept, before, strict=True):
        np.testing.assert_array_equal(as_array(now, f"batch,{ORDER}"), then)


def generated(frames: int = 5, count: int = 2) -> np.ndarray:
    """Trajectories `(simulation, time, x, y, vector)` unlike any of the data."""
    random = np.random.default_rng(3)
    return random.standard_normal((count, frames, 16, 8, 2), np.float32)


@pytest.mark.parametrize("backend", ("torch", "numpy"))
@pytest.mark.parametrize("cached", (True, False))
@pytest.mark.parametrize("access", ("both", "real_only", "generated_only"))
def test_generated_windows_are_gathered_like_real_ones(
    burgers_folder: Path, backend: str, cached: bool, access: str
) -> None:
    """Bitwise what stacking window by window gives, in the same memory order."""
    own = () if cached else ("cache.dir=null", "cache.open_simulations=1")
    settings = small(burgers_folder, f"cache.backend={backend}", *own)
    loader = WindowLoader(settings, [2, 0], shuffle=True)
    made = generated()
    real = [scene_window(burgers_folder, s, t) for s in (2, 0) for t in range(5)]
    windows = {
        "both": [*real, *(m[t : t + 3] for m in made for t in range(3))],
        "real_only": real,
        "generated_only": [m[t : t + 3] for m in made for t in range(3)],
    }[access]
    loader.augment(made, access)
    assert len(loader.dataset) == len(windows)
    for epoch in range(3):
        loader.set_epoch(epoch)
        order = sample_order(0, epoch, len(windows))
        batches: list[Any] = list(loader)
        assert len(batches) == -(-len(windows) // 3)
        for first, named in zip(range(0, len(order), 3), batches, strict=True):
            native = named.native(f"batch,{ORDER}")
            expected = np.stack([windows[i] for i in order[first : first + 3]])
            np.testing.assert_array_equal(np.asarray(native), expected)
            assert np.asarray(native).flags.c_contiguous
            assert np.asarray(native).dtype == np.float32
            assert named.default_backend.name == backend
    for index, expected in enumerate(windows):
        np.testing.assert_array_equal(as_array(loader.dataset[index]), expected)


def test_generated_windows_take_no_call_for_each_window(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call for each run of windows from one array, and rows for many batches."""
    loader = loader_of(small(burgers_folder, "trainer.batch_size=4"))
    list(loader)
    dataset = loader.dataset
    located, arrays = [], []
    locate, array = dataset._located, dataset._array
    monkeypatch.setattr(
        dataset, "_located", lambda i: (located.append(len(i)), locate(i))[1]
    )
    monkeypatch.setattr(dataset, "_array", lambda n: (arrays.append(n), array(n))[1])
    loader.augment(generated(), "generated_only")
    list(loader)
    assert located == [6] and len(arrays) == 1
    loader.augment(generated(), "both")
    del located[:], arrays[:]
    list(loader)
    order = (sample_order(0, 0, 16) >= 10).reshape(4, 4)
    runs = sum(1 + sum(a != b for a, b in pairwise(row)) for row in order.tolist())
    assert located == [16] and len(arrays) == 1 + runs


def test_augmenting_takes_the_place_of_earlier_trajectories(
    burgers_folder: Path,
) -> None:
    loader = loader_of(small(burgers_folder))
    dataset = loader.dataset
    real = as_array(dataset.get_batch(range(10)), f"batch,{ORDER}")
    loader.augment(generated(), "both")
    loader.augment(generated(frames=4, count=1).astype(np.float64), "both")
    assert len(dataset) == 12 and len(loader) == 4
    windows = as_array(dataset.get_batch(range(12)), f"batch,{ORDER}")
    np.testing.assert_array_equal(windows[:10], real)
    np.testing.assert_array_equal(windows[11], generated(frames=4, count=1)[0, 1:4])
    loader.augment(None, "both")
    assert len(loader) == 4 and len(dataset) == 10
    windows = as_array(dataset.get_batch(range(10)), f"batch,{ORDER}")
    np.testing.assert_array_equal(windows, real)


def test_generated_trajectories_that_do_not_fit(burgers_folder: Path) -> None:
    settings = small(burgers_folder)
    dataset = PhiMLDataset(settings, [0, 1])
    with pytest.raises(SceneError, match="simulation 0 has 2 frames.*needs 3"):
        dataset.augment(generated(frames=2), "both")
    with pytest.raises(SceneError, match=r"are \(2, 5, 16, 4, 2\)"):
        dataset.augment(generated()[:, :, :, :4], "both")
    with pytest.raises(SettingsError, match="got none"):
        dataset.augment(generated(count=0), "both")
    assert len(dataset) == 10
    with pytest.raises(SettingsError, match="needs a simulation; got none"):
        PhiMLDataset(settings, [])


def test_the_store_is_opened_again(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = as_array(PhiMLDataset(small(burgers_folder), [1, 2])[6])

    def forbidden(*arguments: object, **options: object) -> None:
        raise AssertionError("the Scene was read again")

    monkeypatch.setattr(phiml_port.data.dataset, "read_scene", forbidden)
    again = PhiMLDataset(small(burgers_folder), [1, 2])
    np.testing.assert_array_equal(as_array(again[6]), first)


def test_the_store_hears_of_each_batch_only_where_it_must(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until everything is checked, and always where a time to live is set."""
    uses = {}
    for ttl in ("null", "100.0"):
        PhiMLDataset(small(burgers_folder), [0, 1])
        loader = loader_of(small(burgers_folder, f"cache.ttl={ttl}"), shuffle=False)
        store = loader.dataset._store
        assert store is not None
        calls: list[list[int]] = []
        use = store.use
        monkeypatch.setattr(
            store, "use", lambda i, c=calls, u=use: (c.append(i.tolist()), u(i))
        )
        list(loader)
        assert calls == [[0, 0, 0], [0, 0, 1], [1, 1, 1], [1]][: len(calls)]
        first = len(calls)
        list(loader)
        uses[ttl] = first, len(calls) - first
    assert uses == {"null": (2, 0), "100.0": (4, 4)}


@pytest.mark.parametrize("batched", (True, False))
def test_damage_is_repaired_before_a_window_is_given(
    burgers_folder: Path, batched: bool, caplog: pytest.LogCaptureFixture
) -> None:
    settings = small(burgers_folder)
    expected = as_array(PhiMLDataset(settings, [1, 2])[7])
    (file,) = (burgers_folder / "cache").rglob("trajectories.npy")
    content = bytearray(file.read_bytes())
    for place in range(-2000, 0, 100):
        content[place] ^= 0x40
    file.write_bytes(content)
    dataset = PhiMLDataset(settings, [1, 2])
    dataset.get_batch([0, 4])
    assert not caplog.text
    windows: Any = dataset.get_batch([7]) if batched else None
    window = windows.batch[0] if batched else dataset[7]
    assert "damaged at simulation 2" in caplog.text
    np.testing.assert_array_equal(as_array(window), expected)


@pytest.mark.parametrize("backend", ("torch", "numpy"))
def test_the_worker_backend_changes_no_bit(burgers_folder: Path, backend: str) -> None:
    for precision in ("float32", "float64"):
        own = (f"cache.worker_backend={backend}", f"general.precision={precision}")
        trajectory = read_scene(small(burgers_folder, *own), 2)
        assert trajectory.dtype == precision
        for t in range(7):
            expected = open_scene(small(burgers_folder), 2).read("velocity", t)
            np.testing.assert_array_equal(trajectory[t], expected)


def test_without_a_store_the_scenes_are_read(burgers_folder: Path) -> None:
    without = PhiMLDataset(small(burgers_folder, "cache.dir=null"), [0, 1])
    assert not (burgers_folder / "cache").exists()
    stored = PhiMLDataset(small(burgers_folder), [0, 1])
    np.testing.assert_array_equal(as_array(without[7]), as_array(stored[7]))


def test_double_precision(burgers_folder: Path) -> None:
    single = PhiMLDataset(small(burgers_folder), [1])
    double = PhiMLDataset(small(burgers_folder, "general.precision=float64"), [1])
    with math.precision(64):
        wide = as_array(double[0])
        assert as_array(double.get_batch([0]), f"batch,{ORDER}").dtype == np.float64
    assert wide.dtype == np.float64
    np.testing.assert_array_equal(wide.astype("f4"), as_array(single[0]))


def test_a_batch_that_waits_for_the_disk_has_the_next_one_read_ahead(
    burgers_folder: Path, monkeypatch: Any
) -> None:
    loader = loader_of(small(burgers_folder), shuffle=False)
    list(loader)
    store = loader.dataset._store
    assert store is not None
    asked = []
    advise = store.read_ahead

    def read_ahead(index: int, start: int, count: int) -> None:
        asked.append((index, start, count))
        advise(index, start, count)

    monkeypatch.setattr(store, "read_ahead", read_ahead)
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
    rewritten(burgers_folder, lambda data: np.full_like(data, np.nan))
    with pytest.raises(SceneError, match="velocity_000004.*NaN or infinity"):
        PhiMLDataset(settings, [1])
    rewritten(burgers_folder, lambda data: data[:, :4])
    with pytest.raises(SceneError, match="velocity_000004.*has the dims .*expected"):
        PhiMLDataset(settings, [1])
    (burgers_folder / "data/sim_000001/velocity_000004.npz").unlink()
    for own in ((), ("cache.dir=null",)):
        with pytest.raises(SceneError, match=r"velocity_000004\.npz` is missing"):
            PhiMLDataset(small(burgers_folder, *own), [0, 1])
    with pytest.raises(SceneError, match=r"sim_000007` doesn't exist"):
        PhiMLDataset(settings, [0, 7])
    assert not list((burgers_folder / "cache").rglob("*.npy"))


def test_a_process_that_only_builds_caches_does_without_torch() -> None:
    code = (
        "import sys, phiml_port.data.scenes as s, experiment.data.store;"
        "s.backend_named('numpy'); print('torch' in sys.modules)"
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
