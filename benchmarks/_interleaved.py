"""Fair timing of two sides: interleaved rounds, paired ratios, an interval."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ratio:
    """Time of the first side over that of the second.

    Attributes:
        median: Median of the paired ratios.
        low: Lower end of the bootstrap 95 % interval of the median.
        high: Upper end.
        seconds: Median seconds of a call, of both sides.
        rounds: Number of paired rounds.
    """

    median: float
    low: float
    high: float
    seconds: tuple[float, float]
    rounds: int

    def __str__(self) -> str:
        first, second = (f"{1e3 * s:.2f} ms" for s in self.seconds)
        return (
            f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}]"
            f" ({first} against {second}, {self.rounds} rounds)"
        )


def interleaved(
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    rounds: int = 15,
    calls: int = 1,
    warm_up: int = 2,
) -> Ratio:
    """Times both sides in turn, each round in the other order than the one before.

    Args:
        first: Does one unit of work.
        second: Does the same work.
        rounds: Paired rounds, at least 7.
        calls: Calls in a round.
        warm_up: Calls of each side that are not timed.

    Raises:
        ValueError: Fewer than 7 rounds are asked for.
    """
    if rounds < 7:
        raise ValueError(f"`rounds` is {rounds}; expected at least 7 for an interval")
    sides = (first, second)
    for side in sides * warm_up:
        side()
    times = np.empty((rounds, 2))
    gc.collect()
    gc.disable()
    try:
        for round_number in range(rounds):
            for place in (0, 1) if round_number % 2 else (1, 0):
                start = time.perf_counter()
                for _ in range(calls):
                    sides[place]()
                times[round_number, place] = (time.perf_counter() - start) / calls
    finally:
        gc.enable()
    ratios = times[:, 0] / times[:, 1]
    drawn = np.random.default_rng(0).choice(ratios, (10_000, rounds))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    median = np.median(times, axis=0)
    return Ratio(
        float(np.median(ratios)),
        float(low),
        float(high),
        (float(median[0]), float(median[1])),
        rounds,
    )
