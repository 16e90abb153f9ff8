"""Initial states are the same function at every resolution."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers import small


def test_root_mean_square_and_repeatability(tmp_path: Path) -> None:
    physical = small(tmp_path).model.physical
    state = physical.initial_state(1, 2)
    assert state["velocity"].shape == (16, 8, 2)
    speed = np.sqrt(np.square(state["velocity"]).sum(-1).mean())
    assert speed == pytest.approx(1.0)
    again = physical.initial_state(1, 2)["velocity"]
    np.testing.assert_array_equal(state["velocity"], again)
    assert not np.array_equal(physical.initial_state(1, 3)["velocity"], again)
    assert not np.array_equal(physical.initial_state(2, 2)["velocity"], again)


def test_cells_of_three_times_the_resolution_share_centres(tmp_path: Path) -> None:
    coarse = small(tmp_path).model.physical
    fine = small(tmp_path, "model.physical.resolution={x: 48, y: 24}").model.physical
    np.testing.assert_allclose(
        fine.initial_state(0, 0)["velocity"][1::3, 1::3],
        coarse.initial_state(0, 0)["velocity"],
        atol=1e-13,
    )


def test_the_carrying_velocity_is_free_of_divergence(tmp_path: Path) -> None:
    """Spectral derivatives are exact for these waves."""
    physical = small(
        tmp_path,
        "model.physical.resolution={x: 32, y: 32}",
        experiment="advection",
    ).model.physical
    velocity = physical.initial_state(0, 0)["velocity"]
    divergence = np.zeros((32, 32))
    slope = 0.0
    for axis, size in enumerate(physical.cell_sizes.values()):
        waves = 2j * np.pi * np.fft.fftfreq(32, size)
        waves = waves.reshape([-1 if i == axis else 1 for i in range(2)])
        change = np.fft.ifft(
            waves * np.fft.fft(velocity[..., axis], axis=axis), axis=axis
        )
        divergence += change.real
        slope = max(slope, np.abs(change).max())
    assert np.abs(divergence).max() < 1e-12 * slope
