"""Which leaf is which: by name, shape, order and the values of a probe."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bridge import Function, Leaf, Side
from bridge.harness import HarnessError
from tests.bridge.migration.nets import adam, pair, quiet, worst


class Plain(nn.Module):
    """Layers of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.last = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.second(torch.relu(self.first(x)))))


class Other(nn.Module):
    """The same with other names, in another order; weights are `(in, out)`."""

    def __init__(self) -> None:
        super().__init__()
        for name, size in (("z", (3, 2)), ("y", (3, 3)), ("x", (3, 3))):
            self.register_parameter(f"{name}m", nn.Parameter(torch.randn(size)))
            self.register_parameter(f"{name}c", nn.Parameter(torch.randn(size[1])))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        get = self.get_parameter
        x = torch.relu(x @ get("xm") + get("xc"))
        x = torch.tanh(x @ get("ym") + get("yc"))
        return x @ get("zm") + get("zc")


RIGHT = {
    "first.weight": Leaf("xm", (1, 0)),
    "first.bias": Leaf("xc"),
    "second.weight": Leaf("ym", (1, 0)),
    "second.bias": Leaf("yc"),
    "last.weight": Leaf("zm", (1, 0)),
    "last.bias": Leaf("zc"),
}


def rows(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.standard_normal((size, 3)), rng.standard_normal((size, 2))


def test_a_probe_tells_square_leaves_of_one_shape_apart(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"

    found = pair(Plain, Other, batch=rows).suggest_mapping(path)

    assert found == RIGHT
    assert "a forward with these agrees" in path.read_text()
    proof = pair(Plain, Side(Other, rename=str(path)), batch=rows).verify(report=quiet)
    assert worst(proof) == ("", "", "")


def test_the_mapping_carries_the_optimiser_s_moments(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    pair(Plain, Other, batch=rows).suggest_mapping(path)
    migration = pair(Plain, Side(Other, rename=path), batch=rows)
    one, other = Plain(), Other()
    optimisers = [adam(m.parameters()) for m in (one, other)]
    for model, optimiser in zip((one, other), optimisers, strict=True):
        model(torch.randn(4, 3)).square().mean().backward()
        optimiser.step()

    migration.save(tmp_path / "a", one, "control", optimisers[0])
    migration.load(tmp_path / "a", other, "candidate", optimisers[1])

    for name, leaf in RIGHT.items():
        mine, theirs = one.get_parameter(name), other.get_parameter(leaf.name)
        for kind in ("exp_avg", "exp_avg_sq"):
            value = optimisers[0].state[mine][kind]
            turned = value.T if leaf.axes else value
            assert torch.equal(optimisers[1].state[theirs][kind], turned)


def test_kernels_whose_axes_are_reversed() -> None:
    class Convolution(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x)

    class Kernel(nn.Module):
        """`(x, y, in, out)`, as other libraries have it."""

        def __init__(self) -> None:
            super().__init__()
            self.kernel = nn.Parameter(torch.randn(3, 3, 2, 2))
            self.b = nn.Parameter(torch.randn(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            weight = self.kernel.permute(3, 2, 0, 1)
            return nn.functional.conv2d(x, weight, self.b, padding=1)

    found = pair(Convolution, Kernel).suggest_mapping()

    assert found["layer.weight"] == Leaf("kernel", (2, 3, 1, 0))


def test_merged_axes_are_split() -> None:
    class Heads(nn.Module):
        """A projection `(out, in)` whose outputs are 2 heads of 2."""

        def __init__(self) -> None:
            super().__init__()
            self.proj = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.proj(x)

    class Split(nn.Module):
        """`(in, head, size)`, as other libraries have it."""

        def __init__(self) -> None:
            super().__init__()
            self.kernel = nn.Parameter(torch.randn(3, 2, 2))
            self.b = nn.Parameter(torch.randn(2, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (torch.einsum("bi,ihs->bhs", x, self.kernel) + self.b).flatten(1)

    def batch(rng: np.random.Generator, size: int) -> Any:
        return rng.standard_normal((size, 3)), rng.standard_normal((size, 4))

    found = pair(Heads, Split, batch=batch).suggest_mapping()

    assert found["proj.weight"] == Leaf("kernel", (1, 0), (3, 2, 2))
    assert found["proj.bias"] == Leaf("b", (), (2, 2))


def test_what_is_left_over_is_listed(tmp_path: Path) -> None:
    class More(Other):
        def __init__(self) -> None:
            super().__init__()
            self.extra = nn.Parameter(torch.randn(7))

    class Most(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.only_here = nn.Linear(5, 5)

    path = tmp_path / "map.yaml"
    found = pair(Most, More, batch=rows).suggest_mapping(path)

    assert found == RIGHT
    text = path.read_text()
    assert "# the control's, not mapped: only_here.weight (5, 5)" in text
    assert "# the control's, not mapped: only_here.bias (5,)" in text
    assert "# the candidate's, not mapped: extra (7,)" in text


def test_a_wrong_network_is_said_to_be_off(tmp_path: Path) -> None:
    class Wrong(Other):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + x[:, :2]

    path = tmp_path / "map.yaml"
    pair(Plain, Wrong, batch=rows).suggest_mapping(path)

    assert " off, after " in path.read_text()
    assert "or the two compute something else" in path.read_text()


def test_a_side_without_names_is_mapped_by_values() -> None:
    def apply(leaves: Any, x: np.ndarray) -> np.ndarray:
        x = np.maximum(x @ leaves["0"] + leaves["1"], 0)
        x = np.tanh(x @ leaves["2"] + leaves["3"])
        return x @ leaves["4"] + leaves["5"]

    def build() -> Function:
        rng = np.random.default_rng(0)
        sizes = ((3, 3), (3,), (3, 3), (3,), (3, 2), (2,))
        leaves = {str(n): rng.standard_normal(s) for n, s in enumerate(sizes)}
        return Function(apply, leaves)

    found = pair(Plain, build, batch=rows, optimiser=None).suggest_mapping()

    assert [leaf.name for leaf in found.values()] == list("012345")
    assert [leaf.axes for leaf in found.values()] == [(1, 0), ()] * 3


def test_two_changes_at_once_where_one_makes_it_worse() -> None:
    class Mixed(Other):
        """The first square weight is `(out, in)`, the second `(in, out)`."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            get = self.get_parameter
            x = torch.relu(x @ get("xm").T + get("yc"))
            x = torch.tanh(x @ get("ym") + get("xc"))
            return x @ get("zm") + get("zc")

    found = pair(Plain, Mixed, batch=rows).suggest_mapping()

    assert found["first.weight"] == Leaf("xm")
    assert found["second.weight"] == Leaf("ym", (1, 0))
    assert (found["first.bias"].name, found["second.bias"].name) == ("yc", "xc")


def test_a_side_that_cannot_be_built_is_named() -> None:
    def broken() -> nn.Module:
        raise ValueError("no such file")

    with pytest.raises(HarnessError, match="`build` of the candidate raised"):
        pair(Plain, broken, batch=rows).suggest_mapping()
