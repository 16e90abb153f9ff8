"""Both sides' settings beside each other, read off the objects that were built."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bridge.harness import Row
from bridge.migration.arrays import flatten, to_numpy
from bridge.migration.pair import Pair
from bridge.migration.subject import Subject

#: Attributes of a layer that say how it computes.
_KINDS = (bool, int, float, str, tuple)


def rows(name: str, pair: Pair) -> list[Row]:
    """A row for every setting; unequal where the sides differ."""
    control, candidate = (_described(pair, s) for s in (pair.control, pair.candidate))
    result = []
    for key in dict.fromkeys([*control, *candidate]):
        left, right = control.get(key, "none"), candidate.get(key, "none")
        mark = "equal" if left == right else "UNEQUAL"
        result.append(Row(name, key, left, right, mark))
    return result


def _described(pair: Pair, subject: Subject) -> dict[str, str]:
    leaves = subject.leaves()
    trained = set(subject.trainable())
    found = {
        "numbers that are trained": str(sum(leaves[n].size for n in trained)),
        "other numbers": str(
            sum(v.size for n, v in leaves.items() if n not in trained)
        ),
        "types": _types(leaves.values()),
    }
    migration = pair.migration
    if migration.applies("R3"):
        found |= _outputs(pair, subject)
    if migration.applies("R4"):
        found |= _losses(pair, subject)
    if hasattr(subject, "plain"):
        found |= _modules(pair, subject)
        if subject.trains:
            subject.start()
            found |= _optimiser(subject)
    return found


def _types(values: Iterable[np.ndarray]) -> str:
    return ", ".join(sorted({str(v.dtype) for v in values})) or "none"


def _outputs(pair: Pair, subject: Subject) -> dict[str, str]:
    inputs, _ = pair.batch(max(pair.migration.sizes))
    pair.refill(subject)
    output = {
        p: to_numpy(v) for p, v in flatten(subject.forward(inputs, False)).items()
    }
    shapes = ", ".join(
        f"{p or 'output'} {v.shape} {v.dtype}" for p, v in output.items()
    )
    pair.refill(subject)
    train = {p: to_numpy(v) for p, v in flatten(subject.forward(inputs, True)).items()}
    same = all(np.array_equal(train[p], v) for p, v in output.items())
    return {
        "output": shapes,
        "training mode changes the output": "no" if same else "yes",
    }


def _losses(pair: Pair, subject: Subject) -> dict[str, str]:
    """How the loss grows with the batch: a mean stays, a sum grows."""
    inputs, targets = pair.batch(max(pair.migration.sizes))
    pair.refill(subject)
    once = subject.loss(inputs, targets)
    pair.refill(subject)
    doubled = [
        [np.concatenate([v, v]) if v.ndim else v for v in part]
        for part in (inputs, targets)
    ]
    twice = subject.loss(*doubled)
    return {"loss of a doubled batch over the loss": f"{twice / once:.4g}"}


def _modules(pair: Pair, subject: Any) -> dict[str, str]:
    """Settings of all layers, summed up by kind of layer."""
    found: dict[str, dict[str, int]] = {}
    for module in subject.plain.modules():
        if next(iter(module.children()), None) is not None:
            continue
        for key, value in vars(module).items():
            plain = isinstance(value, _KINDS) or callable(value)
            if key.startswith("_") or key == "training" or not plain:
                continue
            shown = getattr(value, "__name__", None) or repr(value)
            place = f"{type(module).__name__}.{key}"
            counts = found.setdefault(place, {})
            counts[shown] = counts.get(shown, 0) + 1
    return {
        place: ", ".join(f"{n} x {v}" for v, n in sorted(counts.items()))
        for place, counts in found.items()
    }


def _optimiser(subject: Any) -> dict[str, str]:
    optimiser = subject.optimiser()
    found: Mapping[str, Any] = getattr(optimiser, "defaults", {})
    rows = {f"optimiser's {k}": repr(v) for k, v in found.items()}
    groups = getattr(optimiser, "param_groups", [])
    return {
        "optimiser": type(optimiser).__name__,
        "parameter groups": str(len(groups)),
    } | rows
