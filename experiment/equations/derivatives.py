"""Derivatives in space, as an equation's `spectral_rates` uses them."""

from abc import ABC, abstractmethod
from typing import Literal

import numpy as np


class Derivatives(ABC):
    """Derivatives of periodic fields `(x, y, ...)` or `(x, y, ..., vector)`, in 1/m."""

    @abstractmethod
    def gradient(self, values: np.ndarray) -> list[np.ndarray]:
        """The derivative along each axis, each in the shape of `values`."""

    @abstractmethod
    def divergence(self, fluxes: list[np.ndarray]) -> np.ndarray:
        """The sum over the axes of the derivative of each axis' flux."""

    @abstractmethod
    def resolved(self, values: np.ndarray) -> np.ndarray:
        """A product without waves too short for the grid, which would alias."""


def diffusion(
    values: np.ndarray,
    coefficient: np.ndarray,
    form: Literal["divergence", "laplacian"],
    derivatives: Derivatives,
) -> np.ndarray:
    """`div(k grad v)` or `k lap v`, per component of `values`.

    Args:
        values: `(x, y, ...)` or `(x, y, ..., vector)`.
        coefficient: k in m^2/s, `(x, y, ...)` or 0-d.
        form: Which of both.
        derivatives: Derivatives in space.
    """
    k = np.asarray(coefficient)
    if k.ndim and values.ndim > k.ndim:
        k = k[..., None]
    slopes = derivatives.gradient(values)
    if form == "divergence":
        return derivatives.divergence([k * slope for slope in slopes])
    return derivatives.resolved(k * derivatives.divergence(slopes))
