"""The task `export`: what xarray reads is what is stored, bitwise."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

from experiment.data import export_data, open_scene
from experiment.settings import Settings
from experiment.system import Progress, SceneError, SettingsError, UserError
from tests.helpers import run_program, small
from tests.physics_cases import simulate


def exporting(path: Path, experiment: str, *overrides: str) -> Settings:
    own = (f"data.export={path}/out/data.nc", *overrides)
    return small(path, *own, experiment=experiment)


def exported(settings: Settings) -> xarray.Dataset:
    with xarray.open_dataset(export_data(settings, Progress())) as dataset:
        return dataset.load()


@pytest.mark.parametrize("precision", ("float32", "float64"))
def test_a_vector_field_is_what_is_stored(tmp_path: Path, precision: str) -> None:
    kind = f"data.precision={precision}"
    simulate(tmp_path, "burgers", kind)
    settings = exporting(tmp_path, "burgers", kind)
    dataset = exported(settings)
    velocity = dataset["velocity"]
    assert velocity.dims == ("simulation", "time", "x", "y", "vector")
    assert velocity.dtype == precision
    for number in range(4):
        expected = np.stack([*open_scene(settings, number).frames()])
        actual = velocity.sel(simulation=number).values
        np.testing.assert_array_equal(actual, expected)
    assert dataset["vector"].values.tolist() == ["x", "y"]
    np.testing.assert_array_equal(dataset["time"], 0.2 * np.arange(7))
    np.testing.assert_array_equal(dataset["x"], 0.25 + 0.5 * np.arange(16))
    units = {n: dataset[n].attrs.get("units") for n in ("velocity", "x", "time")}
    assert units == {"velocity": "m/s", "x": "m", "time": "s"}
    true = dataset["true_viscosity"]
    assert true.dims == ("x", "y") and true.attrs["units"] == "m2/s"
    found = settings.model.physical.true_parameter("viscosity")
    np.testing.assert_array_equal(true, found)


def test_a_field_that_never_changes_has_no_time(tmp_path: Path) -> None:
    simulate(tmp_path, "advection")
    settings = exporting(tmp_path, "advection")
    dataset = exported(settings)
    assert dataset["density"].dims == ("simulation", "time", "x", "y")
    assert dataset["velocity"].dims == ("simulation", "x", "y", "vector")
    assert dataset["density"].attrs["units"] == "kg/m2"
    for number in range(4):
        scene = open_scene(settings, number)
        velocity = dataset["velocity"].sel(simulation=number).values
        np.testing.assert_array_equal(velocity, scene.read("velocity", 0))
        density = dataset["density"].sel(simulation=number, time=0.6, method="nearest")
        np.testing.assert_array_equal(density, scene.read("density", 3)[..., 0])
    assert dataset["true_velocity_factor"].shape == ()


def test_it_says_what_it_was_made_from(burgers_folder: Path) -> None:
    settings = exporting(burgers_folder, "burgers")
    facts: dict[str, Any] = exported(settings).attrs
    assert facts["program"] == "hyco-migration"
    assert json.loads(facts["settings"])["model"]["physical"]["dt"] == 0.2
    assert facts["source"] == "simulated"
    assert "numpy" in json.loads(facts["versions"])
    # Its own file is replaced.
    assert export_data(settings, Progress()).exists()
    assert [f.name for f in (burgers_folder / "out").iterdir()] == ["data.nc"]


@pytest.mark.parametrize("content", ("text", "netcdf", "folder"))
def test_what_another_program_made_is_kept(burgers_folder: Path, content: str) -> None:
    settings = exporting(burgers_folder, "burgers")
    target = burgers_folder / "out" / "data.nc"
    target.parent.mkdir()
    if content == "folder":
        target.mkdir()
    elif content == "netcdf":
        xarray.Dataset({"a": ("x", [1.0])}).to_netcdf(target, engine="h5netcdf")
    else:
        target.write_text("mine")
    before = target.read_bytes() if target.is_file() else None
    with pytest.raises(UserError, match="nothing says that this program made it"):
        export_data(settings, Progress())
    assert before is None or target.read_bytes() == before
    assert [*target.parent.iterdir()] == [target]


def test_it_is_written_whole_or_not_at_all(burgers_folder: Path) -> None:
    """A Scene that is torn leaves the older export as it was, and nothing beside it."""
    settings = exporting(burgers_folder, "burgers")
    target = export_data(settings, Progress())
    before = target.read_bytes()
    file = open_scene(settings, 3).frame_file("velocity", 6)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(SceneError, match="is torn"):
        export_data(settings, Progress())
    assert target.read_bytes() == before
    assert [*target.parent.iterdir()] == [target]


def test_the_path_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="`data.export` is null; expected the path"):
        small(tmp_path, "general.tasks=[export]")


def test_the_task_from_the_command_line(burgers_folder: Path) -> None:
    path = burgers_folder / "mine.nc"
    done = run_program(burgers_folder, "general.tasks=[export]", f"data.export={path}")
    assert done.returncode == 0, done.stderr
    assert "exported 4 simulations" in " ".join(done.stdout.split())
    with xarray.open_dataset(path) as dataset:
        assert dict(dataset.sizes)["simulation"] == 4
