"""Windows and the order of samples."""

import re
from pathlib import Path

import numpy as np
import pytest

from experiment.data import Windows, sample_order
from experiment.system import SceneError, SettingsError
from tests.helpers import small


def test_windows_of_a_simulation() -> None:
    """`num_windows = num_frames - rollout_steps`: 7 - 2 = 5 each."""
    windows = Windows([4, 9], num_frames=7, rollout_steps=2)
    assert len(windows) == 10
    assert [windows.locate(i) for i in (0, 4, 5, 9)] == [(0, 0), (0, 4), (1, 0), (1, 4)]
    # The last window ends with the last frame.
    assert windows.locate(9)[1] + windows.rollout_steps == windows.num_frames - 1
    for index in (-1, 10):
        with pytest.raises(IndexError):
            windows.locate(index)


def test_generated_windows_are_numbered_behind_the_real_ones(tmp_path: Path) -> None:
    """Two real simulations of 7 - 2 = 5 windows, three generated of 4 - 2 = 2."""
    windows = Windows.of(small(tmp_path), [4, 9])
    made = np.zeros((3, 4, 16, 8, 2))
    every = [(index, start) for index in (0, 1) for start in range(5)]
    generated = [(2 + index, start) for index in range(3) for start in range(2)]
    expected = {
        "real_only": every,
        "generated_only": generated,
        "both": every + generated,
    }
    for access, located in expected.items():
        chosen = windows.augmented(made, access)
        assert len(chosen) == len(located)
        assert [chosen.locate(i) for i in range(len(chosen))] == located
        with pytest.raises(IndexError):
            chosen.locate(len(chosen))
        order = sample_order(0, 1, len(chosen))
        is_generated, index, start = chosen.locate_all(order)
        assert [
            (int(i) + 2 * bool(g), int(s))
            for g, i, s in zip(is_generated, index, start, strict=True)
        ] == [located[i] for i in order]
    assert windows.augmented(None, "both") == windows


def test_generated_trajectories_that_do_not_fit(tmp_path: Path) -> None:
    windows = Windows.of(small(tmp_path), [0, 1])
    with pytest.raises(SceneError, match="simulation 0 has 2 frames.*needs 3"):
        windows.augmented(np.zeros((1, 2, 16, 8, 2)), "both")
    for shape in ((1, 5, 8, 16, 2), (1, 5, 16, 8, 3), (1, 2, 5, 16, 8)):
        message = re.escape(f"are {shape} (simulation,")
        with pytest.raises(SceneError, match=rf"{message}.*expected .*, 16, 8, 2\)"):
            windows.augmented(np.zeros(shape), "both")
    with pytest.raises(SettingsError, match="got none"):
        windows.augmented(np.zeros((0, 5, 16, 8, 2)), "both")
    with pytest.raises(ValueError, match="`access` is 'all'"):
        windows.augmented(np.zeros((1, 5, 16, 8, 2)), "all")
    with pytest.raises(SettingsError, match="needs a simulation; got none"):
        Windows.of(small(tmp_path), [])


def test_indices_are_checked(tmp_path: Path) -> None:
    windows = Windows.of(small(tmp_path), [0, 1])
    assert windows.checked([3, 9]).tolist() == [3, 9]
    for wrong in ([10], [0, -1], []):
        with pytest.raises(IndexError, match="windows .* of 10"):
            windows.checked(wrong)


def test_order_is_a_permutation_that_depends_on_seed_and_epoch() -> None:
    order = sample_order(3, 5, 101)
    assert sorted(order) == list(range(101))
    np.testing.assert_array_equal(order, np.random.default_rng([3, 5]).permutation(101))
    assert list(order) != list(sample_order(3, 6, 101))
    assert list(order) != list(sample_order(4, 5, 101))
