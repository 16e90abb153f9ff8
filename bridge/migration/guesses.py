"""Guesses of which leaf is which, by name, shape and order, the likeliest first."""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from bridge.migration.mapping import Leaf

#: Arrays of a side by name.
Arrays = Mapping[str, np.ndarray]
Leaves = Mapping[str, Leaf]
_Axes = tuple[int, ...]

#: Guesses at most; leaves of one shape that are tried in every order.
_GUESSES, _ORDERED = 300, 4
#: Orders of more axes than this aren't tried.
_RANK = 5


def first_guesses(theirs: Arrays, mine: Arrays) -> Iterator[dict[str, Leaf]]:
    """By name, then by shape in the order of both; then other orders and axes.

    Leaves of one rank have the same order of axes in most libraries, so the order of
    those that fit in one way only comes first. Of few leaves, all ways follow.
    """
    named = _by_name(theirs, mine)
    count = 0
    for order in _orders(theirs, mine, named):
        leaves = dict(named) | order
        for guess in _axes_of_ranks(leaves, theirs, mine):
            yield guess
            count += 1
            if count >= _GUESSES:
                return
    yield from _every(theirs, mine, named)


def _every(theirs: Arrays, mine: Arrays, named: Leaves) -> Iterator[dict[str, Leaf]]:
    """All orders in all axes, if they aren't too many."""
    groups = [g for g in _groups(theirs, mine, named) if len(g[1]) <= _ORDERED]
    orders = math.prod(math.factorial(len(own)) for _, own in groups)
    if orders > _GUESSES:
        return
    for order in itertools.product(*(itertools.permutations(own) for _, own in groups)):
        moved = [
            (ours, list(own)) for (ours, _), own in zip(groups, order, strict=True)
        ]
        leaves = dict(named) | _paired(moved, theirs, mine, list)
        ways = {
            name: _ways(theirs[name], mine[leaf.name], leaf.name)
            for name, leaf in leaves.items()
        }
        if orders * math.prod(map(len, ways.values())) > _GUESSES:
            return
        for chosen in itertools.product(*ways.values()):
            yield dict(zip(ways, chosen, strict=True))


def changes(
    found: Leaves, theirs: Arrays, mine: Arrays, together: int
) -> Iterator[dict[str, Leaf]]:
    """Other axes of a leaf, or two leaves of one shape exchanged; some at once."""
    single = list(_changes(found, theirs, mine))
    for chosen in itertools.combinations(single, together):
        changed = dict(found)
        for change in chosen:
            changed.update(change)
        if len({leaf.name for leaf in changed.values()}) == len(changed):
            yield changed


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


def _by_name(theirs: Arrays, mine: Arrays) -> dict[str, Leaf]:
    found = {}
    free = dict(mine)
    for same in (lambda n: n, _plain):
        for name, value in theirs.items():
            if name in found:
                continue
            for own, other in list(free.items()):
                if same(name) == same(own) and (ways := _ways(value, other, own)):
                    found[name] = ways[0]
                    del free[own]
                    break
    return found


def _ways(value: np.ndarray, other: np.ndarray, own: str) -> list[Leaf]:
    """How an array may lie in another: axes in another order, then merged or split."""
    shape, wanted = value.shape, other.shape
    if value.dtype.kind != other.dtype.kind or value.size != other.size:
        return []
    if len(shape) > _RANK:
        return [Leaf(own)] if shape == wanted else []
    orders = [
        (axes, tuple(shape[a] for a in axes))
        for axes in itertools.permutations(range(len(shape)))
    ]
    kept = [Leaf(own, _short(axes)) for axes, moved in orders if moved == wanted]
    return kept or [
        Leaf(own, _short(axes), wanted)
        for axes, moved in orders
        if _nested(moved, wanted)
    ]


def _short(axes: _Axes) -> _Axes:
    return () if axes == tuple(range(len(axes))) else axes


def _nested(left: Sequence[int], right: Sequence[int]) -> bool:
    """Whether one shape is the other with neighbouring axes merged."""
    ends = [set(np.cumprod([n for n in s if n != 1])) for s in (left, right)]
    return ends[0] <= ends[1] or ends[1] <= ends[0]


def _orders(theirs: Arrays, mine: Arrays, named: Leaves) -> Iterator[dict[str, Leaf]]:
    """Leaves without a common name, paired by shape: by likeness, in several orders.

    Layers in another order have weights and biases in that same order.
    """
    groups = _groups(theirs, mine, named)
    alike = [(ours, _alike(ours, own)) for ours, own in groups]
    yield _paired(alike, theirs, mine, lambda own: own)
    yield _paired(groups, theirs, mine, lambda own: own)
    yield _paired(groups, theirs, mine, lambda own: own[::-1])
    for size in range(2, _ORDERED + 1):
        for places in list(itertools.permutations(range(size)))[1:]:

            def moved(own: list[str], at: tuple[int, ...] = places) -> list[str]:
                return [own[p] for p in at] if len(own) == len(at) else own

            if any(len(own) == size for _, own in groups):
                yield _paired(groups, theirs, mine, moved)


def _alike(ours: list[str], own: list[str]) -> list[str]:
    """The names of the other side, the most alike one in each place."""
    places = {n: i for names in (ours, own) for i, n in enumerate(names)}

    def likeness(pair: tuple[str, str]) -> float:
        left, right = (_words(n) for n in pair)
        same = [_same_word(a, b) for a, b in zip(left, right, strict=False)]
        front = same.index(False) if False in same else len(same)
        kind = 2 * bool({*left} & {*right} & {"weight", "bias"})
        both = len({*left} & {*right}) / len({*left} | {*right} | {""})
        near = abs(places[pair[0]] - places[pair[1]]) / (len(own) + len(ours))
        return kind + front + both - near / 2

    chosen: dict[str, str] = {}
    for left, right in sorted(itertools.product(ours, own), key=likeness, reverse=True):
        if left not in chosen and right not in chosen.values():
            chosen[left] = right
    taken = [chosen[n] for n in ours if n in chosen]
    return taken + [n for n in own if n not in taken]


def _words(name: str) -> list[str]:
    """The words of a name, those that mean the same alike; numbers by themselves."""
    words: list[str] = re.findall(r"[a-z]+|[0-9]+", _plain(name))
    return [_SAME.get(w, w) for w in words]


def _same_word(left: str, right: str) -> bool:
    """Whether words are equal, or one is the other's beginning."""
    short, long = sorted((left, right), key=len)
    return short == long or (len(short) > 2 and long.startswith(short))


#: What libraries call the same layer.
_SAME = {
    "ln": "norm",
    "layernorm": "norm",
    "bn": "norm",
    "batchnorm": "norm",
    "fc": "linear",
    "lin": "linear",
    "dense": "linear",
    "attention": "attn",
    "mha": "attn",
    "qkv": "in",
    "o": "out",
    "up": "1",
    "down": "2",
    "embed": "embedding",
    "emb": "embedding",
}


def _groups(
    theirs: Arrays, mine: Arrays, named: Leaves
) -> list[tuple[list[str], list[str]]]:
    """Names of both sides that may belong together: equal axes first, then sizes."""
    used = {leaf.name for leaf in named.values()}
    left = [n for n in theirs if n not in named]
    right = [n for n in mine if n not in used]
    groups = []
    for key in (lambda v: (v.dtype.kind, tuple(sorted(v.shape))), _size):
        for kind in dict.fromkeys(key(theirs[n]) for n in left):
            ours = [n for n in left if key(theirs[n]) == kind]
            own = [n for n in right if key(mine[n]) == kind]
            if not own:
                continue
            groups.append((ours, own))
            left = [n for n in left if n not in ours]
            right = [n for n in right if n not in own]
    return groups


def _size(value: np.ndarray) -> tuple[str, int]:
    return value.dtype.kind, value.size


def _paired(
    groups: list[tuple[list[str], list[str]]],
    theirs: Arrays,
    mine: Arrays,
    order: Callable[[list[str]], list[str]],
) -> dict[str, Leaf]:
    found = {}
    for ours, own in groups:
        for name, other in zip(ours, order(own), strict=False):
            ways = _ways(theirs[name], mine[other], other)
            if ways:
                found[name] = ways[0]
    return found


def _axes_of_ranks(
    leaves: Leaves, theirs: Arrays, mine: Arrays
) -> Iterator[dict[str, Leaf]]:
    """One order of axes for all leaves of a rank that fit in several."""
    ways = {
        name: _ways(theirs[name], mine[leaf.name], leaf.name)
        for name, leaf in leaves.items()
    }
    ranks: dict[int, dict[_Axes, int]] = {}
    for name, options in ways.items():
        counts = ranks.setdefault(theirs[name].ndim, {})
        for leaf in options:
            # What fits in one way only tells more than any number of others.
            weight = 1 if len(options) > 1 else len(ways) + 1
            axes = tuple(leaf.axes)
            counts[axes] = counts.get(axes, 0) + weight
    choices = [
        [(rank, axes) for axes in sorted(counts, key=lambda a, c=counts: -c[a])]
        for rank, counts in ranks.items()
    ]
    for chosen in itertools.product(*choices):
        axes = dict(chosen)
        yield {
            name: next(
                (w for w in options if tuple(w.axes) == axes[theirs[name].ndim]),
                options[0],
            )
            for name, options in ways.items()
        }


def _changes(found: Leaves, theirs: Arrays, mine: Arrays) -> Iterator[dict[str, Leaf]]:
    for name, leaf in found.items():
        for other in _ways(theirs[name], mine[leaf.name], leaf.name):
            if other != leaf:
                yield {name: other}
    for left, right in itertools.combinations(found, 2):
        if theirs[left].shape == theirs[right].shape:
            yield {left: found[right], right: found[left]}
