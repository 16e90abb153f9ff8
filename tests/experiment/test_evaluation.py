"""Evaluation against forecasts whose errors are known."""

from pathlib import Path

import numpy as np
import pytest

from experiment import evaluate, open_scene
from tests.helpers import small


def truth(path: Path, simulation: int) -> np.ndarray:
    scene = open_scene(small(path), simulation)
    return np.stack([scene.read("velocity", t) for t in range(5)])


def test_a_perfect_forecast_and_persistence(simulated: Path) -> None:
    result = evaluate(small(simulated), lambda state, steps: truth(simulated, 3))
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


def test_a_forecast_of_the_wrong_shape_is_refused(simulated: Path) -> None:
    with pytest.raises(ValueError, match="expected the same"):
        evaluate(small(simulated), lambda s, n: truth(simulated, 3)[:, :1])
