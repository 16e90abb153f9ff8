"""Processes from their start: the help, the imports of a side, the first batch."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._case import Case, Subject
from benchmarks._machine import threads
from benchmarks.cases._common import FEW, simulated_settings

_ROOT = Path(__file__).parents[2]
_PACKAGES = {"legacy": "legacy", "full": "phiml_port"}
_ROOMS = ("data", "models", "physics", "training")
_IMPORTED = (
    "import json, importlib; names = {names}; "
    "print(json.dumps(len([importlib.import_module(n) for n in names])))"
)


def _process(*arguments: str) -> str:
    """What a Python process of its own prints.

    Raises:
        RuntimeError: It fails, with the end of what it said.
    """
    count = str(threads())
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=_ROOT,
        env=os.environ | {"OMP_NUM_THREADS": count, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"`python {' '.join(arguments)}` ended with {done.returncode}:"
            f" {done.stderr[-2000:]}"
        )
    return done.stdout


def _help(side: str, folder: Path) -> Subject:
    """The door's help, which composes all settings and imports neither framework."""

    def run() -> str:
        return _process("run.py", f"migration={side}", "--help")

    lines = run().splitlines()
    groups = np.array([sum(line.endswith(":") for line in lines)])
    return Subject(run, lambda: {"groups of settings": groups}, {"lines": len(lines)})


def _imports(side: str, folder: Path) -> Subject:
    names = [f"{_PACKAGES[side]}.{room}" for room in _ROOMS]

    def run() -> int:
        return json.loads(_process("-c", _IMPORTED.format(names=names)))

    rooms = run()
    return Subject(run, lambda: {"rooms": np.array([rooms])}, {"rooms": rooms})


def _first_batch(side: str, folder: Path) -> Subject:
    """Imports, composes, builds both trainers and takes one training step."""
    simulated_settings(folder, *FEW, "general.mode=hybrid")

    def run() -> dict[str, Any]:
        arguments = ("-m", "benchmarks._first_batch", str(folder), side)
        return json.loads(_process(*arguments, *FEW, "general.mode=hybrid"))

    # The first process builds the cache; it is not timed.
    found = run()
    loss = found.pop("loss")
    return Subject(run, lambda: {"loss": np.array([loss])}, found)


def _case(name: str, build: Any) -> Case:
    return Case(
        name,
        "starting",
        {side: partial(build, side) for side in _PACKAGES},
        ("step1", "step2", "step3", "physics", "hybrid"),
        tolerance=1e-4,
        profile="regular",
        gated=False,
    )


CASES = (
    _case("start-help", _help),
    _case("start-imports", _imports),
    _case("start-first-batch", _first_batch),
)
