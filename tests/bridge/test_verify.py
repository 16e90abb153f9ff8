"""The ladder: no false alarm, every fault by name, and comparisons that compare."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bridge.verify import (
    Verdict,
    case_names,
    climb,
    climb_training,
    compare,
    exact,
    exit_code,
    training_case_names,
)
from bridge.verify._describe import described, unread_keys

from tests.helpers import ROOT
from tests.planted import FAULTS

ONES = np.linspace(-1, 1, 12).reshape(3, 4)


def judged(candidate: np.ndarray, control: np.ndarray, **options: Any) -> Any:
    oracle = options.pop("oracle", control.astype(float))
    return compare("leaf", candidate, control, oracle, factor=2, depth=4, **options)


@pytest.mark.parametrize("name", case_names(), ids=str)
def test_every_case_passes_every_rung(name: Any) -> None:
    result = climb(name)
    assert result.verdict is Verdict.PASSED, [r.line() for r in result.rungs]
    assert [r.rung for r in result.rungs] == ["R0", "R1", "R2", "R3", "R4", "R5"]
    assert all(r.comparisons for r in result.rungs)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_every_planted_fault_is_found_at_its_rung_under_its_name(fault: Any) -> None:
    assert fault.climb(fault.case).verdict is Verdict.PASSED, (
        "must be well without the fault"
    )
    with fault.plant():
        result = fault.climb(fault.case)
    found = result.first_failure
    assert found is not None and found.worst is not None
    assert found.rung == fault.rung, found.line()
    assert fault.name in found.worst.hint
    after = [r.verdict for r in result.rungs if r.rung > fault.rung]
    assert set(after) <= {Verdict.NOT_RUN}
    assert exit_code([result]) in (1, 2)


def test_rounding_passes_and_a_wrong_formula_does_not() -> None:
    assert judged(ONES * (1 + 1e-15), ONES).verdict is Verdict.PASSED
    found = judged(ONES * (1 + 1e-9), ONES)
    assert found.verdict is Verdict.FAILED
    single = ONES.astype(np.float32)
    assert judged(single * np.float32(1 + 2e-7), single).verdict is Verdict.PASSED
    assert judged(single * np.float32(1 + 1e-5), single).verdict is Verdict.FAILED


def test_one_wrong_element_of_many_is_found_with_its_index() -> None:
    """The L2 error alone would dilute it by the square root of the size."""
    many = np.random.default_rng(0).standard_normal((1000, 100))
    wrong = many.copy()
    wrong[71, 23] += 1e-13
    found = judged(wrong, many)
    assert found.verdict is Verdict.FAILED
    assert found.where == "leaf[71,23]"


def test_the_ceiling_holds_whatever_the_control_does() -> None:
    single = ONES.astype(np.float32)
    found = judged(single, single, oracle=ONES * 1.01)
    assert found.verdict is Verdict.FAILED and found.rule == "ceiling of float32"


@pytest.mark.parametrize(
    ("candidate", "control", "verdict", "hint"),
    [
        (ONES[:, :1], ONES, Verdict.FAILED, "shape"),
        (ONES.astype(np.float32), ONES, Verdict.FAILED, "dtype"),
        (ONES * np.nan, ONES, Verdict.FAILED, "NaN in the candidate"),
        (ONES * np.nan, ONES * np.nan, Verdict.NOT_JUDGED, "NaN on both sides"),
        (ONES, ONES * np.inf, Verdict.NOT_JUDGED, "NaN on the control"),
        (ONES * 0, ONES * 0, Verdict.NOT_JUDGED, "zero signal"),
    ],
)
def test_structure_comes_before_values(
    candidate: np.ndarray, control: np.ndarray, verdict: Verdict, hint: str
) -> None:
    with np.errstate(all="ignore"):
        found = judged(candidate, control)
    assert found.verdict is verdict
    assert hint in found.hint


def test_exact_means_every_bit() -> None:
    assert exact("leaf", ONES, ONES.copy()).verdict is Verdict.PASSED
    assert exact("leaf", np.nextafter(ONES, 2), ONES).verdict is Verdict.FAILED
    assert exact("leaf", ONES.astype(np.float32), ONES).verdict is Verdict.FAILED
    assert exact("leaf", ONES * -0.0, ONES * 0.0).verdict is Verdict.FAILED


def test_nothing_run_is_no_pass() -> None:
    assert exit_code([]) == 2


def test_settings_of_both_sides_are_equal_and_all_keys_are_read() -> None:
    rows = described()
    assert rows and not [r for r in rows if r.unequal]
    settings = {r.setting for r in rows}
    assert {"batch norm eps", "batch norm momentum", "residual on"} <= settings
    assert {"optimiser", "betas", "eps", "weight decay", "decay kind"} <= settings
    assert unread_keys() == []


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("BatchNorm momentum 0.9 for 0.1", {"batch norm momentum"}),
        ("Adam eps 1e-7", {"eps"}),
        ("weight decay decoupled", {"optimiser", "decay kind"}),
        ("weight decay missing", {"weight decay"}),
    ],
)
def test_an_unequal_setting_is_seen(fault: str, settings: set[str]) -> None:
    (planted,) = [f for f in FAULTS if f.name == fault]
    with planted.plant():
        unequal = [r for r in described() if r.unequal]
    assert {r.setting for r in unequal} == settings


def test_a_control_that_differs_from_itself_is_inconclusive() -> None:
    found = judged(ONES, ONES, again=[ONES * 1.01])
    assert found.verdict is Verdict.NOT_JUDGED and "inconclusive" in found.hint


def bridge(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_commands(tmp_path: Path) -> None:
    done = bridge("verify", "step1", "--json", str(tmp_path / "found.json"))
    assert done.returncode == 0, done.stdout
    rows = json.loads((tmp_path / "found.json").read_text())
    assert len(rows) == len(case_names())
    assert {r["verdict"] for r in rows} == {"pass"}
    done = bridge("selftest")
    assert done.returncode == 0, done.stdout
    assert f"{len(FAULTS)}/{len(FAULTS)} faults caught; weakest margin" in done.stdout
    assert "0 false alarms in 50" in done.stdout
    done = bridge("settings")
    assert done.returncode == 0, done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    done = bridge("status")
    assert done.returncode == 0 and "preset legacy" in done.stdout
    assert bridge("verify", "step9").returncode == 2


@pytest.mark.parametrize("name", training_case_names(), ids=str)
def test_every_training_case_passes_every_rung(name: Any) -> None:
    result = climb_training(name)
    assert result.verdict is Verdict.PASSED, [r.line() for r in result.rungs]
    assert [r.rung for r in result.rungs] == ["R4", "R6", "R7", "R9"]
