"""Functions and objects on NumPy arrays as subjects; they have no gradients."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bridge.harness import HarnessError
from bridge.migration.arrays import cast, to_numpy
from bridge.migration.sides import Function, Side
from bridge.migration.subject import Changes, Terms, scalar

#: How deep arrays are looked for in an object.
_DEEP = 6


class NumpySubject:
    """See `Subject`.

    Args:
        side: What the user said of it.
        built: A function, or an object that holds arrays.
        terms: The loss.
        precision: Its real and complex leaves are cast to it.
    """

    differentiates = False
    trains = False

    def __init__(
        self, side: Side, built: Any, terms: Terms, precision: str | None
    ) -> None:
        self.side, self.precision = side, precision
        self.changes = Changes()
        if isinstance(built, Function):
            built = Function(built.apply, dict(built.leaves))
        self.object = built
        self._loss = side.loss or terms.loss
        self.load(self.leaves())

    def _places(self) -> dict[str, tuple[Any, Any]]:
        """The holder and the key of each array, by path."""
        if isinstance(self.object, Function):
            leaves: Any = self.object.leaves
            return {n: (leaves, n) for n in leaves}
        found: dict[str, tuple[Any, Any]] = {}
        _look(self.object, "", found, set(), 0)
        return found

    def leaves(self) -> dict[str, np.ndarray]:
        """See `Subject`."""
        if self.side.leaves is not None:
            return {n: to_numpy(v) for n, v in self.side.leaves(self.object).items()}
        return {n: to_numpy(_get(*place)) for n, place in self._places().items()}

    def trainable(self) -> list[str]:
        """See `Subject`."""
        return [n for n, v in self.leaves().items() if v.dtype.kind in "fc"]

    def memory(self) -> dict[str, int]:
        """See `Subject`."""
        values = {n: _get(*place) for n, place in self._places().items()}
        return {
            n: v.__array_interface__["data"][0]
            for n, v in values.items()
            if isinstance(v, np.ndarray) and v.size
        }

    def load(self, leaves: Mapping[str, np.ndarray]) -> None:
        """See `Subject`."""
        leaves = {
            n: self.changes.load(n, cast(v, self.precision)) for n, v in leaves.items()
        }
        if self.side.load is not None:
            self.side.load(self.object, leaves)
            return
        places = self._places()
        for name, value in leaves.items():
            if name in places:
                holder, key = places[name]
                _put(holder, key, value)

    def forward(self, inputs: Sequence[np.ndarray], training: bool) -> Any:
        """See `Subject`."""
        given = self.changes.inputs([cast(v, self.precision) for v in inputs])
        with self.changes.context():
            call = self.side.call
            output = call(self.object, *given) if call else self.object(*given)
        return self.changes.output(list(inputs), output)

    def loss(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> float:
        """See `Subject`."""
        if self._loss is None:
            raise HarnessError("the migration has no `loss`")
        output = self.forward(inputs, True)
        wanted = [cast(t, self.precision) for t in targets]
        return float(self.changes.loss(scalar(self._loss(output, *wanted)), output))

    def gradients(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> dict[str, np.ndarray | None]:
        """None; what it computes is differentiated by differences."""
        raise HarnessError("functions on NumPy have no gradients of their own")

    def start(self) -> None:
        """Nothing; it can't be trained."""

    def train_step(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> float:
        """None; it can't be trained."""
        raise HarnessError("functions on NumPy can't be trained; give `step`")

    def moments(self) -> dict[str, dict[str, np.ndarray]]:
        """None."""
        return {}


def _look(
    value: Any, path: str, found: dict[str, tuple[Any, Any]], seen: set[int], deep: int
) -> None:
    if id(value) in seen or deep > _DEEP:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        items = list(getattr(value, "__dict__", {}).items())
    for key, entry in items:
        name = f"{path}.{key}" if path else str(key)
        if isinstance(entry, np.ndarray):
            found[name] = (value, key)
        elif not callable(entry) or hasattr(entry, "__dict__"):
            _look(entry, name, found, seen, deep + 1)


def _get(holder: Any, key: Any) -> Any:
    return holder[key] if isinstance(holder, dict | list) else getattr(holder, key)


def _put(holder: Any, key: Any, value: np.ndarray) -> None:
    if isinstance(holder, dict | list):
        holder[key] = value
    else:
        setattr(holder, key, value)
