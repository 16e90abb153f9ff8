"""Loaders of one side as the other side's trainer iterates over them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from phiml.math import Tensor

from bridge.convert import (
    PhimlLoader,
    TorchCompatibleDataLoader,
    TorchLoader,
    to_phiml,
    to_torch,
)

NAMES = ("u", "v")


class Batches:
    """A loader of two batches that notes what it is asked for."""

    dataset, batch_size = "the windows", 3

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches
        self.calls: list[Any] = []

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        self.calls.append((trajectories, access))

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        self.calls.append((epoch, position))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def windows() -> list[torch.Tensor]:
    """Batches `(batch, vector, time, x, y)`, the last one smaller."""
    return [torch.randn(3, 2, 4, 5, 6), torch.randn(1, 2, 4, 5, 6)]


def test_a_torch_loader_gives_named_batches_on_the_same_memory() -> None:
    batches = windows()
    loader = PhimlLoader(Batches(batches), NAMES, rank=2, device="cpu")
    for named, native in zip(loader, batches, strict=True):
        assert isinstance(named, Tensor)
        assert named.shape.get_labels("vector") == NAMES
        back = to_torch(named, "batch vector time x y")
        assert back.data_ptr() == native.data_ptr() and torch.equal(back, native)


def test_a_named_loader_gives_torch_batches_on_the_same_memory() -> None:
    batches = windows()
    named = [to_phiml(b, "batch vector time x y", components=NAMES) for b in batches]
    for native, batch in zip(TorchLoader(Batches(named), rank=2), batches, strict=True):
        assert native.data_ptr() == batch.data_ptr() and torch.equal(native, batch)


def test_all_else_is_the_wrapped_loaders() -> None:
    for adapted in (
        PhimlLoader(inner := Batches(windows()), NAMES, rank=2, device="cpu"),
        TorchLoader(inner, rank=2),
    ):
        inner.calls.clear()
        adapted.set_epoch(2, 1)
        adapted.augment(None, "real_only")
        assert inner.calls == [(2, 1), (None, "real_only")]
        assert len(adapted) == 2
        assert (adapted.dataset, adapted.batch_size) == ("the windows", 3)


def test_the_name_of_the_plan() -> None:
    assert TorchCompatibleDataLoader is TorchLoader
