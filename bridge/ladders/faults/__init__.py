"""Deliberate faults, to prove that the ladders report them; a file each."""

from collections.abc import Callable, Sequence

from bridge.harness import Fault, load_object


def faults_of(ladder: str) -> Callable[[], Sequence[Fault]]:
    """The faults of a ladder's file, read when they are asked for.

    They name cases and causes of the ladder, so that they can't be there before it.

    Args:
        ladder: The name of its module, here and in `bridge.ladders`.
    """
    return lambda: load_object(f"bridge.ladders.faults.{ladder}:FAULTS")
