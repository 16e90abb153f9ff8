"""A side that changes what it is given is named, whatever its numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bridge.harness import Finding, Rung, Verdict, exact, run_ladder
from bridge.harness.inputs import CHANGED, checksums, unchanged
from tests.bridge.harness import toy


def changing(sides: toy.Sides) -> list[Finding]:
    """Equal on both sides, as the control gets what the candidate left."""
    sides.numbers *= 2
    return [exact("sum", sides.control(), sides.control())]


def test_a_side_that_changes_its_input_fails_although_all_is_equal() -> None:
    ladder = replace(toy.LADDER, rungs=(Rung("S1", "sums", changing),))
    result = run_ladder(ladder, 11)
    (rung,) = result.rungs
    assert rung.verdict is Verdict.FAILED and rung.worst is not None
    assert rung.worst.hint == CHANGED and rung.worst.where == "inputs: numbers"


class Held:
    """A case with arrays of every kind."""

    def __init__(self) -> None:
        self.array = np.arange(3.0)
        self.table = {"leaf": np.ones(2), "deep": {"half": torch.ones(2).bfloat16()}}
        self.tensor = torch.arange(6.0).reshape(2, 3)
        self.word = "no array"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("array", lambda held: held.array.__setitem__(0, np.nan)),
        ("table/leaf", lambda held: held.table["leaf"].__setitem__(1, -1.0)),
        ("table/deep/half", lambda held: held.table["deep"]["half"].mul_(2)),
        ("tensor", lambda held: held.tensor.view(-1).__setitem__(5, 4.0)),
        ("tensor", lambda held: setattr(held, "tensor", held.tensor.T)),
        ("array", lambda held: delattr(held, "array")),
    ],
)
def test_every_array_is_watched(name: str, change: object) -> None:
    held = Held()
    before = checksums(held)
    assert {*before} == {"array", "table/leaf", "table/deep/half", "tensor"}
    assert unchanged(held, before).verdict is Verdict.PASSED
    assert callable(change)
    change(held)
    assert unchanged(held, before).where == f"inputs: {name}"
