"""Data of others: checked, described, copied, and the source is never changed."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from experiment.data import generate, import_data, open_scene, read_trajectory
from experiment.system import Progress, SceneError, SettingsError
from legacy.physics import SceneSimulator
from tests.experiment.data.test_foreign import contents
from tests.helpers import small

#: (simulation, time, x, y, vector) on the 16 x 8 cells of `small`, 8 frames.
#: Overrides for a single simulation.
ONE = (
    "data.num_simulations=1",
    "trainer.train_sim=[0]",
    "trainer.val_sim=[]",
    "evaluation.test_sim=[0]",
)
VELOCITY = np.random.default_rng(0).standard_normal((4, 8, 16, 8, 2))
FRAMES = VELOCITY.astype(np.float32)


def scenes(source: Path, velocity: np.ndarray, name: str = "velocity") -> Path:
    """Written by PhiFlow itself, with properties of somebody's own."""
    from phi.field import CenteredGrid, Scene
    from phiml import math
    from phiml.math import channel, extrapolation, spatial

    for trajectory in velocity:
        scene = Scene.create(str(source), copy_calling_script=False)
        scene.put_properties({"dt": 0.2, "solver": "mine"})
        for frame, values in enumerate(trajectory):
            tensor = math.tensor(values, spatial("x,y"), channel(vector="x,y"))
            grid = CenteredGrid(tensor, extrapolation.PERIODIC, box())
            scene.write({name: grid}, frame=frame)
    return source


def box() -> Any:
    """8 m by 4 m."""
    from phi.geom import Box

    sizes: Any = {"x": 8, "y": 4}
    return Box(**sizes)


def array_file(source: Path, velocity: np.ndarray, name: str = "velocity") -> Path:
    arrays: Any = {name: velocity}
    np.savez(source.with_suffix(".npz"), **arrays)
    return source.with_suffix(".npz")


def array_folder(source: Path, velocity: np.ndarray, name: str = "velocity") -> Path:
    source.mkdir()
    np.save(source / f"{name}.npy", velocity)
    return source


def well(source: Path, velocity: np.ndarray, name: str = "velocity") -> Path:
    """Two files of half the simulations each, in the layout of The Well."""
    source.mkdir()
    for number, part in enumerate(np.array_split(velocity, 2)):
        with h5py.File(source / f"part_{number}.hdf5", "w") as file:
            file.attrs["n_trajectories"] = len(part)
            file.attrs["grid_type"] = "cartesian"
            places = file.create_group("dimensions")
            places.attrs["spatial_dims"] = ["x", "y"]
            places["time"] = np.arange(part.shape[1], dtype=np.float32) * 0.2
            for axis, n in enumerate(part.shape[2:-1]):
                places["xy"[axis]] = (np.arange(n, dtype=np.float32) + 0.5) / 2
            kinds = file.create_group("boundary_conditions").create_group("x_periodic")
            kinds.attrs["bc_type"] = "PERIODIC"
            file.create_group("t0_fields").attrs["field_names"] = []
            fields = file.create_group("t1_fields")
            fields[name] = part.astype(np.float32)
            fields[name].attrs["sample_varying"] = True
            fields[name].attrs["time_varying"] = True
            fields[name].attrs["dim_varying"] = [True, True]
    return source


MAKERS = (scenes, array_file, array_folder, well)
Maker = Callable[..., Path]


def imported(path: Path, source: Path, *overrides: str, **options: Any) -> int:
    settings = small(
        path, "general.tasks=[import]", f"data.source={source}", *overrides, **options
    )
    return import_data(settings, Progress())


@pytest.mark.parametrize("make", MAKERS)
def test_every_layout_gives_the_same_scenes(tmp_path: Path, make: Maker) -> None:
    source = make(tmp_path / "theirs", VELOCITY)
    before = contents(tmp_path)
    assert imported(tmp_path, source) == 4
    settings = small(tmp_path)
    for simulation in range(4):
        found = read_trajectory(settings, simulation)
        np.testing.assert_array_equal(found, FRAMES[simulation, :7])
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before
    described = json.loads((tmp_path / "data/sim_000001/description.json").read_text())
    assert described["imported"] is True and described["frames"] == 7
    assert described["source"]["path"] == str(source)
    assert len(described["source"]["fingerprint"]) == 64
    assert described["grid"]["resolution"] == {"x": 16, "y": 8}
    # Nothing is known of the PDE that made them.
    assert "pde" not in described and "viscosity" not in json.dumps(described)


def test_phiflow_reads_what_was_imported(tmp_path: Path) -> None:
    from phi.field import Scene

    imported(tmp_path, array_file(tmp_path / "theirs", VELOCITY))
    scene = Scene.at(str(tmp_path / "data" / "sim_000002"))
    field: Any = scene.read("velocity", frame=3)
    np.testing.assert_array_equal(field.values.numpy("x,y,vector"), FRAMES[2, 3])
    assert field.values.shape["vector"].item_names == (("x", "y"),)
    assert field.bounds.size.numpy().tolist() == [8, 4]


def test_a_second_import_changes_nothing_and_another_needs_overwrite(
    tmp_path: Path,
) -> None:
    source = array_file(tmp_path / "theirs", VELOCITY)
    assert imported(tmp_path, source) == 4
    before = contents(tmp_path / "data")
    assert imported(tmp_path, source) == 0
    array_file(tmp_path / "theirs", 2 * VELOCITY)
    with pytest.raises(SceneError, match=r"holds something else:\n.*fingerprint"):
        imported(tmp_path, source)
    assert contents(tmp_path / "data") == before
    assert imported(tmp_path, source, "data.overwrite=true") == 4
    found = read_trajectory(small(tmp_path), 0)
    np.testing.assert_array_equal(found, 2 * FRAMES[0, :7])


def test_imported_data_are_used_and_never_simulated_over(tmp_path: Path) -> None:
    """Their PDE is unknown, so any parameters may be assumed; the grid may not."""
    imported(tmp_path, array_file(tmp_path / "theirs", VELOCITY))
    before = contents(tmp_path / "data")

    def generated(*overrides: str) -> int:
        settings = small(tmp_path, "data.overwrite=true", *overrides)
        return generate(settings, SceneSimulator(settings), Progress())

    assert generated("model.physical.pde_params.viscosity=0.3", "data.seed=4") == 0
    with pytest.raises(SceneError, match=r"grid\.dt: stored 0\.2, wanted 0\.1"):
        generated("model.physical.dt=0.1")
    with pytest.raises(SceneError, match=r"sim_000004` would be simulated beside"):
        generated("data.num_simulations=5")
    assert contents(tmp_path / "data") == before
    shorter = small(tmp_path, "data.trajectory_length=5")
    assert read_trajectory(shorter, 0).shape == (5, 16, 8, 2)
    with pytest.raises(SceneError, match="imported with other settings"):
        open_scene(small(tmp_path, "data.trajectory_length=8"), 0)


def test_an_import_never_touches_a_foreign_folder(tmp_path: Path) -> None:
    source = array_file(tmp_path / "theirs", VELOCITY)
    scene = tmp_path / "data" / "sim_000002"
    scene.mkdir(parents=True)
    (scene / "notes.txt").write_text("mine")
    with pytest.raises(SceneError, match="is kept as it is"):
        imported(tmp_path, source, "data.overwrite=true")
    assert contents(tmp_path / "data") == {"sim_000002/notes.txt": b"mine"}


def test_a_field_may_be_called_something_else(tmp_path: Path) -> None:
    source = well(tmp_path / "theirs", VELOCITY, "u")
    with pytest.raises(SceneError, match=r"no field `velocity`: allowed: u.*source_n"):
        imported(tmp_path, source)
    assert imported(tmp_path, source, "data.source_names={velocity: u}") == 4
    with pytest.raises(SettingsError, match="`data.source_names` has `velocty`"):
        imported(tmp_path, source, "data.source_names={velocty: u}")


def test_what_the_source_does_not_say_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        imported(tmp_path / "1", array_file(tmp_path / "theirs", VELOCITY))
        (arrays,) = caplog.messages
        caplog.clear()
        source = well(tmp_path / "well", VELOCITY)
        sims = ("data.num_simulations=3", "evaluation.test_sim=[2]")
        imported(tmp_path / "2", source, *sims)
        units, more = caplog.messages
    for what in ("units", "model.physical.dt` = 0.2", "{x: 8, y: 4}", "periodic"):
        assert what in arrays
    assert "units" in units and "dt" not in units and "periodic" not in units
    assert "holds 4 simulations; the first 3" in more


def test_walls_are_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = well(tmp_path / "theirs", VELOCITY)
    with h5py.File(source / "part_0.hdf5", "a") as file:
        file["boundary_conditions/x_periodic"].attrs["bc_type"] = "WALL"
    with caplog.at_level(logging.WARNING):
        imported(tmp_path, source)
    assert "has the boundaries wall" in caplog.text


def test_constant_fields_in_any_layout(tmp_path: Path) -> None:
    """Advection's velocity: without a time in The Well, repeated in NumPy."""
    density, velocity = VELOCITY[..., 0], VELOCITY[:, 0]
    source = well(tmp_path / "well", density[..., None])
    for number in range(2):
        with h5py.File(source / f"part_{number}.hdf5", "a") as file:
            part = slice(2 * number, 2 * number + 2)
            del file["t1_fields/velocity"]
            file["t0_fields/density"] = density[part]
            file["t1_fields/velocity"] = velocity[part, :, 0, :]
            attributes = file["t1_fields/velocity"].attrs
            attributes["time_varying"] = False
            attributes["dim_varying"] = [True, False]
    assert imported(tmp_path, source, experiment="advection") == 4
    scene = open_scene(small(tmp_path, experiment="advection"), 3)
    expected = np.repeat(velocity[3, :, :1], 8, 1).astype(np.float32)
    np.testing.assert_array_equal(scene.read("velocity", 5), expected)
    np.testing.assert_array_equal(
        scene.read("density", 5)[..., 0], density[3, 5].astype(np.float32)
    )
    assert not (tmp_path / "data/sim_000003/velocity_000001.npz").exists()
    repeated = np.repeat(velocity[:, None], 8, 1)
    np.savez(tmp_path / "still.npz", density=density, velocity=repeated)
    other = tmp_path / "other"
    assert imported(other, tmp_path / "still.npz", experiment="advection") == 4
    np.savez(tmp_path / "moving.npz", density=density, velocity=VELOCITY)
    with pytest.raises(SceneError, match="changes in time; in advection `velocity`"):
        imported(tmp_path / "x", tmp_path / "moving.npz", experiment="advection")


def spoilt(place: tuple[int, ...], value: float) -> np.ndarray:
    values = VELOCITY.copy()
    values[place] = value
    return values


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (spoilt((3, 2, 4, 5, 1), np.nan), "simulation 3 .* first at frame 2, cell .4"),
        (spoilt((0, 0, 0, 0, 0), np.inf), "holds NaN or infinity, first at frame 0"),
        (VELOCITY[:, :6], r"6 frames; `data.trajectory_length` is 7.*at most 6"),
        (VELOCITY[:3], r"holds 3 simulations .*`data.num_simulations=3`"),
    ],
)
def test_bad_values_leave_nothing_behind(
    tmp_path: Path, make: Maker, values: np.ndarray, message: str
) -> None:
    source = make(tmp_path / "theirs", values)
    with pytest.raises(SceneError, match=message):
        imported(tmp_path, source)
    assert not (tmp_path / "data").exists() or not [*(tmp_path / "data").iterdir()]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (VELOCITY[:, :, :12], r"the shape \(12, 8, 2\); expected \(16, 8, 2\)"),
        (VELOCITY[..., :1], r"the shape \(16, 8, 1\); .*components x, y"),
        (VELOCITY.astype(complex), "is of type complex128; expected real numbers"),
        (VELOCITY[0, 0, 0], r"has the shape \(8, 2\); expected \(simulation, time"),
        (1e300 * VELOCITY, "holds values that float32 can't"),
        (np.array([None] * 4), "can't be read: .*Python objects"),
    ],
)
def test_arrays_of_other_shapes_and_types(
    tmp_path: Path, values: np.ndarray, message: str
) -> None:
    with pytest.raises(SceneError, match=message):
        imported(tmp_path, array_file(tmp_path / "theirs", values))


@pytest.mark.parametrize("make", (scenes, well))
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.physical.dt=0.1", r"are 0\.2 apart; `model\.physical\.dt` is 0\.1"),
        ("model.physical.domain.x=9.0", r"is 8 long in x; .*domain\.x` is 9"),
    ],
)
def test_another_box_or_time_than_the_source_says(
    tmp_path: Path, make: Maker, override: str, message: str
) -> None:
    with pytest.raises(SceneError, match=message):
        imported(tmp_path, make(tmp_path / "theirs", VELOCITY), override)


def test_scenes_with_a_gap_or_torn_or_staggered_are_named(tmp_path: Path) -> None:
    from phi.field import Scene, StaggeredGrid
    from phiml.math import extrapolation

    source = scenes(tmp_path / "theirs", VELOCITY)
    file = source / "sim_000001" / "velocity_000003.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[:-30])
    with pytest.raises(SceneError, match=r"velocity_000003\.npz` is"):
        imported(tmp_path, source)
    file.unlink()
    with pytest.raises(SceneError, match="the frames 2 and 4 of `velocity` with other"):
        imported(tmp_path, source)
    staggered = tmp_path / "staggered"
    scene = Scene.create(str(staggered), copy_calling_script=False)
    grid = StaggeredGrid(0, extrapolation.PERIODIC, x=16, y=8, bounds=box())
    scene.write({"velocity": grid}, frame=0)
    with pytest.raises(SceneError, match="is a StaggeredGrid; .*at_centers"):
        imported(tmp_path, staggered, *ONE)


def test_a_file_that_is_not_of_the_well_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["tensor"] = VELOCITY
    with pytest.raises(SceneError, match="isn't in the layout of The Well.*tensor"):
        imported(tmp_path, tmp_path / "other.hdf5")
    source = well(tmp_path / "theirs", VELOCITY)
    with h5py.File(source / "part_0.hdf5", "a") as file:
        times: Any = file["dimensions/time"]
        times[3] = 0.61
    with pytest.raises(SceneError, match=r"`dimensions/time` .*expected equal ones"):
        imported(tmp_path, source)


def test_unknown_layouts_and_paths(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="doesn't exist"):
        imported(tmp_path, tmp_path / "nowhere")
    (tmp_path / "theirs").mkdir()
    with pytest.raises(SceneError, match=r"no layout .*it is empty.*The Well"):
        imported(tmp_path, tmp_path / "theirs")
    (tmp_path / "theirs" / "run.mat").write_text("")
    with pytest.raises(SceneError, match=r"no layout .*run\.mat.*The Well"):
        imported(tmp_path, tmp_path / "theirs")
    with pytest.raises(SceneError, match="lie in each other"):
        imported(tmp_path, tmp_path)
    with pytest.raises(SettingsError, match="`data.source` is null"):
        small(tmp_path, "general.tasks=[import]")
    with pytest.raises(SettingsError, match="don't mix"):
        small(tmp_path, "general.tasks=[import,generate]", "data.source=x")
