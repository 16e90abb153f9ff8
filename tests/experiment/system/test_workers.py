"""Worker processes end with the process that started them, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers import ROOT

LOADER = """
import sys, time
from legacy.data import WindowLoader
from tests.helpers import ROOT, small
from pathlib import Path
settings = small(Path(sys.argv[1]), "data.num_workers=2")
loader = iter(WindowLoader(settings, [0, 1], shuffle=False))
next(loader)
print("ready", flush=True)
time.sleep(60)
"""
POOL = """
import time
from experiment.system import map_in_processes
if __name__ == "__main__":
    for item, _ in map_in_processes(time.sleep, [0.0, 0.0, 60.0, 60.0], 2):
        print("ready", flush=True)
"""


def children(pid: int) -> list[int]:
    every = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in every for child in file.read_text().split()]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
@pytest.mark.parametrize("program", (LOADER, POOL), ids=("loader", "pool"))
def test_workers_end_with_a_killed_parent(
    program: str, burgers_folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "program.py"
    file.write_text(program)
    parent = subprocess.Popen(
        [sys.executable, str(file), str(burgers_folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert parent.stdout is not None and parent.stdout.readline() == "ready\n"
    workers = children(parent.pid)
    assert len([pid for pid in workers if alive(pid)]) >= 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    for _ in range(20):
        if not any(map(alive, workers)):
            break
        time.sleep(0.1)
    left = [pid for pid in workers if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left
