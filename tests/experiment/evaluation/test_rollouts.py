"""Evaluation against forecasts and parameters whose errors are known."""

import csv
import io
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from experiment.data import open_scene
from experiment.evaluation import (
    PERSISTENCE,
    RecoveredParameter,
    evaluate,
    parameter_table,
    summary_table,
    vrmse,
    write_evaluation,
)
from experiment.evaluation.recovered import parameter_rows
from experiment.system import UserError, load_arrays
from experiment.training import PHYSICAL, SYNTHETIC
from tests.helpers import small

SCALAR = RecoveredParameter(
    "speed", "m/s", np.array(4.0), np.array(3.0), np.array(4.1, np.float32)
)


def truth(path: Path, simulation: int) -> np.ndarray:
    scene = open_scene(small(path), simulation)
    return np.stack([scene.read("velocity", t) for t in range(5)])


def half(states: np.ndarray, frames: int) -> np.ndarray:
    """Half the state for ever."""
    return constant(states / 2, frames)


def constant(states: np.ndarray, frames: int) -> np.ndarray:
    """The states, for ever."""
    return np.repeat(states[:, None], frames, axis=1)


def field() -> RecoveredParameter:
    """A viscosity on the 16 x 8 cells of `small`."""
    x, y = np.meshgrid(np.arange(16), np.arange(8), indexing="ij")
    values = 0.01 + 0.001 * (x + y)
    return RecoveredParameter(
        "viscosity", "m²/s", values, np.full_like(values, 0.02), 1.1 * values
    )


def printed(table: Table) -> str:
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text()


def test_a_perfect_forecast_and_persistence(simulated: Path) -> None:
    perfect = {SYNTHETIC: lambda states, frames: truth(simulated, 3)[None]}
    result = evaluate(small(simulated), perfect)
    model, persistence = result.summary
    assert model["nrmse_mean"] == model["rmse_velocity"] == 0
    assert model["correlation_time_is"] == ">="
    # Four steps of 0.2 s.
    assert model["correlation_time"] == pytest.approx(0.8)
    frames = truth(simulated, 3).astype(float)
    expected = [
        np.linalg.norm(frames[0] - frames[t]) / np.linalg.norm(frames[t])
        for t in range(1, 5)
    ]
    assert persistence["nrmse_mean"] == pytest.approx(np.mean(expected))
    assert persistence["nrmse_first"] == pytest.approx(expected[0])
    assert persistence["nrmse_last"] == pytest.approx(expected[-1])
    assert len(result.curves) == 2 * 5


def test_two_forecasts_and_persistence_last(simulated: Path) -> None:
    settings = small(simulated, "evaluation.test_sim=[2,3]")
    result = evaluate(
        settings, {PHYSICAL: half, SYNTHETIC: lambda s, n: constant(0 * s, n)}
    )
    names = [row["forecast"] for row in result.summary]
    assert names == [PHYSICAL, SYNTHETIC, PERSISTENCE]
    # 1 is the error of predicting zero.
    assert result.summary[1]["nrmse_mean"] == pytest.approx(1)
    frames = [truth(simulated, i).astype(float) for i in (2, 3)]
    first = [np.linalg.norm(f[0] / 2 - f[1]) / np.linalg.norm(f[1]) for f in frames]
    assert result.summary[0]["nrmse_first"] == pytest.approx(np.mean(first))
    assert len(result.curves) == 2 * 3 * 5
    # Predicting zero is wrong by 1 in each of two channels.
    assert result.summary[1]["nrmse_channels_mean"] == pytest.approx(2)
    row = result.curves[1]
    pair = constant(frames[0][:1] / 2, 2)[0], frames[0][:2]
    assert row["forecast"] == PHYSICAL and row["frame"] == 1
    assert row["vrmse"] == pytest.approx(vrmse(*pair)[1])
    table = printed(summary_table(result, settings))
    assert all(str(name) in table for name in names)
    assert max(map(len, table.splitlines())) <= 80


def test_a_forecast_of_the_wrong_shape_is_refused(simulated: Path) -> None:
    with pytest.raises(ValueError, match="expected the same"):
        evaluate(
            small(simulated),
            {SYNTHETIC: lambda s, n: truth(simulated, 3)[None, ..., :1]},
        )
    with pytest.raises(ValueError, match="expected the same"):
        evaluate(small(simulated), {SYNTHETIC: lambda s, n: truth(simulated, 3)})


@pytest.mark.parametrize("names", [(), ("model",), (SYNTHETIC, PERSISTENCE)])
def test_unknown_names_are_refused(simulated: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="synthetic, physical or both"):
        evaluate(small(simulated), dict.fromkeys(names, half))


def test_a_forecast_that_works_in_place_leaves_the_truth(simulated: Path) -> None:
    def spoil(states: np.ndarray, frames: int) -> np.ndarray:
        states *= 0
        return constant(states, frames)

    result = evaluate(small(simulated), {PHYSICAL: spoil, SYNTHETIC: half})
    np.testing.assert_array_equal(result.rollouts[0].reference, truth(simulated, 3))
    assert result.summary[1]["nrmse_last"] != pytest.approx(1)


def test_a_forecast_that_is_not_finite_is_warned_about_and_shows(
    simulated: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def diverging(states: np.ndarray, frames: int) -> np.ndarray:
        values = half(states, frames)
        values[:, 3, 2, 2, 0] = np.inf
        values[:, 4] = np.nan
        return values

    settings = small(simulated)
    with caplog.at_level(logging.WARNING):
        result = evaluate(settings, {SYNTHETIC: half, PHYSICAL: diverging})
    (message,) = caplog.messages
    assert "`physical` of simulation 3 is not finite at frame 3 of 4" in message
    errors = [r["nrmse"] for r in result.curves if r["forecast"] == PHYSICAL]
    assert np.isfinite(errors[:3]).all()
    assert errors[3] == np.inf and np.isnan(errors[4])
    synthetic, physical, _ = result.summary
    assert np.isfinite(float(synthetic["nrmse_mean"]))
    assert np.isnan(physical["nrmse_mean"]) and np.isnan(physical["rmse_velocity"])
    # At the latest frame 3, after 0.6 s, has lost its correlation.
    assert physical["correlation_time_is"] == "="
    assert float(physical["correlation_time"]) < 0.7
    assert " nan " in printed(summary_table(result, settings))
    write_evaluation(result, tmp_path)
    rows = list(csv.DictReader((tmp_path / "curves.csv").read_text().splitlines()))
    assert [r["nrmse"] for r in rows if r["forecast"] == PHYSICAL][3:] == ["inf", "nan"]
    stored = json.loads((tmp_path / "summary.json").read_text())
    assert stored[1]["nrmse_mean"] == "nan"


def test_a_forecast_that_fails_keeps_the_others(
    simulated: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(states: np.ndarray, frames: int) -> np.ndarray:
        raise UserError("the diffusion number is 3; expected at most 0.5.")

    with caplog.at_level(logging.WARNING):
        result = evaluate(small(simulated), {SYNTHETIC: half, PHYSICAL: failing})
    (message,) = caplog.messages
    assert "`physical` of simulation 3 failed" in message
    assert "the diffusion number is 3" in message
    synthetic, physical, _ = result.summary
    assert np.isfinite(float(synthetic["nrmse_mean"]))
    assert np.isnan(physical["nrmse_first"]) and np.isnan(physical["nrmse_mean"])


def test_errors_of_recovered_parameters_by_hand() -> None:
    # |3 - 4| / 4 and |4.1 - 4| / 4.
    assert SCALAR.error_before == pytest.approx(0.25)
    assert SCALAR.error_after == pytest.approx(0.025, rel=1e-5)
    # sqrt(3^2 + 4^2) = 5 beside sqrt(6^2 + 8^2) = 10; and 1.1 times the truth.
    truth = np.array([[6.0], [8.0]])
    parameter = RecoveredParameter("k", "1", truth, truth / 2, truth * 1.1)
    assert parameter.error_before == pytest.approx(0.5)
    assert parameter.error_after == pytest.approx(0.1)
    unknown = RecoveredParameter("k", "1", None, truth, truth)
    assert unknown.error_before is None and unknown.error_after is None
    zero = RecoveredParameter("k", "1", 0 * truth, truth, 0 * truth)
    assert zero.error_before == np.inf and zero.error_after == 0
    lost = RecoveredParameter("k", "1", truth, truth, truth * np.nan)
    assert np.isnan(lost.error_after or 0)


def test_a_large_corner_does_not_hide_wrong_cells() -> None:
    """Nine cells of 0.01 found as 0.03 beside one of 10 found exactly.

    The norm of the error is 0.02 sqrt(9) = 0.06 of about 10; nine cells are off by 2,
    so the median is 2, and the 90 % quantile of ten cells is 2 as well.
    """
    truth = np.array([0.01] * 9 + [10.0]).reshape(2, 5)
    found = np.array([0.03] * 9 + [10.0]).reshape(2, 5)
    parameter = RecoveredParameter("k", "1", truth, 0 * truth, found)
    assert parameter.after is not None and parameter.before is not None
    assert parameter.after.l2 == pytest.approx(0.006, rel=1e-4)
    assert parameter.after.median == pytest.approx(2)
    assert parameter.after.quantile == pytest.approx(2)
    assert (parameter.before.median, parameter.before.quantile) == (1, 1)
    # 0, 1, ..., 10 tenths: the quantile is at the place 9 of 0 to 10.
    steps = np.arange(11) / 10
    (ramp,) = parameter_rows(
        [RecoveredParameter("k", "1", 0 * steps + 1, 1 + steps, 1 + steps)]
    )
    assert ramp["median_after"] == pytest.approx(0.5)
    assert ramp["quantile90_after"] == pytest.approx(0.9)
    table = printed(parameter_table([parameter]))
    assert "k, L2" in table and "median of cells" in table and "90 % of cells" in table
    # Half of the cells missed a truth of zero.
    lost = RecoveredParameter("k", "1", steps * 0, steps * 0, steps)
    assert lost.after is not None and lost.after.quantile == np.inf


def test_parameters_of_unequal_shapes_or_equal_names_are_refused(
    simulated: Path,
) -> None:
    with pytest.raises(ValueError, match=r"expected the same, \(\) or \(x, y"):
        RecoveredParameter("k", "1", np.ones((2, 2)), np.array(1.0), np.ones((2, 2)))
    with pytest.raises(ValueError, match="expected each once"):
        evaluate(small(simulated), {SYNTHETIC: half}, (SCALAR, SCALAR))


def test_parameters_are_written_and_tabled(simulated: Path, tmp_path: Path) -> None:
    unknown = RecoveredParameter("drag", "1/s", None, np.array(1.0), np.array(2.0))
    parameters = (SCALAR, field(), unknown)
    result = evaluate(small(simulated), {PHYSICAL: half}, parameters)
    assert result.parameters == parameters
    write_evaluation(result, tmp_path)
    speed, viscosity, drag = csv.DictReader(
        (tmp_path / "parameters.csv").read_text().splitlines()
    )
    assert speed["name"] == "speed" and speed["unit"] == "m/s"
    assert float(speed["error_before"]) == 0.25
    assert speed["truth_min"] == speed["truth_mean"] == speed["truth_max"] == "4.0"
    assert float(viscosity["error_after"]) == pytest.approx(0.1)
    # 0.01 + 0.001 (x + y) with x up to 15 and y up to 7: means 7.5 and 3.5.
    assert float(viscosity["truth_min"]) == pytest.approx(0.010)
    assert float(viscosity["truth_mean"]) == pytest.approx(0.021)
    assert float(viscosity["truth_max"]) == pytest.approx(0.032)
    assert float(viscosity["found_max"]) == pytest.approx(1.1 * 0.032)
    assert drag["truth_mean"] == drag["error_after"] == ""
    stored = load_arrays(tmp_path / "parameters.safetensors")
    assert stored.facts["units"]["viscosity"] == "m²/s"
    assert "drag/truth" not in stored.arrays
    assert stored.arrays["speed/found"].shape == ()
    assert stored.arrays["speed/found"].dtype == np.float32
    for parameter in parameters:
        for side, values in parameter.sides.items():
            np.testing.assert_array_equal(
                stored.arrays[f"{parameter.name}/{side}"], values
            )
    table = printed(parameter_table(parameters))
    assert max(map(len, table.splitlines())) <= 80
    assert "0.25" in table and "4.1" in table and "unknown" in table


def test_without_parameters_no_file_is_written(simulated: Path, tmp_path: Path) -> None:
    write_evaluation(evaluate(small(simulated), {PHYSICAL: half}), tmp_path)
    assert not list(tmp_path.glob("parameters.*"))
