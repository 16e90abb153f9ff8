"""The harness in a project that has neither the frameworks nor this project's rooms."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

#: Read by Python before anything else, also by processes that the harness starts.
BLOCKER = """
import sys

MISSING = {
    "torch", "phi", "phiml", "jax", "hydra", "omegaconf", "pydantic",
    "experiment", "legacy", "phiml_port", "hyco",
}


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Blocker())
"""
#: Two ways to the mean of an array; `SHIFT` plants an error of the candidate.
LADDERS = """
import os
from contextlib import contextmanager

import numpy as np

from bridge.harness import Fault, Ladder, Rung, compare, exact, named

SHIFT = float(os.environ.get("SHIFT", 0))


class Means:
    shift = SHIFT

    def __init__(self, size):
        self.values = np.random.default_rng(size).standard_normal((size, 3))

    def control(self, dtype=np.float64):
        return self.values.astype(dtype).mean(axis=0)

    def candidate(self):
        return np.add.reduce(self.values, axis=0) / len(self.values) + self.shift


def means(sides):
    expected, actual = sides.control(), sides.candidate()
    finding = compare(
        "mean", actual, expected, sides.control(np.longdouble), factor=4,
        depth=len(sides.values),
    )
    yield named(finding, actual, expected, {"shifted": lambda: expected + 1})
    yield exact("shape", np.array(actual.shape), np.array([3]))


@contextmanager
def shifted():
    Means.shift = 1.0
    yield
    Means.shift = SHIFT


LADDER = Ladder(
    "means", (5, 70), Means, (Rung("M1", "means", means),),
    faults=lambda: (Fault("shifted", "M1", 5, shifted, "mean"),),
)
LADDERS = {"means": "ladders:LADDER"}
"""
TABLE = """
[tool.bridge]
ladders = "ladders:LADDERS"
reads = ["ladders.py"]
evidence = "evidence"
switches = "presets"
[tool.bridge.presets]
old = []
new = ["means"]
"""
USED = """
import importlib, pkgutil, sys
import bridge.harness
for module in pkgutil.iter_modules(bridge.harness.__path__, "bridge.harness."):
    importlib.import_module(module.name)
import sitecustomize
for name in sorted(sitecustomize.MISSING):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{name} is there")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Another project, in whose processes the frameworks are missing."""
    (tmp_path / "presets").mkdir()
    for name, text in {
        "sitecustomize.py": BLOCKER,
        "ladders.py": LADDERS,
        "pyproject.toml": TABLE,
        "presets/current.yaml": "defaults:\n  - old\n",
        "presets/old.yaml": "mean: control\n",
        "presets/new.yaml": "mean: candidate\n",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def python(
    folder: Path, *arguments: str, **env: str
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": path} | env,
    )


def test_every_file_of_the_harness_imports_without_them(folder: Path) -> None:
    done = python(folder, "-c", USED)
    assert done.returncode == 0, done.stderr


def test_arrays_of_numpy_are_compared_without_them(folder: Path) -> None:
    done = python(folder, "-m", "bridge", "verify", "all", "--json", "found.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "means: 2/2 cases pass, 4/4 comparisons proved; evidence in means.json"
        in done.stdout
    )
    assert len(json.loads((folder / "found.json").read_text())) == 2
    done = python(folder, "-m", "bridge", "selftest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1/1 faults caught; weakest margin: shifted, " in done.stdout
    done = python(folder, "-m", "bridge", "promote", "new")
    said = "changed presets/current.yaml\n-  - old\n+  - new\n"
    assert (done.returncode, done.stdout) == (0, said), done.stderr


def test_a_wrong_candidate_is_found_without_them(folder: Path) -> None:
    done = python(folder, "-m", "bridge", "verify", "all", SHIFT="0.001")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "means: 0/2 cases pass" in done.stdout
