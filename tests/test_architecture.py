"""The house: imports point one way, every version is pinned in one place."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from tests.helpers import ROOT


def test_imports_point_one_way() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_every_version_is_pinned_in_the_lock_alone() -> None:
    """Ranges in pyproject.toml, one exact version within them in requirements.lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        asked += extra
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    exact = [re.fullmatch(r"==([\w.]+)", str(pin.specifier)) for pin in pins]
    assert all(exact) and pins
    versions = {
        pin.name.lower().replace("_", "-"): found[1]
        for pin, found in zip(pins, exact, strict=True)
        if found
    }
    assert len(versions) == len(pins)
    for range_ in map(Requirement, asked):
        if range_.name == project["name"]:
            continue
        assert range_.specifier, f"`{range_}` takes any version"
        assert range_.specifier.contains(versions[range_.name.lower()]), str(range_)
    for file in ("Makefile", ".ci/run", "tox.ini"):
        assert not re.search(r"\w==\d", (ROOT / file).read_text()), file


def test_no_framework_is_imported_with_a_package() -> None:
    heavy = {"torch", "phiml", "phi", "jax", "matplotlib", "scipy", "numpy", "hydra"}
    for package in ("bridge", "experiment", "legacy", "phiml_port", "hyco"):
        code = f"import sys, {package}; print(*{heavy!r} & {{*sys.modules}})"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout.split()) == (0, []), package
