"""The cases of a run's own words: what the run does, at its own sizes, on each side."""

from pathlib import Path

import pytest

from benchmarks.cases.words import cases_of_words
from bridge.harness.bench_outcome import differences
from bridge.harness.words import Words
from experiment.system import SettingsError

TINY = (
    *("model/synthetic=convnet", "model.synthetic.architecture.layers=[4]"),
    *("model.physical.resolution={x: 8, y: 12}", "model.physical.domain={x: 4, y: 6}"),
    *("data.trajectory_length=6", "data.num_simulations=3", "evaluation.num_frames=6"),
    *("trainer.train_sim=[0]", "trainer.val_sim=[1]", "evaluation.test_sim=[2]"),
    *("trainer.rollout_steps=2", "trainer.batch_size=5", "trainer.physical.windows=3"),
)


def words(mode: str, *more: str) -> Words:
    kept = TINY[:-1] if mode == "synthetic" else TINY
    return Words("heat", (f"general.mode={mode}", *kept, *more))


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("synthetic", ["run-generate", "run-step"]),
        ("hybrid", ["run-generate", "run-step", "run-gradient"]),
    ],
)
def test_what_the_mode_does_is_timed(mode: str, names: list[str]) -> None:
    assert [*cases_of_words(words(mode))] == names


def test_what_a_run_would_refuse_is_refused() -> None:
    with pytest.raises(SettingsError, match="`trainer.batch_size` is -1"):
        cases_of_words(words("synthetic", "trainer.batch_size=-1"))


@pytest.mark.parametrize("name", ["run-generate", "run-step", "run-gradient"])
def test_sides_agree_and_do_the_work_of_the_run(name: str, tmp_path: Path) -> None:
    case = cases_of_words(words("hybrid"))[name]
    made = {side: make(tmp_path / side) for side, make in case.sides.items()}

    assert differences(case, made) == []
    # 2 simulations of 4 windows make a batch of 5, and one more is for validation.
    expected = {
        "run-generate": ("simulations", 3),
        "run-step": ("samples", 5),
        "run-gradient": ("samples", 3),
    }
    kind, number = expected[name]
    assert made["legacy"].work[kind] == number
