"""Models of one framework, as the trainers of the other call them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import torch
from phiml import math
from phiml.math import Tensor
from torch import nn

from bridge.convert.converters import image_layout, to_phiml, to_torch


class NamedNetwork(Protocol):
    """A network on named dims, whose leaves torch holds."""

    def parameters(self) -> Mapping[str, Any]:
        """torch's parameters and buffers by canonical name."""
        ...

    def set_training(self, training: bool) -> None:
        """Training or evaluation mode."""
        ...


class NamedModel(Protocol):
    """A surrogate on named dims: a state in, the next state out."""

    @property
    def network(self) -> NamedNetwork:
        """The part that has the weights."""
        ...

    def __call__(self, state: Tensor) -> Tensor: ...


class CanonicalLeaves(nn.Module):
    """A PhiML network's leaves under canonical names, as torch trainers want them.

    The parameters and buffers are the network's own objects, in canonical order, so an
    optimiser, `state_dict()` and gradient clipping see what they see on the other side.
    `train()` and `eval()` reach the network.
    """

    def __init__(self, network: NamedNetwork) -> None:
        super().__init__()
        # In a tuple, so that torch doesn't register the modules inside.
        self._network = (network,)
        for name, leaf in network.parameters().items():
            *path, last = name.split(".")
            parent: nn.Module = self
            for part in path:
                if part not in parent._modules:
                    parent.add_module(part, nn.Module())
                parent = parent.get_submodule(part)
            if isinstance(leaf, nn.Parameter):
                parent.register_parameter(last, leaf)
            else:
                parent.register_buffer(last, leaf)

    def train(self, mode: bool = True) -> "CanonicalLeaves":
        """Training or evaluation mode, for the network too."""
        super().train(mode)
        self._network[0].set_training(mode)
        return self


class TorchModel(nn.Module):
    """A PhiML model as a torch module: a state in, the next state out.

    Two conversions a call, both views; gradients flow through both.

    Args:
        model: The PhiML model.
        components: Names of the components of `vector`.
        rank: Number of spatial dims.
        precision: Bits of floating point that PhiML works in, 32 or 64.
    """

    def __init__(
        self,
        model: NamedModel,
        components: Sequence[str],
        *,
        rank: int,
        precision: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.components = tuple(components)
        self.network = CanonicalLeaves(model.network)
        self._precision = precision
        self._layout = image_layout(rank)

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        """The state one frame later; `(batch, vector, x, ...)`, all channels."""
        with math.precision(self._precision):
            named = to_phiml(
                state, self._layout, components=self.components, boundary="model: in"
            )
            following = self.model(named)
        return to_torch(following, self._layout, boundary="model: out")


class PhimlModel:
    """A torch model on named dims: a state in, the next state out.

    Args:
        module: The torch model, with its weights in `module.network`.
        components: Names of the components of `vector`.
        rank: Number of spatial dims.
    """

    def __init__(
        self, module: nn.Module, components: Sequence[str], *, rank: int
    ) -> None:
        self.module = module
        self.components = tuple(components)
        self._layout = image_layout(rank)

    def __call__(self, state: Tensor) -> Tensor:
        """The state one frame later; `(batch..., x, ..., vector)`, all channels."""
        packed: Any = state
        dims = state.shape.batch
        if not dims:
            packed = math.expand(state, math.batch(batch=1))
        elif dims.names != ("batch",):
            packed = math.pack_dims(state, dims, math.batch("batch"))
        native = to_torch(packed, self._layout, boundary="model: in")
        following: Any = to_phiml(
            self.module(native),
            self._layout,
            components=self.components,
            boundary="model: out",
        )
        if not dims:
            following = following.batch[0]
        elif dims.names != ("batch",):
            following = math.unpack_dim(following, "batch", dims)
        return cast(Tensor, following)

    def set_training(self, training: bool) -> None:
        """Training or evaluation mode."""
        self.module.train(training)

    @property
    def native(self) -> nn.Module:
        """The torch network that has the weights."""
        return cast(nn.Module, self.module.network)

    def parameters(self) -> Mapping[str, Any]:
        """The torch network's leaves by canonical name."""
        return self.native.state_dict(keep_vars=True)
