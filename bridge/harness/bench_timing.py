"""Fair timing of several sides: interleaved rounds, paired ratios, an interval."""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

#: Fewer paired rounds give no interval worth the name.
FEWEST_ROUNDS = 7


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


def timed_in_turn(
    sides: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    calls: int = 1,
    warm_up: int = 2,
) -> dict[str, np.ndarray]:
    """Times all sides once in each round; every round begins with another side.

    Args:
        sides: Each does one unit of the same work.
        rounds: Rounds of all sides.
        calls: Calls of a side in a round.
        warm_up: Calls of each side that are not timed.

    Returns:
        Seconds of a call `(round,)` of each side.
    """
    names = list(sides)
    for name in names * warm_up:
        sides[name]()
    times = {name: np.empty(rounds) for name in names}
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            turned = number % len(names)
            # Odd rounds run backwards, so that no side always follows the same one.
            order = (names[turned:] + names[:turned])[:: -1 if number % 2 else 1]
            for name in order:
                start = time.perf_counter()
                for _ in range(calls):
                    sides[name]()
                times[name][number] = (time.perf_counter() - start) / calls
    finally:
        gc.enable()
    return times


def paired(first: np.ndarray, second: np.ndarray) -> Ratio:
    """The ratio of two sides that were timed in the same rounds.

    Args:
        first: Seconds of each round.
        second: Seconds of the same rounds.

    Raises:
        ValueError: There are fewer than 7 rounds.
    """
    rounds = len(first)
    if rounds < FEWEST_ROUNDS:
        raise ValueError(
            f"`rounds` is {rounds}; expected at least {FEWEST_ROUNDS} for an interval"
        )
    ratios = first / second
    drawn = np.random.default_rng(0).choice(ratios, (10_000, rounds))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    seconds = float(np.median(first)), float(np.median(second))
    return Ratio(float(np.median(ratios)), float(low), float(high), seconds, rounds)


def interleaved(
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    rounds: int = 15,
    calls: int = 1,
    warm_up: int = 2,
) -> Ratio:
    """Times two sides in turn; see `timed_in_turn` and `paired`."""
    if rounds < FEWEST_ROUNDS:
        raise ValueError(
            f"`rounds` is {rounds}; expected at least {FEWEST_ROUNDS} for an interval"
        )
    sides = {"first": first, "second": second}
    times = timed_in_turn(sides, rounds=rounds, calls=calls, warm_up=warm_up)
    return paired(times["first"], times["second"])
