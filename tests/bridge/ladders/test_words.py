"""A run's own words as cases: what `run.py` would run is what is judged."""

from pathlib import Path

import numpy as np
import pytest

from bridge.harness import (
    CaseResult,
    HarnessError,
    Ladder,
    Project,
    Verdict,
    run_ladder,
)
from bridge.harness.words import SIZES, Words, ladders_of
from bridge.ladders import prepare
from bridge.ladders.layers import FIRST
from bridge.ladders.models_counterfactuals import GELU
from bridge.ladders.run_cases import RunCase
from bridge.ladders.training_precision import IGNORED
from experiment.settings import Settings
from experiment.system import SettingsError
from tests.helpers import ROOT
from tests.own_networks import FNO

PROJECT = Project.find(ROOT)
FNO_CONFIG = """
defaults:
  - burgers
  - _self_
model:
  synthetic:
    architecture:
      kwargs: {{modes: 4, width: 5}}
migration:
  sources:
    model:
      legacy: tests.own_networks:FNO
      phiml: tests.own_networks:{candidate}
"""


@pytest.fixture(autouse=True)
def _prepared() -> None:
    """As a command is."""
    prepare()


def ladder(name: str, words: Words) -> Ladder:
    return ladders_of(PROJECT, name, words)[name]


def settings_of(
    *overrides: str, config: str = "burgers", sizes: str = SIZES[0]
) -> Settings:
    case = ladder("step1", Words(config, overrides, sizes=sizes)).cases[-1]
    assert isinstance(case, RunCase)
    return case.settings


def own_pair(folder: Path, candidate: str) -> Words:
    """The words of a run whose networks are one's own."""
    (folder / "mine.yaml").write_text(FNO_CONFIG.format(candidate=candidate))
    return Words("mine.yaml", folder=str(folder))


def judged(name: str, words: Words) -> list[CaseResult]:
    chosen = ladder(name, words)
    return [run_ladder(chosen, case) for case in chosen.cases]


def test_without_words_the_ladder_is_its_own() -> None:
    assert ladder("step1", Words()) is PROJECT.ladder("step1")


def test_small_sizes_keep_the_kinds() -> None:
    """Sizes shrink; equal widths stay equal, one frame stays one, rates stay."""
    settings = settings_of(
        "model.synthetic.architecture.filters=[16,32,32,64]",
        "trainer.rollout_steps=1",
        "trainer.synthetic.learning_rate=0.03",
        "trainer.synthetic.clip_norm=0.7",
        "trainer.amp=bf16",
    )
    architecture = settings.model.synthetic.architecture
    # A level between the first and the last one is a kind of its own.
    assert (architecture.levels, architecture.filters) == (3, (5, 7, 7))
    assert settings.model.physical.resolution == {"x": 28, "y": 20}
    assert settings.trainer.rollout_steps == 1 and settings.trainer.amp == "bf16"
    assert settings.trainer.synthetic.learning_rate == 0.03
    assert settings.trainer.synthetic.clip_norm == 0.7
    assert settings.general.precision == "float32"


def test_a_rare_grid_and_gaps_are_shrunk() -> None:
    settings = settings_of("model/synthetic=convnet", config="burgers_sparse")
    assert settings.model.physical.resolution == {"x": 11, "y": 13}
    assert settings_of(config="burgers_1d").model.physical.resolution == {"x": 28}


def test_the_runs_own_sizes_come_last() -> None:
    words = Words("burgers", sizes="run")
    cases = ladder("step1", words).cases
    assert [(c.sizes, c.precision) for c in cases] == [
        ("small", "float64"),
        ("small", "float32"),
        ("run", "float64"),
        ("run", "float32"),
    ]
    settings = cases[-1].settings
    assert settings.model.physical.resolution == {"x": 64, "y": 64}
    assert settings.model.synthetic.architecture.filters == 16
    assert settings.trainer.batch_size == 8


def test_what_no_run_takes_is_refused_as_there() -> None:
    with pytest.raises(SettingsError, match="`trainer.batch_sise` is no setting: did"):
        ladder("step2", Words(None, ("trainer.batch_sise=3",)))
    with pytest.raises(HarnessError, match="takes no settings; allowed: step1"):
        ladders_of(PROJECT, "tests.bridge.harness.toy:FINE", Words("burgers"))


def test_a_network_without_a_counterpart_is_refused() -> None:
    own = "migration.sources.model.legacy=tests.own_networks:FNO"
    with pytest.raises(SettingsError, match="there is no candidate to compare"):
        ladder("step1", Words(None, (own,)))


def test_a_correct_pair_of_ones_own_passes_step_1(tmp_path: Path) -> None:
    exactly, single = judged("step1", own_pair(tmp_path, "PhimlFNO"))
    assert exactly.verdict is single.verdict is Verdict.PASSED
    assert [r.rung for r in exactly.rungs] == ["R0", "R1", "R2", "R3", "R4", "R5"]
    # Each of lift, two blocks with two layers inside, project.
    assert exactly.rungs[2].comparisons == 8


def test_a_correct_pair_of_ones_own_passes_step_2(tmp_path: Path) -> None:
    exactly, single = judged("step2", own_pair(tmp_path, "PhimlFNO"))
    assert exactly.verdict is single.verdict is Verdict.PASSED
    assert [r.rung for r in exactly.rungs] == ["R4", "R6", "R7", "R9"]


def test_a_correct_pair_of_ones_own_passes_step_3(tmp_path: Path) -> None:
    exactly, _ = judged("step3", own_pair(tmp_path, "PhimlFNO"))
    assert exactly.verdict is Verdict.PASSED
    assert [r.rung for r in exactly.rungs] == ["R8", "R9"]


def test_gelu_by_tanh_is_caught_where_it_is(tmp_path: Path) -> None:
    """In the first block, whose own layers agree, though the second differs more."""
    for result in judged("step1", own_pair(tmp_path, "TanhPhimlFNO")):
        failure = result.first_failure
        assert failure is not None and failure.worst is not None
        assert failure.rung == "R2" and failure.worst.where.startswith("blocks.0[")
        assert failure.worst.hint == f"{GELU}, {FIRST}"


def test_without_the_layers_the_loss_and_the_update_see_it(tmp_path: Path) -> None:
    result = judged("step2", own_pair(tmp_path, "TanhPhimlFNO"))[0]
    failure = result.first_failure
    assert failure is not None and failure.rung == "R4"


def test_the_weights_stay_complex(tmp_path: Path) -> None:
    from bridge.ladders.models_cases import ModelCase

    case = ModelCase(ladder("step1", own_pair(tmp_path, "PhimlFNO")).cases[0])
    network = case.control.network
    assert isinstance(network, FNO)
    weight = case.weights["blocks.0.spectral.modes_weight"]
    assert weight.dtype == "complex128" and np.imag(weight).any()
    own = case.candidate_network.state_dict()["blocks.0.spectral.modes_weight"]
    assert (own.numpy() == weight).all()


def test_an_ignored_autocast_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    import phiml_port.training.synthetic as port

    words = Words("burgers", ("model/synthetic=convnet", "trainer.amp=bf16"))
    case = ladder("step2", words).cases[-1]
    assert run_ladder(ladder("step2", words), case).verdict is Verdict.PASSED
    monkeypatch.setattr(port, "autocast", lambda device, enabled: nullcontext())
    failure = run_ladder(ladder("step2", words), case).first_failure
    assert failure is not None and failure.worst is not None
    assert failure.worst.hint == IGNORED
    assert failure.worst.where.endswith("candidate")
