"""The control's networks: shapes, PhiML's documented networks, symmetries."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from experiment.data import ChannelPlan
from experiment.training import draw_weights, initial_weights
from legacy.assemble import build_model, build_synthetic_learner
from legacy.models import (
    ConvNet,
    ResNet,
    Surrogate,
    UNet,
    cast_leaves,
    export_weights,
    import_weights,
    leaf_shapes,
)
from tests.helpers import architecture, relative_error, small

UNET = {"levels": 3, "filters": (3, 5, 7)}
LAYERS = {"layers": (5, 5, 3)}
NETWORKS = [(UNet, UNET), (ResNet, LAYERS), (ConvNet, LAYERS)]


def filled(network: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights and buffers everywhere, so that every leaf matters."""
    generator = np.random.default_rng(seed)
    network = network.double()
    weights = {
        name: generator.uniform(0.2, 0.8, shape) if shape else np.array(0)
        for name, shape in leaf_shapes(network).items()
    }
    import_weights(network, weights)
    return network


@pytest.mark.parametrize("rank", (1, 2, 3))
@pytest.mark.parametrize("periodic", (False, True))
@pytest.mark.parametrize(("kind", "shape"), NETWORKS)
def test_shapes_in_every_dimension(
    kind: Any, shape: dict[str, Any], rank: int, periodic: bool
) -> None:
    network = kind(2, 4, rank, architecture(periodic=periodic, **shape))
    sizes = (8, 12, 4)[:rank]
    assert network(torch.zeros(3, 2, *sizes)).shape == (3, 4, *sizes)


@pytest.mark.parametrize("rank", (1, 2))
@pytest.mark.parametrize(("kind", "shape"), NETWORKS)
def test_periodic_networks_commute_with_shifts(
    kind: Any, shape: dict[str, Any], rank: int
) -> None:
    """Shifting by 2^(levels-1) = 4 cells before or after gives the same, exactly so.

    PhiML's own periodic U-Net fails this.
    """
    network = filled(kind(2, 4, rank, architecture(periodic=True, **shape))).eval()
    x = torch.randn(2, 2, *(16, 12)[:rank], dtype=torch.float64)
    dims = tuple(range(2, 2 + rank))
    shifts = (4, -4)[:rank]
    moved = network(x.roll(shifts, dims))
    expected = network(x).roll(shifts, dims)
    torch.testing.assert_close(moved, expected, rtol=1e-12, atol=1e-12)
    wall = filled(kind(2, 4, rank, architecture(periodic=False, **shape))).eval()
    assert not torch.allclose(wall(x.roll(shifts, dims)), wall(x).roll(shifts, dims))


def phiml_names(kind: type, name: str) -> str:
    """Our canonical name of a leaf of PhiML's network, from PhiML's name."""
    parts = name.split(".")
    double_conv = {"0": "conv1", "1": "norm1", "3": "conv2", "4": "norm2"}
    residual = {"bn1": "norm1", "bn2": "norm2", "sample_input": "skip"}
    residual |= {"bn_sample": "skip_norm"}
    if kind is UNet:
        if parts[0] == "outc":
            return f"head.{parts[-1]}"
        leaf = f"{double_conv[parts[-2]]}.{parts[-1]}"
        if parts[0] == "inc":
            return f"encoder.0.{leaf}"
        level = int(parts[0].removeprefix("down").removeprefix("up"))
        down = parts[0].startswith("down")
        return f"encoder.{level}.{leaf}" if down else f"decoder.{level - 1}.{leaf}"
    prefix = "Res" if kind is ResNet else "Conv"
    place = parts[0].removeprefix(prefix).removeprefix("_")
    if place == "out":
        return f"head.{parts[-1]}"
    number = 0 if place == "in" else int(place)
    if kind is ResNet:
        return f"blocks.{number}.{residual.get(parts[1], parts[1])}.{parts[-1]}"
    return f"layers.{number}.{({'0': 'conv', '1': 'norm'})[parts[1]]}.{parts[-1]}"


@pytest.mark.parametrize("rank", (1, 2, 3))
@pytest.mark.parametrize("training", (False, True))
@pytest.mark.parametrize(("kind", "shape"), NETWORKS)
def test_they_compute_what_phiml_computes(
    kind: Any, shape: dict[str, Any], rank: int, training: bool
) -> None:
    """PhiML's networks with the same weights, where they are not broken.

    Weights are mapped by name; a leaf that is missing, extra or misshaped fails. The
    zero boundary is compared: PhiML's periodic U-Net is broken, and periodic
    convolutions are the subject of the test above.
    """
    from phiml import math
    from phiml.backend.torch import nets

    build = {UNet: nets.u_net, ResNet: nets.res_net, ConvNet: nets.conv_net}[kind]
    theirs = build(2, 4, in_spatial=rank, batch_norm=True, activation="SiLU", **shape)
    ours = filled(kind(2, 4, rank, architecture(periodic=False, **shape)))
    theirs = theirs.double()
    weights = export_weights(ours)
    mapped = {phiml_names(kind, name): name for name in theirs.state_dict()}
    assert mapped.keys() == weights.keys()
    import_weights(theirs, {mapped[name]: w for name, w in weights.items()})
    x = torch.randn(3, 2, *(8, 12, 4)[:rank], dtype=torch.float64)
    ours.train(training)
    theirs.train(training)
    with math.precision(64):
        expected = theirs(x).detach().numpy()
    assert relative_error(ours(x).detach().numpy(), expected) < 1e-13
    for name, buffer in export_weights(ours).items():
        np.testing.assert_allclose(
            buffer, theirs.state_dict()[mapped[name]].numpy(), rtol=1e-13
        )


class Ten(nn.Module):
    """Gives 10 for every dynamic channel and remembers what it saw."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.factor = nn.Parameter(torch.ones(()))
        self.seen = torch.empty(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = x
        ones = torch.ones_like(x[:, :1]).expand(-1, self.channels, -1)
        return 10 * self.factor * ones


def test_the_change_is_added_and_static_channels_pass_untouched() -> None:
    plan = ChannelPlan(
        {"a": (), "wind": ("x", "y"), "b": ()}, dynamic_fields=("a", "b"), inputs="all"
    )
    network = Ten(2)
    state = torch.arange(4.0).reshape(1, 4, 1).expand(2, 4, 3)
    after = Surrogate(network, plan)(state)
    assert after[0, :, 0].tolist() == [10, 1, 2, 13]
    assert network.seen.shape == (2, 4, 3)
    only = ChannelPlan(plan.fields, plan.dynamic_fields, inputs="dynamic")
    Surrogate(network, only)(state)
    assert network.seen[0, :, 0].tolist() == [0, 3]


def test_a_prediction_is_the_repeated_model_in_evaluation_mode(tmp_path: Path) -> None:
    settings = small(tmp_path, "model.synthetic.architecture.batch_norm=true")
    model = build_model(settings)
    learner = build_synthetic_learner(settings, model)
    before = export_weights(model.network)
    states = np.random.default_rng(0).standard_normal((1, 16, 8, 2))
    frames = learner.predict(states.astype(np.float32), 4)
    assert frames.shape == (1, 4, 16, 8, 2)
    assert model.training
    for name, leaf in export_weights(model.network).items():
        np.testing.assert_array_equal(leaf, before[name], err_msg=name)
    np.testing.assert_array_equal(frames[:, 0], states.astype(np.float32))
    with torch.no_grad():
        first = torch.from_numpy(np.moveaxis(frames[:, 1], -1, 1).copy())
        second = model.eval()(first)
    np.testing.assert_array_equal(frames[:, 2], np.moveaxis(second.numpy(), 1, -1))


def test_initial_weights_are_data() -> None:
    """The distribution of torch's own convolutions, and a generator for each leaf."""
    shapes = {"a.weight": (64, 16, 3, 3), "b.weight": (64, 16, 3, 3), "a.bias": (64,)}
    shapes |= {"n.weight": (5,), "n.running_var": (5,), "n.num_batches_tracked": ()}
    weights = draw_weights(shapes, seed=3)
    bound = 1 / np.sqrt(16 * 9)
    assert 0.99 * bound < np.abs(weights["a.weight"]).max() <= bound
    assert weights["a.weight"].std() == pytest.approx(bound / np.sqrt(3), rel=0.02)
    assert not np.array_equal(weights["a.weight"], weights["b.weight"])
    again = draw_weights(dict(reversed(shapes.items())), seed=3)
    for name, leaf in weights.items():
        np.testing.assert_array_equal(leaf, again[name])
    assert not weights["a.bias"].any()
    assert (weights["n.weight"] == 1).all() and (weights["n.running_var"] == 1).all()
    assert weights["n.num_batches_tracked"].dtype == np.int64
    with pytest.raises(ValueError, match="`a.scale` ends in `scale`"):
        draw_weights({"a.scale": (3,)}, 0)


def test_leaves_without_a_rule_keep_what_their_network_chose(tmp_path: Path) -> None:
    """Of another name, or complex: drawn values would be real."""
    own = {
        "a.modes": np.array([1.0, 2.0]),
        "a.weight": np.array([[1 + 1j, 2.0]]),
        "b.weight": np.ones((2, 3)),
    }
    weights = initial_weights(own, small(tmp_path))
    np.testing.assert_array_equal(weights["a.modes"], own["a.modes"])
    np.testing.assert_array_equal(weights["a.weight"], own["a.weight"])
    assert (np.abs(weights["b.weight"]) <= 1 / np.sqrt(3)).all()


def test_casts_keep_complex_leaves_complex() -> None:
    """`Module.to(torch.float64)` would drop the imaginary parts."""
    network = nn.Module()
    modes = nn.Parameter(torch.tensor([1 + 2j]))
    network.register_parameter("modes", modes)
    network.register_parameter("scale", nn.Parameter(torch.tensor([0.5])))
    network.register_buffer("index", torch.tensor([3]))
    cast_leaves(network, torch.float64)
    kinds = {n: leaf.dtype for n, leaf in network.state_dict().items()}
    assert kinds == {
        "modes": torch.complex128,
        "scale": torch.float64,
        "index": torch.int64,
    }
    assert modes.item() == 1 + 2j
    cast_leaves(network, torch.float32)
    assert modes.dtype == torch.complex64 and modes.item() == 1 + 2j


def test_weights_that_do_not_fit_are_refused() -> None:
    network = ConvNet(1, 1, 1, architecture(layers=(2,)))
    weights = export_weights(network)
    missing = {k: v for k, v in weights.items() if k != "head.bias"}
    with pytest.raises(ValueError, match="head.bias"):
        import_weights(network, missing)
    with pytest.raises(ValueError, match=r"`head.bias` is \(1,\), got \(\)"):
        import_weights(network, weights | {"head.bias": np.array(1.0)})
