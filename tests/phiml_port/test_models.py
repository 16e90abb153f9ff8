"""The port's models: named dims, any batch, no framework class, bad input."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from phiml import math
from phiml.math import batch, channel, spatial
from torch import nn

import legacy.assemble
from experiment.data import ChannelPlan
from phiml_port.assemble import build_model
from phiml_port.models import (
    ConvNet,
    Network,
    ResNet,
    Surrogate,
    UNet,
)
from tests.helpers import architecture, relative_error, small

math.use("torch")
NETWORKS = [
    (UNet, {"levels": 3, "filters": (3, 5, 7)}),
    (ResNet, {"layers": (5, 5, 3)}),
    (ConvNet, {"layers": (5, 5, 3)}),
]
AXES = ("x", "y", "z")


@pytest.fixture(autouse=True)
def double() -> Any:
    with math.precision(64):
        yield


def random(*dims: Any) -> Any:
    shape = math.concat_shapes(*dims)
    values = np.random.default_rng(0).standard_normal(shape.sizes)
    return math.tensor(values, shape)


def built(kind: Any, arguments: dict[str, Any], rank: int, periodic: bool) -> Network:
    net = kind(2, 4, rank, architecture(periodic=periodic, **arguments))
    net.convert("cpu", 64)
    generator = np.random.default_rng(0)
    net.import_weights(
        {
            name: generator.uniform(0.2, 0.8, w.shape) if w.shape else np.array(0)
            for name, w in net.export_weights().items()
        }
    )
    net.set_training(False)
    return net


@pytest.mark.parametrize("rank", (1, 2, 3))
@pytest.mark.parametrize("periodic", (False, True))
@pytest.mark.parametrize(("kind", "arguments"), NETWORKS)
def test_the_control_computes_the_same_in_every_dimension(
    kind: Any, arguments: dict[str, Any], rank: int, periodic: bool
) -> None:
    import legacy.models

    net = built(kind, arguments, rank, periodic)
    control = getattr(legacy.models, kind.__name__)(
        2, 4, rank, architecture(periodic=periodic, **arguments)
    )
    legacy.models.import_weights(control.double(), net.export_weights())
    axes = AXES[:rank]
    sizes = dict(zip(axes, (8, 12, 4), strict=False))
    x = random(batch(batch=3), spatial(**sizes), channel(vector="a,b"))
    found = net(x).native(["batch", "vector", *axes])
    expected = control.eval()(x.native(["batch", "vector", *axes]))
    assert relative_error(found.detach().numpy(), expected.detach().numpy()) < 1e-13


def test_any_number_of_batch_dims(tmp_path: Path) -> None:
    model = build_model(small(tmp_path, "general.precision=float64"))
    labels = channel(vector="velocity.x,velocity.y")
    many: Any = random(batch(batch=2, time=3), spatial(x=16, y=8), labels)
    every: Any = model(many)
    assert set(every.shape.batch.names) == {"batch", "time"}
    assert every.shape.get_labels("vector") == ("velocity.x", "velocity.y")
    for i in range(2):
        for t in range(3):
            one: Any = model(many.batch[i].time[t])
            assert not one.shape.batch
            found = every.batch[i].time[t].native(["x", "y", "vector"]).detach()
            alone = one.native(["x", "y", "vector"]).detach()
            assert relative_error(found.numpy(), alone.numpy()) < 1e-13


def test_classes_are_no_framework_modules() -> None:
    for kind in (UNet, ResNet, ConvNet, Surrogate, Network):
        assert not issubclass(kind, nn.Module)


@pytest.mark.parametrize("inputs", ("all", "dynamic"))
def test_static_channels_pass_untouched_and_inputs_are_chosen(
    tmp_path: Path, inputs: str
) -> None:
    settings = small(
        tmp_path,
        "data.fields=[velocity,density]",
        f"model.synthetic.architecture.inputs={inputs}",
        "general.precision=float64",
        experiment="advection",
    )
    model, control = build_model(settings), legacy.assemble.build_model(settings)
    names = ",".join(model.plan.names)
    state = random(batch(batch=2), spatial(x=16, y=8), channel(vector=names))
    after = model(state).native(["batch", "vector", "x", "y"]).detach()
    before = state.native(["batch", "vector", "x", "y"])
    assert torch.equal(after[:, :2], before[:, :2])
    assert not torch.equal(after[:, 2:], before[:, 2:])
    expected = control(before).detach().numpy()
    assert relative_error(after.numpy(), expected) < 1e-13


def test_dynamic_channels_apart_from_each_other() -> None:
    """Channels a, s, b with a and b dynamic: the change is added to the right ones."""
    plan = ChannelPlan(
        {"a": (), "s": (), "b": ()}, dynamic_fields=("a", "b"), inputs="dynamic"
    )
    net = ConvNet(
        2, 2, 1, architecture(layers=(3,), batch_norm=False, activation="ReLU")
    )
    net.convert("cpu", 64)
    zero = {n: np.zeros_like(w) for n, w in net.export_weights().items()}
    net.import_weights(zero | {"head.bias": np.array([10.0, 20.0])})
    state = random(spatial(x=5), channel(vector="a,s,b"))
    change = (Surrogate(net, plan)(state) - state).native(["vector", "x"]).detach()
    np.testing.assert_allclose(change[:, 0].numpy(), [10, 0, 20], atol=1e-12)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ((batch(batch=2), spatial(x=16, y=8)), "components None of `vector`"),
        (
            (spatial(x=16, y=8), channel(vector="velocity.y,velocity.x")),
            r"\('velocity.y', 'velocity.x'\).*expected \('velocity.x', 'velocity.y'\)",
        ),
        (
            (spatial(x=16), channel(vector="velocity.x,velocity.y")),
            "expected any batch dims, the spatial dims x, y in this order",
        ),
        (
            (spatial(y=8, x=16), channel(vector="velocity.x,velocity.y")),
            "the spatial dims x, y in this order",
        ),
        (
            (spatial(x=15, y=8), channel(vector="velocity.x,velocity.y")),
            "`x` has 15 cells; .*multiple of 2, such as 14 or 16",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_named(
    tmp_path: Path, state: Any, message: str
) -> None:
    model = build_model(small(tmp_path, "general.precision=float64"))
    with pytest.raises(ValueError, match=message):
        model(random(*state))


def test_weights_that_do_not_fit_are_refused() -> None:
    net = built(ConvNet, {"layers": (3,)}, 1, True)
    weights = net.export_weights()
    missing = {n: w for n, w in weights.items() if n != "head.bias"}
    with pytest.raises(ValueError, match="head.bias"):
        net.import_weights(missing)
    with pytest.raises(ValueError, match="extra"):
        net.import_weights(weights | {"extra": np.zeros(1)})
    with pytest.raises(ValueError, match=r"`head.bias` is \(4,\), got \(1,\)"):
        net.import_weights(weights | {"head.bias": np.zeros(1)})
