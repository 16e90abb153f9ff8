"""What a source of data gives, whatever its layout."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np


class Source(ABC):
    """Trajectories that another program made; they are read and never written.

    Attributes:
        path: Where they are.
        layout: The layout's name, in words.
    """

    layout: str

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def fields(self) -> Sequence[str]:
        """Names of the fields."""

    @abstractmethod
    def simulations(self, field: str) -> int:
        """How many simulations hold a field."""

    @abstractmethod
    def read(self, field: str, simulation: int) -> np.ndarray:
        """One field of one simulation, as it is stored.

        Args:
            field: One of `fields`.
            simulation: Its place in the source, from 0.

        Returns:
            `(time, x, y, ...)` of a scalar, `(time, x, y, ..., vector)` of a vector; a
            field that is stored without a time has one frame.

        Raises:
            SceneError: It can't be read.
        """

    @abstractmethod
    def files(self, fields: Sequence[str], simulations: int) -> Sequence[Path]:
        """The files that so many simulations are read from."""

    @property
    def domain(self) -> Mapping[str, float] | None:
        """Sizes of the box by axis; None if the source doesn't say."""
        return None

    @property
    def dt(self) -> float | None:
        """Time between two frames; None if the source doesn't say."""
        return None

    @property
    def boundaries(self) -> Sequence[str]:
        """Kinds of the boundaries; empty if the source doesn't say."""
        return ()
