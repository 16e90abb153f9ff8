"""A checkpoint of one side is loaded by the other, moments and counts included."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bridge import Leaf, Side
from bridge.harness import HarnessError
from tests.bridge.migration.nets import adam, pair


class Turned(nn.Module):
    """A linear layer whose weight is `(in, out)`, with one number beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(3, 2))
        self.shift = nn.Parameter(torch.randn(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.matrix + self.shift


class Plain(nn.Module):
    """The same with torch's order of axes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 3))
        self.bias = nn.Parameter(torch.randn(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight.T + self.bias


RENAME = {"weight": Leaf("matrix", (1, 0)), "bias": "shift"}


def trained(model: nn.Module) -> Any:
    """An optimiser that has taken a step."""
    optimiser = adam(model.parameters())
    model(torch.randn(4, 3)).square().mean().backward()
    optimiser.step()
    return optimiser


def test_either_side_loads_the_other_ones_checkpoint(tmp_path: Path) -> None:
    migration = pair(Plain, Side(Turned, rename=RENAME))
    one, other, back = Plain(), Turned(), Plain()
    first, second, third = trained(one), trained(other), trained(back)

    migration.save(tmp_path / "a", one, "control", first)
    migration.load(tmp_path / "a", other, "candidate", second)
    migration.save(tmp_path / "b", other, "candidate", second)
    migration.load(tmp_path / "b", back, "control", third)

    assert torch.equal(other.matrix, one.weight.T)
    moment = second.state[other.matrix]["exp_avg"]
    assert torch.equal(moment, first.state[one.weight]["exp_avg"].T)
    for name, parameter in one.named_parameters():
        twin = dict(back.named_parameters())[name]
        assert torch.equal(twin, parameter)
        for kind, value in first.state[parameter].items():
            assert third.state[twin][kind].shape == value.shape
            assert torch.equal(third.state[twin][kind], value)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    migration = pair(Plain, Side(Turned, rename=RENAME))
    migration.save(tmp_path / "a", Plain(), "control")
    file = tmp_path / "a" / "00000.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"x")

    with pytest.raises(HarnessError, match="its hash differs"):
        migration.load(tmp_path / "a", Plain(), "control")
