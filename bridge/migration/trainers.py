"""Trainers as subjects: what is judged is what they do, a step at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bridge.harness import HarnessError
from bridge.migration.arrays import cast, flatten, to_numpy
from bridge.migration.sides import Side
from bridge.migration.subject import Changes, Terms


class TrainerSubject:
    """See `Subject`.

    Args:
        side: Has `step` and `state`, and `load` if both sides don't start alike.
        built: The trainer.
        terms: Unused; a trainer has its own.
        precision: What inputs are cast to; the trainer has its own precision.

    Raises:
        HarnessError: `state` is missing.
    """

    differentiates = False
    trains = True

    def __init__(
        self, side: Side, built: Any, terms: Terms, precision: str | None
    ) -> None:
        self.side, self.object, self.precision = side, built, precision
        self.changes = Changes()
        self._made, self._loss = 0, np.array(np.nan)
        if side.state is None:
            raise HarnessError(
                "a side with `step` needs `state` too: a function of the trainer that"
                " gives its arrays by name, weights and moments"
            )

    def leaves(self) -> dict[str, np.ndarray]:
        """See `Subject`."""
        assert self.side.state is not None
        return {
            n: to_numpy(v) for n, v in flatten(self.side.state(self.object)).items()
        }

    def trainable(self) -> list[str]:
        """See `Subject`."""
        return [n for n, v in self.leaves().items() if v.dtype.kind in "fc"]

    def memory(self) -> dict[str, int]:
        """Unknown; a state may be a copy."""
        return {}

    def load(self, leaves: Mapping[str, np.ndarray]) -> None:
        """See `Subject`; nothing if the side gives no `load`."""
        if self.side.load is not None:
            self.side.load(self.object, leaves)

    def forward(self, inputs: Sequence[np.ndarray], training: bool) -> Any:
        """None; only its steps are judged."""
        raise HarnessError("a trainer has no forward of its own")

    def loss(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> float:
        """None; only its steps are judged."""
        raise HarnessError("a trainer has no loss without a step")

    def gradients(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> dict[str, np.ndarray | None]:
        """None; only its steps are judged."""
        raise HarnessError("a trainer has no gradients without a step")

    def start(self) -> None:
        """A trainer starts when it is built."""
        self._made = 0

    def train_step(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> float:
        """See `Subject`."""
        assert self.side.step is not None
        changes = self.changes
        given = changes.inputs([cast(v, self.precision) for v in inputs])
        wanted = changes.targets([cast(t, self.precision) for t in targets])
        self._made += 1
        before = {n: v.copy() for n, v in self.leaves().items() if n == changes.frozen}
        for _ in range(changes.repeats(self._made)):
            self._loss = self.side.step(
                self.object,
                given[0] if len(given) == 1 else tuple(given),
                wanted[0] if len(wanted) == 1 else tuple(wanted),
            )
        if before:
            self.load(self.leaves() | before)
        return float(to_numpy(self._loss).reshape(()))

    def moments(self) -> dict[str, dict[str, np.ndarray]]:
        """None apart from the state."""
        return {}
