"""One training at a time writes into a folder of checkpoints."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from experiment.run.lock import LOCK, locked, owner_of
from experiment.system import CheckpointError
from tests.helpers import ROOT

_HOLD = """
import sys, time
from pathlib import Path
from experiment.run.lock import locked
with locked(Path(sys.argv[1]), Path("runs/first")):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def _holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def _changed(folder: Path, **values: Any) -> None:
    path = folder / LOCK
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_second_training_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with _holder(tmp_path) as process:
        since = json.loads((tmp_path / LOCK).read_text())["since"]
        with (
            pytest.raises(CheckpointError) as caught,
            locked(tmp_path, Path("runs/second"), take_over=True),
        ):
            pass
        for word in (f"process {process.pid}", "runs/first", since, "in use"):
            assert word in str(caught.value)
        owner = owner_of(tmp_path)
        assert owner is not None and owner.pid == process.pid
        process.communicate("", timeout=30)
    assert not (tmp_path / LOCK).exists(), "who ends, unlocks"
    assert owner_of(tmp_path) is None


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    with _holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        # Not waited for yet: its number is still there.
        while owner_of(tmp_path) is not None:
            pass
        with locked(tmp_path, Path("runs/second")) as lock:
            assert lock.before is not None and str(process.pid) in lock.before
            lock.require_held()
    assert not list(tmp_path.iterdir())


def test_a_process_number_that_was_given_again_is_not_the_owner(tmp_path: Path) -> None:
    with _holder(tmp_path):
        _changed(tmp_path, began=1)
        with locked(tmp_path, Path("runs/second")) as lock:
            assert lock.before is not None


def test_before_the_machine_started_anew_nothing_runs(tmp_path: Path) -> None:
    with _holder(tmp_path):
        machine = json.loads((tmp_path / LOCK).read_text())["machine"]
        _changed(tmp_path, boot="another start", machine="")
        # One that has no number may be another of the same name.
        with pytest.raises(CheckpointError, match="nobody can tell"):
            locked(tmp_path, Path("runs/second")).__enter__()
        _changed(tmp_path, machine=machine)
        if not machine:
            pytest.skip("this machine has no number")
        with locked(tmp_path, Path("runs/second")) as lock:
            assert lock.before is not None


@pytest.mark.parametrize("other", ({"host": "elsewhere"}, {"namespace": "pid:[1]"}))
def test_of_another_machine_only_by_key(tmp_path: Path, other: dict[str, str]) -> None:
    with _holder(tmp_path):
        _changed(tmp_path, **other)
        before = (tmp_path / LOCK).read_bytes()
        with pytest.raises(CheckpointError) as caught:
            locked(tmp_path, Path("runs/second")).__enter__()
        message = str(caught.value)
        assert "general.take_over=true" in message and "that one file alone" in message
        assert f"from {socket.gethostname()} nobody can tell" in message
        assert (tmp_path / LOCK).read_bytes() == before
        assert owner_of(tmp_path) is not None
        with locked(tmp_path, Path("runs/second"), take_over=True) as lock:
            assert lock.before is not None


def test_a_file_that_is_no_lock_is_left(tmp_path: Path) -> None:
    for text in ("", "{}", '{"pid": 1}', "[1]"):
        (tmp_path / LOCK).write_text(text)
        with pytest.raises(CheckpointError, match="is no lock of this program"):
            locked(tmp_path, Path("runs/second"), take_over=True).__enter__()
        assert (tmp_path / LOCK).read_text() == text


def test_a_lock_that_was_taken_away_is_noticed(tmp_path: Path) -> None:
    with locked(tmp_path, Path("runs/first")) as lock:
        lock.require_held()
        (tmp_path / LOCK).unlink()
        with pytest.raises(CheckpointError, match="is gone.*not evaluated"):
            lock.require_held()
        other = pytest.raises(CheckpointError, match="that of process .*runs/second")
        with locked(tmp_path, Path("runs/second")), other:
            lock.require_held()
    assert not (tmp_path / LOCK).exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="can't lock the folder"):
        locked(tmp_path / "file" / "checkpoints", Path("runs/first")).__enter__()


_RACE = """
import sys, time
from pathlib import Path
from experiment.run.lock import locked
folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
with locked(folder, Path("runs/first")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_of_many_at_once_one_has_it(tmp_path: Path) -> None:
    """Also where all find the lock of the same dead process."""
    with _holder(tmp_path) as process:
        process.kill()
        process.wait(30)
    many = [
        subprocess.Popen(
            [sys.executable, "-c", _RACE, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in many:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "ready\n"
    for process in many:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.stdout.readline() for process in many if process.stdout]
    assert sorted(said) == ["", "", "", "held\n"]
    ended = [process.communicate("", timeout=60)[1] for process in many]
    assert sum("is in use" in errors for errors in ended) == 3
    assert sum(process.returncode == 0 for process in many) == 1
