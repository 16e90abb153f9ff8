"""Runs of one experiment that don't disturb each other, as a person starts them."""

import csv
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from experiment.run.lock import LOCK
from experiment.training import LAST, load_checkpoint
from tests.helpers import ROOT, command, run_program

#: Each run trains into a folder of its own, as by default.
OWN = "general.checkpoint_dir=null"
TRAIN = ("general.tasks=[train,evaluate]", OWN)


def _started(path: Path, *overrides: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(path, *overrides),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def _curves(run: Path) -> list[list[str]]:
    with (run / "evaluation" / "curves.csv").open(newline="") as file:
        return list(csv.reader(file))


def _wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    limit = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.02)
    assert path.exists(), process.communicate(timeout=10)


@pytest.mark.slow
def test_two_runs_at_a_time_evaluate_each_its_own_model(burgers_folder: Path) -> None:
    seeds = (1, 2)
    both = [
        _started(
            burgers_folder,
            *TRAIN,
            f"general.seed={seed}",
            f"general.run_name=seed-{seed}",
        )
        for seed in seeds
    ]
    for process in both:
        output = process.communicate(timeout=300)
        assert process.returncode == 0, output
    runs = [burgers_folder / "runs" / f"seed-{seed}" for seed in seeds]
    assert _curves(runs[0]) != _curves(runs[1])
    for seed, run in zip(seeds, runs, strict=True):
        checkpoint = load_checkpoint(run / "checkpoints" / LAST)
        assert checkpoint.settings["general"]["seed"] == seed
        assert checkpoint.state.epoch == 2
        assert not (run / "checkpoints" / LOCK).exists()
        # Again, from what it left: the very same numbers.
        again = run_program(
            burgers_folder,
            *("general.tasks=[evaluate]", OWN, f"general.seed={seed}"),
            *(f"evaluation.run={run.name}", f"general.run_name=again-{seed}"),
        )
        assert again.returncode == 0, again.stderr
        after = burgers_folder / "runs" / f"again-{seed}"
        words = f"evaluating the checkpoints of the run `{run}` (as named)"
        assert words in (after / "log.txt").read_text()
        assert _curves(after) == _curves(run)
    other = run_program(
        burgers_folder,
        *("general.tasks=[evaluate]", OWN, "general.seed=1", "evaluation.run=seed-2"),
    )
    assert other.returncode == 2
    assert "was trained with `general.seed=2`" in other.stderr


@pytest.mark.slow
def test_killed_and_requeued_with_the_same_command(burgers_folder: Path) -> None:
    """As Slurm does it; a second job that goes on in the same folder is refused."""
    same = (
        *("general.tasks=[train]", OWN, "general.run_name=4711"),
        *("trainer.resume=auto", "trainer.synthetic.epochs=60"),
    )
    run = burgers_folder / "runs" / "4711"
    last = run / "checkpoints" / LAST
    first = _started(burgers_folder, *same)
    _wait_for(last, first)
    # Still there, and no further when the other looks at it.
    first.send_signal(signal.SIGSTOP)
    refused = run_program(burgers_folder, *same)
    assert refused.returncode == 2
    assert f"process {first.pid} on" in refused.stderr
    assert f"run `{run}`, since 20" in refused.stderr
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    reached = load_checkpoint(last).state.epoch
    assert reached < 60, "the first ended too soon to prove anything"
    assert (run / "checkpoints" / LOCK).exists()
    again = run_program(burgers_folder, *same)
    assert again.returncode == 0, again.stderr
    log = (run / "log.txt").read_text()
    assert log.count("took over the lock") == 1 and f"process {first.pid}" in log
    assert f"after {reached} epochs" in log
    assert load_checkpoint(last).state.epoch == 60
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 61))
    # One run, one folder; what the first process said of itself is kept.
    assert [p.name for p in run.parent.iterdir() if not p.is_symlink()] == ["4711"]
    (earlier,) = (run / "earlier").iterdir()
    assert {p.name for p in earlier.iterdir()} == {"settings.yaml", "versions.json"}
    began = [json.loads((p / "versions.json").read_text()) for p in (earlier, run)]
    assert began[0]["began"] < began[1]["began"]


@pytest.mark.slow
def test_rolled_forward_in_the_middle_of_a_training(burgers_folder: Path) -> None:
    """Begun by the control, stopped, gone on with by the port, in the same run."""
    epochs = ("trainer.synthetic.epochs=60", "general.tasks=[train]", OWN)
    first = _started(burgers_folder, *epochs, "migration=legacy")
    while not list(burgers_folder.glob(f"runs/2*/checkpoints/{LAST}")):
        assert first.poll() is None, first.communicate(timeout=10)
        time.sleep(0.02)
    first.send_signal(signal.SIGTERM)
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 128 + signal.SIGTERM and "trainer.resume=true" in errors
    (run,) = burgers_folder.glob("runs/2*")
    resume = ("migration=full", "trainer.resume=true", *epochs)
    done = run_program(burgers_folder, *resume)
    assert done.returncode == 0, done.stderr
    assert f"going on in the run `{run}`" in (run / "log.txt").read_text()
    assert list(burgers_folder.glob("runs/2*")) == [run]
    assert (burgers_folder / "runs" / "latest").resolve() == run.resolve()
    assert load_checkpoint(run / "checkpoints" / LAST).state.epoch == 60
