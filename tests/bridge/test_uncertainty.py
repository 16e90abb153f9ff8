"""Standard deviations of recovered parameters, through either side's learner."""

from pathlib import Path

import numpy as np
import pytest

from bridge.assemble import MixedParts
from experiment.data import generate
from experiment.run import RunFolder, build_physical_training, read_evaluated
from experiment.run.uncertainty import data_alone, observed_count
from experiment.settings import Settings
from experiment.system import Progress, SettingsError, load_arrays
from tests.helpers import relative_error, run_program, small

_WORDS = (
    *("general.mode=physical", "trainer.physical.rounds=1"),
    *("trainer.physical.iterations=30", "data.observations.noise=0.02"),
    "model.physical.pde_params.viscosity='0.1 + 0.05 * sin(2*pi*x/size_x)'",
    "evaluation.laplace_rank=128",
)


def _settings(path: Path, *words: str) -> Settings:
    return small(path, *_WORDS, *words)


def _trained(settings: Settings) -> None:
    parts = MixedParts()
    generate(settings, parts.build_simulator(settings), Progress())
    training = build_physical_training(settings, parts)
    training.train(RunFolder(settings), Progress())


def test_both_sides_are_as_sure(tmp_path: Path) -> None:
    _trained(_settings(tmp_path))
    found = []
    for side in ("legacy", "full"):
        settings = _settings(tmp_path, f"migration={side}")
        (parameter,) = read_evaluated(settings, MixedParts()).parameters
        assert parameter.deviation is not None and parameter.informed is not None
        assert parameter.deviation.shape == (16, 8)
        found.append((parameter.deviation, parameter.informed))
    assert relative_error(found[0][0], found[1][0]) < 1e-5
    assert relative_error(found[0][1], found[1][1]) < 1e-5
    # In `divergence`, a cell above all its neighbours has no effect on the data.
    assert found[0][1].min() >= 0 and found[0][1].max() <= 1


def test_the_hessian_is_that_of_the_loss(tmp_path: Path) -> None:
    """Of a scalar: second differences of the loss itself, at one point."""
    scalar = (
        "trainer.physical.learnable_parameters="
        "[{name: viscosity, type: scalar, initial_guess: 0.1, bounds: [0.0, 0.4]}]"
    )
    constant = "model.physical.pde_params.viscosity=0.12"
    settings = _settings(tmp_path, scalar, constant)
    _trained(settings)
    (parameter,) = read_evaluated(settings, MixedParts()).parameters
    assert parameter.deviation is not None
    learner = MixedParts().build_physical_learner(data_alone(settings))
    share = float(parameter.found.flat[0]) / 0.4
    z = np.log(share / (1 - share))
    before, here, after = (
        learner.loss({"viscosity": np.asarray(z + by)}) for by in (-1e-3, 0, 1e-3)
    )
    count = observed_count(settings)
    curve = (before - 2 * here + after) / 1e-6 * count / (2 * here)
    expected = 0.4 * share * (1 - share) / np.sqrt(curve)
    # One parameter of many numbers, and a prior that is wide: 1 %.
    assert np.asarray(parameter.deviation).flat[0] == pytest.approx(expected, rel=1e-2)


def test_values_count_once_however_many_windows_they_are_in(tmp_path: Path) -> None:
    """2 simulations, frames 1 to 6 of each are targets of some window of 2 steps."""
    assert observed_count(_settings(tmp_path)) == 2 * 6 * 16 * 8 * 2
    few = _settings(tmp_path, "trainer.physical.windows=2")
    assert observed_count(few) == 2 * 2 * 16 * 8 * 2
    masked = _settings(
        tmp_path,
        *("data.observations.space.kind=random", "data.observations.space.number=5"),
        "data.observations.space.seed=0",
    )
    assert observed_count(masked) == 2 * 6 * 5 * 2


def test_a_run_shows_it(tmp_path: Path) -> None:
    done = run_program(tmp_path, *_WORDS)
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "the data say something of" in words and "truth within two" in words
    folder = tmp_path / "runs" / "latest"
    assert (folder / "evaluation" / "uncertainty_viscosity.png").exists()
    page = (folder / "report.html").read_text()
    assert "uncertainty_viscosity.png" in page and "truth within two" in page
    arrays = load_arrays(folder / "evaluation" / "parameters.safetensors").arrays
    assert arrays["viscosity/deviation"].shape == (16, 8)


def test_a_wrong_rank_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match="`evaluation.laplace_rank` is -1; expected"
    ):
        _settings(tmp_path, "evaluation.laplace_rank=-1")
