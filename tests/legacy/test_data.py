"""The control's data pipeline: the right windows, in the right order, from the disk."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import phiml_port.data
from experiment.data import generate, open_scene, sample_order, seal_scene
from experiment.system import Progress, SceneError
from legacy.data import TrajectoryCache, WindowDataset, WindowLoader
from legacy.physics import SceneSimulator
from tests.helpers import small


def from_scene(path: Path, simulation: int, start: int, frames: int) -> np.ndarray:
    """A window `(vector, time, x, y)` straight from the Scene."""
    scene = open_scene(small(path), simulation)
    read = [scene.read("velocity", start + t) for t in range(frames)]
    return np.moveaxis(np.stack(read), -1, 0)


def test_every_window_is_bitwise_that_of_the_scene(burgers_folder: Path) -> None:
    dataset = WindowDataset(small(burgers_folder), [2, 0])
    assert len(dataset) == 2 * (7 - 2)
    for index in range(len(dataset)):
        simulation, start = ([2, 0][index // 5], index % 5)
        window = dataset[index].numpy()
        expected = from_scene(burgers_folder, simulation, start, 3)
        np.testing.assert_array_equal(window, expected)
        assert window.dtype == np.float32


def test_channels_are_concatenated_in_config_order(tmp_path: Path) -> None:
    settings = small(tmp_path, experiment="advection")
    generate(settings, SceneSimulator(settings), Progress())
    turned = small(tmp_path, "data.fields=[density,velocity]", experiment="advection")
    window = WindowDataset(turned, [1])[2]
    scene = open_scene(settings, 1)
    assert window.shape == (3, 3, 16, 8)
    for t in range(3):
        for channels, field in ((window[:1], "density"), (window[1:], "velocity")):
            expected = np.moveaxis(scene.read(field, 2 + t), -1, 0)
            np.testing.assert_array_equal(channels[:, t], expected)


def test_each_window_comes_once_an_epoch_in_the_order_of_the_semantics(
    burgers_folder: Path,
) -> None:
    settings = small(burgers_folder, "general.seed=0")
    dataset = WindowDataset(settings, [0, 1])
    loader = WindowLoader(settings, [0, 1], shuffle=True)
    for epoch in (0, 3):
        loader.set_epoch(epoch)
        batches = list(loader)
        assert [len(b) for b in batches] == [3, 3, 3, 1]
        assert all(b.is_contiguous() for b in batches)
        expected = torch.stack([dataset[int(i)] for i in sample_order(0, epoch, 10)])
        assert torch.equal(torch.cat(batches), expected)
        loader.set_epoch(epoch, position=2)
        assert len(loader) == 2
        assert torch.equal(torch.cat(list(loader)), expected[6:])


def test_validation_windows_come_as_numbered(burgers_folder: Path) -> None:
    settings = small(burgers_folder)
    dataset = WindowDataset(settings, [2])
    loader = WindowLoader(settings, [2], shuffle=False)
    assert torch.equal(torch.cat(list(loader)), torch.stack(list(dataset)))  # type: ignore[arg-type]


@pytest.mark.parametrize("side", ["legacy", "phiml"])
def test_nothing_is_left_behind_the_last_smaller_batch(
    burgers_folder: Path, side: str
) -> None:
    """A signal in it leaves a position of more windows than there are."""
    settings = small(burgers_folder, f"migration.data={side}", "general.seed=0")
    kind = WindowLoader if side == "legacy" else phiml_port.data.WindowLoader
    loader = kind(settings, [0, 1], shuffle=True)
    loader.set_epoch(0, position=4)
    assert len(loader) == 0 and list(loader) == []
    assert len(loader.generated()) == 0


# JAX, which another test may have loaded, warns of the fork; the settings refuse both.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_worker_processes_give_the_same_batches(burgers_folder: Path) -> None:
    alone = WindowLoader(small(burgers_folder), [0, 1], shuffle=True)
    helped = WindowLoader(
        small(burgers_folder, "data.num_workers=2"), [0, 1], shuffle=True
    )
    for epoch in range(2):
        alone.set_epoch(epoch)
        helped.set_epoch(epoch)
        for left, right in zip(alone, helped, strict=True):
            assert torch.equal(left, right)


def test_generated_windows_come_behind_the_real_ones(burgers_folder: Path) -> None:
    loader = WindowLoader(small(burgers_folder), [0, 1], shuffle=False)
    real = torch.cat(list(loader))
    values = np.random.default_rng(0).standard_normal((2, 5, 16, 8, 2), np.float32)
    moved = np.moveaxis(values, -1, 1)
    made = torch.from_numpy(
        np.stack([moved[i, :, t : t + 3] for i in range(2) for t in range(3)])
    )
    expected = {
        "both": torch.cat([real, made]),
        "real_only": real,
        "generated_only": made,
    }
    for access, windows in expected.items():
        loader.augment(values, access)
        batches = list(loader)
        assert all(b.is_contiguous() for b in batches)
        assert torch.equal(torch.cat(batches), windows)
        assert len(loader.dataset) == len(windows)
    with pytest.raises(SceneError, match="simulation 0 has 2 frames.*needs 3"):
        loader.augment(values[:, :2], "both")
    loader.augment(None, "both")
    assert torch.equal(torch.cat(list(loader)), real)


def cache_file(path: Path, simulation: int) -> Path:
    (file,) = (path / "cache" / "legacy").glob(f"sim_{simulation:06d}-*")
    return file


def test_scenes_are_read_once(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = TrajectoryCache(small(burgers_folder))[1].clone()

    def forbidden(*arguments: object, **options: object) -> None:
        raise AssertionError("the Scene was read again")

    monkeypatch.setattr(np, "load", forbidden)
    assert torch.equal(TrajectoryCache(small(burgers_folder))[1], first)


@pytest.mark.parametrize("damage", ("cut", "flipped", "empty", "header"))
def test_a_torn_cache_is_built_again_with_a_notice(
    burgers_folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = small(burgers_folder)
    first = TrajectoryCache(settings)[1].clone()
    file = cache_file(burgers_folder, 1)
    content = bytearray(file.read_bytes())
    if damage == "cut":
        content = content[:-100]
    elif damage == "flipped":
        content[-50] ^= 1
    elif damage == "empty":
        content = bytearray()
    else:
        content[20] ^= 0xFF
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        again = TrajectoryCache(settings)[1]
    assert torch.equal(again, first)
    assert file.name in caplog.text and "again from the Scene" in caplog.text


def test_a_changed_scene_never_gives_old_data(
    burgers_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = small(burgers_folder)
    before = TrajectoryCache(settings)[1].clone()
    changed = small(burgers_folder, "data.overwrite=true", "data.seed=5")
    generate(changed, SceneSimulator(changed), Progress())
    with caplog.at_level(logging.WARNING):
        after = TrajectoryCache(changed)[1]
    assert "was made from another Scene" in caplog.text
    assert not torch.equal(before, after)
    expected = open_scene(changed, 1).read("velocity", 0)
    np.testing.assert_array_equal(after[:, 0], np.moveaxis(expected, -1, 0))


def test_precisions_have_files_of_their_own(burgers_folder: Path) -> None:
    single = TrajectoryCache(small(burgers_folder))[1]
    double = TrajectoryCache(small(burgers_folder, "general.precision=float64"))[1]
    assert double.dtype == torch.float64
    assert torch.equal(double.float(), single)
    assert len(list((burgers_folder / "cache" / "legacy").iterdir())) == 2


def test_without_a_cache_scenes_are_read(burgers_folder: Path) -> None:
    cached = TrajectoryCache(small(burgers_folder))[1]
    without = small(burgers_folder, "cache.dir=null")
    assert torch.equal(TrajectoryCache(without)[1], cached)
    assert len(list((burgers_folder / "cache" / "legacy").iterdir())) == 1


def test_few_files_stay_open(burgers_folder: Path) -> None:
    settings = small(burgers_folder, "cache.open_simulations=2")
    cache = TrajectoryCache(settings)
    expected = [cache[i].clone() for i in range(4)]
    for i in (0, 3, 1, 2, 2, 0):
        assert torch.equal(cache[i], expected[i])
        assert len(cache._open) <= 2


def test_a_missing_frame_is_named(burgers_folder: Path) -> None:
    settings = small(burgers_folder)
    TrajectoryCache(settings)[1]
    (burgers_folder / "data/sim_000001/velocity_000004.npz").unlink()
    with pytest.raises(
        SceneError, match=r"sim_000001/velocity_000004\.npz` is missing"
    ):
        WindowDataset(settings, [0, 1])


@pytest.mark.parametrize("damage", ("cut", "empty", "other"))
def test_a_torn_scene_is_an_error_that_names_the_file(
    burgers_folder: Path, damage: str
) -> None:
    file = burgers_folder / "data/sim_000001/velocity_000004.npz"
    content = file.read_bytes()
    damaged = {"cut": content[: len(content) // 2], "empty": b"", "other": b"text"}
    file.write_bytes(damaged[damage])
    with pytest.raises(SceneError, match=r"sim_000001/velocity_000004\.npz` is torn"):
        WindowDataset(small(burgers_folder), [0, 1])


def rewritten(path: Path, change: Any, frame: int = 4) -> None:
    """Writes one frame of simulation 1 again with changed data."""
    file = path / f"data/sim_000001/velocity_{frame:06d}.npz"
    with np.load(file, allow_pickle=True) as content:
        arrays = dict(content)
    arrays["data"] = change(arrays["data"])
    np.savez_compressed(file, **arrays)
    seal_scene(file.parent)


def test_a_frame_of_another_resolution_or_with_nan_is_named(
    burgers_folder: Path,
) -> None:
    rewritten(burgers_folder, lambda data: np.full_like(data, np.nan))
    with pytest.raises(SceneError, match="velocity_000004.*NaN or infinity"):
        WindowDataset(small(burgers_folder), [1])
    rewritten(burgers_folder, lambda data: data[:, :4])
    with pytest.raises(SceneError, match="velocity_000004.*has the dims .*expected"):
        WindowDataset(small(burgers_folder), [1])


def test_an_empty_data_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"holds no simulations.*task `generate`"):
        WindowDataset(small(tmp_path), [0])
