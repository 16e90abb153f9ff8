"""`evaluation.export`: what xarray reads is what was evaluated, bitwise."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

from bridge.assemble import MixedParts
from experiment.data import generate
from experiment.evaluation import (
    EvaluationResult,
    RecoveredParameter,
    evaluate,
    export_evaluation,
)
from experiment.run import RunFolder, read_evaluated
from experiment.run.assembly import run_training
from experiment.run.evaluating import evaluate_run
from experiment.run.subruns import sub_runs
from experiment.settings import Settings
from experiment.system import Progress, SettingsError, UserError, load_arrays
from experiment.training import PHYSICAL, SYNTHETIC
from tests.helpers import run_program, small
from tests.physics_cases import simulate

SHORT = (
    *("trainer.physical.rounds=1", "trainer.physical.iterations=2"),
    *("trainer.physical.windows=2", "trainer.hybrid.warm_up_epochs=1"),
    *("trainer.hybrid.cycles=1", "trainer.hybrid.epochs=1"),
    "evaluation.test_sim=[3,2]",
)
MODELS = {
    "synthetic": [SYNTHETIC],
    "physical": [PHYSICAL],
    "hybrid": [SYNTHETIC, PHYSICAL],
}


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiment.report.draw_evaluation", lambda *a: [])


@dataclass(frozen=True)
class Case:
    """An evaluation and what xarray reads of it."""

    settings: Settings
    result: EvaluationResult
    dataset: xarray.Dataset
    run: RunFolder


def exporting(path: Path, *overrides: str, experiment: str = "burgers") -> Settings:
    own = (f"evaluation.export={path}/out/forecasts.nc", *SHORT, *overrides)
    return small(path, *own, experiment=experiment)


def evaluated(path: Path, *overrides: str, experiment: str = "burgers") -> Case:
    """A small training, its evaluation, and the file."""
    settings, parts = exporting(path, *overrides, experiment=experiment), MixedParts()
    generate(settings, parts.build_simulator(settings), Progress())
    run = RunFolder(settings)
    run_training(settings, parts, run, Progress())
    result = evaluate_run(settings, read_evaluated(settings, parts), run)
    run.close()
    return Case(settings, result, read(settings), run)


def read(settings: Settings) -> xarray.Dataset:
    assert settings.evaluation.export is not None
    with xarray.open_dataset(settings.evaluation.export) as dataset:
        return dataset.load()


def half(states: np.ndarray, frames: int) -> np.ndarray:
    """Half the state for ever."""
    return np.repeat(states[:, None] / 2, frames, axis=1)


def written(
    path: Path, settings: Settings, parameters: tuple[RecoveredParameter, ...] = ()
) -> xarray.Dataset:
    """What is read of an evaluation of `half`."""
    result = evaluate(settings, {PHYSICAL: half}, parameters)
    export_evaluation(result, settings, run="mine", steps={PHYSICAL: 7})
    return read(settings)


@pytest.mark.parametrize("side", ("legacy", "full"))
@pytest.mark.parametrize("mode", tuple(MODELS))
def test_what_is_read_is_what_was_evaluated(
    tmp_path: Path, mode: str, side: str
) -> None:
    case = evaluated(tmp_path, f"general.mode={mode}", f"migration={side}")
    dataset, velocity = case.dataset, case.dataset["velocity"]
    assert velocity.dims == ("forecast", "simulation", "time", "x", "y", "vector")
    assert dataset["forecast"].values.tolist() == MODELS[mode]
    assert dataset["simulation"].values.tolist() == [3, 2]
    assert velocity.dtype == np.float32
    for rollout in case.result.rollouts:
        reference = dataset["reference_velocity"].sel(simulation=rollout.simulation)
        np.testing.assert_array_equal(reference, rollout.reference)
        for name in MODELS[mode]:
            values = velocity.sel(forecast=name, simulation=rollout.simulation)
            np.testing.assert_array_equal(values, rollout.forecasts[name])
            # Neither of them is the other, or nothing was compared.
            assert not np.array_equal(values[1:], reference[1:])
    _is_the_table_of(case, MODELS[mode])
    learned = [name for name in map(str, dataset) if name.startswith("found_")]
    assert learned == ([] if mode == "synthetic" else ["found_viscosity"])
    if mode != "synthetic":
        _has_parameters_of(case)
    _says_what_it_is(case, mode, side)


def _is_the_table_of(case: Case, models: list[str]) -> None:
    """nRMSE of what xarray reads is what the evaluation's summary says, to rounding."""
    rows = {row["forecast"]: row for row in case.result.summary}
    truth = case.dataset["reference_velocity"].values.astype(float)
    size = np.sqrt((truth**2).sum((2, 3, 4)))
    for name in models:
        values = case.dataset["velocity"].sel(forecast=name).values.astype(float)
        errors = np.sqrt(((values - truth) ** 2).sum((2, 3, 4))) / size
        expected = rows[name]["nrmse_mean"]
        assert errors[:, 1:].mean() == pytest.approx(expected, rel=1e-6)


def _has_parameters_of(case: Case) -> None:
    """The arrays that the evaluation wrote, bitwise."""
    folder = case.run.path / "evaluation"
    arrays = load_arrays(folder / "parameters.safetensors").arrays
    for side, prefix in (("found", "found"), ("guess", "guess"), ("truth", "true")):
        variable = case.dataset[f"{prefix}_viscosity"]
        assert variable.dims == ("x", "y")
        assert variable.attrs["units"] == "m2/s"
        expected = arrays[f"viscosity/{side}"]
        assert variable.dtype == expected.dtype
        np.testing.assert_array_equal(variable, expected)
    assert not np.array_equal(
        case.dataset["found_viscosity"], arrays["viscosity/guess"]
    )
    assert case.dataset["found_viscosity"].attrs["model"] == PHYSICAL


def _says_what_it_is(case: Case, mode: str, side: str) -> None:
    facts: dict[str, Any] = case.dataset.attrs
    expected = "legacy" if side == "legacy" else "phiml"
    parts = ("model", "trainer", "data", "physics", "hybrid")
    assert facts["migration"] == ", ".join(f"{part}={expected}" for part in parts)
    assert (facts["run"], facts["mode"]) == (case.run.path.name, mode)
    assert (facts["seed"], facts["checkpoint"]) == (0, "last")
    assert facts["program"] == "hyco-migration"
    steps = json.loads(facts["steps"])
    assert list(steps) == MODELS[mode] and min(steps.values()) > 0
    assert json.loads(facts["settings"])["general"]["mode"] == mode
    units = {n: case.dataset[n].attrs["units"] for n in ("velocity", "x", "time")}
    assert units == {"velocity": "m/s", "x": "m", "time": "s"}
    np.testing.assert_array_equal(case.dataset["time"], 0.2 * np.arange(5))
    np.testing.assert_array_equal(case.dataset["y"], 0.25 + 0.5 * np.arange(8))


def test_a_static_field_is_of_the_data_alone(tmp_path: Path) -> None:
    settings = exporting(tmp_path, "general.mode=physical", experiment="advection")
    simulate(tmp_path, "advection")
    factor = np.array(0.5), np.array(0.75, np.float32)
    scalar = RecoveredParameter("velocity_factor", "1", None, *factor)
    dataset = written(tmp_path, settings, (scalar,))
    assert dataset["density"].dims == ("forecast", "simulation", "time", "x", "y")
    assert dataset["reference_velocity"].dims == ("simulation", "x", "y", "vector")
    assert "velocity" not in dataset
    rollouts = evaluate(settings, {PHYSICAL: half}).rollouts
    for number, rollout in enumerate(rollouts):
        density = dataset["density"][0, number]
        np.testing.assert_array_equal(density, rollout.forecasts[PHYSICAL][..., 0])
        truth = dataset["reference_density"][number]
        np.testing.assert_array_equal(truth, rollout.reference[..., 0])
        velocity = dataset["reference_velocity"][number]
        np.testing.assert_array_equal(velocity, rollout.reference[0, ..., 1:])
    found = dataset["found_velocity_factor"]
    assert found.shape == () and float(found) == 0.75 and found.dtype == np.float32
    # Of imported data nobody knows it.
    assert "true_velocity_factor" not in dataset


def test_a_parameter_has_the_axes_that_it_varies_along(burgers_folder: Path) -> None:
    """Size 1 along an axis is no axis; deviations and what data say come with it."""
    settings = exporting(burgers_folder, "general.mode=physical")
    row = np.linspace(0.1, 0.2, 8)[None]
    one = RecoveredParameter("viscosity", "m^2/s", row, row, row + 1, row / 7, row / 3)
    dataset = written(burgers_folder, settings, (one,))
    for prefix, values in (
        *(("true", row), ("found", row + 1)),
        *(("deviation", row / 7), ("informed", row / 3)),
    ):
        variable = dataset[f"{prefix}_viscosity"]
        assert variable.dims == ("y",)
        np.testing.assert_array_equal(variable, values[0])
    assert dataset["deviation_viscosity"].attrs["units"] == "m2/s"
    assert dataset["informed_viscosity"].attrs["units"] == "1"


def test_a_forecast_that_failed_is_nan(burgers_folder: Path) -> None:
    settings = exporting(burgers_folder, "general.mode=hybrid")

    def fails(states: np.ndarray, frames: int) -> np.ndarray:
        raise UserError("no")

    wide = {SYNTHETIC: fails, PHYSICAL: lambda s, n: half(s.astype(float) / 3, n)}
    result = evaluate(settings, wide)
    export_evaluation(result, settings, run="mine", steps={})
    velocity = read(settings)["velocity"]
    assert velocity.sel(forecast=SYNTHETIC).isel(time=slice(1, None)).isnull().all()
    # Kept in the widest type of both.
    assert velocity.dtype == np.float64
    expected = result.rollouts[0].forecasts[PHYSICAL]
    np.testing.assert_array_equal(velocity.sel(forecast=PHYSICAL)[0], expected)


def test_what_another_program_made_is_kept_before_any_work(
    burgers_folder: Path,
) -> None:
    target = burgers_folder / "mine.nc"
    target.write_text("mine")
    done = run_program(burgers_folder, f"evaluation.export={target}")
    assert done.returncode == 2
    text = " ".join(done.stderr.split())
    assert f"`evaluation.export` = `{target}` exists, and nothing says" in text
    assert target.read_text() == "mine"
    assert not (burgers_folder / "checkpoints" / "last.safetensors").exists()


def test_the_checkpoints_of_another_run_from_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.nc"
    mode = ("general.mode=physical", *SHORT[:3])
    done = run_program(tmp_path, *mode)
    assert done.returncode == 0, done.stderr
    assert not path.exists()
    again = ("general.tasks=[evaluate]", f"evaluation.export={path}")
    done = run_program(tmp_path, *mode, *again)
    assert done.returncode == 0, done.stderr
    assert "exported forecasts by physical to" in " ".join(done.stdout.split())
    with xarray.open_dataset(path) as dataset:
        assert dict(dataset.sizes)["forecast"] == 1
        run = dataset.attrs["run"]
    assert run == (tmp_path / "runs" / "latest").resolve().name


def _refused(path: Path, *overrides: str) -> str:
    with pytest.raises(SettingsError) as caught:
        small(path, *overrides)
    return str(caught.value)


def test_a_path_that_would_not_be_written_is_refused(tmp_path: Path) -> None:
    path = f"evaluation.export={tmp_path}/out.nc"
    for words, message in (
        (("general.tasks=[train]",), "it is with evaluate in `general.tasks`"),
        (("general.mode=compare",), "each of its trainings has forecasts of its own"),
    ):
        done = run_program(tmp_path, path, *words)
        assert done.returncode == 2 and message in " ".join(done.stderr.split())


def test_two_exports_need_two_files(tmp_path: Path) -> None:
    paths = [f"data.export={tmp_path}/a.nc", f"evaluation.export={tmp_path}/x/../a.nc"]
    tasks = "general.tasks=[evaluate,export]"
    assert "expected two files" in _refused(tmp_path, tasks, *paths)
    assert small(tmp_path, "general.tasks=[evaluate]", *paths).data.export
    other = f"evaluation.export={tmp_path}/b.nc"
    assert small(tmp_path, tasks, paths[0], other).evaluation.export


def test_the_disk_must_have_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 copies, 1 simulation, 5 frames, 2 channels of 128 cells, 4 bytes: 15 kB."""
    path = f"evaluation.export={tmp_path}/a.nc"
    words = ("general.mode=hybrid", "general.tasks=[evaluate]")
    needed = 3 * 5 * 2 * 128 * 4
    monkeypatch.setattr("experiment.settings.disk._free", lambda folder: needed)
    assert small(tmp_path, *words, path).evaluation.export
    monkeypatch.setattr("experiment.settings.disk._free", lambda folder: needed - 1)
    assert "the exported evaluation needs" in _refused(tmp_path, *words, path)


def test_trainings_of_a_comparison_never_share_a_file(tmp_path: Path) -> None:
    """A file of settings may have the key; each training would write to one path."""
    runs = sub_runs(exporting(tmp_path, "general.mode=compare"))
    assert len(runs) > 1
    assert {run.settings.evaluation.export for run in runs} == {None}
