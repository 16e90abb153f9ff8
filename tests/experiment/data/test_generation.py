"""Generating: once, honestly, and never half."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiment.data import generate, open_scene, stability_warnings
from experiment.system import Progress, SceneError
from legacy.physics import SceneSimulator
from tests.helpers import small


def generated(path: Path, *overrides: str, experiment: str = "burgers") -> int:
    settings = small(path, *overrides, experiment=experiment)
    return generate(settings, SceneSimulator(settings), Progress())


def test_scenes_hold_frames_and_what_they_were_made_from(simulated: Path) -> None:
    folders = sorted(p.name for p in (simulated / "data").iterdir())
    assert folders == [f"sim_{i:06d}" for i in range(4)]
    described = json.loads((simulated / "data/sim_000001/description.json").read_text())
    assert described["pde"]["name"] == "burgers"
    assert described["pde"]["dt"] == 0.2
    assert described["pde"]["domain"] == {"x": 8.0, "y": 4.0}
    assert described["pde"]["resolution"] == {"x": 16, "y": 8}
    assert described["seed"] == 0 and described["simulation"] == 1
    settings = small(simulated)
    scene = open_scene(settings, 1)
    first = settings.model.physical.initial_state(0, 1)["velocity"]
    np.testing.assert_array_equal(scene.read("velocity", 0), first.astype(np.float32))
    frames = [scene.read("velocity", t) for t in range(7)]
    assert all(f.shape == (16, 8, 2) for f in frames)
    assert all(
        not np.array_equal(a, b) for a, b in zip(frames, frames[1:], strict=False)
    )


def test_phiflow_reads_the_scenes(simulated: Path) -> None:
    """An independent reader: PhiFlow's own."""
    from phi.field import Scene

    scene = Scene.at(str(simulated / "data" / "sim_000000"))
    assert list(scene.frames) == list(range(7))
    field: Any = scene.read("velocity", frame=3)
    ours = open_scene(small(simulated), 0).read("velocity", 3)
    np.testing.assert_array_equal(field.values.numpy("x,y,vector"), ours)


def test_a_second_run_simulates_nothing(burgers_folder: Path) -> None:
    files = {p: p.stat().st_mtime_ns for p in burgers_folder.rglob("*.npz")}
    assert generated(burgers_folder) == 0
    assert generated(burgers_folder, "data.overwrite=true") == 0
    assert files == {p: p.stat().st_mtime_ns for p in burgers_folder.rglob("*.npz")}


def test_only_what_is_missing_is_simulated(burgers_folder: Path) -> None:
    shutil.rmtree(burgers_folder / "data" / "sim_000002")
    assert generated(burgers_folder) == 1
    assert generated(burgers_folder, "data.num_simulations=5") == 1


def test_changed_settings_need_overwrite(burgers_folder: Path) -> None:
    changed = "model.physical.dt=0.1"
    with pytest.raises(
        SceneError, match=r"pde\.dt: stored 0\.2, wanted 0\.1"
    ) as caught:
        generated(burgers_folder, changed)
    assert "data.overwrite=true" in str(caught.value)
    with pytest.raises(SceneError, match="made with other settings"):
        open_scene(small(burgers_folder, changed), 0)
    assert generated(burgers_folder, changed, "data.overwrite=true") == 4
    assert generated(burgers_folder, changed) == 0
    assert not list((burgers_folder / "data").glob(".*"))


@pytest.mark.parametrize(
    ("viscosity", "what"), [(1e25, "not finite any more"), (1e6, "diverging")]
)
def test_a_lost_trajectory_ends_the_generation_with_step_and_simulation(
    tmp_path: Path, viscosity: float, what: str
) -> None:
    override = f"model.physical.pde_params.viscosity={viscosity}"
    with pytest.raises(SceneError, match=rf"simulation 0 is {what} at step \d+"):
        generated(tmp_path, override)
    assert not list((tmp_path / "data").iterdir())


def test_unstable_settings_are_warned_about_with_numbers(tmp_path: Path) -> None:
    """nu dt / substeps (1/dx^2 + 1/dy^2) = nu * 0.2 / 5 * (4 + 4) = 0.32 nu."""
    assert stability_warnings(small(tmp_path)) == []
    at_limit = small(tmp_path, "model.physical.pde_params.viscosity=1.0")
    assert stability_warnings(at_limit) == []
    (warning,) = stability_warnings(
        small(tmp_path, "model.physical.pde_params.viscosity=2.0")
    )
    assert "reaches 0.64" in warning and "0.50" in warning
    (warning,) = stability_warnings(
        small(tmp_path, "model.physical.pde_params.initial_speed=10")
    )
    assert "Courant number" in warning


def test_constant_fields_are_stored_once_and_read_at_every_frame(
    tmp_path: Path,
) -> None:
    assert generated(tmp_path, experiment="advection") == 4
    names = sorted(p.name for p in (tmp_path / "data/sim_000000").glob("*.npz"))
    assert names.count("velocity_000000.npz") == 1
    assert len(names) == 7 + 1
    scene = open_scene(small(tmp_path, experiment="advection"), 0)
    np.testing.assert_array_equal(scene.read("velocity", 5), scene.read("velocity", 0))
    assert scene.read("density", 5).shape == (16, 8, 1)
