"""`general.mode=compare`: each model alone and both together, over seeds."""

import csv
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.assemble import MixedParts, build_components
from experiment.run import RunFolder, build_hybrid_training, run_tasks
from experiment.run.subruns import sub_runs
from experiment.settings import Settings
from experiment.system import CheckpointError, Progress, SettingsError
from experiment.training import checkpoint_folder, load_checkpoint
from tests.helpers import small

_COMPARE = (
    *("general.mode=compare", "migration=full", "compare.seeds=[0,5]"),
    *("trainer.hybrid.warm_up_epochs=1", "trainer.hybrid.cycles=1"),
    *("trainer.hybrid.epochs=1", "trainer.physical.iterations=2"),
    *("trainer.physical.windows=4", "general.tasks=[train,evaluate]"),
)


def _settings(path: Path, *overrides: str) -> Settings:
    return small(path, *_COMPARE, *overrides)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures of the parts, which have tests of their own and take seconds."""
    monkeypatch.setattr("experiment.report.draw_evaluation", lambda *a: [])


def _run(settings: Settings) -> Path:
    return run_tasks(settings, build_components(settings), Progress())


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    text = (folder / "evaluation" / name).read_text()
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.usefixtures("quick")
def test_all_are_trained_and_compared_at_equal_budget(
    burgers_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "experiment")
    settings = _settings(burgers_folder)
    folder = _run(settings)
    runs = _rows(folder, "comparison_runs.csv")
    # The physical model alone is the same for every seed, and so is persistence.
    assert [(r["model"], r["seed"]) for r in runs] == [
        *(("synthetic alone", "0"), ("synthetic alone", "5")),
        *(("synthetic hybrid", "0"), ("synthetic hybrid", "5")),
        *(("physical alone", "0"), ("physical hybrid", "0"), ("physical hybrid", "5")),
        ("persistence", "0"),
    ]
    # 4 batches of real windows, 5 of both kinds: 9 steps, which 3 epochs of 4 reach.
    assert [r["optimiser_steps"] for r in runs[:4]] == ["12", "12", "9", "9"]
    assert all(int(r["pde_steps"]) > 0 for r in runs[4:7])
    assert runs[0]["nrmse_mean"] != runs[1]["nrmse_mean"], "a seed changes weights"
    summary = {row["model"]: row for row in _rows(folder, "comparison.csv")}
    values = [float(r["nrmse_mean"]) for r in runs[:2]]
    alone = summary["synthetic alone"]
    assert float(alone["nrmse_mean"]) == pytest.approx(np.median(values))
    assert float(alone["nrmse_mean_lowest"]) == min(values)
    assert float(alone["nrmse_mean_highest"]) == max(values)
    assert summary["physical alone"]["trainings"] == "1"
    assert float(summary["physical hybrid"]["viscosity_quantile90_lowest"]) > 0
    assert (folder / "evaluation" / "comparison.png").stat().st_size > 10_000
    page = (folder / "report.html").read_text()
    # The hybrid training alone has two seeds with the same data.
    assert (folder / "evaluation" / "comparison_viscosity.png").exists()
    assert "comparison_viscosity.png" in page
    for part in sub_runs(settings):
        assert f"{part.name}/report.html" in page
        assert (folder / part.name / "report.html").exists()
        assert (folder / part.name / "log.txt").read_text()
        own = _rows(folder / part.name, "curves.csv")
        assert {row["simulation"] for row in own} == {"3"}
    assert "synthetic alone: nrmse_mean" in (folder / "log.txt").read_text()
    assert (folder.parent / "latest").resolve() == folder.resolve()


@pytest.mark.usefixtures("quick")
def test_a_part_is_what_the_mode_of_its_own_trains(burgers_folder: Path) -> None:
    """Bitwise: the hybrid training of seed 5, outside a comparison."""
    settings = _settings(burgers_folder)
    _run(settings)
    part = next(p for p in sub_runs(settings) if p.name == "hybrid-seed_5")
    other = ("general.mode=hybrid", "general.seed=5")
    folder = f"general.checkpoint_dir={burgers_folder}/other"
    own = _settings(burgers_folder, *other, folder)
    build_hybrid_training(own, MixedParts()).train(RunFolder(own), Progress())
    for name, kind in (("last", "synthetic"), ("physical-last", "physical")):
        file = f"{name}.safetensors"
        first, second = (
            load_checkpoint(checkpoint_folder(s) / file, kind).weights
            for s in (part.settings, own)
        )
        assert first.keys() == second.keys()
        assert all(np.array_equal(first[n], second[n]) for n in first)


class _Killed(Exception):
    pass


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "before",
    [
        pytest.param(0, marks=pytest.mark.long),
        2,
        pytest.param(4, marks=pytest.mark.long),
    ],
)
def test_a_killed_comparison_goes_on_where_it_stood(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    """Killed inside a training; what is complete is not trained again, bit by bit."""
    settings = _settings(burgers_folder)
    whole = _rows(_run(settings), "comparison_runs.csv")
    trained: list[str] = []
    from experiment.training.log import TrainingLog

    end: Callable[..., None] = TrainingLog.end
    limit = [_ends(settings, before)]

    def counted(self: Any, *arguments: Any) -> None:
        if len(trained) == limit[0]:
            raise _Killed
        trained.append(self.last.parent.name)
        end(self, *arguments)

    monkeypatch.setattr(TrainingLog, "end", counted)
    with pytest.raises(_Killed):
        _run(settings)
    names = [part.name for part in sub_runs(settings)]
    assert set(trained) == set(names[: before + 1]), "killed inside this training"
    trained.clear()
    limit[0] = -1
    trainer = replace(settings.trainer, resume=True)
    again = _rows(_run(replace(settings, trainer=trainer)), "comparison_runs.csv")
    assert set(trained) == set(names[before:]), "only what wasn't complete"
    assert again == whole


def _ends(settings: Settings, parts: int) -> int:
    """Epochs and rounds of the first parts, and one of the next."""
    count = {"synthetic": 3, "physical": 1, "hybrid": 2 + 1}
    return sum(count[p.kind] for p in sub_runs(settings)[:parts]) + 1


@pytest.mark.usefixtures("quick")
def test_redrawn_data_are_another_set_for_each_seed(tmp_path: Path) -> None:
    words = ("compare.redraw_data=true", "general.tasks=[generate,train,evaluate]")
    settings = _settings(tmp_path, *words)
    folder = _run(settings)
    runs = _rows(folder, "comparison_runs.csv")
    alone = [r for r in runs if r["model"] == "physical alone"]
    assert [r["seed"] for r in alone] == ["0", "5"]
    assert alone[0]["viscosity_l2"] != alone[1]["viscosity_l2"]
    folders = {p.settings.data.data_dir for p in sub_runs(settings)}
    assert folders == {f"{tmp_path}/data/seed_0", f"{tmp_path}/data/seed_5"}
    assert [r["model"] for r in runs].count("persistence") == 2


def test_an_incomplete_comparison_is_refused(burgers_folder: Path) -> None:
    evaluate = "general.tasks=[evaluate]"
    with pytest.raises(CheckpointError, match="the comparison lacks .*synthetic-seed"):
        _run(_settings(burgers_folder, evaluate))
    _run(_settings(burgers_folder, "general.tasks=[train]"))
    longer = _settings(burgers_folder, evaluate, "compare.seeds=[0,5,6]")
    with pytest.raises(CheckpointError, match="lacks .*synthetic-seed_6"):
        _run(longer)
    other = _settings(burgers_folder, evaluate, "trainer.synthetic.learning_rate=1e-4")
    with pytest.raises(CheckpointError, match="trainer.synthetic.learning_rate"):
        _run(other)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("compare.seeds=[]",), r"`compare.seeds` is \[\]; expected at least one"),
        (("compare.seeds=[0,1,0]",), "`compare.seeds` names 0 more than once"),
        (("compare.seeds=[-1]",), "`compare.seeds.*` is -1; expected"),
        (("general.tasks=[generate]",), "neither trains nor evaluates"),
        (("compare.redraw_data=true", "data.source=x"), "nothing to draw again"),
        (("compare.seed=[1]",), "did you mean `seeds`"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, overrides: tuple[str, ...], message: str
) -> None:
    added = tuple(f"+{o}" if o.startswith("compare.seed=") else o for o in overrides)
    with pytest.raises(SettingsError, match=message):
        _settings(tmp_path, *added)
