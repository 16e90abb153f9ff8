"""`python -m tests.fuzz --seconds N [--seed N]`: tracebacks and hangs, in one report.

Ends with status 1 if there are any.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fuzz.files import broken_copy, meet_composition
from tests.fuzz.settings import meet_the_door, replaced
from tests.helpers import composed

#: What takes longer, in s, hangs; a message that is longer, in characters, is none.
_HANGS, _LONGEST = 20, 20_000
EXPERIMENTS = ("burgers", "advection", "heat", "burgers_1d", "burgers_3d")


class Hang(BaseException):
    """Not an Exception, so that nothing takes it for one of its own."""


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raises `Hang` in what takes longer."""

    def ended(number: int, frame: object) -> None:
        raise Hang(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, ended)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def attempt(work: Callable[[], str | None]) -> tuple[str, str]:
    """How some work ended, in a word, and where if that is a fault."""
    try:
        with limited(_HANGS):
            message = work()
    except (Exception, Hang) as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if "site-packages" not in f.filename]
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
        kind = "hang" if isinstance(error, Hang) else "traceback"
        return kind, f"{type(error).__name__} at {place}: {str(error)[:200]}"
    if message is not None and (not message.strip() or len(message) > _LONGEST):
        return "bad message", f"{len(message)} characters: {message[:200]}"
    return ("allowed" if message is None else "refused"), ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, outcomes, faults = random.Random(options.seed), Counter(), {}
    every = {name: composed(name) for name in EXPERIMENTS}
    ends = time.monotonic() + options.seconds
    while time.monotonic() < ends:
        if draw.random() < 0.9:
            values = replaced(every[draw.choice(EXPERIMENTS)], draw)
            tried: object = values
            kind, place = attempt(lambda values=values: meet_the_door(values))
        else:
            with tempfile.TemporaryDirectory() as name:
                file = broken_copy(Path(name), draw)
                tried = file.read_bytes()
                kind, place = attempt(lambda name=name: meet_composition(Path(name)))
        outcomes[kind] += 1
        if place:
            faults.setdefault(f"{kind}: {place}", tried)
    for number, (place, tried) in enumerate(faults.items(), 1):
        print(f"{number}. {place}\n   {str(tried)[:3000]}")
    print(", ".join(f"{kind} {count}" for kind, count in outcomes.most_common()))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
