"""Windows and the order of samples."""

import numpy as np
import pytest

from experiment.data import Windows, sample_order


def test_windows_of_a_simulation() -> None:
    """`num_windows = num_frames - rollout_steps`: 7 - 2 = 5 each."""
    windows = Windows([4, 9], num_frames=7, rollout_steps=2)
    assert len(windows) == 10
    assert [windows.locate(i) for i in (0, 4, 5, 9)] == [(4, 0), (4, 4), (9, 0), (9, 4)]
    # The last window ends with the last frame.
    assert windows.locate(9)[1] + windows.rollout_steps == windows.num_frames - 1
    for index in (-1, 10):
        with pytest.raises(IndexError):
            windows.locate(index)


def test_order_is_a_permutation_that_depends_on_seed_and_epoch() -> None:
    order = sample_order(3, 5, 101)
    assert sorted(order) == list(range(101))
    np.testing.assert_array_equal(order, np.random.default_rng([3, 5]).permutation(101))
    assert list(order) != list(sample_order(3, 6, 101))
    assert list(order) != list(sample_order(4, 5, 101))
