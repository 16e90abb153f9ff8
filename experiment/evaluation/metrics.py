"""Errors and statistics of roll-outs, in NumPy.

A trajectory is `(time, x, y, ..., vector)`. All reductions run in float64.
"""

import numpy as np


def nrmse(prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Normalised root-mean-square error of every frame, `(time,)`, dimensionless.

    `sqrt(sum (p - r)^2 / sum r^2)`, both sums over channels and cells of one frame: the
    vector's error over the vector's size, and 1 is the error of predicting zero. For
    one channel it is the nRMSE of APEBench, for several it is not: see
    `nrmse_channels`. A frame whose reference is zero everywhere gives 0 if the
    prediction is zero too, and infinity otherwise.
    """
    _same_shape(prediction, reference)
    axes = tuple(range(1, prediction.ndim))
    return _root_ratio(prediction, reference, axes)


def nrmse_channels(prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The nRMSE of APEBench of every frame, `(time,)`, dimensionless.

    `sum_c sqrt(sum (p_c - r_c)^2 / sum r_c^2)`, the inner sums over the cells of a
    frame, the outer one over its channels: predicting zero gives the number of
    channels, and a channel of small size counts as much as the others. Koehler et al.
    2024 (arXiv:2411.00180); `exponax.metrics.nRMSE`, which says "channels are summed
    after the aggregation". A channel that is zero everywhere is treated as in `nrmse`.
    """
    _same_shape(prediction, reference)
    cells = tuple(range(1, prediction.ndim - 1))
    return _root_ratio(prediction, reference, cells).sum(-1)


def vrmse(
    prediction: np.ndarray, reference: np.ndarray, epsilon: float = 1e-7
) -> np.ndarray:
    """The VRMSE of The Well of every frame, `(time,)`, dimensionless.

    `mean_c sqrt(mean (p_c - r_c)^2 / (var r_c + epsilon))`, the inner means over the
    cells of a frame, the outer one over its channels: predicting each channel's mean
    gives about 1. Ohana et al. 2024 (arXiv:2412.00568); as in
    `the_well.benchmark.metrics.spatial` (NMSE with `norm_mode="std"`), the variance is
    the unbiased one, over cells - 1, and epsilon is 1e-7 in the field's unit squared.
    """
    _same_shape(prediction, reference)
    cells = tuple(range(1, prediction.ndim - 1))
    error = np.square(_wide(prediction) - _wide(reference)).mean(cells)
    variance = _wide(reference).var(cells, ddof=1)
    return np.sqrt(error / (variance + epsilon)).mean(-1)


def _root_ratio(
    prediction: np.ndarray, reference: np.ndarray, axes: tuple[int, ...]
) -> np.ndarray:
    difference = np.square(_wide(prediction) - _wide(reference)).sum(axes)
    scale = np.square(_wide(reference)).sum(axes)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.sqrt(difference / scale)
    return np.where((scale == 0) & (difference == 0), 0.0, ratio)


def rmse(prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Root-mean-square error of every frame, `(time,)`, in the unit of the field.

    `sqrt(mean (p - r)^2)`, the mean over channels and cells of one frame.
    """
    _same_shape(prediction, reference)
    axes = tuple(range(1, prediction.ndim))
    return np.sqrt(np.square(_wide(prediction) - _wide(reference)).mean(axes))


def correlation(prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Pearson correlation of every frame, `(time,)`.

    Each channel's mean over cells is subtracted first; the sums run over channels and
    cells. A frame without variance on one side has the correlation 0, and 1 if both
    sides are equal.
    """
    _same_shape(prediction, reference)
    axes = tuple(range(1, prediction.ndim))
    cells = axes[:-1]
    p, r = _wide(prediction), _wide(reference)
    p = p - p.mean(cells, keepdims=True)
    r = r - r.mean(cells, keepdims=True)
    norm = np.sqrt(np.square(p).sum(axes) * np.square(r).sum(axes))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (p * r).sum(axes) / norm
    equal = (p == r).all(axes)
    return np.where(norm == 0, equal.astype(float), value)


def correlation_time(
    prediction: np.ndarray, reference: np.ndarray, dt: float, threshold: float = 0.8
) -> tuple[float, bool]:
    """Time until the correlation first falls below `threshold`.

    As in Kochkov et al. 2021 (doi:10.1073/pnas.2101784118), with their threshold 0.8
    by default.

    Returns:
        The time in the unit of `dt`, and whether it was reached at all: False means
        that the correlation stays above for the whole roll-out, whose length it is.
    """
    values = correlation(prediction, reference)
    # A NaN has lost the correlation too.
    below = np.flatnonzero(~(values >= threshold))
    if below.size == 0:
        return (len(values) - 1) * dt, False
    return float(below[0]) * dt, True


def energy(trajectory: np.ndarray) -> np.ndarray:
    """Mean over the cells of half the squared magnitude, `(time,)`.

    For a velocity this is the kinetic energy per mass, m^2/s^2.
    """
    axes = tuple(range(1, trajectory.ndim))
    cells = np.prod(trajectory.shape[1:-1])
    return 0.5 * np.square(_wide(trajectory)).sum(axes) / cells


def spectrum(frame: np.ndarray) -> np.ndarray:
    """Radially binned energy spectrum of one frame `(x, y, ..., vector)`.

    With the Fourier transform normalised by the number of cells,
    `E(k) = 1/2 sum |u_hat|^2` over all channels and all wave vectors whose length in
    waves across the domain rounds to k. The sum over all wave vectors is the energy of
    the frame (Parseval); corners beyond the last whole circle are left out.

    Others have other conventions. APEBench's (`exponax.get_spectrum`) has the same bins
    and one spectrum for each channel; its real transform keeps half of the wave vectors
    at twice the amplitude, so that where it counts one of two mirrored ones it has
    twice ours. The Well's (`the_well.benchmark.metrics.spectral.power_spectrum`, Ohana
    et al. 2024, arXiv:2412.00568) is the *mean* of `|u_hat|^2` over a bin, a channel
    each, of a transform that isn't normalised, in int(sqrt(N)) - 1 bins of equal width
    up to pi per cell, of square grids alone.

    Returns:
        `(min(x, y, ...) // 2 + 1,)`, k = 0, 1, ...
    """
    shape = frame.shape[:-1]
    axes = tuple(range(len(shape)))
    modes = np.fft.fftn(_wide(frame), axes=axes) / np.prod(shape)
    power = 0.5 * np.square(np.abs(modes)).sum(-1)
    waves = np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in shape), indexing="ij")
    length = np.rint(np.sqrt(sum(np.square(w) for w in waves))).astype(int)
    largest = min(shape) // 2
    return np.bincount(length.ravel(), power.ravel())[: largest + 1]


def _wide(array: np.ndarray) -> np.ndarray:
    # In one memory order, as the order of a sum follows it.
    return np.ascontiguousarray(array, dtype=np.float64)


def _same_shape(prediction: np.ndarray, reference: np.ndarray) -> None:
    # NumPy would broadcast, and a broadcast error is a wrong number without a word.
    if prediction.shape != reference.shape:
        raise ValueError(
            f"`prediction` is {prediction.shape}, `reference` {reference.shape};"
            " expected the same (time, x, ..., vector)"
        )
