"""To a coarser grid and back: means, straight lines in cells, and what they keep."""

from pathlib import Path

import numpy as np
import pytest

from experiment.data import (
    CoarseGrid,
    Observed,
    cell_means,
    linear_in_cells,
    on_data_grid,
)
from experiment.settings import parameter_ranges, physics_equation, whole_blocks
from experiment.settings.memory import memory_needs
from experiment.system import SettingsError
from tests.helpers import small

KEY = "trainer.physical.coarsening"


@pytest.mark.parametrize("factor", (2, 3))
def test_means_keep_the_sum_over_all_cells_exactly(factor: int) -> None:
    """Of whole multiples of factor^2 every mean is a whole number, without rounding."""
    drawn = np.random.default_rng(0).integers(-99, 99, (4, 5, 6, 12, 2))
    values = drawn * float(factor**2)
    means = cell_means(values, factor, (2, 3))
    assert means.shape == (4, 5, 6 // factor, 12 // factor, 2)
    np.testing.assert_array_equal(
        means.sum((2, 3)) * factor**2, values.sum((2, 3)), strict=True
    )
    block = values[1, 2, :factor, factor : 2 * factor, 1]
    assert means[1, 2, 0, 1, 1] == block.mean()


@pytest.mark.parametrize("factor", (2, 3, 4))
@pytest.mark.parametrize("rank", (1, 2, 3))
def test_means_of_what_was_prolonged_are_what_it_was(factor: int, rank: int) -> None:
    sizes = (5, 2, 3)[:rank]
    coarse = np.random.default_rng(1).standard_normal((2, *sizes, 2))
    fine = linear_in_cells(coarse, factor, range(1, 1 + rank))
    assert fine.shape == (2, *(n * factor for n in sizes), 2)
    again = cell_means(fine, factor, range(1, 1 + rank))
    np.testing.assert_allclose(again, coarse, atol=1e-15 * np.abs(fine).max() * 8)
    assert (linear_in_cells(coarse.astype(np.float32), factor, [1])).dtype == np.float32


def test_a_straight_line_is_prolonged_exactly_where_it_doesnt_wrap() -> None:
    """Means of 3 + 2 x over cells are its values at their centres."""
    coarse = 3 + 2 * (np.arange(6) + 0.5)
    fine = linear_in_cells(coarse, 4, (0,))
    expected = 3 + 2 * (np.arange(24) + 0.5) / 4
    np.testing.assert_allclose(fine[4:-4], expected[4:-4], rtol=1e-15)


def test_prolongation_wraps_around() -> None:
    coarse = np.random.default_rng(2).standard_normal((6, 4))
    for axis in (0, 1):
        moved = linear_in_cells(np.roll(coarse, 1, axis), 3, (0, 1))
        expected = np.roll(linear_in_cells(coarse, 3, (0, 1)), 3, axis)
        np.testing.assert_array_equal(moved, expected)


def test_the_error_of_a_wave_falls_with_the_square_of_a_cell() -> None:
    errors = []
    for cells in (16, 32, 64):
        edges = 2 * np.pi * np.arange(2 * cells + 1) / (2 * cells)
        fine = -np.diff(np.cos(edges)) / np.diff(edges)
        error = linear_in_cells(cell_means(fine, 2, (0,)), 2, (0,)) - fine
        errors.append(np.abs(error).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 1.95).all(), orders


def test_of_a_trajectory_static_channels_stay_as_they_were(tmp_path: Path) -> None:
    settings = small(tmp_path, f"{KEY}=2", experiment="advection")
    grid = CoarseGrid.of(settings)
    states = np.random.default_rng(3).standard_normal((2, 16, 8, 3))
    start = grid.restrict(states)
    assert start.shape == (2, 8, 4, 3)
    fine = grid.prolong(np.stack([start, 2 * start], 1), states)
    assert fine.shape == (2, 2, 16, 8, 3)
    (density,) = grid.dynamic
    for channel in {0, 1, 2} - {density}:
        for frame in (0, 1):
            np.testing.assert_array_equal(
                fine[:, frame, ..., channel], states[..., channel]
            )
    again = grid.restrict(fine)[..., density]
    np.testing.assert_allclose(again[:, 1], 2 * start[..., density], rtol=1e-13)


def test_without_coarsening_nothing_is_touched(tmp_path: Path) -> None:
    grid = CoarseGrid.of(small(tmp_path))
    values = np.ones((2, 3, 16, 8, 2))
    assert grid.restrict(values) is values
    assert grid.prolong(values, values[:, 0]) is values


def test_a_coarse_cell_is_observed_if_all_its_cells_are(tmp_path: Path) -> None:
    cells = np.ones((16, 8), bool)
    cells[0, 0] = cells[5, 7] = False
    seen = Observed(np.ones((3, 2), bool), cells, np.zeros(3, bool))
    coarse = CoarseGrid.of(small(tmp_path, f"{KEY}=2")).observed(seen)
    assert coarse is not None
    expected = np.ones((8, 4), bool)
    expected[0, 0] = expected[2, 3] = False
    np.testing.assert_array_equal(coarse.cells, expected)
    np.testing.assert_array_equal(whole_blocks(cells, 2), expected)


def test_parameters_live_on_the_coarse_grid(tmp_path: Path) -> None:
    """Cells twice as large: the stability limit of explicit diffusion is four times."""
    fine, coarse = small(tmp_path), small(tmp_path, f"{KEY}=2")
    assert physics_equation(coarse).resolution == {"x": 8, "y": 4}
    assert physics_equation(coarse).domain == fine.model.physical.domain
    (before,), (after,) = (
        parameter_ranges(settings).values() for settings in (fine, coarse)
    )
    assert before.guess.shape == (16, 8) and after.guess.shape == (8, 4)
    assert after.upper == pytest.approx(4 * before.upper)


def test_a_step_keeps_a_quarter_of_the_cells_for_its_gradient(tmp_path: Path) -> None:
    """What is read of the data is counted on their own grid."""
    sizes = []
    for factor in (1, 2, 4):
        keys = ("general.mode=physical", f"{KEY}={factor}")
        needs = memory_needs(small(tmp_path, *keys))
        (physics,) = (n for n in needs if n.what == "training the physical model")
        sizes.append(physics.size)
    kept = np.diff(sizes)
    assert kept[0] == 4 * kept[1] < 0


def test_a_parameter_is_prolonged_within_its_bounds(tmp_path: Path) -> None:
    settings = small(tmp_path, f"{KEY}=2")
    (own,) = parameter_ranges(settings).values()
    # Beside a high cell a line through the low one's mean falls below zero.
    values = np.full((8, 4), 1e-6)
    values[3, 2] = 0.9 * own.upper
    assert linear_in_cells(values, 2, (0, 1)).min() < own.lower
    shown = on_data_grid(settings, own, values)
    assert shown.shape == (16, 8)
    assert shown.min() >= own.lower and shown.max() <= own.upper
    assert shown[:6].std() > 0
    np.testing.assert_allclose(cell_means(shown, 2, (0, 1)), values, rtol=1e-12)
    apart = on_data_grid(settings, own, values, linear=False)
    assert (apart[6:8, 4:6] == values[3, 2]).all()
    assert (apart == values[3, 2]).sum() == 4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            (f"{KEY}=3",),
            r"`trainer\.physical\.coarsening` is 3; expected a divisor .* x 16, y 8\)"
            r" that leaves two cells or more; allowed: 1, 2, 4\.",
        ),
        ((f"{KEY}=8",), r"coarsening` is 8; .* allowed: 1, 2, 4\."),
        ((f"{KEY}=0",), r"coarsening` is 0; expected"),
        ((f"{KEY}=1.5",), r"coarsening` is 1\.5"),
        (
            # The third column of coarse cells has its centre at 2.5 m.
            (f"{KEY}=2", "model.physical.pde_params.viscosity='0.01 / abs(x - 2.5)'"),
            r"on the coarser grid of `trainer\.physical\.coarsening` = 2:"
            r" `model\.physical\.pde_params\.viscosity`: .* is inf at cell \(2, 0\)",
        ),
        (
            (
                f"{KEY}=2",
                *("data.observations.space.kind=random", "data.observations.noise=0.1"),
                *("data.observations.space.number=9", "data.observations.space.seed=0"),
            ),
            r"coarsening` is 2 with `data\.observations\.space\.kind` = random: .* all"
            r" its 4 cells are, and none is \(9 of 128 cells",
        ),
    ],
)
def test_what_is_impossible_is_refused(
    tmp_path: Path, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        small(tmp_path, *overrides)
