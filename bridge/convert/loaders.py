"""Loaders of one framework, as the trainers of the other iterate over them."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from phiml.math import Tensor

from bridge.convert.converters import to_phiml, to_torch, window_layout

Batch_co = TypeVar("Batch_co", covariant=True)


class Loader(Protocol[Batch_co]):
    """Batches of windows in the order that an epoch has."""

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Chooses the epoch, and its first batch."""
        ...

    def __iter__(self) -> Iterator[Batch_co]: ...

    def __len__(self) -> int: ...


class _Adapter(Generic[Batch_co]):
    """A loader's own windows and order; only the batches are converted."""

    def __init__(self, loader: Loader[Batch_co], rank: int) -> None:
        # It may have more: `dataset`, `batch_size`, `augment`.
        self.loader: Any = loader
        self._layout = window_layout(rank)

    @property
    def dataset(self) -> Any:
        """The wrapped loader's windows by number, in its own framework."""
        return self.loader.dataset

    @property
    def batch_size(self) -> int:
        """Windows in a batch; the last one of an epoch may be smaller."""
        return self.loader.batch_size

    def augment(self, trajectories: np.ndarray | None, access: str) -> None:
        """Adds trajectories `(simulation, time, x, y, ..., vector)` to the windows."""
        self.loader.augment(trajectories, access)

    def counts(self) -> Any:
        """Real and generated windows in an epoch, as the loader gives them."""
        return self.loader.counts()

    def generated(self) -> np.ndarray:
        """Whether each window that is left of the epoch is generated, in its order."""
        return self.loader.generated()

    def observed(self) -> Any:
        """What was observed of the windows that are left of the epoch, in its order."""
        return self.loader.observed()

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Chooses the epoch, and its first batch."""
        self.loader.set_epoch(epoch, position)

    def __len__(self) -> int:
        """Batches that are left of the epoch."""
        return len(self.loader)


class PhimlLoader(_Adapter[torch.Tensor]):
    """A torch loader for a PhiML trainer: one conversion a batch, a view.

    Args:
        loader: Yields `(batch, vector, time, x, ...)`.
        components: Names of the components of `vector`.
        rank: Number of spatial dims.
        device: Where batches go.
    """

    def __init__(
        self,
        loader: Loader[torch.Tensor],
        components: Sequence[str],
        *,
        rank: int,
        device: str,
    ) -> None:
        super().__init__(loader, rank)
        self.components = tuple(components)
        self._device = device

    def __iter__(self) -> Iterator[Tensor]:
        """Batches with the dims `batch`, `vector`, `time`, `x`, ..."""
        for batch in self.loader:
            yield to_phiml(
                batch.to(self._device),
                self._layout,
                components=self.components,
                boundary="batch: in",
            )


class TorchLoader(_Adapter[Tensor]):
    """A PhiML loader for a torch trainer: one conversion a batch, a view.

    Args:
        loader: Yields `(batch, time, x, ..., vector)`.
        rank: Number of spatial dims.
    """

    def __init__(self, loader: Loader[Tensor], *, rank: int) -> None:
        super().__init__(loader, rank)

    def __iter__(self) -> Iterator[torch.Tensor]:
        """Batches `(batch, vector, time, x, ...)`, channels innermost in memory."""
        for windows in self.loader:
            yield to_torch(windows, self._layout, boundary="batch: out")


#: The name that the migration plan gives it.
TorchCompatibleDataLoader = TorchLoader
