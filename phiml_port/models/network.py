"""What every network of the port has: named dims, canonical leaves, modes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from phiml import math
from phiml.math import Tensor, channel

from phiml_port.models.memory import (
    channels_last,
    convert_complex,
    weights_channels_last,
)
from phiml_port.models.periodic import keep_memory_order

AXES = ("x", "y", "z")


class Network:
    """A network of `phiml.nn`, called on tensors with named dims.

    The network itself is a framework object that `phiml.nn` built; this class holds it
    and is none. Any number of batch dims passes through.

    Args:
        native: The network that PhiML built.
        modules: Canonical names of PhiML's layers by theirs, in canonical order; those
            that this network lacks are left out.
        rank: Number of spatial dims.
        flows: Its layers in a row, the result of each going to the next one alone.
        size_multiple: Every spatial size must be a multiple of this.
    """

    def __init__(
        self,
        native: Any,
        modules: Mapping[str, str],
        rank: int,
        *,
        flows: Iterable[Sequence[Any]] = (),
        size_multiple: int = 1,
    ) -> None:
        keep_memory_order(native, flows)
        self.native = native
        self.rank = rank
        self.size_multiple = size_multiple
        inner = dict(native.named_modules())
        #: PhiML's name of every leaf by its canonical name.
        self.leaves = {
            f"{canonical}.{leaf}": f"{name}.{leaf}"
            for name, canonical in modules.items()
            if name in inner
            for leaf in inner[name].state_dict()
        }
        unnamed = set(native.state_dict()) - set(self.leaves.values())
        if unnamed:
            raise RuntimeError(f"leaves without a canonical name: {sorted(unnamed)}")

    def __call__(self, x: Tensor, out: math.Shape | None = None) -> Tensor:
        """Applies the network.

        Args:
            x: `(batch..., x, ..., vector)`.
            out: Channel dim of the result, with component names.

        Returns:
            `(batch..., x, ..., vector)`.

        Raises:
            ValueError: A dim is missing or extra, or a size can't be halved.
        """
        axes = AXES[: self.rank]
        if x.shape.spatial.names != axes or x.shape.channel.names != ("vector",):
            raise ValueError(
                f"the network got the dims {x.shape}; expected any batch dims,"
                f" the spatial dims {', '.join(axes)} in this order, and the channel"
                " dim `vector`"
            )
        multiple = self.size_multiple
        for axis in axes:
            size = int(x.shape.get_size(axis) or 0)
            if size % multiple:
                below = max(size // multiple, 1) * multiple
                raise ValueError(
                    f"`{axis}` has {size} cells; this network halves its grid, so it"
                    f" must be a multiple of {multiple}, such as {below}"
                    f" or {below + multiple}"
                )
        dim: Any = channel("vector") if out is None else out
        return math.native_call(
            lambda native: self.native(channels_last(native)), x, channel_dim=dim
        )

    def parameters(self) -> dict[str, Any]:
        """The framework's own leaves (parameters and buffers) by canonical name."""
        leaves = self.native.state_dict(keep_vars=True)
        return {name: leaves[inner] for name, inner in self.leaves.items()}

    def export_weights(self) -> dict[str, np.ndarray]:
        """Copies of all leaves by canonical name."""
        return {
            name: leaf.detach().cpu().numpy().copy()
            for name, leaf in self.parameters().items()
        }

    def import_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Fills all leaves; values are cast to the network's dtype.

        Raises:
            ValueError: A leaf is missing, extra or of another shape.
        """
        own = self.parameters()
        if own.keys() != weights.keys():
            unequal = ", ".join(sorted(own.keys() ^ weights.keys()))
            raise ValueError(f"leaves that only one side has: {unequal}")
        for name, leaf in own.items():
            if tuple(leaf.shape) != weights[name].shape:
                raise ValueError(
                    f"leaf `{name}` is {tuple(leaf.shape)}, got {weights[name].shape}"
                )
            leaf.data.copy_(leaf.data.new_tensor(weights[name]))

    def set_training(self, training: bool) -> None:
        """Training or evaluation mode, which batch normalisation depends on."""
        self.native.train(training)

    def convert(self, device: str, precision: int) -> None:
        """Moves all leaves to a device and a floating point precision (32 or 64)."""
        self.native.to(device)
        self.native.double() if precision == 64 else self.native.float()
        convert_complex(self.native, precision)
        weights_channels_last(self.native)
