"""Which leaf is which: by name, shape, order and the values of a probe."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bridge import Function, Leaf, Side
from bridge.harness import HarnessError
from bridge.migration.guesses import first_guesses
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


def transformer(leaves: Any, x: np.ndarray) -> np.ndarray:
    """A layer of a transformer by hand, with the tanh form of GELU."""

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        x = x - x.mean(-1, keepdims=True)
        size = np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
        return x / size * leaves[f"{name}.w"] + leaves[f"{name}.b"]

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ leaves[f"{name}.w"] + leaves[f"{name}.b"]

    count, length, width = x.shape
    heads = linear(norm(x, "ln1"), "qkv").reshape(count, length, 3, 2, 3)
    q, k, v = heads.transpose(2, 0, 3, 1, 4)
    scores = np.exp(q @ k.swapaxes(-1, -2) / 3**0.5)
    mixed = scores / scores.sum(-1, keepdims=True) @ v
    x = x + linear(mixed.swapaxes(1, 2).reshape(count, length, width), "proj")
    h = linear(norm(x, "ln2"), "up")
    h = h / 2 * (1 + np.tanh(0.7978845608028654 * (h + 0.044715 * h**3)))
    return x + linear(h, "down")


def test_leaves_are_found_where_the_candidate_has_a_fault(tmp_path: Path) -> None:
    sizes = {"ln1": (6,), "qkv": (6, 18), "proj": (6, 6), "ln2": (6,)}
    sizes |= {"up": (6, 10), "down": (10, 6)}

    def control() -> nn.Module:
        return nn.TransformerEncoderLayer(
            *(6, 2, 10, 0.0, "gelu"), batch_first=True, norm_first=True
        )

    def by_hand() -> Function:
        rng = np.random.default_rng(0)
        leaves = {}
        for name, size in sizes.items():
            leaves[f"{name}.w"] = rng.standard_normal(size)
            leaves[f"{name}.b"] = rng.standard_normal(size[-1])
        return Function(transformer, leaves)

    def batch(rng: np.random.Generator, size: int) -> Any:
        return tuple(rng.standard_normal((size, 5, 6)) for _ in range(2))

    path = tmp_path / "map.yaml"
    found = pair(control, by_hand, batch=batch, optimiser=None).suggest_mapping(path)

    assert [leaf.name for leaf in found.values()] == [
        *("qkv.w", "qkv.b", "proj.w", "proj.b", "up.w", "up.b", "down.w", "down.b"),
        *("ln1.w", "ln1.b", "ln2.w", "ln2.b"),
    ]
    assert "the leaves are likely right" in path.read_text()
    side = Side(by_hand, rename=path)
    proof = pair(control, side, batch=batch, optimiser=None).verify(report=quiet)
    assert worst(proof)[2] == "gelu with tanh for gelu"


def test_layers_of_one_shape_are_paired_by_the_likeness_of_their_names() -> None:
    """Blocks of a mixer; JAX sorts the keys of its pytrees, which torch doesn't."""
    expected = {}
    for block in "01":
        at = f"blocks.{block}"
        for norm in "12":
            expected[f"{at}.norm{norm}.weight", (6,)] = (f"{at}.ln{norm}.scale", (6,))
            expected[f"{at}.norm{norm}.bias", (6,)] = (f"{at}.ln{norm}.bias", (6,))
        for name, own, size in (("tokens", "tok", 5), ("channels", "chan", 6)):
            for number, place, shape in (("0", "0", (7, size)), ("2", "1", (size, 7))):
                layer, twin = f"{at}.{name}.{number}", f"{at}.{own}.{place}"
                expected[f"{layer}.weight", shape] = (f"{twin}.w", shape[::-1])
                expected[f"{layer}.bias", shape[:1]] = (f"{twin}.b", shape[:1])
    theirs = {name: np.zeros(shape) for name, shape in expected}
    mine = {name: np.zeros(shape) for name, shape in sorted(expected.values())}

    found = next(first_guesses(theirs, mine))

    names = {n: leaf.name for n, leaf in found.items()}
    assert names == {n: own for (n, _), (own, _) in expected.items()}
