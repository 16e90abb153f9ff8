"""The memory order that convolutions are fastest in, and casts of complex leaves.

PhiML has no word for memory order, and casts no complex leaves, so the calls below go
to torch, the only backend of PhiML whose order can be chosen.
"""

from typing import Any

import torch

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def channels_last(native: Any) -> Any:
    """`(batch, vector, x, ...)` with the channels innermost in memory.

    A view where they are innermost already (a PhiML tensor whose last dim is `vector`),
    one copy otherwise. 1D data stay as they are: torch has no such order for them.
    """
    order = _FORMATS.get(native.ndim)
    return native if order is None else native.contiguous(memory_format=order)


def convert_complex(network: Any, precision: int) -> None:
    """Casts complex leaves to a precision (of a part: 32 or 64 bits)."""
    kind = torch.complex128 if precision == 64 else torch.complex64
    for leaf in (*network.parameters(), *network.buffers()):
        if leaf.is_complex():
            leaf.data = leaf.data.to(kind)


def weights_channels_last(network: Any) -> None:
    """Lays a network's convolution kernels out as `channels_last` lays out grids."""
    for leaf in network.parameters():
        order = _FORMATS.get(leaf.ndim)
        if order is not None:
            leaf.data = leaf.data.contiguous(memory_format=order)
