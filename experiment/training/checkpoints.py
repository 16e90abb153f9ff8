"""Checkpoints in one neutral format that either side reads and writes.

A checkpoint is one safetensors file: weights under canonical names, optimiser moments
and step counts, random states; and in its header, as JSON, how far training has come,
the settings, the versions and the switch values. It is written whole or not at all.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiment.settings import Settings, differences, to_dict
from experiment.system import (
    CheckpointError,
    SettingsError,
    TornFile,
    load_arrays,
    save_arrays,
)
from experiment.training.state import TrainingState

LAST = "last.safetensors"
BEST = "best.safetensors"
PHYSICAL_LAST = "physical-last.safetensors"
PHYSICAL_BEST = "physical-best.safetensors"
#: The state that the cycle under way began with (`trainer.hybrid.keep_best`).
KEPT = "before-cycle.safetensors"
PHYSICAL_KEPT = "physical-before-cycle.safetensors"
SYNTHETIC, PHYSICAL = "synthetic", "physical"
_MEANING_OF_WEIGHTS = (
    "model.synthetic.",
    "data.fields",
    "data.fields_scheme.",
    "model.physical.name",
)


@dataclass(frozen=True)
class Checkpoint:
    """A trainer's whole state, in NumPy arrays and plain values.

    Attributes:
        weights: Parameters and buffers by canonical name.
        optimiser: For each parameter, `exp_avg`, `exp_avg_sq` and `step` (int64).
        random: States of random generators by name (uint8).
        state: How far training has come.
        settings: The settings of the run, as nested dicts.
        versions: Versions of the libraries that wrote it.
        kind: `synthetic` or `physical`: whose weights or parameters it holds.
    """

    weights: Mapping[str, np.ndarray]
    optimiser: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    random: Mapping[str, np.ndarray] = field(default_factory=dict)
    state: TrainingState = field(default_factory=TrainingState)
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    kind: str = SYNTHETIC


def checkpoint_folder(settings: Settings) -> Path:
    """Where the checkpoints of a run are.

    Raises:
        SettingsError: `general.checkpoint_dir` is null, which the run itself replaces
            by a folder of its own.
    """
    folder = settings.general.checkpoint_dir
    if folder is None:
        raise SettingsError(
            "`general.checkpoint_dir` is null, and no run has given it a folder;"
            " expected a path."
        )
    return Path(folder)


def checkpoint_path(settings: Settings, kind: str, which: str) -> Path:
    """Where the `last`, the `best` or the `kept` checkpoint of a model is."""
    files = {
        (SYNTHETIC, "last"): LAST,
        (SYNTHETIC, "best"): BEST,
        (SYNTHETIC, "kept"): KEPT,
        (PHYSICAL, "last"): PHYSICAL_LAST,
        (PHYSICAL, "best"): PHYSICAL_BEST,
        (PHYSICAL, "kept"): PHYSICAL_KEPT,
    }
    return checkpoint_folder(settings) / files[kind, which]


def checkpoints_of(folder: Path, kind: str) -> list[Path]:
    """Every checkpoint of a model in a folder."""
    every = sorted(folder.glob("*.safetensors"))
    physical = [file for file in every if file.name.startswith("physical-")]
    return physical if kind == PHYSICAL else [f for f in every if f not in physical]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint, whole or not at all."""
    arrays = {f"weights/{name}": a for name, a in checkpoint.weights.items()}
    for leaf, moments in checkpoint.optimiser.items():
        arrays |= {f"optimiser/{leaf}/{name}": a for name, a in moments.items()}
    arrays |= {f"random/{name}": a for name, a in checkpoint.random.items()}
    facts = {
        "kind": checkpoint.kind,
        "state": dataclasses.asdict(checkpoint.state),
        "settings": checkpoint.settings,
        "switches": checkpoint.settings.get("migration", {}),
        "versions": checkpoint.versions,
    }
    save_arrays(path, arrays, facts)


def load_checkpoint(path: Path, kind: str = SYNTHETIC) -> Checkpoint:
    """Reads a checkpoint.

    Args:
        path: Where it is.
        kind: The model that it must be of, `synthetic` or `physical`.

    Raises:
        CheckpointError: The file is missing, torn, no checkpoint, or of the other
            model.
    """
    try:
        content = load_arrays(path)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"there is no checkpoint `{path}`. Run the task `train` first, or set"
            " `general.checkpoint_dir` to where the checkpoints are."
        ) from error
    except TornFile as error:
        raise CheckpointError(
            f"{error} Take another checkpoint of that folder"
            " (`evaluation.checkpoint=best`, or one in `earlier/`), or train again."
        ) from error
    try:
        stored = dict(content.facts["state"])
        history = tuple(stored.pop("history"))
        state = TrainingState(**stored, history=history)
        settings, versions = content.facts["settings"], content.facts["versions"]
        found = content.facts["kind"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"`{path}` is no checkpoint of this program ({error!r})."
        ) from error
    if found != kind:
        raise CheckpointError(
            f"`{path}` is of the {found} model; expected one of the {kind} model. Give"
            f" the checkpoint that a training with `general.mode={kind}` or `hybrid`"
            " wrote."
        )
    weights: dict[str, np.ndarray] = {}
    optimiser: dict[str, dict[str, np.ndarray]] = {}
    random: dict[str, np.ndarray] = {}
    for name, array in content.arrays.items():
        group, leaf = name.split("/", 1)
        if group == "weights":
            weights[leaf] = array
        elif group == "random":
            random[leaf] = array
        else:
            leaf, moment = leaf.rsplit("/", 1)
            optimiser.setdefault(leaf, {})[moment] = array
    return Checkpoint(weights, optimiser, random, state, settings, versions, found)


def load_for_model(
    path: Path, settings: Settings, leaves: Mapping[str, np.ndarray]
) -> Checkpoint:
    """Reads a checkpoint whose weights are to fill `leaves`.

    Args:
        path: The checkpoint.
        settings: The settings of this run.
        leaves: The model's own weights by canonical name (for shapes and dtypes).

    Raises:
        CheckpointError: It can't be read; or is of another architecture (names the
            first leaf that differs); or its weights mean other channels.
    """
    checkpoint = load_checkpoint(path)
    unequal = [
        row
        for row in differences(checkpoint.settings, to_dict(settings))
        if row[0].startswith(_MEANING_OF_WEIGHTS)
    ]
    problem = first_leaf_that_differs(leaves, checkpoint.weights)
    if problem:
        raise CheckpointError(
            f"`{path}` is of another architecture: {problem}{table_of(unequal)}"
        )
    if unequal:
        raise CheckpointError(
            f"the weights of `{path}` were trained for something else:"
            f"{table_of(unequal)}\nGive the settings that it was trained with."
        )
    return checkpoint


def first_leaf_not_finite(checkpoint: Checkpoint) -> str | None:
    """The first leaf with NaN or infinity, in words; None if there is none."""
    for name, array in checkpoint.weights.items():
        if not np.isfinite(array).all():
            return f"leaf `{name}` {_not_finite(array)}"
    for name, moments in checkpoint.optimiser.items():
        for kind, array in moments.items():
            if not np.isfinite(array).all():
                return f"`{kind}` of leaf `{name}` {_not_finite(array)}"
    return None


def _not_finite(array: np.ndarray) -> str:
    bad = np.count_nonzero(~np.isfinite(array))
    return f"{_leaf(array)} has {bad} of {array.size} values NaN or infinite"


def first_leaf_that_differs(
    expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]
) -> str | None:
    """The first leaf whose name, shape or dtype differs, in words; None if none.

    Canonical names sort by place in the network, so the first is where to look.
    """
    for name in sorted({*expected, *found}):
        if name not in found:
            return f"leaf `{name}` {_leaf(expected[name])} is missing in the file."
        if name not in expected:
            return f"leaf `{name}` {_leaf(found[name])} is not in this model."
        if expected[name].shape != found[name].shape:
            return (
                f"leaf `{name}` has the shape {found[name].shape}; this model has"
                f" {expected[name].shape}."
            )
        if expected[name].dtype != found[name].dtype:
            return (
                f"leaf `{name}` is {found[name].dtype}; this model has"
                f" {expected[name].dtype} (`general.precision`)."
            )
    return None


def _leaf(array: np.ndarray) -> str:
    return f"{array.shape} {array.dtype}"


def table_of(unequal: list[tuple[str, Any, Any]]) -> str:
    """Settings that differ, as lines; nothing where none does."""
    if not unequal:
        return ""
    rows = [
        (key, json.dumps(stored), json.dumps(wanted)) for key, stored, wanted in unequal
    ]
    rows.insert(0, ("setting", "checkpoint", "this run"))
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    lines = [f"  {r[0]:<{widths[0]}}  {r[1]:<{widths[1]}}  {r[2]}" for r in rows]
    return "\n" + "\n".join(lines)
