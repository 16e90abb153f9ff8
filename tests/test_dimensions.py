"""Burgers' equation in one and three dimensions: its advection, and whole runs."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phi.field import CenteredGrid
from phi.geom import Box
from phiml import math
from phiml.math import batch, channel, extrapolation, spatial

from legacy.physics import stencils as control
from phiml_port.physics import stencils as candidate
from phiml_port.physics.model import physics_backend
from tests.helpers import ROOT, SMALL, SMALL_UNET, folders, relative_error, run_program
from tests.physics_cases import DOUBLE

#: The same as `SMALL`, without its own grid.
SHORT = [
    o
    for o in SMALL
    # Nor with epochs, which mode `hybrid` doesn't read.
    if not o.startswith(("model.physical", "trainer.synthetic.epochs"))
]
HYBRID = (
    "general.mode=hybrid",
    "trainer.hybrid.warm_up_epochs=1",
    "trainer.hybrid.epochs=1",
    "trainer.hybrid.cycles=1",
    "trainer.physical.iterations=5",
)
CELLS, LENGTH, DT = 11, 4.0, 0.7


def by_numpy(values: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """The value at x - u dt on a periodic line, interpolated linearly."""
    edge = LENGTH / CELLS
    places = (np.arange(CELLS) + 0.5) * edge
    every = (np.arange(-1, CELLS + 1) + 0.5) * edge
    moved = [
        np.interp((places - u * DT) % LENGTH, every, np.pad(v, 1, mode="wrap"))
        for v, u in zip(values, velocity, strict=True)
    ]
    return np.stack(moved)


def by_control(values: Any, velocity: Any) -> Any:
    sizes: Any = {"x": LENGTH}

    def grid(tensor: Any) -> Any:
        return CenteredGrid(tensor, extrapolation.PERIODIC, bounds=Box(**sizes))

    return control.semi_lagrangian(grid(values), grid(velocity), DT).values


def by_candidate(values: Any, velocity: Any) -> Any:
    return candidate.semi_lagrangian(values, velocity, DT, {"x": LENGTH / CELLS})


@pytest.mark.parametrize(
    ("advect", "backend"),
    [(by_control, "torch"), (by_candidate, "torch"), (by_candidate, "jax")],
)
def test_advection_along_a_line(advect: Any, backend: str) -> None:
    """Several simulations, over more than the domain, of a scalar and of a vector."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal((3, CELLS))
    velocity = 4 * generator.standard_normal((3, CELLS))
    expected = by_numpy(values, velocity)
    dims = batch("batch"), spatial("x")
    with physics_backend(backend), math.precision(64):
        carrying = math.tensor(velocity[..., None], *dims, channel(vector="x"))
        scalar = advect(math.tensor(values, *dims), carrying)
        assert scalar.shape.names == ("batch", "x")
        found = scalar.numpy("batch,x")
        vector = math.tensor(values[..., None], *dims, channel(vector="x"))
        vectors = advect(vector, carrying).numpy("batch,x,vector")
    assert relative_error(found, expected) < 1e-13
    assert relative_error(vectors[..., 0], expected) < 1e-13


def parameters_of(folder: Path) -> dict[str, str]:
    """The one row of `parameters.csv`."""
    rows = (folder / "evaluation" / "parameters.csv").read_text().splitlines()
    (row,) = csv.DictReader(rows)
    return row


def learned(folder: Path) -> None:
    """The physical model's loss fell."""
    rows = (folder / "physical_metrics.csv").read_text().splitlines()
    (row,) = csv.DictReader(rows)
    assert float(row["loss"]) < float(row["loss_before"])


@pytest.mark.slow
def test_one_dimension_runs_end_to_end_on_both_sides(tmp_path: Path) -> None:
    """Simulations, training and evaluation, with the same result; drawn too."""
    errors = {}
    for preset in ("legacy", "full"):
        path = tmp_path / preset
        done = subprocess.run(
            [
                *(sys.executable, "run.py", "--config-name=burgers_1d.yaml"),
                *(*SHORT, *SMALL_UNET, *folders(path), *HYBRID, DOUBLE),
                *("model.physical.resolution.x=32", f"migration={preset}"),
                "data.precision=float64",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        folder = path / "runs" / "latest"
        learned(folder)
        names = {p.name for p in (folder / "evaluation").iterdir()}
        assert {
            *("nrmse.png", "energy.png", "spectra.png", "losses.png"),
            *("rollout_velocity_x_physical.png", "parameter_viscosity.png"),
        } <= names
        assert not any(name.endswith(".gif") for name in names)
        errors[preset] = float(parameters_of(folder)["error_after"])
    assert errors["full"] == pytest.approx(errors["legacy"], rel=1e-6)


SIDES = {
    "legacy": ("migration=legacy",),
    "phiml on torch": ("migration=full",),
    "phiml on jax": ("migration=full", "migration.phiml_backend=jax"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "sides",
    [
        ("legacy", "phiml on torch"),
        pytest.param(("legacy", "phiml on jax"), marks=pytest.mark.long),
    ],
    ids=" and ".join,
)
def test_three_dimensions_run_end_to_end(
    tmp_path: Path, sides: tuple[str, ...]
) -> None:
    """Simulations, training and evaluation, with the same result; drawn too."""
    errors = {}
    for name in sides:
        path = tmp_path / name.replace(" ", "_")
        done = run_program(
            *(path, "--config-name=burgers_3d.yaml", *SIDES[name], *HYBRID, DOUBLE),
            *("model.physical.domain.z=2.0", "model.physical.resolution.z=4"),
            *("data.trajectory_length=6", "data.precision=float64"),
        )
        assert done.returncode == 0, done.stderr
        folder = path / "runs" / "latest"
        learned(folder)
        names = {p.name for p in (folder / "evaluation").iterdir()}
        assert {
            *("nrmse.png", "losses.png", "curves.csv", "parameters.csv"),
            *("rollout_velocity_z_physical.png", "parameter_viscosity.png"),
        } <= names
        assert not any(name.endswith(".gif") for name in names)
        errors[name] = float(parameters_of(folder)["error_after"])
    for error in errors.values():
        assert error == pytest.approx(errors["legacy"], rel=1e-6)
