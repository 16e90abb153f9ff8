"""With the control deleted, the port alone does all that a user asks for."""

import csv
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers import ROOT, command


def without_legacy(folder: Path) -> Path:
    """A copy of the program as it is, but for `legacy/`."""
    copy = folder / "program"
    for name in ("experiment", "phiml_port", "bridge", "hyco", "conf"):
        shutil.copytree(
            ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "run.py", copy)
    return copy


def run(program: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(program, *overrides),
        cwd=program,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(program)},
    )


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ("burgers", "advection"))
def test_full_generates_trains_evaluates_and_draws(
    tmp_path: Path, experiment: str
) -> None:
    program = without_legacy(tmp_path)
    # The installed project must not stand in for what was deleted.
    (program / "legacy.py").write_text("raise ModuleNotFoundError(name='legacy')\n")
    done = run(
        program,
        f"--config-name={experiment}.yaml",
        "general.mode=hybrid",
        "migration=full",
        "trainer.hybrid.warm_up_epochs=1",
        "trainer.hybrid.epochs=1",
        "trainer.hybrid.cycles=1",
        "trainer.physical.iterations=2",
    )
    assert done.returncode == 0, done.stderr
    folder = program / "runs" / "latest"
    rows = (folder / "physical_metrics.csv").read_text().splitlines()
    assert len(list(csv.DictReader(rows))) == 1
    names = {p.name for p in (folder / "evaluation").iterdir()}
    assert {"nrmse.png", "losses.png", "curves.csv", "parameters.csv"} <= names
    assert (folder / "report.html").stat().st_size > 1000


def test_the_control_is_said_to_be_missing(tmp_path: Path) -> None:
    program = without_legacy(tmp_path)
    (program / "legacy.py").write_text("raise ModuleNotFoundError(name='legacy')\n")
    done = run(program, "migration=step3")
    assert done.returncode == 2
    assert "the package `legacy` isn't installed; allowed: phiml" in done.stderr
