"""Masks from settings, and every wrong one refused with one message."""

from pathlib import Path

import numpy as np
import pytest

from experiment.settings import (
    observed_cells,
    observed_frames,
    window_starts,
    without_observations,
)
from experiment.system import SettingsError
from tests.helpers import small

TIME, SPACE = "data.observations.time", "data.observations.space"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("kind=all",), range(7)),
        (("kind=endpoints", "fraction=0.1"), (0, 6)),
        (("kind=endpoints", "fraction=0.3"), (0, 1, 5, 6)),
        (("kind=every", "every=2"), (0, 2, 4, 6)),
        (("kind=frames", "frames=[5,0,3]"), (0, 3, 5)),
    ],
)
def test_observed_frames_of_seven(
    tmp_path: Path, overrides: tuple[str, ...], expected: range | tuple[int, ...]
) -> None:
    keys = [f"{TIME}.{o}" for o in overrides]
    settings = small(tmp_path, *keys, "trainer.rollout_steps=6")
    assert np.flatnonzero(observed_frames(settings)).tolist() == list(expected)


def test_ten_percent_of_41_frames_at_both_ends(tmp_path: Path) -> None:
    """Frames 0 to 3 and 37 to 40, as in the benchmark "time endpoints 10 %"."""
    settings = small(
        tmp_path,
        *("data.trajectory_length=41", "trainer.rollout_steps=4"),
        *(f"{TIME}.kind=endpoints", f"{TIME}.fraction=0.1"),
    )
    frames = observed_frames(settings)
    assert np.flatnonzero(frames).tolist() == [0, 1, 2, 3, 37, 38, 39, 40]
    # Window 3 sees frames 4 to 7; a window from 37 on doesn't fit any more.
    assert window_starts(settings, frames) == (0, 1, 2)


def test_windows_begin_at_observed_frames_and_see_one(tmp_path: Path) -> None:
    settings = small(tmp_path, f"{TIME}.kind=frames", f"{TIME}.frames=[0,1,4,6]")
    # From 0: 1; from 1: frames 2 and 3, neither observed; from 4: 6.
    assert window_starts(settings, observed_frames(settings)) == (0, 4)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        # Cells of 0.5 m; centres at 0.25, 0.75, ... m on 16 x 8 cells.
        (("kind=box", "box={x: [0.0, 4.0]}"), np.s_[:8, :]),
        (("kind=box", "box={x: [0.25, 0.8], y: [3.0, 4.0]}"), np.s_[:2, 6:]),
        (("kind=centre", "fraction=0.5"), np.s_[4:12, 2:6]),
        (("kind=centre", "fraction=1"), np.s_[:, :]),
    ],
)
def test_observed_cells(
    tmp_path: Path, overrides: tuple[str, ...], expected: tuple[slice, ...]
) -> None:
    settings = small(tmp_path, *(f"{SPACE}.{o}" for o in overrides))
    cells = np.zeros((16, 8), bool)
    cells[expected] = True
    np.testing.assert_array_equal(observed_cells(settings), cells)


def test_random_cells_are_different_and_of_the_seed_alone(tmp_path: Path) -> None:
    def cells(seed: int) -> np.ndarray:
        keys = f"{SPACE}.kind=random", f"{SPACE}.number=100", f"{SPACE}.seed={seed}"
        return observed_cells(small(tmp_path, *keys))

    assert cells(0).sum() == cells(1).sum() == 100
    np.testing.assert_array_equal(cells(0), cells(0))
    assert (cells(0) != cells(1)).any()


POINTS = np.array([[0.0, 0.0], [0.6, 3.9], [8.0, 4.0], [3.3, 2.2]])


def sensors(path: Path, name: str, content: str | np.ndarray) -> tuple[str, ...]:
    file = path / name
    if isinstance(content, str):
        file.write_text(content)
    else:
        np.save(file, content)
    return f"{SPACE}.kind=sensors", f"{SPACE}.file={file}"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("points.csv", "# x, y\n" + "\n".join(f"{x},{y}" for x, y in POINTS)),
        ("points.txt", "\n".join(f"{x} {y}" for x, y in POINTS) + "\n\n"),
        ("points.npy", POINTS),
    ],
)
def test_sensors_see_the_nearest_cell(
    tmp_path: Path, name: str, content: str | np.ndarray
) -> None:
    settings = small(tmp_path, *sensors(tmp_path, name, content))
    x, y = (settings.model.physical.positions[axis] for axis in "xy")
    expected = np.zeros((16, 8), bool)
    for point in POINTS:
        distance = np.hypot(np.asarray(x) - point[0], np.asarray(y) - point[1])
        expected.flat[distance.argmin()] = True
    assert expected.sum() == 4
    np.testing.assert_array_equal(observed_cells(settings), expected)


def test_without_observations_everything_is_seen(tmp_path: Path) -> None:
    settings = small(
        tmp_path,
        *(f"{TIME}.kind=every", f"{TIME}.every=2", f"{SPACE}.kind=centre"),
        *(f"{SPACE}.fraction=0.5", "data.observations.noise=0.1"),
        "data.observations.initial=nearest",
    )
    assert without_observations(settings) == small(tmp_path)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            (f"{TIME}.kind=frames", f"{TIME}.frames=[0,7,9]"),
            r"`data\.observations\.time\.frames` names frames \[7, 9\]; a simulation of"
            r" `data\.trajectory_length` = 7 has the frames 0 to 6\.",
        ),
        (
            (f"{TIME}.kind=every", f"{TIME}.every=7"),
            r"time\.every` is 7, so frame 0 alone .* 7 frames; expected at most 6\.",
        ),
        (
            (f"{TIME}.kind=every", f"{TIME}.every=3"),
            r"no window of `trainer\.rollout_steps` = 2 begins at an observed frame and"
            r" sees another \(3 of 7 frames .* 3 apart: set `trainer\.rollout_steps` to"
            r" 3 or more\.",
        ),
        (
            (
                *(f"{TIME}.kind=every", f"{TIME}.every=2", "general.mode=physical"),
                "trainer.physical.rollout_steps=1",
            ),
            r"no window of `trainer\.physical\.rollout_steps` = 1 begins .* 2 or more",
        ),
        (
            (f"{TIME}.kind=frames", f"{TIME}.frames=[3]"),
            r"\(1 of 7 frames are observed: .* observe more frames, or lower",
        ),
        ((f"{TIME}.kind=every",), r"`data\.observations\.time\.every` is null, which"),
        (
            (f"{TIME}.every=2",),
            r"time\.every` is 2, which kind = all doesn't read; set null, or"
            r" `data\.observations\.time\.kind=every`",
        ),
        ((f"{TIME}.kind=ends",), r"time\.kind` is \"ends\"; allowed: 'all', 'endpo"),
        (
            (f"{TIME}.kind=endpoints", f"{TIME}.fraction=0"),
            r"time\.fraction` is 0; expected greater than 0",
        ),
        ((f"{TIME}.kind=frames", f"{TIME}.frames=[]"), r"time\.frames` is \[\]"),
        (
            (f"{SPACE}.kind=box", f"{SPACE}.box={{x: [0.3, 0.4]}}"),
            r"`data\.observations\.space` sees no cell: no centre .* x 0\.5 m, y 0\.5",
        ),
        (
            (f"{SPACE}.kind=centre", f"{SPACE}.fraction=0.01"),
            r"space` sees no cell: .* inside 0\.01",
        ),
        (
            (f"{SPACE}.kind=box", f"{SPACE}.box={{x: [0.0, 9.0]}}"),
            r"space\.box\.x` is \[0, 9\]; expected two numbers in m that rise, from 0"
            r" to 8 \(`model\.physical\.domain\.x`\)",
        ),
        (
            (f"{SPACE}.kind=box", f"{SPACE}.box={{x: [3.0, 2.0]}}"),
            r"space\.box\.x` is \[3, 2\]; expected two numbers in m that rise",
        ),
        (
            (f"{SPACE}.kind=box", f"{SPACE}.box={{z: [0.0, 1.0]}}"),
            r"space\.box` has the axis z: allowed: x, y",
        ),
        ((f"{SPACE}.kind=box", f"{SPACE}.box={{x: [1.0]}}"), r"space\.box\.x` is \[1"),
        (
            (f"{SPACE}.kind=random", f"{SPACE}.number=129", f"{SPACE}.seed=0"),
            r"space\.number` is 129; the grid has 128 cells",
        ),
        ((f"{SPACE}.kind=random", f"{SPACE}.number=9"), r"space\.seed` is null, which"),
        (
            (f"{SPACE}.kind=sensors", f"{SPACE}.file=nowhere/points.csv"),
            r"space\.file`: can't read `nowhere/points\.csv`: No such file",
        ),
        (
            (f"{SPACE}.kind=sensors", f"{SPACE}.file=points.xls"),
            r"space\.file` is `points\.xls`; expected a file that ends with \.csv",
        ),
        (("data.observations.noise=-0.1",), r"observations\.noise` is -0\.1; expected"),
        (("data.observations.initial=guess",), r"observations\.initial` is \"guess\""),
    ],
)
def test_what_is_impossible_is_refused(
    tmp_path: Path, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        small(tmp_path, *overrides)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "1.0,2.0\n8.1,2.0\n", r"sensor 2 of `.*` is at \(8\.1, 2\), outside"),
        (
            "a.csv",
            "1.0,-0.1\n",
            r"sensor 1 of `.*` is at \(1, -0\.1\), outside the dom",
        ),
        ("a.csv", "1.0,nan\n", r"sensor 1 of `.*` is at \(1, nan\); expected finite"),
        ("a.npy", np.array([[1.0, np.inf]]), r"is at \(1, inf\); expected finite"),
        ("a.csv", "x,y\n1.0,2.0\n", r"`.*a\.csv` is no table of numbers \("),
        ("a.txt", "1.0 2.0\n3.0\n", r"`.*a\.txt` is no table of numbers \("),
        ("a.csv", "1.0,2.0,3.0\n", r"holds an array \(1, 3\); expected \(sensor, 2\)"),
        ("a.npy", np.zeros(4), r"holds an array \(4,\); expected \(sensor, 2\)"),
        ("a.npy", np.zeros((0, 2)), r"holds an array \(0, 2\); expected \(sensor, 2\)"),
        ("a.npy", "not numpy", r"`.*a\.npy` is no table of numbers \("),
        ("a.txt", "# nothing\n", r"`.*a\.txt` is empty; expected a point a row"),
    ],
)
def test_a_wrong_file_of_sensors_is_refused(
    tmp_path: Path, name: str, content: str | np.ndarray, message: str
) -> None:
    if name.endswith(".npy") and isinstance(content, str):
        (tmp_path / name).write_text(content)
        keys = (f"{SPACE}.kind=sensors", f"{SPACE}.file={tmp_path / name}")
    else:
        keys = sensors(tmp_path, name, content)
    with pytest.raises(SettingsError, match=message):
        small(tmp_path, *keys)


def test_too_many_cells_on_a_coarse_grid_are_refused(tmp_path: Path) -> None:
    """A mask that can't be drawn is said, and not looked at."""
    keys = (f"{SPACE}.kind=random", f"{SPACE}.number=100000", f"{SPACE}.seed=0")
    with pytest.raises(SettingsError, match=r"space\.number` is 100000"):
        small(tmp_path, *keys, "trainer.physical.coarsening=2")
