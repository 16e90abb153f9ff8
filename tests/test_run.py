"""`run.py`, as a person uses it."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from experiment.settings import check_settings
from tests.helpers import composed, run_program, small


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ("burgers", "advection"))
def test_generate_train_evaluate_from_one_command(
    tmp_path: Path, experiment: str
) -> None:
    done = run_program(
        tmp_path, f"--config-name={experiment}.yaml", "general.tensorboard=true"
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "latest"
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    lines = [json.loads(x) for x in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in rows] == ["1", "2"]
    assert float(rows[1]["train_loss"]) == lines[1]["train_loss"]
    settings = yaml.safe_load((folder / "settings.yaml").read_text())
    assert settings["trainer"]["batch_size"] == 3
    versions = json.loads((folder / "versions.json").read_text())
    assert versions["torch"].startswith("2.13.0") and versions["seed"] == 0
    assert "epoch 2/2" in (folder / "log.txt").read_text()
    assert list((folder / "tensorboard").iterdir())
    names = {p.name for p in (folder / "evaluation").iterdir()}
    assert {"nrmse.png", "spectra.png", "losses.png", "curves.csv"} <= names
    assert any(n.endswith(".gif") for n in names)
    page = (folder / "report.html").read_text()
    for name in names:
        if name.endswith((".png", ".gif")):
            assert f"evaluation/{name}" in page
    assert "persistence" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines() if "│" in line) <= 80
    # No progress bar and no control sequence in a log file.
    assert "\x1b" not in done.stdout and "\r" not in done.stdout

    again = run_program(
        tmp_path, f"--config-name={experiment}.yaml", "general.tasks=[evaluate]"
    )
    assert again.returncode == 0, again.stderr
    assert _table(again.stdout) == _table(done.stdout)


def _table(output: str) -> list[str]:
    lines = [line for line in output.splitlines() if "│" in line]
    assert len(lines) == 2, output
    return lines


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "trainer.synthetic.epoch=2",
            "`trainer.synthetic.epoch` is no setting: did you mean `epochs`?",
        ),
        (
            "trainer.epochs=2",
            "`trainer.epochs` is no setting: did you mean `trainer.synthetic.epochs`?",
        ),
        ("general.mode=physicl", '`general.mode` is "physicl"; allowed: '),
        ("trainer.batch_size=-3", "`trainer.batch_size` is -3; expected"),
        ("migration=step9", "step9"),
        ("--config-name=burger.yaml", "burger"),
        ("general.tasks=[evaluate]", "there is no checkpoint"),
        ("general.tasks=[train]", "holds no simulations"),
        (
            "model.physical.domain={x: 32.0}",
            "`model.physical.domain={x: 32.0}` leaves out y, which is still there:"
            " Hydra merges a table into the one of the configuration. For x alone add"
            " `~model.physical.domain.y ~model.physical.resolution.y`",
        ),
        ("++model.physical.resolution={x: 64}", "leaves out y, which is still there"),
        (
            "model.physical={dt: 0.1, domain: {y: 4.0}}",
            "For y alone add `~model.physical.domain.x ~model.physical.resolution.x`",
        ),
        (
            "model.physical.pde_params.viscosity='0.1 * q'",
            "`q` in `0.1 * q` is not allowed",
        ),
    ],
)
def test_what_is_wrong_outside_ends_with_one_message(
    tmp_path: Path, override: str, message: str
) -> None:
    done = run_program(tmp_path, override)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("error:") == 1
    assert "Traceback" not in done.stderr and "Traceback" not in done.stdout


@pytest.mark.parametrize(
    "narrower",
    (
        "data.observations.space.box={x: [1.0, 2.0]}",
        "data.observations={space: {box: {x: [1.0, 2.0]}}}",
    ),
)
def test_a_box_that_hydra_would_merge_is_refused(tmp_path: Path, narrower: str) -> None:
    """y of the first box would still be there; not so where it is removed as told."""
    both = "data.observations.space={kind: box, box: {x: [0.0, 4.0], y: [0.0, 2.0]}}"
    done = run_program(tmp_path, both, narrower, "general.mode=physicl")
    assert done.returncode == 2
    assert (
        f"`{narrower}` leaves out y, which is still there: Hydra merges a table into"
        " the one of the configuration. For x alone add"
        " `~data.observations.space.box.y`;"
    ) in done.stderr
    away = "~data.observations.space.box.y"
    done = run_program(tmp_path, both, narrower, away, "general.mode=physicl")
    assert "`general.mode`" in done.stderr and "leaves out" not in done.stderr
    settings = small(tmp_path, both, narrower, away)
    assert settings.data.observations.space.box == {"x": (1.0, 2.0)}


@pytest.mark.slow
def test_parameters_of_imported_data_have_no_truth(burgers_folder: Path) -> None:
    """Scenes of other PhiFlow code: they say nothing of the PDE that made them."""
    theirs = burgers_folder / "theirs"
    (burgers_folder / "data").rename(theirs)
    for file in theirs.glob("*/description.json"):
        file.unlink()
    done = run_program(
        burgers_folder,
        "general.mode=physical",
        "general.tasks=[import,train,evaluate]",
        f"data.source={theirs}",
        "trainer.physical.rounds=1",
        "trainer.physical.iterations=2",
    )
    assert done.returncode == 0, done.stderr
    assert "doesn't say: units" in " ".join(done.stdout.split())
    (row,) = [line for line in done.stdout.splitlines() if "viscosity" in line]
    assert row.count("unknown") == 2
    folder = burgers_folder / "runs" / "latest"
    (parameter,) = csv.DictReader(
        (folder / "evaluation/parameters.csv").read_text().splitlines()
    )
    assert parameter["truth_mean"] == parameter["median_after"] == ""
    assert float(parameter["found_mean"]) > 0
    assert "unknown" in (folder / "report.html").read_text()
    # A second run, with the tasks that every run has, goes on with what is there.
    again = run_program(
        burgers_folder, "general.mode=physical", "general.tasks=[generate]"
    )
    assert again.returncode == 0, again.stderr
    assert "4 simulations are there already" in " ".join(again.stdout.split())


@pytest.mark.parametrize("first", (True, False))
def test_the_words_that_remove_an_axis_are_right(tmp_path: Path, first: bool) -> None:
    """Removed, whatever the order; nothing of Hydra's merging is said any more."""
    away = ("~model.physical.domain.y", "~model.physical.resolution.y")
    domain = ("model.physical.domain={x: 32.0}",)
    words = (*away, *domain) if first else (*domain, *away)
    # A misspelling ends the run before any work, behind the check of the axes.
    done = run_program(tmp_path, *words, "general.mode=physicl")
    assert done.returncode == 2
    assert "`general.mode`" in done.stderr and "leaves out" not in done.stderr
    viscosity = "model.physical.pde_params.viscosity=0.1"
    settings = check_settings(composed("burgers", *words, viscosity))
    assert settings.model.physical.axes == ("x",)


def test_a_run_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_program(tmp_path, f"general.run_dir={tmp_path}/file/runs")
    assert done.returncode == 2
    assert "can't make a run folder in `general.run_dir`" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_test_simulation_that_was_trained_on_is_warned_about(tmp_path: Path) -> None:
    done = run_program(tmp_path, "general.tasks=[generate]", "evaluation.test_sim=[0]")
    assert done.returncode == 0, done.stderr
    assert "not of unseen data" in " ".join(done.stdout.split())
