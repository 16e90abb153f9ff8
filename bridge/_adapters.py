"""A model of one side, as the other side's trainer wants it."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from phiml import math
from phiml.math import Tensor
from torch import nn

from bridge._converters import to_phiml, to_torch
from experiment.data import ChannelPlan
from legacy.training import Loader
from phiml_port.models import Network, Surrogate
from phiml_port.training import Loader as NamedLoader

_AXES = ("x", "y", "z")


class CanonicalLeaves(nn.Module):
    """A PhiML network's leaves under canonical names, as torch trainers want them.

    The parameters and buffers are the network's own objects, in canonical order, so an
    optimiser, `state_dict()` and gradient clipping see what they see on the other side.
    `train()` and `eval()` reach the network.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        # In a tuple, so that torch doesn't register what it may hold inside.
        self._held = (network,)
        for name, leaf in network.parameters().items():
            *path, last = name.split(".")
            place: nn.Module = self
            for part in path:
                if part not in place._modules:
                    place.add_module(part, nn.Module())
                place = place.get_submodule(part)
            if isinstance(leaf, nn.Parameter):
                place.register_parameter(last, leaf)
            else:
                place.register_buffer(last, leaf)

    def train(self, mode: bool = True) -> "CanonicalLeaves":
        """Training or evaluation mode, for the network too."""
        super().train(mode)
        self._held[0].set_training(mode)
        return self


class TorchView(nn.Module):
    """A PhiML model inside the torch trainer: a state in, the next state out.

    Two conversions a call, both views; gradients flow through both.

    Args:
        model: The PhiML model.
        rank: Number of spatial dims.
        precision: Bits of floating point that PhiML works in, 32 or 64.
    """

    def __init__(self, model: Surrogate, *, rank: int, precision: int) -> None:
        super().__init__()
        self.model = model
        self._precision = precision
        self._layout = " ".join(("batch", "vector", *_AXES[:rank]))
        self.network = CanonicalLeaves(model.network)

    @property
    def plan(self) -> ChannelPlan:
        """The channels and their roles."""
        return self.model.plan

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        """The state one frame later; `(batch, vector, x, ...)`, all channels."""
        names = self.model.plan.names
        with math.precision(self._precision):
            named = to_phiml(
                state, self._layout, components=names, boundary="model: in"
            )
            following = self.model(named)
        return to_torch(following, self._layout, boundary="model: out")


class PhimlView:
    """A torch model inside the PhiML trainer: a state in, the next state out.

    Args:
        model: The torch model, with its weights in `model.network`.
        plan: The channels and their roles.
        rank: Number of spatial dims.
    """

    def __init__(self, model: nn.Module, plan: ChannelPlan, *, rank: int) -> None:
        self.module = model
        self.plan = plan
        self._layout = " ".join(("batch", "vector", *_AXES[:rank]))

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
            components=self.plan.names,
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
        """The torch network that holds the weights."""
        return cast(nn.Module, self.module.network)

    def parameters(self) -> Mapping[str, Any]:
        """The torch network's leaves by canonical name."""
        return self.native.state_dict(keep_vars=True)


class PhimlBatches:
    """A torch loader for the PhiML trainer: one conversion a batch, a view.

    Args:
        loader: Yields `(batch, vector, time, x, ...)`.
        plan: The channels and their names.
        rank: Number of spatial dims.
        device: Where batches go.
    """

    def __init__(
        self, loader: Loader, plan: ChannelPlan, *, rank: int, device: str
    ) -> None:
        self._loader = loader
        self._plan = plan
        self._device = device
        self._layout = " ".join(("batch", "vector", "time", *_AXES[:rank]))

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """Adds trajectories `(simulation, time, x, y, ..., vector)` to the windows."""
        cast(Any, self._loader).augment(trajectories, access)

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Chooses the epoch, and the first batch of it."""
        self._loader.set_epoch(epoch, position)

    def __iter__(self) -> Iterator[Tensor]:
        for batch in self._loader:
            yield to_phiml(
                batch.to(self._device),
                self._layout,
                components=self._plan.names,
                boundary="batch: in",
            )

    def __len__(self) -> int:
        """Batches that are left of the epoch."""
        return len(self._loader)


class TorchCompatibleDataLoader:
    """A PhiML loader for the torch trainer: one conversion a batch, a view.

    Args:
        loader: Yields `(batch, time, x, ..., vector)`.
        rank: Number of spatial dims.
    """

    def __init__(self, loader: NamedLoader, *, rank: int) -> None:
        self._loader = loader
        self._layout = " ".join(("batch", "vector", "time", *_AXES[:rank]))

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """Adds trajectories `(simulation, time, x, y, ..., vector)` to the windows."""
        cast(Any, self._loader).augment(trajectories, access)

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Chooses the epoch, and the first batch of it."""
        self._loader.set_epoch(epoch, position)

    def __iter__(self) -> Iterator[torch.Tensor]:
        """Batches `(batch, vector, time, x, ...)`, channels innermost in memory."""
        for windows in self._loader:
            yield to_torch(windows, self._layout, boundary="batch: out")

    def __len__(self) -> int:
        """Batches that are left of the epoch."""
        return len(self._loader)
