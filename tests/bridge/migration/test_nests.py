"""Leaves in nests: taken apart by their paths, put back, loaded from a checkpoint."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from bridge import Function, Leaf, Side
from bridge.harness import HarnessError
from bridge.migration.nests import flat, taken_apart
from tests.bridge.migration.nets import pair, quiet, worst


class Layer(NamedTuple):
    w: Any
    b: Any


def nest(array: Any) -> Any:
    return {"layers": [Layer(array((3, 4)), array((4,)))], "rate": 2.0}


def apply(leaves: Any, x: Any) -> Any:
    layer = leaves["layers"][0]
    return leaves["rate"] * (x @ layer.w + layer.b)


def unbiased(leaves: Any, x: Any) -> Any:
    return leaves["rate"] * (x @ leaves["layers"][0].w)


class Control(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * self.layer(x)


KINDS: dict[str, Any] = {"numpy": np.ones, "torch": torch.ones}
RENAME = {"layer.weight": Leaf("layers.0.w", (1, 0)), "layer.bias": "layers.0.b"}


def rows(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.standard_normal((size, 3)), rng.standard_normal((size, 4))


def beside(kind: str, function: Any = apply) -> Any:
    side = Side(lambda: Function(function, nest(KINDS[kind])), rename=RENAME)
    return pair(Control, side, batch=rows, optimiser=None, loss=None)


def test_paths_name_arrays_and_what_is_none_stays() -> None:
    arrays, rebuild = taken_apart(nest(np.ones))

    assert list(arrays) == ["layers.0.w", "layers.0.b"]
    again = rebuild({"layers.0.w": 1, "layers.0.b": 2})
    assert again == {"layers": [Layer(1, 2)], "rate": 2.0}


def test_two_leaves_of_one_name_are_refused() -> None:
    with pytest.raises(HarnessError, match=r"two leaves are called `a\.b`"):
        flat(Function(apply, {"a": {"b": np.ones(1)}, "a.b": np.ones(1)}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_nest_is_judged(kind: str) -> None:
    assert worst(beside(kind).verify(report=quiet)) == ("", "", "")
    hint = worst(beside(kind, unbiased).verify(report=quiet))[2]
    assert hint == "`layer.bias` isn't used: it is 0"


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_is_loaded_into_a_nest(kind: str, tmp_path: Path) -> None:
    migration, control = beside(kind), Control()
    other = Function(apply, nest(KINDS[kind]))

    migration.save(tmp_path / "a", control, "control")
    migration.load(tmp_path / "a", other, "candidate")

    weight = np.asarray(other.leaves["layers"][0].w)
    np.testing.assert_array_equal(weight, control.layer.weight.detach().numpy().T)
    assert other.leaves["rate"] == 2.0
