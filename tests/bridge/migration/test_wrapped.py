"""torch modules in wrappers, with complex leaves, with state that is no tensor."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import distributed, nn

from bridge import Side
from tests.bridge.migration.nets import Net, pair, quiet, worst

FLOAT32 = ("float64", "float32")
#: The name of the fault of `Net("tanh")`.
TANH = "gelu with tanh for gelu"


@pytest.fixture
def group(tmp_path: Any) -> Iterator[None]:
    """A group of one process."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


def parallel(approximate: str = "none", **how: Any) -> nn.Module:
    return nn.parallel.DistributedDataParallel(Net(approximate), **how)


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("how", [{}, {"gradient_as_bucket_view": True}])
def test_a_module_for_several_processes_passes(how: Any) -> None:
    proof = pair(Net, partial(parallel, **how), precisions=FLOAT32).verify(report=quiet)

    assert worst(proof) == ("", "", "")
    assert "R6" in [r.rung for r in proof.results[0].rungs]


@pytest.mark.usefixtures("group")
def test_a_control_for_several_processes_passes() -> None:
    assert worst(pair(parallel, Net).verify(report=quiet)) == ("", "", "")


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("control", [Net, parallel])
def test_a_fault_inside_of_a_wrapper_has_a_name(control: Any) -> None:
    found = worst(pair(control, partial(parallel, "tanh")).verify(report=quiet))

    assert (found[0], found[2]) == ("R3", TANH)


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("precision", FLOAT32)
def test_a_hook_that_halves_gradients_is_found(precision: str) -> None:
    def halved(state, bucket):  # torch allows no other annotations than its own
        future: Any = torch.futures.Future()
        future.set_result(bucket.buffer() / 2)
        return future

    def wrapped() -> nn.Module:
        module: Any = parallel()
        module.register_comm_hook(None, halved)
        return module

    found = worst(pair(Net, wrapped, precisions=(precision,)).verify(report=quiet))

    assert found[0] == "R5"
    assert "it is 0.5 times the control" in found[2]


def wrong_backend(graph: Any, inputs: Any) -> Any:
    """Compiles to what is off by a thousandth."""
    return lambda *given: [v * 1.001 for v in graph(*given)]


def test_what_only_the_compiler_does_wrong_is_found() -> None:
    compiled = partial(torch.compile, backend=wrong_backend)

    found = worst(pair(Net, lambda: compiled(Net())).verify(report=quiet))

    assert found[0] == "R3"
    assert "it is 1.001 times the control" in found[2]


def test_a_fault_inside_of_a_compiled_module_has_a_name() -> None:
    compiled = partial(torch.compile, backend="eager")

    found = worst(pair(Net, lambda: compiled(Net("tanh"))).verify(report=quiet))

    assert (found[0], found[2]) == ("R3", TANH)


class Complex(nn.Module):
    """A complex matrix in front of its absolute value."""

    def __init__(self, change: Any = lambda weight: weight) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4, dtype=torch.cfloat))
        self.register_buffer("phase", torch.polar(torch.ones(4), torch.arange(4.0)))
        self.change = change

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.to(self.weight.dtype) @ self.change(self.weight)
        return (y * self.phase + 1).abs()


def rows(rng: Any, size: int) -> Any:
    return rng.standard_normal((size, 3)), rng.standard_normal((size, 4))


def test_complex_leaves_and_buffers_pass_every_rung() -> None:
    proof = pair(Complex, Complex, batch=rows, precisions=FLOAT32).verify(report=quiet)

    assert worst(proof) == ("", "", "")


COMPLEX: dict[str, Any] = {
    "`weight` conjugated": torch.conj,
    "imaginary part of `weight` isn't used: it is 0": lambda w: w.real.to(w.dtype),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_a_fault_of_a_complex_leaf_has_a_name(name: str) -> None:
    candidate = partial(Complex, COMPLEX[name])

    found = worst(pair(Complex, candidate, batch=rows).verify(report=quiet))

    assert (found[0], found[2]) == ("R3", name)


class Counting(nn.Module):
    """Its output hangs on how often it was called, a state that is no tensor."""

    def __init__(self, start: int = 0) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(3, 4), start

    def get_extra_state(self) -> Any:
        return {"calls": self.calls, "of": torch.ones(2)}

    def set_extra_state(self, state: Any) -> None:
        self.calls = state["calls"]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.layer(x) / self.calls


def test_state_that_is_no_tensor_is_set_back_before_each_look() -> None:
    proof = pair(Counting, Counting, batch=rows).verify(report=quiet)

    assert worst(proof) == ("", "", "")


def test_other_state_that_is_no_tensor_is_named() -> None:
    proof = pair(Counting, partial(Counting, 3), batch=rows).verify(report=quiet)

    assert worst(proof)[:2] == ("R1", "state that is no array")
    assert "`_extra_state` is {calls: 3, " in worst(proof)[2]
    assert "control {calls: 0, " in worst(proof)[2]


class Renamed(Counting):
    def __init__(self, start: int = 0) -> None:
        super().__init__(start)
        self.linear = self.layer
        del self.layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.linear(x) / self.calls


def test_state_that_is_no_tensor_is_compared_where_names_differ() -> None:
    rename = {"layer.weight": "linear.weight", "layer.bias": "linear.bias"}
    good = Side(Renamed, rename=rename)
    bad = Side(partial(Renamed, 3), rename=rename)

    assert worst(pair(Counting, good, batch=rows).verify(report=quiet))[2] == ""
    found = worst(pair(Counting, bad, batch=rows).verify(report=quiet))
    assert found[:2] == ("R1", "state that is no array")
