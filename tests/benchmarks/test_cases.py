"""The table of cases: whole, light, and with sides that agree."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import bridge
from benchmarks._case import Case, Subject
from benchmarks._conversions import conversions_of
from benchmarks._same import differences
from benchmarks._scaling import SERIES, fitted_exponent
from benchmarks.cases import CASES, GROUPS, by_name, cases_of
from benchmarks.cases._common import FEW, grid_of
from benchmarks.cases.training import training_step
from tests.helpers import ROOT

STEPS = {"step1", "step2", "step3", "physics", "hybrid"}
TINY = (
    *(*FEW, *grid_of(16), "model/synthetic=convnet"),
    "model.synthetic.architecture.layers=[4]",
)


def built(case: Case, folder: Path, *, optional: bool = True) -> dict[str, Subject]:
    """All sides of a case; without JAX, which compiles for seconds."""
    builders = case.builders if optional else case.sides
    return {n: build(folder) for n, build in builders.items() if n != "jax"}


def test_names_are_unique_and_words_joined_by_hyphens() -> None:
    case = CASES["loader-epoch"]
    with pytest.raises(ValueError, match="two cases are named `loader-epoch`"):
        by_name([*CASES.values(), case])
    for name, case in CASES.items():
        assert name == case.name and " " not in name and "_" not in name
        assert set(case.proved_by) <= STEPS and case.proved_by
        assert case.group in GROUPS
    assert sum(case.gated for case in CASES.values()) > 0


def test_profiles_contain_each_other() -> None:
    fast, regular, large = (cases_of(p) for p in ("fast", "regular", "large"))
    assert fast.items() < regular.items() < large.items() == CASES.items()
    with pytest.raises(ValueError, match="allowed: fast, regular, large"):
        cases_of("quick")  # type: ignore[arg-type]


def test_references_are_no_candidates() -> None:
    case = CASES["step-unet-16"]
    assert case.candidates == ("step1", "step2", "step3")
    assert case.baseline == next(iter(case.builders)) == "legacy"
    assert "bare" in case.builders
    assert CASES["converter-1kB"].candidates == ()
    with pytest.raises(ValueError, match="bare in `sides` and in `references`"):
        dataclasses.replace(case, sides={**case.sides, **case.references})
    with pytest.raises(ValueError, match="has no side"):
        dataclasses.replace(case, sides={})


def test_the_table_imports_no_framework() -> None:
    code = (
        "import sys, benchmarks.cases; print([m for m in ('torch', 'phiml', 'phi',"
        " 'jax', 'hydra') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    "name",
    ["converter-1kB", "convnet-gradient-64-batch-8", "first-batch-warm", "generate"],
)
def test_all_sides_of_a_case_agree(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    subjects = built(case, tmp_path)
    assert differences(case, subjects) == []
    for subject in subjects.values():
        before = dict(subject.work)
        subject.run()
        subject.run()
        assert subject.work == before


def test_compiled_sides_agree(tmp_path: Path) -> None:
    case = CASES["rollout-batch-1"]
    assert differences(case, built(case, tmp_path)) == []


def test_converters_give_the_tensor_itself(tmp_path: Path) -> None:
    from benchmarks.cases.converters import _tensor

    for name, subject in built(CASES["converter-1kB"], tmp_path).items():
        found = subject.outcome()["tensor"]
        assert found.tobytes() == _tensor(4).numpy().tobytes(), name


def test_a_wrong_model_is_found(tmp_path: Path) -> None:
    case = CASES["convnet-gradient-64-batch-8"]
    build = bridge.build_phiml_model

    def faulty(settings: Any) -> Any:
        model = build(settings)
        model.network.parameters()["head.weight"].data.mul_(1.01)
        return model

    with patch.object(bridge, "build_phiml_model", faulty):
        found = differences(case, built(case, tmp_path))
    assert found and all("phiml: `" in sentence for sentence in found)


def test_a_batch_too_small_is_found_in_the_work(tmp_path: Path) -> None:
    case = CASES["step-unet-16"]
    fewer = training_step(tmp_path, "step3", *TINY, "trainer.batch_size=4")
    whole = training_step(tmp_path, "legacy", *TINY)
    found = differences(case, {"legacy": whole, "step3": fewer})
    assert "step3: samples of the work is 4, expected 8" in found[0]


def test_losses_of_training_steps_agree_and_tell_a_wrong_rate(tmp_path: Path) -> None:
    case = CASES["step-unet-16"]
    subjects = {p: training_step(tmp_path, p, *TINY) for p in case.sides}
    assert differences(case, subjects) == []
    rate = "trainer.synthetic.learning_rate=2.1e-3"
    wrong = training_step(tmp_path, "step2", *TINY, rate)
    found = differences(case, {"legacy": subjects["legacy"], "step2": wrong})
    assert "step2: `losses` is off by" in found[0]


def test_what_crosses_in_a_batch(tmp_path: Path) -> None:
    """Nothing where all sides are one; a state in and out each step at a model."""
    assert conversions_of("legacy", "legacy", "legacy", tmp_path) == []
    assert conversions_of("phiml", "phiml", "phiml", tmp_path) == []
    found = conversions_of("phiml", "legacy", "legacy", tmp_path)
    assert [c.boundary for c in found] == ["model: in", "model: out"]
    # 4 steps of 8 samples of 2 components on 64x64 cells in float32.
    assert {(c.count, c.bytes, c.copies) for c in found} == {
        (4, 4 * 8 * 2 * 64**2 * 4, 0)
    }


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_a_known_power_is_recovered(power: float) -> None:
    sizes = [1, 2, 4, 8, 16]
    exact = fitted_exponent(sizes, [3e-3 * s**power for s in sizes])
    assert exact.value == pytest.approx(power, abs=1e-12)
    assert exact.error == pytest.approx(0, abs=1e-7)


def test_the_standard_error_is_that_of_least_squares() -> None:
    """log y = 0, 1, 1 at x = -1, 0, 1: slope 1/2, residuals 1/6, -1/3, 1/6 (signs
    apart), so their squares sum to 1/6 and the error is sqrt(1/6 / 1 / 2)."""
    found = fitted_exponent(np.exp([-1, 0, 1]).tolist(), np.exp([0, 1, 1]).tolist())
    assert found.value == pytest.approx(0.5)
    assert found.error == pytest.approx(np.sqrt(1 / 12))


def test_a_power_needs_three_positive_points() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        fitted_exponent([1, 2], [1, 2])
    with pytest.raises(ValueError, match="expected positive"):
        fitted_exponent([1, 2, 3], [1, 0, 1])
    with pytest.raises(ValueError, match="sizes that differ"):
        fitted_exponent([2, 2, 2], [1, 1, 1])


def test_every_series_can_be_fitted() -> None:
    for series in SERIES.values():
        assert 3 <= len(set(series.sizes)) <= 5
        assert list(series.sizes) == sorted(series.sizes)
