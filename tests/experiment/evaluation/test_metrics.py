"""Metrics against numbers that mathematics gives."""

import numpy as np
import pytest

from experiment.evaluation import (
    correlation,
    correlation_time,
    energy,
    nrmse,
    nrmse_channels,
    rmse,
    spectrum,
    vrmse,
)

RANDOM = np.random.default_rng(0)
REFERENCE = RANDOM.standard_normal((5, 12, 7, 2))


def test_nrmse_of_a_scaled_field_is_the_scale() -> None:
    """|1.1 r - r| / |r| = 0.1; predicting zero gives 1; the truth gives 0."""
    np.testing.assert_allclose(nrmse(1.1 * REFERENCE, REFERENCE), 0.1, rtol=1e-12)
    np.testing.assert_array_equal(nrmse(0 * REFERENCE, REFERENCE), np.ones(5))
    np.testing.assert_array_equal(nrmse(REFERENCE, REFERENCE), np.zeros(5))


def test_nrmse_of_a_zero_reference() -> None:
    zero = np.zeros((1, 3, 1))
    assert nrmse(zero, zero)[0] == 0
    assert np.isinf(nrmse(zero + 1, zero)[0])


def test_three_conventions_by_hand() -> None:
    """One frame of two cells and two channels; reference (3, 30) and (4, 40).

    Errors: 0 and 5 in the first channel, 0 and 10 in the second. Squares: 25 over
    9 + 16 = 25 and 100 over 900 + 1600 = 2500, so the channels' ratios are 1 and 0.2,
    their sum is 1.2, and the vector's is sqrt(125 / 2525). Means of squares are 12.5
    and 50, unbiased variances 0.5 and 50, so VRMSE is (sqrt(25) + sqrt(1)) / 2 = 3.
    """
    reference = np.array([[[3.0, 30.0], [4.0, 40.0]]])
    prediction = reference + [[0.0, 0.0], [5.0, 10.0]]
    assert nrmse(prediction, reference)[0] == pytest.approx(np.sqrt(125 / 2525))
    assert nrmse_channels(prediction, reference)[0] == pytest.approx(1.2)
    assert vrmse(prediction, reference, 0.0)[0] == pytest.approx(3)
    # 12.5 / (0.5 + 12) = 1 and 50 / (50 + 12).
    expected = (1 + np.sqrt(50 / 62)) / 2
    assert vrmse(prediction, reference, 12.0)[0] == pytest.approx(expected)


def test_conventions_agree_for_one_channel_only() -> None:
    """Of two channels that predict zero, each has the error 1, and their sum is 2."""
    one = REFERENCE[..., :1]
    np.testing.assert_allclose(nrmse_channels(0 * one, one), nrmse(0 * one, one))
    np.testing.assert_allclose(nrmse_channels(0 * REFERENCE, REFERENCE), 2)
    zero = np.zeros((1, 3, 2))
    assert nrmse_channels(zero, zero)[0] == 0
    assert np.isinf(nrmse_channels(zero + 1, zero)[0])


def test_rmse_of_an_offset_is_the_offset() -> None:
    np.testing.assert_allclose(rmse(REFERENCE - 0.3, REFERENCE), 0.3, rtol=1e-12)


def test_correlation() -> None:
    """Scale and offset don't matter, the sign does; uncorrelated waves give 0."""
    np.testing.assert_allclose(correlation(3 * REFERENCE + 2, REFERENCE), 1)
    np.testing.assert_allclose(correlation(-REFERENCE, REFERENCE), -1)
    x = np.arange(16) / 16 * 2 * np.pi
    first, second = np.sin(x)[None, :, None], np.cos(3 * x)[None, :, None]
    np.testing.assert_allclose(correlation(first, second), 0, atol=1e-15)


def test_correlation_time() -> None:
    """cos(angle) falls below 0.8 between 0.6 and 0.7 rad, at frame 7 of 0.1 rad."""
    x = np.arange(32) / 32 * 2 * np.pi
    angles = np.arange(12) * 0.1
    moving = np.sin(x + angles[:, None])[..., None]
    still = np.broadcast_to(np.sin(x)[:, None], moving.shape)
    assert correlation_time(moving, still, 0.5) == (3.5, True)
    assert correlation_time(still, still, 0.5) == (5.5, False)
    lost = moving.copy()
    lost[2:] = np.nan
    assert correlation_time(lost, still, 0.5) == (1.0, True)


def test_energy_and_parseval() -> None:
    """The energies of all wave numbers sum to the energy of the frame.

    Waves up to 2 fit below the shortest side, so no corner is left out.
    """
    y, x = np.meshgrid(np.arange(16) / 16, np.arange(12) / 12)
    frame = np.stack([np.sin(2 * np.pi * x), 1 + np.cos(4 * np.pi * y)], axis=-1)
    total = energy(frame[None])[0]
    assert total == pytest.approx(0.5 * (0.5 + 1 + 0.5))
    bins = spectrum(frame)
    assert bins.shape == (7,)
    np.testing.assert_allclose(bins[:3], [0.5, 0.25, 0.25], atol=1e-14)
    assert bins.sum() == pytest.approx(total)


@pytest.mark.parametrize("metric", (nrmse, nrmse_channels, vrmse, rmse, correlation))
def test_nothing_is_broadcast(metric) -> None:
    with pytest.raises(ValueError, match="expected the same"):
        metric(REFERENCE[..., :1], REFERENCE)


def test_nan_is_not_equal() -> None:
    bad = REFERENCE.copy()
    bad[2, 0, 0, 0] = np.nan
    assert np.isnan(nrmse(bad, bad)[2])


@pytest.mark.parametrize("metric", (nrmse, nrmse_channels, vrmse, rmse, correlation))
def test_the_memory_order_changes_no_bit(metric) -> None:
    """Channels first in memory, as a torch model gives them."""
    other = REFERENCE + RANDOM.standard_normal(REFERENCE.shape)
    turned = np.moveaxis(np.ascontiguousarray(np.moveaxis(other, -1, 1)), 1, -1)
    np.testing.assert_array_equal(metric(turned, REFERENCE), metric(other, REFERENCE))
    np.testing.assert_array_equal(energy(turned), energy(other))
    np.testing.assert_array_equal(spectrum(turned[0]), spectrum(other[0]))
