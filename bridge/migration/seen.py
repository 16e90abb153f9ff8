"""Arrays that a side gave, and what both sides start from."""

import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bridge.migration.sides import Symmetry

SEED = 0


#: Buffers that are averages of what was seen, and may have any value.
_RUNNING = ("running_mean", "running_var")


@dataclass(frozen=True)
class Seen:
    """An array that a side gave, and how a symmetry is undone in it."""

    value: np.ndarray
    kind: Literal["batch", "leaf", "number"] = "number"
    leaf: str = ""


def best(precisions: Sequence[str]) -> str:
    """float64 if it is among them."""
    return "float64" if "float64" in precisions else precisions[0]


def undone(seen: Mapping[str, Seen], view: Symmetry | None) -> dict[str, np.ndarray]:
    """What was seen under a symmetry, as it would have been without."""
    if view is None:
        return {n: s.value for n, s in seen.items()}
    result = {}
    for name, one in seen.items():
        if one.kind == "batch":
            result[name] = view.outputs([one.value])[0]
        elif one.kind == "leaf":
            result[name] = view.undo_leaves(one.leaf, one.value)
        else:
            result[name] = one.value
    return result


def seed() -> None:
    """Seeds every generator that a side may draw from."""
    random.seed(SEED)
    np.random.seed(SEED)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(SEED)


def varied(
    leaves: Mapping[str, np.ndarray], trained: set[str], change: bool
) -> dict[str, np.ndarray]:
    """The control's own weights; those with one value in all places get several.

    Biases of 0 and scales of 1 would hide a bias that is lost and a scale that is not
    applied. Buffers that aren't averages keep their value, as it may be a meaning.
    """
    result = {}
    generator = np.random.default_rng(SEED)
    for name, value in leaves.items():
        free = name in trained or name.endswith(_RUNNING)
        if change and free and value.dtype.kind in "fc" and value.size:
            constant = bool((value == value.flat[0]).all())
            noise = generator.uniform(0.5, 1.5, value.shape)
            if constant and value.flat[0] != 0:
                value = value * noise
            elif constant:
                value = value + 0.2 * (noise - 1)
        result[name] = value
    return result
