"""Masks of windows, noise, and gaps in initial states."""

from pathlib import Path

import numpy as np
import pytest

from experiment.data import Windows, nearest_cells, observation_plan, with_noise
from experiment.settings import observed_cells
from tests.helpers import small

FRAMES = (
    "data.observations.time.kind=frames",
    "data.observations.time.frames=[0,1,4,5,6]",
)
LEFT = (
    "data.observations.space.kind=box",
    "data.observations.space.box={x: [0.0, 4.0]}",
)


def test_complete_data_have_no_masks_however_it_is_said(tmp_path: Path) -> None:
    for overrides in (
        (),
        ("data.observations.time={kind: every, every: 1}",),
        ("data.observations.time={kind: endpoints, fraction: 0.6}",),
        ("data.observations.space={kind: centre, fraction: 1.0}",),
        ("data.observations.space={kind: random, number: 128, seed: 0}",),
    ):
        settings = small(tmp_path, *overrides)
        assert observation_plan(settings) is None
        windows = Windows.of(settings, [0, 1])
        assert windows.starts is None and windows.observed(np.arange(3)) is None


def test_windows_are_numbered_without_those_that_see_nothing(tmp_path: Path) -> None:
    windows = Windows.of(small(tmp_path, *FRAMES), [4, 9])
    # Starts 0 (sees 1), 1 (sees neither 2 nor 3) and 4 (sees 5 and 6).
    assert windows.starts == (0, 4) and len(windows) == 4
    located = [(0, 0), (0, 4), (1, 0), (1, 4)]
    assert [windows.locate(i) for i in range(4)] == located
    _, trajectory, start = windows.locate_all(np.arange(4))
    assert [*zip(trajectory, start, strict=True)] == located


def test_masks_follow_the_windows_and_generated_ones_are_complete(
    tmp_path: Path,
) -> None:
    settings = small(tmp_path, *FRAMES, *LEFT)
    longer = np.zeros((1, 9, 16, 8, 2))
    windows = Windows.of(settings, [4, 9]).augmented(longer, "both")
    assert len(windows) == 4 + 7
    seen = windows.observed(np.array([10, 1, 0, 4]))
    assert seen is not None
    assert seen.generated.tolist() == [True, False, False, True]
    steps = [[True, True], [True, True], [True, False], [True, True]]
    assert seen.steps.tolist() == steps
    cells = seen.cells_of_each()
    assert cells.shape == (4, 16, 8) and cells[[0, 3]].all()
    for real in (1, 2):
        np.testing.assert_array_equal(cells[real], observed_cells(settings))
    part = seen[1:3]
    assert part.steps.tolist() == steps[1:3] and not part.cells_of_each().all()


def test_noise_has_the_size_that_was_asked_for(tmp_path: Path) -> None:
    """Relative to the field's root mean square, within four standard errors."""
    settings = small(tmp_path, "data.observations.noise=0.2")
    clean = 3.0 * np.random.default_rng(0).standard_normal((7, 16, 8, 2))
    noise = (with_noise(settings, 2, clean) - clean).ravel()
    size = 0.2 * np.sqrt(np.mean(clean**2))
    assert abs(noise.std() / size - 1) < 4 / np.sqrt(2 * noise.size)
    assert abs(noise.mean()) < 4 * size / np.sqrt(noise.size)


def test_noise_is_of_its_seed_and_simulation_alone(tmp_path: Path) -> None:
    clean = np.random.default_rng(0).standard_normal((7, 16, 8, 2)).astype(np.float32)
    before = clean.copy()

    def noisy(seed: int, simulation: int) -> np.ndarray:
        keys = "data.observations.noise=0.1", f"data.observations.noise_seed={seed}"
        return with_noise(small(tmp_path, *keys), simulation, clean)

    assert noisy(0, 1).dtype == np.float32
    np.testing.assert_array_equal(noisy(0, 1), noisy(0, 1))
    np.testing.assert_array_equal(clean, before)
    assert (noisy(0, 1) != noisy(1, 1)).mean() > 0.99
    assert (noisy(0, 1) != noisy(0, 2)).mean() > 0.99
    assert with_noise(small(tmp_path), 1, clean) is clean
    # Another memory order changes no bit.
    moved = np.moveaxis(np.ascontiguousarray(np.moveaxis(clean, -1, 0)), 0, -1)
    settings = small(tmp_path, "data.observations.noise=0.1")
    np.testing.assert_array_equal(with_noise(settings, 1, moved), noisy(0, 1))


def test_static_fields_have_no_noise(tmp_path: Path) -> None:
    settings = small(tmp_path, "data.observations.noise=0.1", experiment="advection")
    clean = np.random.default_rng(0).standard_normal((7, 16, 8, 3))
    same = (with_noise(settings, 0, clean) == clean).all((0, 1, 2))
    fields = settings.data.fields
    moving = [f in settings.data.fields_scheme.dynamic for f in fields]
    expected = [
        not move
        for name, move in zip(fields, moving, strict=True)
        for _ in settings.model.physical.fields[name] or ("",)
    ]
    assert same.tolist() == expected


@pytest.mark.parametrize("space", [LEFT, ("data.observations.space.kind=random",)])
def test_gaps_are_filled_from_the_nearest_cell_of_the_periodic_domain(
    tmp_path: Path, space: tuple[str, ...]
) -> None:
    points = ("data.observations.space.number=9", "data.observations.space.seed=1")
    settings = small(
        tmp_path,
        *space,
        *(() if space is LEFT else points),
        "data.observations.initial=nearest",
        "model.physical.domain={x: 8.0, y: 2.0}",
    )
    nearest, cells = nearest_cells(settings), observed_cells(settings)
    assert nearest is not None and cells.flat[nearest].all()
    x, y = (np.ravel(settings.model.physical.positions[axis]) for axis in "xy")

    def distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Over all images of the second in the domains around."""
        images = [
            np.hypot(x[first] - x[second] + 8 * i, y[first] - y[second] + 2 * j)
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
        ]
        return np.min(images, 0)

    every = np.arange(cells.size)
    least = np.min(
        [distance(every, np.full_like(every, s)) for s in every[cells.flat]], 0
    )
    np.testing.assert_allclose(distance(every, nearest), least, atol=1e-12)
    np.testing.assert_array_equal(nearest[cells.flat], every[cells.flat])


def test_nothing_is_filled_where_everything_is_known(tmp_path: Path) -> None:
    assert nearest_cells(small(tmp_path, "data.observations.initial=nearest")) is None
    assert nearest_cells(small(tmp_path, *LEFT)) is None
