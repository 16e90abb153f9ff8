"""Writes Scenes without PhiFlow, such that PhiFlow reads them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiment.settings import Settings
from experiment.system import write_whole


def write_frame(
    scene: Path, field: str, frame: int, values: np.ndarray, settings: Settings
) -> None:
    """Writes one frame of a field as PhiFlow's `CenteredGrid` on a periodic box.

    Args:
        scene: The Scene's folder.
        field: The field's name.
        frame: Number of the frame.
        values: `(x, y, ..., vector)`, without the last axis for a scalar.
        settings: The settings of the run.
    """
    physical = settings.model.physical
    axes, components = physical.axes, physical.fields[field]
    channels = ("vector",) if components else ()
    labels = np.empty(len(axes) + len(channels), dtype=object)
    if components:
        labels[-1] = components
    np.savez_compressed(
        scene / f"{field}_{frame:06d}.npz",
        data=values,
        dim_names=np.array((*axes, *channels)),
        dim_types=np.array(["spatial"] * len(axes) + ["channel"] * len(channels)),
        dim_item_names=labels,
        field_type=np.array("CenteredGrid"),
        lower=np.zeros(len(axes)),
        upper=np.array([physical.domain[axis] for axis in axes]),
        bounds_item_names=np.array(axes),
        extrapolation=np.array({"type": "periodic"}, dtype=object),
    )


def write_description(scene: Path, description: Mapping[str, Any]) -> None:
    """Writes what a Scene was made from."""
    write_whole(scene / "description.json", json.dumps(description, indent=2) + "\n")
