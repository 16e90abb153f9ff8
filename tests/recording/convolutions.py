"""Which convolutions ran, and in which memory order their arrays came."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.recording.entries import memory_order

_NAMES = ("0", "1", "x", "y")


class _Watch(TorchDispatchMode):
    def __init__(self, seen: Counter[str]) -> None:
        super().__init__()
        self._seen = seen

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = str(func)
        if "convolution" in name or "batch_norm" in name:
            arrays = (a for a in args if isinstance(a, torch.Tensor) and a.ndim == 4)
            shown = [f"{tuple(a.shape)} as {_order(a)}" for a in arrays]
            self._seen[f"{name}: {'; '.join(shown)}"] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def watched_convolutions() -> Iterator[Counter[str]]:
    """Counts each kind of call, forward and backward, while this is open.

    Dim 0 and 1 are batch and channels of states, and out and in of weights.
    """
    seen: Counter[str] = Counter()
    with _Watch(seen):
        yield seen


def _order(tensor: torch.Tensor) -> str:
    return memory_order(tensor, list(_NAMES))
