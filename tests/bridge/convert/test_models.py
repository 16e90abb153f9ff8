"""Models of one side as the other side's trainer calls them."""

from pathlib import Path
from typing import Any

import torch
from phiml import math

import legacy.assemble
import phiml_port.assemble
from bridge.convert import PhimlModel, TorchModel, to_phiml, to_torch
from tests.helpers import relative_error, small

DOUBLE = "general.precision=float64"
NORM = "model.synthetic.architecture.batch_norm=true"


def test_a_phiml_model_is_a_module_like_any_other(tmp_path: Path) -> None:
    settings = small(tmp_path, NORM, DOUBLE)
    control = legacy.assemble.build_model(settings)
    surrogate = phiml_port.assemble.build_model(settings)
    view = TorchModel(surrogate, surrogate.plan.names, rank=2, precision=64)
    names = [n for n, _ in control.network.named_parameters()]
    assert [n for n, _ in view.network.named_parameters()] == names
    assert len(list(view.parameters())) == len(names)
    assert list(view.network.state_dict()) == list(control.network.state_dict())
    native = surrogate.network.native
    for training in (False, True):
        view.train(training)
        assert {m.training for m in native.modules()} == {training}


def test_a_torch_model_on_named_dims(tmp_path: Path) -> None:
    settings = small(tmp_path, DOUBLE, NORM)
    control = legacy.assemble.build_model(settings)
    view = PhimlModel(control, control.plan.names, rank=2)
    x = torch.randn(2, 3, 2, 16, 8, dtype=torch.float64, requires_grad=True)
    named: Any = to_phiml(x, "batch time vector x y", components=control.plan.names)
    view.set_training(False)
    assert not control.training
    with math.precision(64):
        found = to_torch(view(named), "batch time vector x y")
        alone = view(named.batch[1].time[2])
    expected = control(x.flatten(0, 1)).unflatten(0, (2, 3))
    assert relative_error(found.detach().numpy(), expected.detach().numpy()) < 1e-14
    one = to_torch(alone, "vector x y").detach().numpy()
    assert relative_error(one, expected[1, 2].detach().numpy()) < 1e-13
    found.sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
    assert view.parameters().keys() == control.network.state_dict().keys()
