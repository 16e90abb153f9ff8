"""Measurements that need a Python process of their own."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.installed import installed_root
from benchmarks.harness.machine import prepare, process_environment

#: The folder of these benchmarks; the code that is installed may have older ones.
BENCHMARKS = Path(__file__).parents[1]
_RUN_MODULE = f"""
import sys, runpy
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location(
    "benchmarks", {str(BENCHMARKS)!r} + "/__init__.py",
    submodule_search_locations=[{str(BENCHMARKS)!r}],
)
package = sys.modules["benchmarks"] = module_from_spec(spec)
spec.loader.exec_module(package)
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__")
"""


def run_python(*arguments: str) -> str:
    """Runs `python ARGUMENTS` where the installed code lies; what it prints.

    Raises:
        RuntimeError: It fails, with the end of what it said.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=installed_root(),
        env=process_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"`python {' '.join(arguments[-4:])}` ended with {done.returncode}:"
            f" {done.stderr[-2000:]}"
        )
    return done.stdout


def measure_apart(module: str, *arguments: str) -> Any:
    """The JSON that a module prints in its last line, run in a process of its own.

    Raises:
        RuntimeError: It fails, with the end of what it said.
    """
    return json.loads(
        run_python("-c", _RUN_MODULE, module, *arguments).splitlines()[-1]
    )


def answer(parts: Mapping[str, Callable[..., Any]]) -> None:
    """The other end of `measure_apart`: runs the part that the arguments name."""
    name, *arguments = sys.argv[1:]
    prepare()
    print(json.dumps(parts[name](*arguments)))
