"""What asv installs of a commit."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.asv.install import InstallError, requests, torch_pin
from tests.helpers import ROOT


def project(text: str, folder: Path) -> Path:
    """A checkout with nothing but a `pyproject.toml`."""
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_torch_goes_in_first_alone_and_exact() -> None:
    torch, commit = requests(ROOT)
    lock = ["--constraint", str(ROOT / "requirements.lock")]
    assert torch[:-1] == lock and re.fullmatch(r"torch==\d+\.\d+\.\d+", torch[-1])
    assert commit == [*lock, "--editable", f"{ROOT}[jax]"]


def test_a_commit_without_extra_and_lock_goes_in_without(tmp_path: Path) -> None:
    checkout = project('[project]\ndependencies = ["torch == 1.2.3"]\n', tmp_path)
    assert requests(checkout) == [["torch==1.2.3"], ["--editable", str(checkout)]]


@pytest.mark.parametrize(
    "asked",
    (
        [],
        ["numpy==1.0"],
        ["torchvision==0.1"],
        ["torch-geometric==1"],
        ["torch"],
        ["torch>=2"],
        ["torch==2.*"],
        ["torch==1.0", "torch==2.0"],
        ["torch==1.0; sys_platform == 'linux'"],
    ),
)
def test_any_other_request_for_torch_is_refused(asked: list[str]) -> None:
    with pytest.raises(InstallError, match="expected one exact version.*pin it"):
        torch_pin(asked, "dependencies")


def test_a_range_is_refused_where_the_lock_has_no_torch(tmp_path: Path) -> None:
    checkout = project('[project]\ndependencies = ["torch>=2.13,<2.14"]\n', tmp_path)
    with pytest.raises(InstallError, match="`dependencies` asks for torch"):
        requests(checkout)
    (checkout / "requirements.lock").write_text("# Pins.\nnumpy==2.4.6\n")
    with pytest.raises(InstallError, match="`requirements.lock` asks for torch"):
        requests(checkout)


@pytest.mark.parametrize(
    ("text", "message"),
    (
        (None, "is missing.*give the root of a checkout"),
        ("[project", "no valid TOML.*repair it"),
        ("[tool]\n", r"no table `\[project\]`.*repair it"),
    ),
)
def test_a_broken_pyproject_is_explained(
    tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        project(text, tmp_path)
    with pytest.raises(InstallError, match=message):
        requests(tmp_path)


def test_the_install_script_needs_no_package(tmp_path: Path) -> None:
    """Isolated and without site-packages: the standard library has to be enough."""
    script = ROOT / "benchmarks" / "asv" / "install.py"
    answer = subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 2
    assert "`pyproject.toml` is missing" in answer.stderr
