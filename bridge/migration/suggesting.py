"""Suggests which of the candidate's leaves is which of the control's."""

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bridge.harness import HarnessError, rms
from bridge.migration.arrays import cast, flatten, real, to_numpy
from bridge.migration.guesses import Arrays, Leaves, changes, first_guesses
from bridge.migration.mapping import Leaf, leaf_map, write_mapping
from bridge.migration.pair import Pair, SideError
from bridge.migration.seen import best, seed, varied
from bridge.migration.subject import Subject

if TYPE_CHECKING:
    from bridge.migration.migration import Migration

#: Forwards that are tried to tell leaves of one shape apart.
_TRIES = 1000
#: Seconds after which no further one is tried.
_BUDGET = 60.0
#: Samples of a probe, and draws of weights: what one doesn't use, another may.
_SAMPLES, _DRAWS = 8, 3
#: A forward with the right leaves is off by rounding alone.
_AGREES = 1e-9


#: Outputs that are further off than this say nothing of leaves; names do.
_FAR = 0.3
#: What a wrong activation may do; a wrong leaf does more.
_NEAR = 0.02


def suggest(migration: "Migration", path: Path | None) -> dict[str, Leaf]:
    """By equal name, then by shape and order, then by the values of a probe.

    Raises:
        HarnessError: A side can't be built.
    """
    bare = replace(migration, candidate=replace(migration.candidate, rename=None))
    pair = Pair(bare, best(migration.precisions))
    try:
        control = pair.one("control", pair.precision)
        candidate = pair.one("candidate", pair.precision)
    except SideError as error:
        raise HarnessError(str(error)) from error
    theirs, mine = control.leaves(), candidate.leaves()
    guesses = list(first_guesses(theirs, mine))
    found = guesses[0]
    notes = [f"{migration.name}: control's name: candidate's name"]
    if migration.applies("R3"):
        off = _probe(pair, control, candidate, theirs, mine)
        found, note = _by_values(guesses, off, theirs, mine)
        notes.append(note)
    lost = [n for n in theirs if n not in found]
    used = {leaf.name for leaf in found.values()}
    extra = [n for n in mine if n not in used]
    notes += [f"the control's, not mapped: {n} {theirs[n].shape}" for n in lost]
    notes += [f"the candidate's, not mapped: {n} {mine[n].shape}" for n in extra]
    ordered = {n: found[n] for n in theirs if n in found}
    leaf_map(ordered, {n: theirs[n].shape for n in ordered}, mine)
    if path is not None:
        write_mapping(path, ordered, notes)
    return ordered


def _probe(
    pair: Pair, control: Subject, candidate: Subject, theirs: Arrays, mine: Arrays
) -> Callable[[Leaves], float]:
    """How far outputs are off with a mapping, beside their own size."""
    drawn = varied(theirs, set(control.trainable()), True)
    inputs, _ = pair.batch(_SAMPLES)
    probes = []
    for number in range(_DRAWS):
        weights = {
            n: cast(_moved(v, number), pair.precision)
            if n in control.trainable()
            else cast(v, pair.precision)
            for n, v in drawn.items()
        }
        control.load(weights)
        seed()
        probes.append((weights, _outputs(control, inputs)))

    def off(leaves: Leaves) -> float:
        mapped = leaf_map(dict(leaves), {n: theirs[n].shape for n in leaves}, mine)
        worst = 0.0
        for weights, wanted in probes:
            candidate.load(mapped.out({n: weights[n] for n in leaves}))
            seed()
            try:
                given = _outputs(candidate, inputs)
            except Exception:
                return np.inf
            if not wanted or [v.shape for v in given] != [v.shape for v in wanted]:
                return np.inf
            for one, other in zip(given, wanted, strict=True):
                worst = max(worst, rms(one - other) / (rms(other) or 1.0))
        return worst

    return off


def _moved(value: np.ndarray, draw: int) -> np.ndarray:
    """The control's own weights first, then others of their size."""
    if not draw or value.dtype.kind not in "fc":
        return value
    return value * np.random.default_rng(draw).uniform(-1.5, 1.5, value.shape)


def _outputs(subject: Subject, inputs: list[np.ndarray]) -> list[np.ndarray]:
    output = flatten(subject.forward(inputs, False)).values()
    return [real(to_numpy(v)).astype(float) for v in output]


def _by_values(
    guesses: list[dict[str, Leaf]],
    off: Callable[[Leaves], float],
    theirs: Arrays,
    mine: Arrays,
) -> tuple[dict[str, Leaf], str]:
    """The guess whose outputs agree, or the closest one, changed until they do."""
    found, least, tries = guesses[0], np.inf, 0
    end = time.monotonic() + _BUDGET
    for guess in guesses:
        tries += 1
        now = off(guess)
        if now < least:
            found, least = guess, now
        if least <= _AGREES or time.monotonic() > end:
            break
    while least > _AGREES and tries < _TRIES and time.monotonic() < end:
        # The best change of one leaf; of two, where each by itself makes it worse.
        for together in (1, 2):
            closest, best_change = least * (1 - 1e-6), None
            every = changes(found, theirs, mine, together)
            for change in itertools.islice(every, _TRIES):
                tries += 1
                now = off(change)
                if now < closest:
                    closest, best_change = now, change
                if time.monotonic() > end:
                    break
            if best_change is not None:
                found, least = best_change, closest
                break
        else:
            break
    if least <= 1e-6:
        return found, f"a forward with these agrees to {least:.0e}, after {tries} tries"
    if least >= _FAR:
        found, least = guesses[0], off(guesses[0])
    if least < _NEAR:
        return found, (
            f"a forward with these is {least:.1e} off, after {tries} tries, and any"
            " exchange is worse: the leaves are likely right, and the two compute"
            " something else; `verify` says what"
        )
    return found, (
        f"a forward with these is {least:.1e} off, after {tries} tries: names and"
        " shapes alone speak for it; check it, or the two compute something else"
    )
