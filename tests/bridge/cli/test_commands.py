"""`python -m bridge`, from the command line."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.cli import COMMANDS
from bridge.harness.cards import checksum
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
    assert (
        "toy: 2/2 cases pass, 3/3 comparisons proved; evidence in toy.json"
        in done.stdout
    )
    assert len(json.loads((elsewhere / "found.json").read_text())) == 2
    done = bridge("selftest", cwd=elsewhere)
    assert done.returncode == 0, done.stdout
    assert "0 false alarms in 50" in done.stdout
    assert "1/1 faults caught; weakest margin: doubled, " in done.stdout
    done = bridge("settings", cwd=elsewhere)
    assert done.returncode == 0 and "1 settings, 0 unequal" in done.stdout
    assert "1 known to differ, 0 equal" in done.stdout
    changed = "changed conf/current.yaml\n"
    done = bridge("promote", "new", cwd=elsewhere)
    assert (done.returncode, done.stdout) == (0, f"{changed}-  - old\n+  - new\n")
    done = bridge("rollback", "new", cwd=elsewhere)
    assert (done.returncode, done.stdout) == (0, f"{changed}-  - new\n+  - old\n")


def test_a_project_without_words_says_how_to_take_them(elsewhere: Path) -> None:
    done = bridge("verify", "toy", "sum=backwards", cwd=elsewhere)
    assert done.returncode == 2
    assert "`sum=backwards`: this project's ladders take no settings" in done.stderr
    done = bridge("verify", "sum=backwards", cwd=elsewhere)
    assert done.returncode == 2 and "name a ladder before it" in done.stderr
    done = bridge("verify", "toy", "--colour", cwd=elsewhere)
    assert done.returncode == 2 and "`--colour` is no option of `verify`" in done.stderr
    done = bridge("status", "toy", cwd=elsewhere)
    assert done.returncode == 2 and "unrecognized arguments: toy" in done.stderr


def test_a_run_of_ones_own_from_the_command_line(tmp_path: Path) -> None:
    """As `run.py` takes it; settings may stand behind options. No evidence."""
    pair = "tests.own_networks"
    (tmp_path / "mine.yaml").write_text(
        "defaults:\n  - burgers\n  - _self_\n"
        "migration:\n  sources:\n    model:\n"
        f"      legacy: {pair}:FNO\n      phiml: {pair}:TanhPhimlFNO\n"
    )
    before = (ROOT / "evidence" / "step1.json").read_bytes()
    words = ("--config-dir", str(tmp_path), "--config-name=mine.yaml")
    done = bridge("verify", "step1", *words, "general.precision=float64")
    assert done.returncode == 1, done.stderr
    assert "As a run of: mine.yaml general.precision=float64" in done.stdout
    shown = " ".join(done.stdout.split())
    assert "FAIL each layer, teacher-forced [R2]: " in shown
    assert "blocks.0[" in shown and "<- GELU by tanh" in shown
    assert done.stdout.count("Each line: verdict, what was compared [rung]") == 1
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert (ROOT / "evidence" / "step1.json").read_bytes() == before
    refused = bridge("verify", "step1", *words, "migration.sources.model.legacy=null")
    assert refused.returncode == 2
    assert "the built-in class would run in its place" in refused.stderr


def test_settings_of_a_run_are_folded() -> None:
    words = ("--config-name=burgers.yaml", "model/synthetic=convnet")
    done = bridge("settings", "step1", *words)
    assert done.returncode == 0, done.stderr
    assert "equal (shown with --all)" in done.stdout and "kernels" not in done.stdout
    done = bridge("settings", *words, "step1", "--all")
    assert done.returncode == 2 and "`step1` is no setting" in done.stderr
    done = bridge("settings", "step1", "--all", *words)
    assert done.returncode == 0 and "convolution kernels" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_says_what_it_costs(command: str) -> None:
    details = COMMANDS[command].DETAILS
    assert f"  python -m bridge {command}" in details
    for word in ("reads ", "writes ", "takes ", "ends "):
        assert f"\n{word}" in details
    assert max(map(len, details.splitlines())) <= 80


def test_a_pair_by_its_path_leaves_no_evidence(elsewhere: Path) -> None:
    done = bridge("verify", f"{TOY}:FINE", cwd=elsewhere)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        "fine: 1/1 cases pass, 0/1 comparisons proved",
    )
    assert not (elsewhere / "evidence").exists()
    done = bridge("verify", f"{TOY}:BROKEN", cwd=elsewhere)
    assert done.returncode == 1 and "raised ToyError: the toy is broken" in done.stdout
    assert bridge("verify", f"{TOY}:EMPTY", cwd=elsewhere).returncode == 2


def test_a_card_is_run_again_and_compared(elsewhere: Path) -> None:
    assert bridge("verify", "toy", cwd=elsewhere).returncode == 0
    card = elsewhere / "evidence" / "toy.json"
    done = bridge("recheck", "evidence/toy.json", cwd=elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "toy: 2/2 cases pass here; the card's verdicts" in done.stdout
    assert bridge("env", "evidence/toy.json", cwd=elsewhere).stdout == (
        "nothing differs\n"
    )
    content = json.loads(card.read_text())
    content["cases"][0]["rungs"]["S2"]["verdict"] = "FAIL"
    content["machine"]["cpu"] = "another"
    content["checksum"] = checksum(content)
    card.with_name("other.json").write_text(json.dumps(content))
    done = bridge("recheck", "evidence/other.json", cwd=elsewhere)
    assert done.returncode == 1
    assert "11 S2: pass here, FAIL on the card" in done.stdout
    assert "cpu: the card another, here " in done.stdout
    done = bridge("env", "evidence/toy.json", "evidence/other.json", cwd=elsewhere)
    assert done.returncode == 1 and done.stdout.startswith("cpu: toy.json ")
    assert done.stdout.endswith(", other.json another\n")


@pytest.mark.parametrize("command", ["recheck", "env"])
def test_a_card_that_can_not_be_believed_is_refused(
    elsewhere: Path, command: str
) -> None:
    card = elsewhere / "card.json"
    for text, message in (
        (None, "there is no card"),
        ("{", "is torn or no card"),
        ('{"step": "toy"}', "has the format None"),
    ):
        if text is not None:
            card.write_text(text)
        done = bridge(command, "card.json", cwd=elsewhere)
        assert done.returncode == 2 and message in done.stderr, done.stderr


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
    done = bridge("settings")
    assert done.returncode == 0, done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert list(LADDERS)[0] == "step1"


@pytest.mark.long
def test_the_self_test_of_this_project() -> None:
    done = bridge("selftest", "step1")
    assert done.returncode == 0, done.stdout
    assert "18/18 faults caught; weakest margin" in done.stdout
    assert "0 false alarms in 50" in done.stdout
