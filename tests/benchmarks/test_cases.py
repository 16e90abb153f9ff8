"""The table of cases: whole, light, and with sides that agree."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from benchmarks.cases import CASES, GROUPS, build, cases_of
from benchmarks.cases.settings import FEW, grid_of
from benchmarks.cases.training import training_step
from bridge.harness.bench_case import Case, Subject, by_name
from bridge.harness.bench_outcome import differences
from tests.helpers import ROOT

STEPS = {"step1", "step2", "step3", "physics", "hybrid"}
TINY = (
    *(*FEW, *grid_of(16), "model/synthetic=convnet"),
    "model.synthetic.architecture.layers=[4]",
)


def built(case: Case, folder: Path, *, optional: bool = True) -> dict[str, Subject]:
    """All sides of a case; without JAX, which compiles for seconds."""
    builders = case.builders if optional else case.sides
    return {n: make(folder) for n, make in builders.items() if n != "jax"}


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
        "import sys, benchmarks.reports.command; print([m for m in ('torch', 'phiml',"
        " 'phi', 'jax', 'hydra') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    "name",
    [
        *("converter-1kB", "convnet-gradient-64-batch-8", "first-batch-warm"),
        *("loader-with-generated", "generate"),
    ],
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


def test_generated_windows_are_in_the_order(tmp_path: Path) -> None:
    """3 simulations of 41 frames and 3 of 15, windows of 5: 111 real, 33 generated."""
    subject = CASES["loader-with-generated"].sides["legacy"](tmp_path)
    real = CASES["loader-epoch"].sides["legacy"](tmp_path)
    assert (real.work["samples"], subject.work["samples"]) == (111, 111 + 33)
    known = {window.tobytes() for window in real.outcome()["windows"]}
    windows = [window.tobytes() for window in subject.outcome()["windows"]]
    assert len({*windows} - known) == 33 and known < {*windows}
    assert {w in known for w in windows[:16]} == {True, False}


def test_converters_give_the_tensor_itself(tmp_path: Path) -> None:
    from benchmarks.cases.converters import _tensor

    for name, subject in built(CASES["converter-1kB"], tmp_path).items():
        tensor = subject.outcome()["tensor"]
        assert tensor.tobytes() == _tensor(4).numpy().tobytes(), name


def test_a_wrong_model_is_found(tmp_path: Path) -> None:
    case = CASES["convnet-gradient-64-batch-8"]
    right = build.side_model

    def faulty(settings: Any, side: str) -> Any:
        model = right(settings, side)
        if side == "phiml":
            model.network.parameters()["head.weight"].data.mul_(1.01)
        return model

    with patch.object(build, "side_model", faulty):
        problems = differences(case, built(case, tmp_path))
    assert problems and all("phiml: `" in sentence for sentence in problems)


def test_a_batch_too_small_is_found_in_the_work(tmp_path: Path) -> None:
    case = CASES["step-unet-16"]
    fewer = training_step(tmp_path, "step3", *TINY, "trainer.batch_size=4")
    whole = training_step(tmp_path, "legacy", *TINY)
    problems = differences(case, {"legacy": whole, "step3": fewer})
    assert "step3: samples of the work is 4, expected 8" in problems[0]


def test_losses_of_training_steps_agree_and_tell_a_wrong_rate(tmp_path: Path) -> None:
    case = CASES["step-unet-16"]
    subjects = {p: training_step(tmp_path, p, *TINY) for p in case.sides}
    assert differences(case, subjects) == []
    rate = "trainer.synthetic.learning_rate=2.1e-3"
    wrong = training_step(tmp_path, "step2", *TINY, rate)
    problems = differences(case, {"legacy": subjects["legacy"], "step2": wrong})
    assert "step2: `losses` is off by" in problems[0]
