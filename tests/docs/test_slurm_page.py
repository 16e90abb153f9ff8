"""The script of the page on Slurm: stopped, it asks for a requeue and goes on."""

import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.helpers import ROOT
from tests.test_readme import fresh_copy, small


def _script(folder: Path) -> Path:
    page = (ROOT / "docs" / "slurm.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    sizes = shlex.join(
        [
            *small(["--config-name=burgers.yaml", "general.mode=synthetic"]),
            *("general.mode=synthetic", "trainer.synthetic.epochs=150"),
        ]
    )
    assert text.count("trainer.resume=auto &") == 1
    file = folder / "job.sh"
    file.write_text(text.replace("=auto &", f"=auto {sizes} $MORE &"))
    # Slurm's own command, which is not installed here: it notes what it was asked.
    command = folder / "bin" / "scontrol"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\necho "$@" >> {folder / "asked"}\n')
    command.chmod(0o755)
    return file


@pytest.mark.slow
def test_a_job_that_is_stopped_is_requeued_and_goes_on(tmp_path: Path) -> None:
    script = _script(fresh_copy(tmp_path))
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_JOB_ID": "17",
        "MORE": "",
    }
    with open(tmp_path / "first.log", "w") as log:
        job = subprocess.Popen(
            ["bash", script], cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
        run = tmp_path / "runs" / "burgers_slurm" / "17"
        checkpoint = run / "checkpoints" / "last.safetensors"
        until = time.monotonic() + 300
        while not checkpoint.exists() and job.poll() is None:
            assert time.monotonic() < until, "no epoch ended in five minutes"
            time.sleep(0.1)
        job.send_signal(signal.SIGUSR1)
        status = job.wait(300)
    assert status == 138, (tmp_path / "first.log").read_text()[-2000:]
    assert (tmp_path / "asked").read_text() == "requeue 17\n"

    # What is left need not be trained to its end: that it is gone on with is enough.
    again = subprocess.run(
        ["bash", script],
        cwd=tmp_path,
        env=environment | {"MORE": "general.tasks=[train]"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-2000:]
    assert "epoch 150/150" in again.stdout and "epoch 1/150" not in again.stdout
    assert (tmp_path / "asked").read_text() == "requeue 17\n"
