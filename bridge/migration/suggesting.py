"""Suggests which of the candidate's leaves is which of the control's."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bridge.harness import HarnessError, error_of, rms
from bridge.migration.arrays import cast, flatten, real, to_numpy
from bridge.migration.mapping import Leaf, leaf_map, write_mapping
from bridge.migration.pair import Pair, SideError
from bridge.migration.seen import best, seed, varied
from bridge.migration.subject import Subject

if TYPE_CHECKING:
    from bridge.migration.migration import Migration

#: Forwards that are tried to tell leaves of one shape apart.
_TRIES = 400


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
    found = _by_name(theirs, mine)
    _by_shape(found, theirs, mine)
    notes = [f"{migration.name}: control's name: candidate's name"]
    if migration.applies("R3"):
        notes.append(_by_probe(pair, control, candidate, found, theirs, mine))
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


def _plain(name: str) -> str:
    """A name without what differs from library to library."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    same = {
        "kernel": "weight",
        "w": "weight",
        "scale": "weight",
        "gamma": "weight",
        "b": "bias",
        "beta": "bias",
        "mean": "running_mean",
        "var": "running_var",
    }
    return ".".join(same.get(w, w) for w in words if w not in ("module", "params", ""))


def _by_name(
    theirs: Mapping[str, np.ndarray], mine: Mapping[str, np.ndarray]
) -> dict[str, Leaf]:
    found = {}
    free = dict(mine)
    for same in (lambda n: n, _plain):
        for name, value in theirs.items():
            if name in found:
                continue
            for own, other in list(free.items()):
                axes = _axes(value.shape, other.shape)
                if same(name) == same(own) and axes is not None:
                    found[name] = Leaf(own, axes)
                    del free[own]
                    break
    return found


def _axes(shape: tuple[int, ...], own: tuple[int, ...]) -> tuple[int, ...] | None:
    """The order of axes that makes one shape of the other; empty if they are equal."""
    if shape == own:
        return ()
    for axes in itertools.permutations(range(len(shape))):
        if len(shape) == len(own) and tuple(shape[a] for a in axes) == own:
            return axes
    return None


def _by_shape(
    found: dict[str, Leaf],
    theirs: Mapping[str, np.ndarray],
    mine: Mapping[str, np.ndarray],
) -> None:
    """The n-th leaf of a shape is the n-th of that shape, in the order of both."""
    used = {leaf.name for leaf in found.values()}
    free = [n for n in mine if n not in used]
    for name, value in theirs.items():
        if name in found:
            continue
        for own in free:
            axes = _axes(value.shape, mine[own].shape)
            if axes is not None and value.dtype.kind == mine[own].dtype.kind:
                found[name] = Leaf(own, axes)
                free.remove(own)
                break


def _by_probe(
    pair: Pair,
    control: Subject,
    candidate: Subject,
    found: dict[str, Leaf],
    theirs: Mapping[str, np.ndarray],
    mine: Mapping[str, np.ndarray],
) -> str:
    """Exchanges leaves, and their axes, until the outputs agree."""
    drawn = varied(theirs, set(control.trainable()), True)
    weights = {n: cast(v, pair.precision) for n, v in drawn.items()}
    inputs, _ = pair.batch(2)
    control.load(weights)
    seed()
    wanted = _outputs(control, inputs)

    def off(leaves: Mapping[str, Leaf]) -> float:
        mapped = leaf_map(dict(leaves), {n: theirs[n].shape for n in leaves}, mine)
        candidate.load(mapped.out({n: weights[n] for n in leaves}))
        seed()
        try:
            given = _outputs(candidate, inputs)
        except Exception:
            return np.inf
        if [v.shape for v in given] != [v.shape for v in wanted]:
            return np.inf
        return max(
            (error_of(g, w, rms(w) or 1.0) for g, w in zip(given, wanted, strict=True)),
            default=np.inf,
        )

    best_off, tries, moved = off(found), 1, True
    while moved and best_off > 1e-9 and tries < _TRIES:
        moved = False
        for change in _changes(found, theirs, mine):
            tries += 1
            now = off(change)
            if now < best_off * (1 - 1e-6):
                found.update(change)
                best_off, moved = now, True
                break
            if tries >= _TRIES:
                break
    if best_off <= 1e-6:
        return f"a forward with these agrees to {best_off:.0e}, after {tries} tries"
    return (
        f"a forward with these is {best_off:.1e} off, after {tries} tries: names and"
        " shapes alone speak for it; check it, or the two compute something else"
    )


def _outputs(subject: Subject, inputs: list[np.ndarray]) -> list[np.ndarray]:
    output = flatten(subject.forward(inputs, False)).values()
    return [real(to_numpy(v)).astype(float) for v in output]


def _changes(
    found: Mapping[str, Leaf],
    theirs: Mapping[str, np.ndarray],
    mine: Mapping[str, np.ndarray],
) -> Iterator[dict[str, Leaf]]:
    """Other axes of one leaf; two leaves of one shape exchanged."""
    for name, leaf in found.items():
        shape = theirs[name].shape
        for axes in itertools.permutations(range(len(shape))):
            fits = tuple(shape[a] for a in axes) == mine[leaf.name].shape
            if fits and axes != (tuple(leaf.axes) or tuple(range(len(shape)))):
                yield {**found, name: Leaf(leaf.name, axes)}
    for left, right in itertools.combinations(found, 2):
        if theirs[left].shape == theirs[right].shape:
            swapped = dict(found)
            swapped[left], swapped[right] = found[right], found[left]
            yield swapped
