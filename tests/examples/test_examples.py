"""Pipelines that are not HYCO's pass, by the commands that a user types."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def bridge(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`bridge` in a folder, with the checkout's code."""
    return subprocess.run(
        [sys.executable, "-m", "bridge", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.parametrize("name", ["numpy_to_torch", "own_trainer"])
def test_an_example_passes(name: str, tmp_path: Path) -> None:
    done = bridge(tmp_path, "verify", f"examples.{name}.migration:m")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout


def test_examples_are_short() -> None:
    for file in (ROOT / "examples").glob("*/migration.py"):
        assert len(file.read_text().splitlines()) < 150, file


def test_the_eager_network_of_the_fno_example_equals_itself(tmp_path: Path) -> None:
    (tmp_path / "itself.py").write_text(
        "from dataclasses import replace\n"
        "from examples.fno.migration import Side, eager, m\n"
        "own = replace(m, name='itself', candidate=Side(eager), steps=2)\n"
    )

    done = bridge(tmp_path, "verify", "itself:own")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.long
def test_the_compiled_fno_fails_as_its_page_says(tmp_path: Path) -> None:
    done = bridge(tmp_path, "verify", "examples.fno.migration:m", "--rungs", "R3")
    text = " ".join(done.stdout.split())

    assert done.returncode == 1, done.stdout + done.stderr
    assert "fno, float64: pass" in text
    assert "fno, float32: FAIL" in text
    assert "FAIL output in both modes, buffers, inputs [R3]: 3.7e-01 of" in text
    assert "norm of irfftn None for forward or norm of irfftn backward" in text


@pytest.mark.slow
def test_the_compiled_fno_passes_with_gradients(tmp_path: Path) -> None:
    target = "examples.fno.migration:with_gradients"

    done = bridge(tmp_path, "verify", target, "--rungs", "R3")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "fno-with-gradients, float32: pass" in done.stdout


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    page = (ROOT / "docs/migrate_your_own.md").read_text()
    found = re.search(r"<!-- example: mine.py -->\n\n```python\n(.*?)```", page, re.S)
    assert found is not None
    text = found[1]
    assert len([line for line in text.splitlines() if line]) <= 30
    (tmp_path / "mine.py").write_text(text)

    wrong = bridge(tmp_path, "verify", "mine:m")
    refused = bridge(tmp_path, "promote", "mine:m")
    (tmp_path / "mine.py").write_text(text.replace('nn.GELU("tanh")', "nn.GELU()"))
    right = bridge(tmp_path, "verify", "mine:m")
    promoted = bridge(tmp_path, "promote", "mine:m")
    status = bridge(tmp_path, "status", "mine:m")
    back = bridge(tmp_path, "rollback", "mine:m")

    assert wrong.returncode == 1
    assert "gelu with tanh for gelu" in wrong.stdout
    assert refused.returncode == 2
    assert "the proof isn't green" in refused.stderr
    assert right.returncode == 0, right.stdout + right.stderr
    assert promoted.returncode == 0, promoted.stderr
    assert "mine: candidate in use" in status.stdout
    assert back.returncode == 0


def test_what_is_no_migration_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("m = 3\n")

    done = bridge(tmp_path, "verify", "other:m")

    assert done.returncode == 2
    assert "`other:m` is a int; expected a `bridge.Migration`" in done.stderr
    assert "Traceback" not in done.stderr
