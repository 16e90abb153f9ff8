"""What may be wrong with a side before a number is compared."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bridge import Side
from bridge.harness import HarnessError
from tests.bridge.migration.nets import Net, pair, quiet, worst


def found(*sides: Any, **fields: Any) -> tuple[int, str, str]:
    """Exit code, rung and hint of a pair."""
    proof = pair(*sides, **fields).verify(report=quiet)
    rung, where, hint = worst(proof)
    return proof.exit_code, rung, f"{where}: {hint}"


def raises() -> Any:
    raise ValueError("no such file")


def test_a_candidate_that_raises_fails() -> None:
    code, rung, hint = found(Net, raises)

    assert (code, rung) == (1, "R1")
    assert "`build` of the candidate raised ValueError: no such file" in hint


def test_a_control_that_raises_is_not_judged() -> None:
    assert found(raises, Net)[0] == 2


def test_another_type_is_named() -> None:
    code, _, hint = found(Net, lambda: 3)

    assert code == 1
    assert "`build` returned a int; expected a torch module" in hint


def test_one_object_on_both_sides() -> None:
    net = Net()

    code, rung, hint = found(lambda: net, lambda: net)

    assert (code, rung) == (1, "R1")
    assert "one object on both sides" in hint


def test_shared_tensors() -> None:
    shared = nn.Parameter(torch.ones(2, 5, 3, dtype=torch.float64))

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = shared

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale

    code, rung, hint = found(Holder, Holder)

    assert (code, rung) == (1, "R1")
    assert "shares memory with the control's scale" in hint


def test_a_changed_input() -> None:
    class Greedy(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = super().forward(x)
            x.add_(1)
            return y

    code, rung, hint = found(Net, Greedy)

    assert (code, rung) == (1, "R3")
    assert "the candidate changes its input 0" in hint
    assert found(Greedy, Net)[0] == 2


def test_random_without_a_seed() -> None:
    source = np.random.default_rng()

    class Noisy(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * (1 + 1e-3 * source.standard_normal())

    code, rung, hint = found(Net, Noisy)

    assert (code, rung) == (1, "R3")
    assert "gives another output for the same input and seed" in hint
    assert found(Noisy, Net)[0] == 2


def test_leaves_that_cannot_be_mapped() -> None:
    class Wider(Net):
        def __init__(self) -> None:
            super().__init__()
            self.more = nn.Linear(2, 2)

    code, rung, hint = found(Net, Wider)

    assert (code, rung) == (1, "R1")
    assert "extra more.weight, more.bias" in hint


def test_a_mapping_that_cannot_be_undone() -> None:
    twice = {"first.bias": "norm.bias", "norm.bias": "norm.bias"}

    code, _, hint = found(Net, Side(Net, rename=twice))

    assert code == 1
    assert "gives `norm.bias` to both" in hint


def test_a_mapping_of_what_is_not_there() -> None:
    hint = found(Net, Side(Net, rename={"frist.bias": "first.bias"}))[2]

    assert "names `frist.bias`, which the control doesn't have" in hint


def test_cuda_only_is_not_judged_where_there_is_none() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")

    code, _, hint = found(Net, lambda: Net().to("cuda"))

    assert code == 2
    assert "it needs a CUDA device, and there is none here" in hint


def test_a_loss_that_is_no_number() -> None:
    code, rung, hint = found(loss=lambda y, t: (y - t) ** 2)

    assert (code, rung) == (2, "R4")
    assert "the loss has shape (1, 2, 5, 3); expected one number" in hint


def test_a_loss_of_several_terms() -> None:
    assert "the loss is a tuple" in found(loss=lambda y, t: (y.mean(), t.mean()))[2]


def test_an_optimiser_that_both_sides_share() -> None:
    made: list[Any] = []

    def shared(parameters: Any) -> Any:
        if not made:
            made.append(torch.optim.SGD(parameters, 0.1))
        return made[0]

    code, rung, hint = found(optimiser=shared)

    assert (code, rung) == (1, "R6")
    assert "one optimiser on both sides" in hint


def test_a_batch_without_targets() -> None:
    code, _, hint = found(batch=lambda rng, size: rng.standard_normal((size, 2, 5, 3)))

    assert code == 2
    assert "`batch` returned a ndarray; expected (inputs, targets)" in hint


FIELDS: dict[str, dict[str, Any]] = {
    "a migration's name is `a b`": {"name": "a b"},
    "both must be positive": {"steps": 0},
    "has no data": {"batch": None},
}


@pytest.mark.parametrize("message", FIELDS)
def test_a_field_that_cannot_be(message: str) -> None:
    from bridge import Migration

    fields: dict[str, Any] = {
        "name": "pair",
        "control": Side(Net),
        "candidate": Side(Net),
        "batch": lambda rng, size: (np.ones(size), np.ones(size)),
    }
    with pytest.raises(HarnessError, match=message):
        Migration(**(fields | FIELDS[message]))


def test_a_step_on_one_side_only() -> None:
    with pytest.raises(HarnessError, match="has `step` and the other doesn't"):
        pair(Net, Side(Net, step=lambda net, x, t: 0.0))
