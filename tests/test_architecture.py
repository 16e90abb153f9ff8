"""The house: imports point one way, every version is pinned in one place."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

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


def test_every_version_is_pinned_in_pyproject_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = list(project["project"]["dependencies"])
    for extra in project["project"]["optional-dependencies"].values():
        pins += extra
    assert all(re.fullmatch(r"[\w.\[\]-]+==[\w.]+", pin) for pin in pins), pins
    for file in ("Makefile", ".ci/run"):
        assert not re.search(r"\w==\d", (ROOT / file).read_text()), file
