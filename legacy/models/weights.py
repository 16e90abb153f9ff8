"""Weights as NumPy arrays under canonical names, and back."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn


def export_weights(network: nn.Module) -> dict[str, np.ndarray]:
    """Copies of all parameters and buffers, by the names of `state_dict()`."""
    return {
        name: leaf.detach().cpu().numpy().copy()
        for name, leaf in network.state_dict().items()
    }


@torch.no_grad()
def import_weights(network: nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Fills all parameters and buffers; values are cast to the network's dtype.

    Raises:
        ValueError: A leaf is missing, extra or of another shape.
    """
    leaves = network.state_dict()
    if leaves.keys() != weights.keys():
        unequal = sorted(leaves.keys() ^ weights.keys())
        raise ValueError(f"leaves that only one side has: {', '.join(unequal)}")
    for name, leaf in leaves.items():
        if leaf.shape != weights[name].shape:
            raise ValueError(
                f"leaf `{name}` is {tuple(leaf.shape)}, got {weights[name].shape}"
            )
        # from_numpy makes 0-d arrays 0-d tensors; copy_ would broadcast silently.
        leaf.copy_(torch.from_numpy(np.asarray(weights[name])))


def leaf_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter and buffer."""
    return {name: tuple(leaf.shape) for name, leaf in network.state_dict().items()}


def cast_leaves(network: nn.Module, dtype: torch.dtype) -> None:
    """Casts all leaves of floating point to a dtype, complex ones to its pair."""
    # `Module.to(dtype)` would drop the imaginary parts.
    for leaf in (*network.parameters(), *network.buffers()):
        if leaf.is_complex():
            leaf.data = leaf.data.to(dtype.to_complex())
        elif leaf.is_floating_point():
            leaf.data = leaf.data.to(dtype)
