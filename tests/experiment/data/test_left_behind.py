"""What killed runs left is removed, others' files are not; a Scene is always there."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from experiment.data import generate, read_trajectory
from experiment.data.replacing import replace_scene
from experiment.system import (
    Progress,
    SceneError,
    exchange,
    exchanging,
    partial,
    partial_path,
    remove_stale,
    write_whole,
)
from legacy.physics import SceneSimulator
from tests.helpers import ROOT, small
from tests.legacy.test_data import rewritten

KILLED = """
import os, signal, sys
from pathlib import Path
from experiment.system import partial_path
path = partial_path(Path(sys.argv[1]))
path.mkdir() if sys.argv[2] == "folder" else path.write_text("half")
print(path.name, flush=True)
if sys.argv[2] != "wait":
    os.kill(os.getpid(), signal.SIGKILL)
sys.stdin.read()
"""


def left_by_another(path: Path, kind: str) -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), kind],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    if kind != "wait":
        process.communicate()
    return process, path.with_name(name)


@pytest.mark.parametrize("kind", ("folder", "file"))
def test_what_a_killed_process_left_is_removed(tmp_path: Path, kind: str) -> None:
    _, left = left_by_another(tmp_path / "sim_000000", kind)
    assert left.exists()
    remove_stale(tmp_path)
    assert not left.exists()


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    process, theirs = left_by_another(tmp_path / "some", "wait")
    own = partial_path(tmp_path / "some")
    own.write_text("half")
    remove_stale(tmp_path)
    assert theirs.exists() and own.exists()
    process.communicate("")
    remove_stale(tmp_path)
    assert not theirs.exists() and own.exists()


def test_what_another_machine_or_program_left_stays(tmp_path: Path) -> None:
    _, left = left_by_another(tmp_path / "some", "file")
    machine = partial._machine()
    elsewhere = left.with_name(left.name.replace(machine, f"{machine[:-8]}00000000"))
    left.rename(elsewhere)
    others = [tmp_path / name for name in (".partial-1", ".a.partial", "b.partial")]
    for path in others:
        path.write_text("theirs")
    remove_stale(tmp_path)
    assert elsewhere.exists() and all(path.exists() for path in others)


def test_a_process_number_that_was_given_again_is_another_process(
    tmp_path: Path,
) -> None:
    """This process's number, with another start: its owner is no more."""
    own = partial_path(tmp_path / "some")
    start = partial._start(os.getpid())
    earlier = own.with_name(own.name.replace(f"-{start}.", f"-{start - 1}."))
    earlier.write_text("half")
    remove_stale(tmp_path)
    assert not earlier.exists()


def test_no_two_names_are_equal_and_none_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 120)
    names = {partial_path(path).name for _ in range(100)}
    assert len(names) == 100 and max(len(os.fsencode(n)) for n in names) <= 255
    write_whole(path, "whole")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_next_start_sweeps_data_cache_and_checkpoints(burgers_folder: Path) -> None:
    from bridge.assemble import MixedParts
    from experiment.run import build_synthetic_training

    left = []
    for name in ("data", "cache/legacy", "cache/trajectories", "checkpoints"):
        (burgers_folder / name).mkdir(parents=True, exist_ok=True)
        left += [left_by_another(burgers_folder / name / "some", "folder")[1]]
    for side in ("legacy", "phiml"):
        settings = small(burgers_folder, f"migration.data={side}")
        build_synthetic_training(settings, MixedParts())
    again = small(burgers_folder, "data.num_simulations=5")
    generate(again, SceneSimulator(again), Progress())
    assert not [path for path in left if path.exists()]


def _replace_again_and_again(folder: Path, stop: threading.Event) -> None:
    """Two Scenes of other content, in turns."""
    target, number = folder / "data/sim_000001", 0
    first, second = folder / "first", folder / "second"
    while not stop.is_set():
        number += 1
        new = folder / f"new_{number}"
        shutil.copytree(first if number % 2 else second, new)
        replace_scene(new, target)


@pytest.mark.parametrize("at_once", (True, False))
def test_a_reader_always_finds_one_whole_scene(
    burgers_folder: Path, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the system can't exchange two folders in one step."""
    if not at_once:
        monkeypatch.setattr(exchanging, "_exchanged_at_once", lambda new, old: False)
    settings = small(burgers_folder)
    first = read_trajectory(settings, 1)
    target = burgers_folder / "data/sim_000001"
    shutil.copytree(target, burgers_folder / "first")
    rewritten(burgers_folder, lambda data: data + 1)
    shutil.copytree(target, burgers_folder / "second")
    stop, problems = threading.Event(), []
    writer = threading.Thread(
        target=_replace_again_and_again, args=(burgers_folder, stop)
    )
    writer.start()
    kinds = set()
    try:
        for _ in range(60):
            try:
                values = read_trajectory(settings, 1)
            except SceneError as error:
                problems.append(str(error))
                continue
            kinds.add((values[4] - first[4]).mean().round().item())
            np.testing.assert_array_equal(values[5], first[5])
    finally:
        stop.set()
        writer.join()
    assert not problems and kinds == {0.0, 1.0}


def test_two_folders_change_places(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").write_text("b")
    exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").is_dir() and (tmp_path / "a").read_text() == "b"
    with pytest.raises(OSError, match="No such file"):
        exchange(tmp_path / "none", tmp_path / "b")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
