"""The reference: short, in plain torch, and no code of either side."""

import ast
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.harness.source import code_lines
from bridge.ladders.cases import CaseName
from bridge.ladders.reference import Reference
from bridge.ladders.training_cases import TrainingCase
from bridge.ladders.training_states import of_reference, take_steps
from tests.helpers import ROOT

LADDERS = ROOT / "bridge" / "ladders"


@pytest.mark.parametrize("name", ("reference", "reference_curriculum"))
def test_it_is_short_and_imports_neither_side(name: str) -> None:
    source = (LADDERS / f"{name}.py").read_text()
    assert code_lines(source) <= 80
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    own = {"bridge.ladders.reference_curriculum"}
    libraries = {"collections.abc", "typing", "numpy", "torch", "torch.optim"}
    assert imported <= (libraries | own if name == "reference" else libraries)


def case(**synthetic: Any) -> TrainingCase:
    return TrainingCase(CaseName("burgers", "convnet", "float64", batch_norm=False))


def test_one_step_by_hand() -> None:
    """Adam's first step is the rate times the sign of the gradient, but for eps.

    With one weight w and next = w state, two frames (1, 3) have the loss (w - 3)^2;
    clipped to 0.1, the moments are 0.1 g and 0.001 g^2 with g = -0.1 sign.
    """

    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = nn.Conv2d(1, 1, 1, bias=False, dtype=torch.float64)
            self.network.weight.data.fill_(1.0)
            self.plan = type("Plan", (), {"dynamic": (0,)})

        def forward(self, state: torch.Tensor) -> torch.Tensor:
            return self.network(state)

    settings = case().settings
    windows = torch.tensor([1.0, 3.0], dtype=torch.float64).reshape(1, 1, 2, 1, 1)
    reference = Reference(Scale(), windows, settings, weight_decay=0.0)
    loss, samples = reference.step(windows)
    assert (loss, samples) == (4.0, 1)
    (state,) = reference.optimiser.state.values()
    slope = -4.0 * 0.1 / (4.0 + 1e-6)
    np.testing.assert_allclose(state["exp_avg"].item(), 0.1 * slope, rtol=1e-12)
    weight = reference.model.network.weight.item()
    np.testing.assert_allclose(weight, 1 + settings.trainer.synthetic.learning_rate)


def test_each_sample_comes_once_an_epoch_in_an_order_of_its_own() -> None:
    reference = case().reference()
    orders = []
    for epoch in (0, 1):
        batches = reference.batches(epoch)
        assert [len(batch) for batch in batches] == [3, 3, 2]
        first = torch.cat(batches)[:, 0, 0, 0, 0]
        assert sorted(first.tolist()) == sorted(
            reference.windows[:, 0, 0, 0, 0].tolist()
        )
        orders.append(first.tolist())
    assert orders[0] != orders[1]


def test_rates_are_the_cosine() -> None:
    reference = case().reference()
    reference.train()
    epochs = np.arange(4)
    expected = 1e-3 * (1 + np.cos(np.pi * epochs / 4)) / 2
    np.testing.assert_allclose(reference.rates, expected, rtol=1e-12)
    assert of_reference(reference).steps == 12


def test_steps_go_on_in_the_next_epoch() -> None:
    some, all_ = case().reference(), case().reference()
    take_steps(some, 4)
    for batch in (*all_.batches(0), all_.batches(1)[0]):
        all_.step(batch)
    for name, leaf in of_reference(some).weights.items():
        np.testing.assert_array_equal(leaf, of_reference(all_).weights[name])
