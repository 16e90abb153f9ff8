"""JAX pytrees beside torch and NumPy: equal ones pass, faults are found."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from bridge import Function, Leaf, Side
from bridge.harness import HarnessError
from bridge.migration.observing import gradients, looked, steps_of
from bridge.migration.pair import Pair
from tests.bridge.migration.nets import adam, pair, quiet, worst

RENAME = {
    "0.weight": Leaf("layers.0.w", (1, 0)),
    "0.bias": "layers.0.b",
    "2.weight": Leaf("layers.1.w", (1, 0)),
    "2.bias": "layers.1.b",
}


def control() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 4))


def parameters() -> dict[str, Any]:
    """The network's pytree, in float32 as JAX makes it."""
    keys = jax.random.split(jax.random.key(0))
    sizes = ((3, 5), (5, 4))
    return {
        "layers": [
            {"w": jax.random.normal(key, size), "b": jnp.zeros(size[1])}
            for key, size in zip(keys, sizes, strict=True)
        ]
    }


def network(tree: Any, x: Any, *, tanh: bool = False, biased: bool = True) -> Any:
    first, last = tree["layers"]
    hidden = jax.nn.gelu(x @ first["w"] + first["b"], approximate=tanh)
    # What a function makes itself has JAX's own type, 32 bits by default.
    shift = last["b"] if biased else jnp.zeros(4)
    return hidden @ last["w"] + shift


def built(**how: bool) -> Function:
    return Function(jax.jit(partial(network, **how)), parameters())


class AdamState(NamedTuple):
    count: Any
    mu: Any
    nu: Any


class Adam(NamedTuple):
    """Adam with the interface of Optax, on any pytree."""

    rate: float = 1e-3
    eps: float = 1e-8

    def init(self, leaves: Any) -> Any:
        zeros = jax.tree.map(jnp.zeros_like, leaves)
        return (AdamState(jnp.zeros([], jnp.int32), zeros, zeros),)

    def update(self, gradients: Any, state: Any, leaves: Any) -> Any:
        count = state[0].count + 1
        mu = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state[0].mu, gradients)
        nu = jax.tree.map(
            lambda v, g: 0.999 * v + 0.001 * g * g, state[0].nu, gradients
        )
        updates = jax.tree.map(
            lambda m, v: (
                -self.rate
                * (m / (1 - 0.9**count))
                / (jnp.sqrt(v / (1 - 0.999**count)) + self.eps)
            ),
            mu,
            nu,
        )
        return updates, (AdamState(count, mu, nu),)


def rows(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.standard_normal((size, 3)), rng.standard_normal((size, 4))


def mean_square(y: Any, t: Any) -> Any:
    return ((y - t) ** 2).mean()


def beside(candidate: Any = built, **fields: Any) -> Any:
    """The torch network beside one in JAX."""
    how = {"optimiser": lambda leaves: Adam(), "rename": RENAME}
    side = Side(candidate, **(how | fields.pop("side", {})))
    given: dict[str, Any] = {"batch": rows, "loss": mean_square}
    return pair(control, side, **(given | fields))


def test_a_pytree_network_passes_every_rung() -> None:
    proof = beside(precisions=("float64", "float32")).verify(report=quiet)

    assert worst(proof) == ("", "", "")
    assert proof.exit_code == 0
    rungs = [r.rung for r in proof.results[0].rungs]
    assert rungs == ["R1", "R2", "R3", "R4", "R5", "R6", "R9"]


def test_gradients_updates_moments_and_steps_of_every_leaf_are_compared() -> None:
    built_pair = Pair(beside(), "float64")
    built_pair.build()

    found = looked(gradients, built_pair, built_pair.candidate)
    found |= looked(steps_of(1), built_pair, built_pair.candidate)

    kinds = ("gradient", "update", "exp_avg", "exp_avg_sq", "step")
    for leaf in RENAME:
        for kind in kinds:
            when = "" if kind == "gradient" else " after 1 step"
            assert f"{kind} of {leaf}{when}" in found
    assert "gradient of input 0" in found


def test_a_precision_changes_nothing_of_jax_itself() -> None:
    beside().verify(["R3"], report=quiet)

    assert jnp.ones(1).dtype == jnp.float32


FAULTS: dict[str, Any] = {
    "gelu with tanh for gelu": {"tanh": True},
    "`2.bias` isn't used: it is 0": {"biased": False},
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_fault_of_the_network_has_a_name(name: str, precision: str) -> None:
    candidate = partial(built, **FAULTS[name])

    proof = beside(candidate, precisions=(precision,)).verify(report=quiet)

    assert (worst(proof)[0], worst(proof)[2]) == ("R3", name)


def test_a_gradient_that_is_cut_is_found_at_its_leaf() -> None:
    def cut(tree: Any, x: Any) -> Any:
        first, last = tree["layers"]
        return network({"layers": [jax.lax.stop_gradient(first), last]}, x)

    proof = beside(lambda: Function(cut, parameters())).verify(report=quiet)

    assert worst(proof)[0] == "R5"
    assert worst(proof)[1].startswith("gradient of 0.weight[")


def test_another_eps_of_adam_has_a_name() -> None:
    side = {"optimiser": lambda leaves: Adam(eps=1e-7)}

    proof = beside(side=side).verify(report=quiet)

    assert worst(proof)[0] == "R6"
    assert "Adam's eps 1e-07 for 1e-08" in worst(proof)[2]


def test_an_optimiser_of_torch_is_refused_with_what_to_give() -> None:
    proof = beside(side={"optimiser": None}).verify(report=quiet)

    assert proof.exit_code != 0
    assert worst(proof)[0] == "R6"
    assert "give `Side(optimiser=lambda leaves: ...)`" in worst(proof)[2]


def test_a_control_in_numpy() -> None:
    def apply(leaves: Any, x: np.ndarray) -> np.ndarray:
        return np.tanh(x @ leaves["w"] + leaves["b"])

    def numpy_side() -> Function:
        rng = np.random.default_rng(0)
        return Function(apply, {"w": rng.standard_normal((3, 4)), "b": np.ones(4)})

    def jax_side(function: Any, bias: bool = True) -> Function:
        def apply(tree: Any, x: Any) -> Any:
            w, b = tree
            return function(x @ w + b * bias)

        return Function(apply, (jnp.ones((3, 4)), jnp.ones(4)))

    def verified(candidate: Any) -> Any:
        side = Side(candidate, rename={"w": "0", "b": "1"})
        fields = {"batch": rows, "loss": mean_square, "optimiser": None}
        return pair(numpy_side, side, **fields).verify(report=quiet)

    good = verified(lambda: jax_side(jnp.tanh))
    bad = verified(lambda: jax_side(jnp.tanh, bias=False))
    cut = verified(lambda: jax_side(lambda x: jnp.tanh(jax.lax.stop_gradient(x))))

    assert worst(good) == ("", "", "")
    assert worst(bad)[2] == "`b` isn't used: it is 0"
    assert worst(cut)[0] == "R5"


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Module:
    """A pytree that is called, as Equinox's modules are."""

    weight: Any
    bias: Any

    def __call__(self, x: Any) -> Any:
        return x @ self.weight.T + self.bias


@pytest.mark.parametrize("faulty", [False, True])
def test_a_pytree_that_is_called(faulty: bool) -> None:
    def call(tree: Any, x: Any) -> Any:
        return tree(x) - faulty * tree.bias

    how: dict[str, Any] = {"call": call} if faulty else {}
    side = Side(lambda: Module(jnp.ones((4, 3)), jnp.ones(4)), **how)
    fields: dict[str, Any] = {"batch": rows, "loss": mean_square, "optimiser": None}
    proof = pair(lambda: nn.Linear(3, 4), side, **fields).verify(report=quiet)

    assert worst(proof)[2] == ("`bias` isn't used: it is 0" if faulty else "")


def test_complex_leaves_have_torch_s_gradients() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 4, dtype=torch.cfloat))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x.to(self.weight.dtype) @ self.weight
            return y.real + y.imag * 2

    def apply(leaves: Any, x: Any) -> Any:
        y = x @ leaves["weight"]
        return y.real + y.imag * 2

    def jax_side() -> Function:
        return Function(apply, {"weight": jnp.ones((3, 4), jnp.complex64)})

    fields: dict[str, Any] = {"batch": rows, "loss": mean_square, "optimiser": None}
    proof = pair(Turned, jax_side, **fields).verify(report=quiet)

    assert worst(proof) == ("", "", "")


def test_jax_on_both_sides_takes_the_migration_s_optimiser() -> None:
    proof = pair(
        built, built, batch=rows, loss=mean_square, optimiser=lambda leaves: Adam()
    ).verify(report=quiet)

    assert worst(proof) == ("", "", "")


def test_a_checkpoint_of_torch_is_loaded_into_a_pytree(tmp_path: Any) -> None:
    migration = beside()
    one, other = control(), built()

    migration.save(tmp_path / "a", one, "control")
    migration.load(tmp_path / "a", other, "candidate")

    x = torch.randn(2, 3)
    np.testing.assert_allclose(
        other(jnp.array(x.numpy())), one(x).detach().numpy(), atol=1e-6
    )
    with pytest.raises(HarnessError, match="moments are kept for torch"):
        migration.load(tmp_path / "a", other, "candidate", adam(one.parameters()))


def test_faults_are_planted_into_a_jax_candidate() -> None:
    wanted = ("`2.bias` isn't", "half the loss", "gradients of the opposite", "Adam")

    results = beside().selftest(wanted, report=quiet)

    assert {r.fault.name for r in results} == {
        "`2.bias` isn't used: it is 0",
        "`2.bias` isn't used: it is 1",
        "`2.bias` isn't trained",
        "half the loss",
        "gradients of the opposite sign",
    }
    assert all(r.caught for r in results)


def test_a_number_that_widens_is_explained() -> None:
    def wide(leaves: Any, x: np.ndarray) -> np.ndarray:
        return (x @ leaves["weight"].T + leaves["bias"]) * np.float64(1)

    def build() -> Function:
        return Function(wide, {"weight": np.ones((4, 3)), "bias": np.ones(4)})

    fields = {"batch": rows, "optimiser": None, "precisions": ("float32",)}
    proof = pair(lambda: nn.Linear(3, 4), build, **fields).verify(["R3"], report=quiet)

    assert "dtype float64, control float32; is a number in it no" in worst(proof)[2]
