"""The store of trajectories: what the Scenes say, whatever happens to its files."""

import logging
import os
import resource
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiment.data import (
    Scene,
    TrajectoryStore,
    generate,
    open_scene,
    read_trajectory,
)
from experiment.system import Progress, SceneError, UserError
from legacy.physics import SceneSimulator
from tests.helpers import small
from tests.legacy.test_data import rewritten

ARRAY, FACTS = "trajectories.npy", "store.json"


def stores(path: Path) -> list[Path]:
    """Everything in the folder of the stores, half-written ones too."""
    return sorted((path / "cache" / "trajectories").iterdir())


def used(store: TrajectoryStore) -> np.ndarray:
    """All trajectories, checked and copied."""
    store.use(np.arange(len(store.trajectories)))
    return store.trajectories.copy()


def readings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the simulations whose frames are read from here on."""
    numbers: list[int] = []
    original = Scene.frames

    def frames(scene: Scene, count: int | None = None) -> Any:
        numbers.append(scene.simulation)
        return original(scene, count)

    monkeypatch.setattr(Scene, "frames", frames)
    return numbers


def test_trajectories_are_bitwise_those_of_the_scenes(burgers_folder: Path) -> None:
    store = TrajectoryStore(small(burgers_folder), [2, 0])
    assert store.trajectories.shape == (2, 7, 16, 8, 2)
    for values, simulation in zip(used(store), (2, 0), strict=True):
        scene = open_scene(small(burgers_folder), simulation)
        frames = [scene.read("velocity", t) for t in range(7)]
        np.testing.assert_array_equal(values, np.stack(frames))
    with pytest.raises(ValueError, match="read-only"):
        store.trajectories[0, 0] = 0
    # Any program with NumPy reads it.
    np.testing.assert_array_equal(np.load(store.path / ARRAY), used(store))


def test_scenes_are_read_once(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = used(TrajectoryStore(small(burgers_folder), [1, 2]))
    numbers = readings(monkeypatch)
    np.testing.assert_array_equal(
        used(TrajectoryStore(small(burgers_folder), [1, 2])), first
    )
    assert numbers == []


@pytest.mark.parametrize("file", (ARRAY, FACTS))
def test_files_that_are_cut_or_flipped_anywhere_give_no_wrong_number(
    burgers_folder: Path, file: str
) -> None:
    """Cut anywhere in the header and the facts, or any bit flipped there."""
    settings = small(burgers_folder)
    path = TrajectoryStore(settings, [1, 2]).path
    expected = used(TrajectoryStore(settings, [1, 2]))
    whole = (path / file).read_bytes()
    end = 128 if file == ARRAY else len(whole)
    cuts = [whole[:length] for length in (*range(0, end, 11), len(whole) - 1)]
    flips = []
    for place in range(0, end, 3):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        flips.append(bytes(flipped))
    for damaged in (*cuts, *flips):
        (path / file).write_bytes(damaged)
        np.testing.assert_array_equal(used(TrajectoryStore(settings, [1, 2])), expected)


@pytest.mark.parametrize("damage", ("cut", "empty", "header", "facts"))
def test_a_torn_store_is_built_again_with_a_notice(
    burgers_folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = small(burgers_folder)
    store = TrajectoryStore(settings, [1, 2])
    first = used(store)
    file = store.path / (FACTS if damage == "facts" else ARRAY)
    content = bytearray(file.read_bytes())
    content[50] ^= 0x10
    changed = {"cut": content[:-100], "empty": b""}.get(damage, content[:])
    file.write_bytes(b"{" if damage == "facts" else changed)
    with caplog.at_level(logging.WARNING):
        again = used(TrajectoryStore(settings, [1, 2]))
    np.testing.assert_array_equal(again, first)
    assert file.name in caplog.text and "again from the Scenes" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        used(TrajectoryStore(settings, [1, 2]))
    assert not caplog.text and stores(burgers_folder) == [store.path]


def test_a_damaged_simulation_is_repaired_in_place(
    burgers_folder: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the damaged one is read, and who has it mapped sees the repair."""
    settings = small(burgers_folder)
    store = TrajectoryStore(settings, [1, 2])
    expected, whole = used(store), (store.path / ARRAY).read_bytes()
    with (store.path / ARRAY).open("r+b") as file:
        file.seek(-50, os.SEEK_END)
        file.write(b"\xff")
    assert not np.array_equal(store.trajectories, expected)
    numbers = readings(monkeypatch)
    again = TrajectoryStore(settings, [1, 2])
    again.use(np.array([0]))
    assert numbers == []
    with caplog.at_level(logging.WARNING):
        again.use(np.array([1, 1, 0]))
    assert numbers == [2]
    assert "is damaged at simulation 2 (its checksum differs)" in caplog.text
    np.testing.assert_array_equal(again.trajectories, expected)
    np.testing.assert_array_equal(store.trajectories, expected)
    assert (store.path / ARRAY).read_bytes() == whole


def test_a_damaged_checksum_is_repaired(burgers_folder: Path, caplog: Any) -> None:
    settings = small(burgers_folder)
    store = TrajectoryStore(settings, [1, 2])
    expected, text = used(store), (store.path / FACTS).read_text()
    digit = text.rindex('"') - 1
    other = "0" if text[digit] == "1" else "1"
    (store.path / FACTS).write_text(text[:digit] + other + text[digit + 1 :])
    np.testing.assert_array_equal(used(TrajectoryStore(settings, [1, 2])), expected)
    assert "damaged at simulation 2" in caplog.text
    assert (store.path / FACTS).read_text() == text


def test_damage_beside_a_changed_scene_is_an_error(burgers_folder: Path) -> None:
    """There is nothing left that these bytes could be repaired from."""
    settings = small(burgers_folder)
    TrajectoryStore(settings, [1])
    store = TrajectoryStore(settings, [1])
    with (store.path / ARRAY).open("r+b") as file:
        file.seek(-50, os.SEEK_END)
        file.write(b"\xff")
    rewritten(burgers_folder, lambda data: 2 * data)
    with pytest.raises(SceneError, match="damaged at simulation 1, whose Scene has"):
        store.use(np.array([0]))


def test_a_changed_scene_never_gives_old_data(
    burgers_folder: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = small(burgers_folder)
    before = TrajectoryStore(settings, [1, 2])
    old = used(before)
    file = burgers_folder / "data/sim_000001/velocity_000000.npz"
    status = file.stat()
    content = file.read_bytes()
    rewritten(burgers_folder, lambda data: data, frame=0)
    # The same size and date, another inode or change time: what a careless copy does.
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    numbers = readings(monkeypatch)
    with caplog.at_level(logging.WARNING):
        TrajectoryStore(settings, [1, 2])
    assert "made from other Scenes of simulations 1;" in caplog.text
    assert numbers == [1]
    rewritten(burgers_folder, lambda data: data * 2, frame=0)
    after = TrajectoryStore(settings, [1, 2])
    np.testing.assert_array_equal(used(after)[0, 0], 2 * old[0, 0])
    np.testing.assert_array_equal(used(after)[1], old[1])
    # The stale stores are gone; who has one mapped keeps it.
    assert stores(burgers_folder) == [after.path]
    np.testing.assert_array_equal(used(before), old)


def test_a_damaged_older_store_gives_nothing(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small(burgers_folder)
    store = TrajectoryStore(settings, [1, 2])
    expected = used(store)
    with (store.path / ARRAY).open("r+b") as file:
        file.seek(-50, os.SEEK_END)
        file.write(b"\xff")
    rewritten(burgers_folder, lambda data: data, frame=0)
    numbers = readings(monkeypatch)
    np.testing.assert_array_equal(used(TrajectoryStore(settings, [1, 2])), expected)
    assert numbers == [1, 2]


def test_settings_that_change_the_content_have_stores_of_their_own(
    burgers_folder: Path,
) -> None:
    single = used(TrajectoryStore(small(burgers_folder), [1]))
    double = used(
        TrajectoryStore(small(burgers_folder, "general.precision=float64"), [1])
    )
    assert double.dtype == np.float64
    np.testing.assert_array_equal(double.astype("f4"), single)
    TrajectoryStore(small(burgers_folder), [1, 2])
    assert len(stores(burgers_folder)) == 3


def build(path: Path) -> bytes:
    """Builds the store of three simulations and reads all of it."""
    return used(TrajectoryStore(small(path), [2, 0, 1])).tobytes()


def test_a_builder_that_comes_second_uses_its_own(burgers_folder: Path) -> None:
    """Another builder is done while this one reads its last Scene."""
    settings = small(burgers_folder)
    others = []

    def read(settings: Any, simulation: int) -> np.ndarray:
        if simulation == 1:
            others.append(TrajectoryStore(small(burgers_folder), [0, 1]))
        return read_trajectory(settings, simulation)

    store = TrajectoryStore(settings, [0, 1], read)
    np.testing.assert_array_equal(used(store), used(others[0]))
    assert stores(burgers_folder) == [store.path] == [others[0].path]


def test_a_store_that_appears_before_building_stays(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another builder is done just after this one found no store."""
    settings = small(burgers_folder)
    others = []
    build_store = TrajectoryStore._build

    def late(store: TrajectoryStore) -> Any:
        monkeypatch.setattr(TrajectoryStore, "_build", build_store)
        others.append(TrajectoryStore(settings, [0, 1]))
        return build_store(store)

    monkeypatch.setattr(TrajectoryStore, "_build", late)
    store = TrajectoryStore(settings, [0, 1])
    np.testing.assert_array_equal(used(store), used(others[0]))
    assert stores(burgers_folder) == [store.path] == [others[0].path]


@pytest.mark.slow
def test_processes_that_build_the_same_store_all_end_well(burgers_folder: Path) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        results = set(pool.map(build, [burgers_folder] * 6))
    assert results == {build(burgers_folder)}
    (store,) = stores(burgers_folder)
    assert sorted(f.name for f in store.iterdir()) == [FACTS, ARRAY]


@pytest.mark.slow
def test_several_processes_write_the_same_store(burgers_folder: Path) -> None:
    settings = small(burgers_folder, "data.num_workers=2")
    store = TrajectoryStore(small(burgers_folder), [2, 0, 1])
    alone = [(store.path / file).read_bytes() for file in (ARRAY, FACTS)]
    shutil.rmtree(store.path)
    TrajectoryStore(settings, [2, 0, 1])
    assert [(store.path / file).read_bytes() for file in (ARRAY, FACTS)] == alone
    (burgers_folder / "data/sim_000001/velocity_000004.npz").write_bytes(b"torn")
    with pytest.raises(SceneError, match=r"sim_000001/velocity_000004\.npz` is torn"):
        TrajectoryStore(settings, [2, 0, 1])
    assert stores(burgers_folder) == [store.path]


def test_a_full_disk_is_known_before_reading(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real limit on the size of files."""
    numbers = readings(monkeypatch)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        with pytest.raises(
            UserError, match=r"can't write the cache.*Nothing was left.*cache\.dir=null"
        ):
            TrajectoryStore(small(burgers_folder), [0, 1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert stores(burgers_folder) == [] == numbers
    TrajectoryStore(small(burgers_folder), [0, 1])


def test_simulations_that_are_not_accessed_leave_memory(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    store = TrajectoryStore(small(burgers_folder, "cache.ttl=10"), [0, 1, 2])
    assert store.tracks_use
    released = []
    release = store.release
    monkeypatch.setattr(
        store, "release", lambda index: (released.append(index), release(index))
    )
    store.use(np.array([0, 1]))
    first = store.trajectories[:2].copy()
    for now[0], expected in ((109.0, []), (112.0, [0]), (125.0, [0, 1])):
        store.use(np.array([1] if now[0] < 120 else [2]))
        assert released == expected
    store.use(np.array([0, 1]))
    np.testing.assert_array_equal(store.trajectories[:2], first)


def test_released_pages_are_no_longer_in_this_process(tmp_path: Path) -> None:
    """The kernel's word: resident pages of the mapped file, before and after."""
    large = (
        *("model.physical.resolution={x: 32, y: 16}", "data.num_simulations=2"),
        "data.trajectory_length=81",
    )
    split = ("trainer.train_sim=[0]", "trainer.val_sim=[]", "evaluation.test_sim=[1]")
    settings = small(tmp_path, *large, *split)
    generate(settings, SceneSimulator(settings), Progress())
    TrajectoryStore(settings, [0, 1])
    store = TrajectoryStore(settings, [0, 1])
    used(store)
    before = resident(store.path / ARRAY)
    store.read_ahead(0, 3, 2)
    store.release(0)
    after = resident(store.path / ARRAY)
    # The kernel may map some pages around those that are asked for.
    size = store.trajectories[0].nbytes / 1024
    assert before >= 2 * size and after == pytest.approx(size, abs=68)


def resident(file: Path) -> int:
    """Resident kB of a mapped file."""
    blocks = Path("/proc/self/smaps").read_text().split(f"{file}\n")
    return sum(int(block.split("Rss:")[1].split()[0]) for block in blocks[1:])


def test_bad_scenes_are_named_and_nothing_is_left(burgers_folder: Path) -> None:
    settings = small(burgers_folder)
    (burgers_folder / "data/sim_000001/velocity_000004.npz").unlink()
    with pytest.raises(SceneError, match=r"velocity_000004\.npz` is missing"):
        TrajectoryStore(settings, [0, 1])
    with pytest.raises(SceneError, match=r"sim_000007` doesn't exist"):
        TrajectoryStore(settings, [0, 7])
    with pytest.raises(ValueError, match="got a trajectory"):
        TrajectoryStore(settings, [0], lambda s, i: np.zeros((7, 8, 16, 2)))
    assert stores(burgers_folder) == []
