"""Metrics against numbers that mathematics gives."""

import numpy as np
import pytest

from experiment.evaluation import (
    correlation,
    correlation_time,
    energy,
    nrmse,
    rmse,
    spectrum,
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


@pytest.mark.parametrize("metric", (nrmse, rmse, correlation))
def test_nothing_is_broadcast(metric) -> None:
    with pytest.raises(ValueError, match="expected the same"):
        metric(REFERENCE[..., :1], REFERENCE)


def test_nan_is_not_equal() -> None:
    bad = REFERENCE.copy()
    bad[2, 0, 0, 0] = np.nan
    assert np.isnan(nrmse(bad, bad)[2])


@pytest.mark.parametrize("metric", (nrmse, rmse, correlation))
def test_the_memory_order_changes_no_bit(metric) -> None:
    """Channels first in memory, as a torch model gives them."""
    other = REFERENCE + RANDOM.standard_normal(REFERENCE.shape)
    turned = np.moveaxis(np.ascontiguousarray(np.moveaxis(other, -1, 1)), 1, -1)
    np.testing.assert_array_equal(metric(turned, REFERENCE), metric(other, REFERENCE))
    np.testing.assert_array_equal(energy(turned), energy(other))
    np.testing.assert_array_equal(spectrum(turned[0]), spectrum(other[0]))
