"""Whole runs: what is kept of them, what is left out, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bridge.harness import HarnessError, Verdict, run_ladder
from bridge.harness.words import Words
from bridge.ladders import entry_goldens
from bridge.ladders.covering import stored_rows
from bridge.ladders.covering.factors import STOPPED
from bridge.ladders.entry import LADDER
from bridge.ladders.entry_cases import EntryCase, EntryRuns
from bridge.ladders.entry_goldens import digest, goldens, kind_of
from bridge.ladders.entry_silent import follows_rounding, silent_leaves
from bridge.ladders.words import ladder_of_words
from tests.helpers import ROOT

NUMBERS = {
    "simulation 0": np.arange(12.0).reshape(3, 4),
    "simulation 1": np.zeros((3, 4)),
    "metrics train_loss": np.array([0.5, np.nan]),
    "last weights/a.bias": np.ones(3),
    "last weights/b.bias": np.ones(3),
    "last optimiser/a.bias/exp_avg": np.ones(3),
    "evaluation summary.csv forecast": np.array(["synthetic"]),
}


def test_a_digest_changes_with_every_number() -> None:
    before = digest(NUMBERS)
    assert {*before} == {
        "simulation",
        "metrics train_loss",
        "last weights",
        "last exp_avg",
    }
    for name, array in NUMBERS.items():
        for place in range(array.size if array.dtype.kind == "f" else 0):
            moved = array.copy()
            moved.flat[place] = np.nan_to_num(moved.flat[place]) + 1e-6
            after = digest({**NUMBERS, name: moved})
            changed = {kind for kind in before if after[kind] != before[kind]}
            assert changed == {kind_of(name)}, (name, place)
    swapped = {**NUMBERS, "last weights/a.bias": np.array([1.0, 2.0, 3.0])}
    turned = {**NUMBERS, "last weights/a.bias": np.array([2.0, 1.0, 3.0])}
    assert digest(swapped)["last weights"] != digest(turned)["last weights"]


def test_what_follows_rounding_is_left_out_by_name() -> None:
    silent = {"blocks.0.conv1.bias"}
    for name, expected in {
        "last weights/blocks.0.conv1.bias": True,
        "last optimiser/blocks.0.conv1.bias/exp_avg_sq": True,
        "last optimiser/blocks.0.conv1.bias/step": False,
        "last weights/blocks.0.norm1.running_mean": True,
        "last weights/blocks.0.norm1.running_var": False,
        "last weights/head.bias": False,
        "metrics train_loss": False,
    }.items():
        assert follows_rounding(name, silent) is expected, name
    assert not follows_rounding("last weights/blocks.0.norm1.running_mean", set())


def test_only_biases_before_a_batch_norm_are_silent(tmp_path: Path) -> None:
    norm = "model.synthetic.architecture.batch_norm"
    found = set()
    for row in stored_rows()[:12]:
        silent = silent_leaves(row.settings(tmp_path, control=True))
        assert all(leaf.endswith(".bias") for leaf in silent)
        if row.values["general.mode"] != "physical":
            assert bool(silent) is row.values[norm]
            found.add(row.values[norm])
    assert found == {False, True}


def test_goldens_of_other_rows_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "goldens.json"
    file.write_text(json.dumps({"rows": 1, "goldens": {}}))
    monkeypatch.setattr(entry_goldens, "FILE", file)
    goldens.cache_clear()
    with pytest.raises(HarnessError, match="is of other rows than"):
        goldens()
    goldens.cache_clear()
    monkeypatch.undo()
    assert len(goldens()) == len(stored_rows())


def test_goldens_are_made_without_the_candidate() -> None:
    program = (
        "import sys\n"
        "from bridge.ladders import entry_goldens, entry_silent\n"
        "import legacy.assemble\n"
        "assert 'phiml_port' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_place_and_every_mix_of_sides_is_in_some_row() -> None:
    rows = stored_rows()
    assert {row.values[STOPPED] for row in rows} == {
        "never",
        "inside an epoch or a round",
        "between phases",
    }
    sides = {str(EntryCase(n)).rsplit("-", 1)[1][:4] for n in range(len(rows))}
    # All sixteen of model, trainer, data and physics.
    assert len(sides) == 16


def test_adapters_stand_where_two_languages_meet() -> None:
    for number in range(len(stored_rows())):
        runs = EntryRuns(EntryCase(number))
        values, expected = runs.row.values, runs.expected_sides
        same = values["migration.model"] == values["migration.trainer"]
        assert (expected["model"] == "bridge") is not same


@pytest.mark.parametrize(
    ("config", "mode"), [("heat", "synthetic"), ("burgers_1d", "physical")]
)
def test_a_run_of_words_is_a_whole_run(config: str, mode: str) -> None:
    """In the run's own mode; `compare` and `evaluate` are several runs, or none."""
    words = (f"general.mode={mode}", "model/synthetic=convnet")
    ladder = ladder_of_words(LADDER, Words(config, words))
    (case,) = ladder.cases
    assert EntryRuns(case).row.values["general.mode"] == mode
    result = run_ladder(ladder, case)
    assert [r.rung for r in result.rungs] == ["E0", "E1"]
    assert result.verdict is Verdict.PASSED, [r.line() for r in result.rungs]
    others = ladder_of_words(LADDER, Words(config, ("general.mode=compare",)))
    assert EntryRuns(others.cases[0]).row.values["general.mode"] == "hybrid"
