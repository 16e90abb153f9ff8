"""Frames that are not what was written, and files made to do harm."""

import io
import json
import logging
import os
import resource
import shutil
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from experiment.data import (
    TrajectoryStore,
    open_scene,
    read_trajectory,
    seal_scene,
)
from experiment.data.hashes import HASHES
from experiment.system import SceneError, TornFile, read_json, read_npz
from experiment.system.arrays import load_arrays
from tests.helpers import small
from tests.legacy.test_data import rewritten

FRAME = "data/sim_000001/velocity_000004.npz"


def swapped(one: Path, other: Path) -> None:
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def linked(link: Path, to: Path) -> None:
    link.unlink()
    link.symlink_to(to)


CHANGES: dict[str, Callable[[Path], object]] = {
    "two frames swapped": lambda p: swapped(
        p / FRAME, p / "data/sim_000001/velocity_000005.npz"
    ),
    "a frame of another simulation": lambda p: shutil.copy(
        p / "data/sim_000002/velocity_000004.npz", p / FRAME
    ),
    "a link to another frame": lambda p: linked(
        p / FRAME, p / "data/sim_000001/velocity_000005.npz"
    ),
    "other values": lambda p: rewritten_unsealed(p, lambda data: data * 2),
}


def rewritten_unsealed(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    description = path / "data/sim_000001/description.json"
    before = description.read_text()
    rewritten(path, change)
    description.write_text(before)


@pytest.mark.parametrize("change", CHANGES)
def test_a_frame_that_is_not_the_one_written_is_named(
    burgers_folder: Path, change: str
) -> None:
    CHANGES[change](burgers_folder)
    with pytest.raises(SceneError, match=r"velocity_000004\.npz` isn't the frame"):
        read_trajectory(small(burgers_folder), 1)
    read_trajectory(small(burgers_folder), 0)


def test_the_message_says_which_frame_it_is(burgers_folder: Path) -> None:
    CHANGES["two frames swapped"](burgers_folder)
    with pytest.raises(SceneError, match=r"the content of `velocity_000005\.npz`"):
        read_trajectory(small(burgers_folder), 1)


@pytest.mark.parametrize(
    "dtype", ("int32", "int64", "bool", "complex64", "float64", "float16", ">f4")
)
def test_another_type_is_refused(burgers_folder: Path, dtype: str) -> None:
    rewritten(burgers_folder, lambda data: np.ones(data.shape, np.dtype(dtype)))
    with pytest.raises(SceneError, match=r"velocity_000004.* is of type .*float32"):
        read_trajectory(small(burgers_folder), 1)


def test_a_scene_of_an_earlier_version_is_read_and_said_once(
    burgers_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = read_trajectory(small(burgers_folder), 1)
    for file in burgers_folder.glob("data/*/description.json"):
        described = json.loads(file.read_text())
        assert len(described.pop(HASHES)) == 7
        file.write_text(json.dumps(described))
    with caplog.at_level(logging.INFO):
        for simulation in (0, 1, 1):
            values = read_trajectory(small(burgers_folder), simulation)
    np.testing.assert_array_equal(values, expected)
    assert caplog.text.count("have no hashes of their frames") == 1


def test_the_hash_is_of_the_content_not_of_the_file(burgers_folder: Path) -> None:
    scene = burgers_folder / "data/sim_000001"
    before = json.loads((scene / "description.json").read_text())
    time.sleep(0.01)
    rewritten(burgers_folder, lambda data: data)
    assert json.loads((scene / "description.json").read_text()) == before
    assert seal_scene(scene) == scene


def entry(content: bytes, name: str = "data.npy") -> bytes:
    """A zip archive of one entry."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    described = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def bomb(path: Path) -> None:
    """4 MB that take 4.2 GB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("data.npy", "w", force_zip64=True) as file:
            file.write(header((1024, 1024, 1000)))
            zeros = bytes(2**24)
            for _ in range(250):
                file.write(zeros)
        archive.writestr("dim_names.npy", b"")


def many_entries(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(40_000):
            archive.writestr(f"{number}", b"")


def lying_table(path: Path) -> None:
    """The table of entries is said to have 1 GiB."""
    raw = bytearray(entry(header((2, 2))))
    raw[-10:-6] = struct.pack("<L", 2**30)
    path.write_bytes(bytes(raw))


BOMBS: dict[str, Callable[[Path], object]] = {
    "bomb": bomb,
    "many entries": many_entries,
    "lying table": lying_table,
    "4 TiB declared": lambda p: p.write_bytes(entry(header((2**20, 2**20)))),
    "FIFO": os.mkfifo,
    "folder": os.mkdir,
    "device": lambda p: p.symlink_to("/dev/zero"),
}


@contextmanager
def within(seconds: float, megabytes: float) -> Iterator[None]:
    """No more time, and no more memory above what was the most so far."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    yield
    assert time.process_time() - started < seconds
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert more < megabytes * 1000


@pytest.mark.parametrize("kind", BOMBS)
def test_a_hostile_frame_is_refused_by_name(burgers_folder: Path, kind: str) -> None:
    (burgers_folder / FRAME).unlink()
    BOMBS[kind](burgers_folder / FRAME)
    with within(1, 100), pytest.raises(SceneError, match=r"velocity_000004\.npz`"):
        read_trajectory(small(burgers_folder), 1)


TEXTS: dict[str, Callable[[Path], object]] = {
    "nested": lambda p: p.write_text("[" * 100_000 + "]" * 100_000),
    "nested tables": lambda p: p.write_text('{"a":' * 9_000 + "1" + "}" * 9_000),
    "many lists": lambda p: p.write_text("[" + "[]," * 3_000_000 + "[]]"),
    "large": lambda p: p.write_bytes(b" " * (40 * 2**20)),
    "FIFO": os.mkfifo,
    "folder": os.mkdir,
    "device": lambda p: p.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_hostile_description_is_refused_by_name(
    burgers_folder: Path, kind: str
) -> None:
    file = burgers_folder / "data/sim_000001/description.json"
    file.unlink()
    TEXTS[kind](file)
    with within(1, 100), pytest.raises(SceneError, match="sim_000001.*can't be read"):
        open_scene(small(burgers_folder), 1)


@pytest.mark.parametrize("kind", TEXTS)
def test_hostile_facts_of_a_store_are_a_torn_file(
    burgers_folder: Path, kind: str
) -> None:
    """The store is built again from the Scenes."""
    settings = small(burgers_folder)
    path = TrajectoryStore(settings, [1]).path
    (path / "store.json").unlink()
    TEXTS[kind](path / "store.json")
    with within(2, 100):
        store = TrajectoryStore(settings, [1])
    np.testing.assert_array_equal(store.trajectories[0], read_trajectory(settings, 1))


@pytest.mark.parametrize("kind", ("FIFO", "device", "folder"))
def test_arrays_that_are_no_file_are_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "last.safetensors"
    BOMBS[kind](path)
    with pytest.raises(TornFile, match=r"last\.safetensors` can't be read"):
        load_arrays(path)


def test_what_numpy_writes_is_read(tmp_path: Path) -> None:
    arrays = {
        "rows": np.arange(6.0).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "words": np.array(["x", "vector"]),
        "number": np.array(4),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "some.npz", **arrays)
        found = read_npz(tmp_path / "some.npz", dict.fromkeys(arrays, 1000))
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
    with pytest.raises(KeyError, match="other"):
        read_npz(tmp_path / "some.npz", {"other": 1000})
    np.savez(tmp_path / "objects.npz", data=np.array([None]))
    with pytest.raises(ValueError, match="Python objects"):
        read_npz(tmp_path / "objects.npz", {"data": 1000})


def test_what_json_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_text(json.dumps({"a": [1, {"b": "[["}], "c": None}))
    assert read_json(path) == {"a": [1, {"b": "[["}], "c": None}
