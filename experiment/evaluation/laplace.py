"""How sure the data make a recovered parameter: a low-rank Laplace approximation.

Around the optimum z of a loss, the mean of N squared errors of the variance s^2, the
posterior is taken as Gaussian: its precision is H + I / t^2, with the Hessian H =
N / (2 s^2) d^2 loss / dz^2 of what the data say, and a prior of the variance t^2. Only
the largest eigenvalues of H matter (Bui-Thanh et al. 2013, doi:10.1137/12089586X;
Petra et al. 2014, doi:10.1137/130934805): in a direction v with the eigenvalue h the
variance falls from t^2 to t^2 / (1 + h t^2), in all others it stays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from experiment.system import UserError

#: The gradient of the loss by all parameters, float64 `(parameter,)`.
Gradient = Callable[[np.ndarray], np.ndarray]
#: Standard deviation of the prior of an unbounded parameter: that of the logistic
#: distribution, which stands for any value between the bounds alike.
PRIOR = float(np.pi / np.sqrt(3))
#: Below this share of the prior's variance that the data take away, they say nothing:
#: the standard deviation is less than 5 % smaller than without data.
INFORMED = 0.1
#: Largest change of a parameter in a finite difference of float64 gradients.
_STEP = 1e-4
#: Up to so many parameters for each wanted direction, and so many at all, the whole
#: Hessian is computed: Lanczos' method would ask for as many products.
_DENSE_SHARE, _DENSE = 4, 40


@dataclass(frozen=True, eq=False)
class Laplace:
    """The Gaussian approximation of a posterior.

    Attributes:
        deviation: Standard deviation of each unbounded parameter, `(parameter,)`.
        informed: Share of the prior's variance that the data take away, `(parameter,)`:
            0 where they say nothing, 1 where they say all.
        noise: Standard deviation of the residuals, in the field's unit.
        eigenvalues: Kept eigenvalues of H times the prior's variance, largest first.
        complete: Whether all directions that the data say something of were kept.
        lowest: The most negative eigenvalue that was met, over the largest; below 0 the
            point is no minimum.
    """

    deviation: np.ndarray
    informed: np.ndarray
    noise: float
    eigenvalues: np.ndarray
    complete: bool
    lowest: float


def laplace(
    gradient: Gradient, point: np.ndarray, loss: float, count: int, rank: int
) -> Laplace:
    """The approximation at a point.

    Args:
        gradient: Of the loss, a mean of squared errors.
        point: The unbounded parameters, `(parameter,)`.
        loss: The loss there.
        count: Independent numbers that the loss is taken over.
        rank: Eigenpairs at most, unless all are found at the same price.

    Raises:
        UserError: The gradient is not finite, or Lanczos' method doesn't converge.
    """
    values, vectors = _largest(gradient, point, rank)
    kept = values > 0
    lowest = float(min(values.min(), 0.0) / max(values.max(), np.finfo(float).tiny))
    values, vectors = values[kept], vectors[:, kept]
    variance = loss
    # Parameters that the data fix take as much of the residual: N - p, not N.
    for _ in range(20):
        effective = float(_shares(values, count, variance)[1].sum())
        variance = loss * count / max(count - effective, 1.0)
    scaled, shares = _shares(values, count, variance)
    informed = np.clip((vectors**2) @ shares, 0.0, 1.0)
    return Laplace(
        PRIOR * np.sqrt(1 - informed),
        informed,
        float(np.sqrt(variance)),
        scaled,
        _is_dense(len(point), rank)
        or len(scaled) < rank
        or bool(scaled.min() < INFORMED),
        lowest,
    )


def _shares(
    values: np.ndarray, count: int, variance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues of H times the prior's variance, and what data take away of it."""
    # A residual of zero leaves nothing unsure but what can't be seen.
    scaled = values * count / (2 * max(variance, 1e-300)) * PRIOR**2
    return scaled, scaled / (1 + scaled)


def _is_dense(size: int, rank: int) -> bool:
    return size <= max(_DENSE, _DENSE_SHARE * rank)


def _largest(
    gradient: Gradient, point: np.ndarray, rank: int
) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues of the loss' Hessian, descending, and their vectors."""
    size = len(point)

    def product(direction: np.ndarray) -> np.ndarray:
        direction = direction.ravel()
        largest = np.abs(direction).max()
        if not largest:
            return np.zeros(size)
        step = _STEP / largest
        ahead, behind = (gradient(point + s * step * direction) for s in (1, -1))
        change = (ahead - behind) / (2 * step)
        if not np.isfinite(change).all():
            raise UserError(
                "the gradient beside the recovered parameter is not finite, so how sure"
                " it is can't be said. Set `evaluation.laplace_rank=0`, or train"
                " longer."
            )
        return change

    if _is_dense(size, rank):
        whole = np.stack([product(unit) for unit in np.eye(size)])
        values, vectors = np.linalg.eigh((whole + whole.T) / 2)
    else:
        operator: Any = LinearOperator((size, size), matvec=product)  # type: ignore[call-arg]
        # Always the same start, so that an evaluation can be repeated.
        start = np.random.default_rng(0).standard_normal(size)
        try:
            options: Any = {"which": "LA", "v0": start, "tol": 1e-4}
            values, vectors = eigsh(operator, rank, **options)
        except ArpackNoConvergence as error:
            raise UserError(
                f"Lanczos' method did not find {rank} directions"
                f" (`evaluation.laplace_rank`): {error}. Lower it."
            ) from error
    order = np.argsort(values)[::-1]
    return values[order], vectors[:, order]
