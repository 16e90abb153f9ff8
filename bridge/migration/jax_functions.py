"""Functions on JAX arrays as subjects."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np

from bridge.harness import HarnessError
from bridge.migration.arrays import cast, flatten, to_numpy
from bridge.migration.nests import taken_apart
from bridge.migration.sides import Function, Side
from bridge.migration.subject import Changes, Terms, scalar

#: Kinds of moments in Optax's states, as torch calls them.
_KINDS = {"mu": "exp_avg", "nu": "exp_avg_sq", "trace": "momentum_buffer"}


class JaxSubject:
    """See `Subject`; an optimiser is one with `init` and `update`, as Optax has.

    Args:
        side: What the user said of it.
        built: A function with its arrays, in a flat dict or any pytree, or a pytree
            that can be called.
        terms: Loss and optimiser.
        precision: Its real and complex leaves are cast to it. In float64 JAX's own
            limit of 32 bits is lifted around each call, and there only.
    """

    differentiates = True

    def __init__(
        self, side: Side, built: Any, terms: Terms, precision: str | None
    ) -> None:
        self.side, self.object, self.precision = side, built, precision
        self.changes = Changes()
        self._loss = side.loss or terms.loss
        self._factory = side.optimiser or terms.optimiser
        self.trains = self._factory is not None and self._loss is not None
        self._state: Any = None
        self._optimiser: Any = None
        self._sum: dict[str, Any] = {}
        nest = built.leaves if isinstance(built, Function) else built
        arrays, self.rebuild = taken_apart(nest)
        self._leaves: dict[str, Any] = {}
        self.load({n: to_numpy(v) for n, v in arrays.items()})

    def _width(self) -> AbstractContextManager[Any]:
        return jax.enable_x64(True) if self.precision == "float64" else nullcontext()

    def leaves(self) -> dict[str, np.ndarray]:
        """See `Subject`."""
        return {n: to_numpy(v) for n, v in self._leaves.items()}

    def trainable(self) -> list[str]:
        """See `Subject`."""
        return [n for n, v in self._leaves.items() if v.dtype.kind in "fc"]

    def memory(self) -> dict[str, int]:
        """See `Subject`."""
        return {n: v.unsafe_buffer_pointer() for n, v in self._leaves.items() if v.size}

    def load(self, leaves: Mapping[str, np.ndarray]) -> None:
        """See `Subject`."""
        with self._width():
            for name, value in leaves.items():
                self._leaves[name] = self._array(self.changes.load(name, value))

    def _array(self, value: np.ndarray) -> Any:
        return jax.numpy.array(cast(value, self.precision))

    def _apply(self, leaves: Mapping[str, Any], inputs: list[Any]) -> Any:
        given = self.changes.inputs(inputs)
        with self.changes.context():
            whole, call = self._whole(leaves), self.side.call
            output = call(whole, *given) if call else whole(*given)
        return self.changes.output(inputs, output)

    def _whole(self, leaves: Mapping[str, Any]) -> Any:
        """What was built, with these leaves."""
        whole = self.rebuild(leaves)
        if isinstance(self.object, Function):
            return Function(self.object.apply, whole)
        return whole

    def forward(self, inputs: Sequence[np.ndarray], training: bool) -> Any:
        """See `Subject`."""
        with self._width():
            return self._apply(self._leaves, [self._array(v) for v in inputs])

    def _loss_of(
        self, leaves: Mapping[str, Any], inputs: list[Any], targets: list[Any]
    ) -> Any:
        if self._loss is None:
            raise HarnessError("the migration has no `loss`")
        output = self._apply(leaves, inputs)
        return self.changes.loss(scalar(self._loss(output, *targets)), output)

    def loss(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> float:
        """See `Subject`."""
        with self._width():
            given, wanted = ([self._array(v) for v in p] for p in (inputs, targets))
            return float(self._loss_of(self._leaves, given, wanted))

    def _differentiated(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> tuple[Any, dict[str, Any], list[Any]]:
        given, wanted = ([self._array(v) for v in part] for part in (inputs, targets))
        trained = {n: self._leaves[n] for n in self.trainable()}
        moving = [i for i, v in enumerate(given) if v.dtype.kind in "fc"]

        def loss(some: dict[str, Any], values: list[Any]) -> Any:
            every = list(given)
            for place, value in zip(moving, values, strict=True):
                every[place] = value
            return self._loss_of(self._leaves | some, every, wanted)

        value, (of_leaves, of_inputs) = jax.value_and_grad(loss, argnums=(0, 1))(
            trained, [given[i] for i in moving]
        )
        # JAX's gradient of a complex number is the conjugate of torch's.
        of_leaves = {n: jax.numpy.conj(g) for n, g in of_leaves.items()}
        if self.changes.gradient is not None:
            of_leaves = self.changes.gradient(of_leaves)
        return value, of_leaves, of_inputs

    def gradients(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> dict[str, np.ndarray | None]:
        """See `Subject`."""
        with self._width():
            _, of_leaves, of_inputs = self._differentiated(inputs, targets)
            found: dict[str, np.ndarray | None] = {
                n: to_numpy(g) for n, g in of_leaves.items()
            }
            numbers = [i for i, v in enumerate(inputs) if v.dtype.kind in "fc"]
            for number, gradient in zip(numbers, of_inputs, strict=True):
                found[f"input {number}"] = to_numpy(jax.numpy.conj(gradient))
        return found

    def start(self) -> None:
        """See `Subject`.

        Raises:
            HarnessError: `optimiser` gives none that JAX can use.
        """
        assert self._factory is not None
        trained = {n: self._leaves[n] for n in self.trainable()}
        wanted = (
            "a JAX side needs an optimiser with `init` and `update`, as Optax has: give"
            " `Side(optimiser=lambda leaves: ...)`"
        )
        try:
            made = self.changes.optimiser(self._factory(trained))
        except Exception as error:
            text = f"`optimiser` raised {type(error).__name__}: {error}; {wanted}"
            raise HarnessError(text) from error
        if not hasattr(made, "init") or not hasattr(made, "update"):
            raise HarnessError(f"`optimiser` gave a {type(made).__name__}; {wanted}")
        self._optimiser, self._sum = made, {}
        with self._width():
            self._state = made.init(trained)

    def train_step(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> float:
        """See `Subject`."""
        if self._optimiser is None:
            self.start()
        assert self._optimiser is not None
        with self._width():
            value, gradients, _ = self._differentiated(inputs, targets)
            if self.changes.accumulates:
                gradients = {n: g + self._sum.get(n, 0) for n, g in gradients.items()}
                self._sum = gradients
            trained = {n: self._leaves[n] for n in gradients}
            updates, self._state = self._optimiser.update(
                gradients, self._state, trained
            )
            for name, update in updates.items():
                self._leaves[name] = self._leaves[name] + update
        return float(value)

    def moments(self) -> dict[str, dict[str, np.ndarray]]:
        """See `Subject`; Adam's and momentum's under torch's names."""
        found: dict[str, dict[str, np.ndarray]] = {}
        for path, value in flatten(self._state).items():
            words = path.split(".")
            for place, word in enumerate(words):
                leaf = ".".join(words[place + 1 :])
                if word in _KINDS and leaf in self._leaves:
                    found.setdefault(_KINDS[word], {})[leaf] = to_numpy(value)
                    break
            if words[-1] == "count" and "step" not in found:
                # torch counts the steps of each leaf, in float32.
                count = to_numpy(value).astype(np.float32)
                found["step"] = {n: count for n in self.trainable()}
        return found
