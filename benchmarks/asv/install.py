"""Installs one commit for asv: `python benchmarks/asv/install.py CHECKOUT`.

Needs the standard library only: asv runs it in an environment that has nothing else
yet. Every version is that of the commit's own `requirements.lock`, or, of commits that
have none, of its `pyproject.toml`.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: The extra that the JAX sides need; commits before it do without.
EXTRA = "jax"
#: Exact versions of everything, a constraints file of pip.
LOCK = "requirements.lock"
_TORCH = r"torch(?![\w.-])"
_LISTED = "dependencies"


class InstallError(Exception):
    """What is wrong with a checkout, and what to do."""


def project_of(checkout: Path) -> dict[str, Any]:
    """The `[project]` table of a checkout.

    Raises:
        InstallError: It can't be read.
    """
    path = checkout / "pyproject.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    except FileNotFoundError:
        raise InstallError(
            f"`{path.name}` is missing in `{checkout}`; give the root of a checkout of"
            " this project"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InstallError(
            f"`{path}` is no valid TOML ({error}); repair it, or leave this commit out"
            " of the run"
        ) from error
    except KeyError:
        raise InstallError(
            f"`{path}` has no table `[project]`; expected one with `dependencies`;"
            " repair it, or leave this commit out of the run"
        ) from None


def torch_pin(required: Sequence[str], where: str) -> str:
    """The one exact requirement of torch, as in `torch==1.2.3`.

    Args:
        required: The requirements.
        where: What they are called in messages.

    Raises:
        InstallError: There is none, more than one, or it isn't exact.
    """
    found = [
        r for r in (str(r).replace(" ", "") for r in required) if re.match(_TORCH, r)
    ]
    if len(found) != 1 or not re.fullmatch(r"torch==[\w.+!]+", found[0]):
        raise InstallError(
            f"`{where}` asks for torch as {found}; expected one exact version, as"
            ' in "torch==1.2.3": any other request may fetch a build for GPUs; pin it'
            f" in `{LOCK}`, or leave this commit out of the run"
        )
    return found[0]


def requests(checkout: Path) -> list[list[str]]:
    """What to ask of `pip install`, in order: torch alone, then the commit itself."""
    project = project_of(checkout)
    lock = checkout / LOCK
    if lock.exists():
        pinned = lock.read_text(encoding="utf-8").splitlines()
        torch, constraint = torch_pin(pinned, LOCK), ["--constraint", str(lock)]
    else:
        torch, constraint = torch_pin(project.get("dependencies", ()), _LISTED), []
    extra = f"[{EXTRA}]" if EXTRA in project.get("optional-dependencies", {}) else ""
    # Editable, as the benchmarks run `run.py`, which lies beside the packages.
    return [[*constraint, torch], [*constraint, "--editable", f"{checkout}{extra}"]]


def main(arguments: list[str]) -> int:
    """Installs the checkout; returns the exit code."""
    if len(arguments) != 1:
        print(f"got {arguments}; usage: python benchmarks/asv/install.py CHECKOUT")
        return 2
    try:
        asked = requests(Path(arguments[0]).resolve())
    except InstallError as error:
        print(error, file=sys.stderr)
        return 2
    for request in asked:
        pip = [sys.executable, "-m", "pip", "install", "-q", *request]
        code = subprocess.run(pip, check=False).returncode
        if code:
            print(f"`pip install {' '.join(request)}` failed", file=sys.stderr)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
