"""Equal pairs pass, whatever they are made of; each fault is found by name."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bridge import Function, Leaf, Side, Symmetry
from tests.bridge.migration.nets import Net, pair, quiet, worst


def test_equal_modules_pass_every_rung() -> None:
    proof = pair(precisions=("float64", "float32")).verify(report=quiet)

    assert worst(proof) == ("", "", "")
    assert proof.exit_code == 0
    rungs = [r.rung for r in proof.results[0].rungs]
    assert rungs == ["R1", "R2", "R3", "R4", "R5", "R6", "R9"]
    assert all(r.comparisons for r in proof.results[0].rungs)


class Spectral(nn.Module):
    """A Fourier layer with complex weights and a functional activation."""

    def __init__(self, gelu: Any = nn.functional.gelu, norm: str = "ortho") -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 2, 2, dtype=torch.cfloat))
        self.gelu, self.kind = gelu, norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        modes = torch.fft.rfft(x, norm="ortho")[..., :2]
        mixed = torch.einsum("bixk,iok->boxk", modes, self.weight)
        return self.gelu(torch.fft.irfft(mixed, n=x.shape[-1], norm=self.kind)) + x


def test_complex_weights_stay_complex_and_pass() -> None:
    proof = pair(Spectral, Spectral, precisions=("float64", "float32")).verify(
        report=quiet
    )

    assert worst(proof) == ("", "", "")


FAULTS = {
    "gelu with tanh for gelu": (
        Spectral,
        partial(Spectral, gelu=partial(nn.functional.gelu, approximate="tanh")),
    ),
    "forward for ortho": (Spectral, partial(Spectral, norm="forward")),
    "input missing from the output": (Net, lambda: NoResidual()),
    "eps of batch_norm 0.0001 for 1e-05": (Net, lambda: with_eps(1e-4)),
    "momentum of batch_norm 0.9 for 0.1": (Net, lambda: with_momentum(0.9)),
}


class NoResidual(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) - x


def with_eps(eps: float) -> Net:
    net = Net()
    net.norm.eps = eps
    return net


def with_momentum(momentum: float) -> Net:
    net = Net()
    net.norm.momentum = momentum
    return net


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_network_has_a_name(name: str) -> None:
    control, candidate = FAULTS[name]

    proof = pair(control, candidate).verify(report=quiet)

    assert proof.exit_code == 1
    assert name in worst(proof)[2]


LOSSES: dict[str, Any] = {
    "half the sum of the loss": lambda y, t: 0.5 * ((y - t) ** 2).sum(),
    "loss summed over the batch": lambda y, t: ((y - t) ** 2).mean() * len(y),
    "root of the loss": lambda y, t: ((y - t) ** 2).mean() ** 0.5,
}


@pytest.mark.parametrize("name", LOSSES)
def test_another_reduction_of_the_loss_has_a_name(name: str) -> None:
    proof = pair(Net, Side(Net, loss=LOSSES[name])).verify(report=quiet)

    assert worst(proof)[0] == "R4"
    assert name in worst(proof)[2]


OPTIMISERS: dict[str, Any] = {
    "Adam's eps 1e-07 for 1e-08": lambda p: torch.optim.Adam(p, 1e-3, eps=1e-7),
    "Adam's weight_decay 0.01 for 0": lambda p: torch.optim.Adam(
        p, 1e-3, weight_decay=1e-2
    ),
    "SGD for Adam": lambda p: torch.optim.SGD(p, 1e-3),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_another_setting_of_the_optimiser_has_a_name(name: str) -> None:
    proof = pair(Net, Side(Net, optimiser=OPTIMISERS[name])).verify(report=quiet)

    assert worst(proof)[0] == "R6"
    assert name in worst(proof)[2]


def test_what_no_cause_explains_is_unknown_with_a_count() -> None:
    class Odd(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + 1e-3 * torch.sin(7 * x)

    hint = worst(pair(Net, Odd).verify(report=quiet))[2]

    assert hint.startswith("unknown; ")
    assert "causes ruled out" in hint


class Dictionary(Net):
    def forward(self, x: torch.Tensor) -> Any:
        y = super().forward(x)
        return {"mean": y, "parts": (y * 2, y[:, :1])}


def test_a_nest_of_outputs_is_compared_part_by_part() -> None:
    class Wrong(Dictionary):
        def forward(self, x: torch.Tensor) -> Any:
            result = super().forward(x)
            return result | {"parts": (result["parts"][0], result["parts"][1] + 1)}

    def loss(y: Any, t: torch.Tensor) -> torch.Tensor:
        return nn.functional.mse_loss(y["mean"], t)

    good = pair(Dictionary, Dictionary, loss=loss).verify(report=quiet)
    bad = pair(Dictionary, Wrong, loss=loss).verify(report=quiet)

    assert worst(good) == ("", "", "")
    assert worst(bad)[0] == "R3"
    assert "parts.1" in worst(bad)[1]


def numpy_mlp(leaves: Any, x: np.ndarray) -> np.ndarray:
    return np.tanh(x @ leaves["w"] + leaves["b"])


def numpy_side() -> Function:
    rng = np.random.default_rng(5)
    return Function(
        numpy_mlp, {"w": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}
    )


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.layer(x))


def rows(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.standard_normal((size, 3)), rng.standard_normal((size, 4))


def mean_square(y: Any, t: Any) -> Any:
    return ((y - t) ** 2).mean()


def numpy_beside(candidate: Any) -> Any:
    """The network in NumPy beside one in torch, whose leaves have other names."""
    rename = {"w": Leaf("layer.weight", (1, 0)), "b": "layer.bias"}
    return pair(
        numpy_side,
        Side(candidate, rename=rename),
        batch=rows,
        loss=mean_square,
        optimiser=None,
    )


def test_numpy_beside_torch_with_a_mapping_and_no_gradients() -> None:
    proof = numpy_beside(Linear).verify(report=quiet)

    assert worst(proof) == ("", "", "")
    directions = proof.results[0].rungs[-1]
    assert (directions.rung, directions.comparisons) == ("R5", 5)


def test_a_wrong_gradient_is_seen_by_differences() -> None:
    class Cut(Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.layer(x.detach()))

    assert worst(numpy_beside(Cut).verify(report=quiet))[0] == "R5"


def test_an_object_with_arrays_is_found_and_judged() -> None:
    class Model:
        def __init__(self) -> None:
            self.parts = [{"w": np.full((3, 4), 0.3)}]
            self.bias = np.zeros(4)

        def __call__(self, x: np.ndarray) -> np.ndarray:
            return np.tanh(x @ self.parts[0]["w"] + self.bias)

    class NoBias(Model):
        def __call__(self, x: np.ndarray) -> np.ndarray:
            return np.tanh(x @ self.parts[0]["w"])

    fields: dict[str, Any] = {"batch": rows, "loss": mean_square, "optimiser": None}

    assert worst(pair(Model, Model, **fields).verify(report=quiet)) == ("", "", "")
    hint = worst(pair(Model, NoBias, **fields).verify(report=quiet))[2]
    assert hint == "`bias` isn't used: it is 0"


class Ends(nn.Linear):
    """A layer with its activation inside."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__(3, 4)
        self.gain = gain

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return torch.tanh(super().forward(input)) * self.gain


class Inside(nn.Module):
    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.layer = Ends(gain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def test_a_layer_that_ends_elsewhere_is_no_difference() -> None:
    assert worst(pair(Linear, Inside, batch=rows).verify(report=quiet))[2] == ""

    found = worst(pair(Linear, partial(Inside, 2.0), batch=rows).verify(report=quiet))
    assert (found[0], found[1][:11]) == ("R2", "layer layer")


class Bare(nn.Module):
    """Leaves of a layer in the model itself."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.w, self.b = (nn.Parameter(torch.randn(s)) for s in ((4, 3), (4,)))
        self.sign = sign

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x @ self.w.T + self.sign * self.b)


def test_leaves_in_the_model_itself_are_no_layer() -> None:
    rename = {"layer.weight": "w", "layer.bias": "b"}
    good = Side(Bare, rename=rename)
    bad = Side(partial(Bare, -1.0), rename=rename)

    assert worst(pair(Linear, good, batch=rows).verify(report=quiet))[2] == ""
    assert worst(pair(Linear, bad, batch=rows).verify(report=quiet))[0] == "R3"


def test_a_symmetry_of_ones_own_must_hold() -> None:
    shift = Symmetry("all values plus one", lambda values: [v + 1 for v in values])

    proof = pair(own_symmetries=(shift,)).verify(report=quiet)

    assert proof.exit_code == 2
    assert "`all values plus one` is no symmetry of the control" in worst(proof)[2]


def test_a_compiled_module_is_judged_compiled() -> None:
    compiled = partial(torch.compile, backend="aot_eager")
    proof = pair(Linear, lambda: compiled(Linear()), batch=rows).verify(report=quiet)

    assert worst(proof) == ("", "", "")


class TwoLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 5), nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.sigmoid(self.first(x)))


def phiml_network(activation: str = "Sigmoid") -> Any:
    from phiml import math
    from phiml.nn import mlp

    # Where other tests loaded JAX too, PhiML would take that.
    math.use("torch")
    return mlp(3, 4, [5], activation=activation)


def own_name(name: str) -> str:
    """The control's name of a leaf of PhiML's network."""
    return name.replace("linear0", "first").replace("linear_out", "last")


def test_a_phiml_network_called_with_named_dimensions() -> None:
    good = Side(phiml_network, layout="batch vector", rename=own_name)
    bad = Side(partial(phiml_network, "ReLU"), layout="batch vector", rename=own_name)

    assert worst(pair(TwoLayers, good, batch=rows).verify(report=quiet))[2] == ""
    hint = worst(pair(TwoLayers, bad, batch=rows).verify(report=quiet))[2]
    assert hint == "relu for sigmoid"


def test_false_alarms_of_the_control_against_itself() -> None:
    from bridge.harness.selftest import false_alarms

    assert false_alarms(pair(Spectral, Net).ladder, 5) == 0
