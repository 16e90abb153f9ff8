"""`python -m bridge`, from the command line."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.ladders import LADDERS
from tests.helpers import ROOT

TOY = "tests.bridge.harness.toy"


def bridge(
    *arguments: str, cwd: Path = ROOT, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
    )


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """The folder of another project, whose ladders are the toy's."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "current.yaml").write_text("defaults:\n  - old\n")
    (tmp_path / "conf" / "old.yaml").write_text("sum: forwards\n")
    (tmp_path / "conf" / "new.yaml").write_text("sum: backwards\n")
    (tmp_path / "pyproject.toml").write_text(
        f"""
[tool.bridge]
ladders = "{TOY}:LADDERS"
errors = "{TOY}:ToyError"
reads = ["conf"]
evidence = "evidence"
switches = "conf"
[tool.bridge.presets]
old = []
new = ["toy"]
"""
    )
    return tmp_path


def test_any_project_proves_and_switches_its_own_pair(elsewhere: Path) -> None:
    refused = bridge("promote", "new", cwd=elsewhere)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: new is not promoted:\n  there is no ev")
    done = bridge("verify", "all", "--json", "found.json", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert "toy: 2/2 cases pass; evidence in toy.json" in done.stdout
    assert len(json.loads((elsewhere / "found.json").read_text())) == 2
    done = bridge("selftest", cwd=elsewhere)
    assert done.returncode == 0, done.stdout
    assert "0 false alarms in 50" in done.stdout
    assert "1/1 faults caught; weakest margin: doubled, " in done.stdout
    done = bridge("settings", cwd=elsewhere)
    assert done.returncode == 0 and "1 settings, 0 unequal" in done.stdout
    done = bridge("promote", "new", cwd=elsewhere)
    assert (done.returncode, done.stdout) == (0, "-  - old\n+  - new\n")
    done = bridge("rollback", "new", cwd=elsewhere)
    assert (done.returncode, done.stdout) == (0, "-  - new\n+  - old\n")


def test_a_pair_by_its_path_leaves_no_evidence(elsewhere: Path) -> None:
    done = bridge("verify", f"{TOY}:FINE", cwd=elsewhere)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        "fine: 1/1 cases pass",
    )
    assert not (elsewhere / "evidence").exists()
    done = bridge("verify", f"{TOY}:BROKEN", cwd=elsewhere)
    assert done.returncode == 1 and "raised ToyError: the toy is broken" in done.stdout
    assert bridge("verify", f"{TOY}:EMPTY", cwd=elsewhere).returncode == 2


def test_both_families_of_errors_are_printed_alone(elsewhere: Path) -> None:
    done = bridge("verify", f"{TOY}:UNBUILT", cwd=elsewhere)
    assert (done.returncode, done.stderr) == (3, "error: the toy is broken\n")
    done = bridge("verify", "step9", cwd=elsewhere)
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no ladder `step9`; allowed: toy")


def test_status_and_help_import_neither_framework() -> None:
    """Within a second, which torch or PhiML alone would take."""
    for arguments in (("status",), ("--help",), ("bench", "--help")):
        program = (
            "import sys; from bridge.cli import main\n"
            f"sys.argv = ['bridge', *{arguments!r}]\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\n"
            "assert not {'torch', 'phiml', 'phi'} & {*sys.modules}"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    done = bridge("status")
    assert done.returncode == 0 and "preset legacy" in done.stdout
    assert all(word in done.stdout for word in ("hybrid", "legacy, phiml"))


def test_importing_the_package_is_cheap() -> None:
    program = (
        "import sys, bridge; assert not {'torch', 'phiml', 'numpy'} & {*sys.modules}"
    )
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    # 0.03 s on a quiet machine.
    assert time.perf_counter() - started < 5


@pytest.mark.slow
def test_the_commands_on_this_project(tmp_path: Path) -> None:
    done = bridge("verify", "step1", "--json", str(tmp_path / "found.json"))
    assert done.returncode == 0, done.stdout
    results = json.loads((tmp_path / "found.json").read_text())
    assert len(results) == 18 and {r["verdict"] for r in results} == {"pass"}
    done = bridge("selftest", "step1")
    assert done.returncode == 0, done.stdout
    assert "17/17 faults caught; weakest margin" in done.stdout
    assert "0 false alarms in 50" in done.stdout
    done = bridge("settings")
    assert done.returncode == 0, done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert list(LADDERS)[0] == "step1"
