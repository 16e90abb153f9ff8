"""The Laplace approximation, against posteriors that are known."""

import numpy as np
import pytest

from experiment.evaluation.laplace import INFORMED, PRIOR, Laplace, laplace
from experiment.evaluation.recovered import (
    RecoveredParameter,
    certainty,
    certainty_text,
    parameter_arrays,
    parameter_rows,
)
from experiment.system import UserError


def _linear(size: int, seen: int, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """y = A z + noise of 0.1, where only the first parameters have an effect."""
    generator = np.random.default_rng(size)
    matrix = generator.standard_normal((count, size)) / np.sqrt(count)
    matrix[:, seen:] = 0.0
    matrix[:, :seen] *= np.geomspace(3, 0.02, seen)
    values = matrix @ generator.standard_normal(size)
    return matrix, values + 0.1 * generator.standard_normal(count)


def _approximated(
    matrix: np.ndarray, values: np.ndarray, rank: int
) -> tuple[Laplace, np.ndarray]:
    """Ours, and the standard deviations of the exact posterior, with our noise.

    The loss is the mean of (A z - y)^2; its precision is A^T A / s^2 + I / t^2.
    """
    point, *_ = np.linalg.lstsq(matrix, values, rcond=None)
    count = len(values)

    def gradient(z: np.ndarray) -> np.ndarray:
        return 2 / count * matrix.T @ (matrix @ z - values)

    loss = float(np.mean((matrix @ point - values) ** 2))
    found = laplace(gradient, point, loss, count, rank)
    precision = matrix.T @ matrix / found.noise**2 + np.eye(len(point)) / PRIOR**2
    return found, np.sqrt(np.diag(np.linalg.inv(precision)))


@pytest.mark.parametrize(("size", "rank"), [(12, 30), (12, 3), (200, 30), (200, 60)])
def test_a_linear_model_has_its_exact_posterior(size: int, rank: int) -> None:
    """By the whole Hessian, and by Lanczos where there are more parameters."""
    found, exact = _approximated(*_linear(size, seen=10), rank)
    assert np.allclose(found.deviation, exact, rtol=1e-5)
    # 10 of 400 numbers went into parameters; the noise was 0.1.
    assert found.noise == pytest.approx(0.1, rel=0.1)
    assert found.complete and found.lowest > -1e-6


def test_the_data_say_nothing_of_what_they_do_not_see() -> None:
    found, _ = _approximated(*_linear(200, seen=10), 30)
    assert np.allclose(found.deviation[10:], PRIOR)
    assert (found.informed[10:] < 1e-6).all() and found.informed[0] > 0.99


def test_what_is_cut_off_makes_deviations_larger_and_is_said() -> None:
    found, exact = _approximated(*_linear(200, seen=10), 4)
    assert not found.complete
    assert (found.deviation >= exact * (1 - 1e-6)).all()
    assert found.deviation[:10].sum() > exact[:10].sum()


def test_deviations_are_those_of_repeated_experiments() -> None:
    """The spread of fits to 300 draws of the noise, of what the data rule.

    A spread of 300 is known to 1 / sqrt(2 * 300) = 4 %, a noise of 400 numbers to 4 %.
    """
    matrix, _ = _linear(12, seen=4)
    generator = np.random.default_rng(1)
    draws = 0.1 * generator.standard_normal((300, len(matrix)))
    fits = [np.linalg.lstsq(matrix[:, :4], noise, rcond=None)[0] for noise in draws]
    found, _ = _approximated(matrix, draws[0], 30)
    spread = np.std(fits, 0)[:2]
    assert np.allclose(found.deviation[:2], spread, rtol=0.12)


def test_without_a_residual_only_the_unseen_is_unsure() -> None:
    found = laplace(lambda z: 2 * z * [1.0, 0.0], np.zeros(2), 0.0, 10, 2)
    assert found.deviation == pytest.approx([0.0, PRIOR])


def test_more_data_make_it_surer() -> None:
    """Four times as many of the same: half the deviation where the data rule."""
    matrix, values = _linear(12, seen=4)
    few, _ = _approximated(matrix, values, 30)
    many, _ = _approximated(np.tile(matrix, (4, 1)), np.tile(values, 4), 30)
    assert many.deviation[0] == pytest.approx(few.deviation[0] / 2, rel=0.02)


def test_a_saddle_is_no_minimum() -> None:
    found = laplace(lambda z: z * [2.0, -1.0, 0.0], np.zeros(3), 1.0, 10, 3)
    assert found.lowest == pytest.approx(-0.5)
    assert found.deviation[1] == pytest.approx(PRIOR)


def test_a_gradient_that_is_not_finite_is_refused() -> None:
    with pytest.raises(UserError, match="laplace_rank=0"):
        laplace(lambda z: z * np.nan, np.zeros(3), 1.0, 10, 3)


def _recovered(deviation: float, informed: tuple[float, ...]) -> RecoveredParameter:
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    found = truth + [0.1, 0.3, 0.1, 9.0]
    spread = np.full(4, deviation)
    return RecoveredParameter(
        "nu", "m^2/s", truth, truth * 0, found, spread, np.array(informed)
    )


def test_certainty_is_of_the_cells_that_the_data_see() -> None:
    """Errors 0.1, 0.3, 0.1 of a deviation of 0.1: two of three within two of it."""
    parameter = _recovered(0.1, (0.9, 0.5, INFORMED, INFORMED / 2))
    sure = certainty(parameter)
    assert sure is not None
    assert (sure.informed, sure.deviation) == (0.75, pytest.approx(0.1))
    assert sure.within == pytest.approx(2 / 3)
    assert "say something of 75%" in certainty_text(parameter)
    (row,) = parameter_rows([parameter])
    assert row["informed_cells"] == 0.75
    assert {"nu/deviation", "nu/informed"} <= set(parameter_arrays([parameter]))


def test_nothing_seen_is_said() -> None:
    text = certainty_text(_recovered(0.1, (0.0,) * 4))
    assert text == "nu: the data say something of 0% of it"


def test_a_deviation_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="deviation"):
        RecoveredParameter("nu", "1", None, np.ones(3), np.ones(3), np.ones(()))
