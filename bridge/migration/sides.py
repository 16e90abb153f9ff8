"""What a user says of a pair: two sides, and the symmetries of what they compute."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bridge.migration.mapping import Rename

#: Arrays by name, or nested in tuples and dicts.
Arrays = Any


@dataclass(frozen=True)
class Function:
    """A function with its arrays, where the framework has no object that holds both.

    Attributes:
        apply: `apply(leaves, *inputs)` gives the outputs.
        leaves: NumPy, JAX or torch arrays by name; or a nest of dicts, lists and
            tuples, for JAX any pytree, whose arrays are called by their paths, such as
            `layers.0.w`.
    """

    apply: Callable[..., Any]
    leaves: Any

    def __call__(self, *inputs: Any) -> Any:
        """The outputs with the leaves as they are."""
        return self.apply(self.leaves, *inputs)


@dataclass(frozen=True)
class Side:
    """One of the two implementations.

    Only `build` must be given. What it returns is judged by what it is: a torch module
    (also compiled, wrapped for several processes, complex), a `Function` on NumPy, JAX
    or torch arrays, a plain callable, any object that holds NumPy arrays and can be
    called, or a pytree of JAX that can be called. With `step`, it is a trainer and
    only its steps and its state are judged.

    Attributes:
        build: Makes the object. Called several times; random numbers are seeded before
            each call.
        rename: Own leaf names by the control's, where they differ, or the path of a
            mapping file (see `Migration.suggest_mapping`).
        layout: Named dimensions of the inputs, such as `batch vector x y`, if the
            object wants PhiML tensors; of the outputs too, unless `output_layout` is
            given.
        output_layout: The same for the outputs.
        call: `call(object, *inputs)`, if the object isn't simply called.
        loss: This side's loss, if it isn't the migration's.
        optimiser: This side's optimiser, if it isn't the migration's: a function of its
            parameters; of its trained leaves by name, if it is JAX's.
        leaves: `leaves(object)` gives the arrays by name, if they can't be found.
        load: `load(object, {name: array})` sets them.
        step: `step(object, inputs, targets)` trains once and returns the loss.
        state: `state(object)` gives all arrays of a trainer by name: weights, moments.
        batches: `batches(object, epoch)` yields the batches of an epoch, each an array,
            a tuple or a dict.
        rate: `rate(object, epoch)` is the learning rate of an epoch.
        device: Where its arrays must lie, if it works on one device only.
    """

    build: Callable[[], Any]
    rename: Rename = None
    layout: str = ""
    output_layout: str = ""
    call: Callable[..., Any] | None = None
    loss: Callable[..., Any] | None = None
    optimiser: Callable[..., Any] | None = None
    leaves: Callable[[Any], Mapping[str, Any]] | None = None
    load: Callable[[Any, Mapping[str, np.ndarray]], object] | None = None
    step: Callable[[Any, Any, Any], Any] | None = None
    state: Callable[[Any], Mapping[str, Any]] | None = None
    batches: Callable[[Any, int], Iterable[Arrays]] | None = None
    rate: Callable[[Any, int], float] | None = None
    device: str | None = None


def _same(values: list[np.ndarray]) -> list[np.ndarray]:
    return values


def _same_leaf(name: str, leaf: np.ndarray) -> np.ndarray:
    return leaf


@dataclass(frozen=True)
class Symmetry:
    """A change of the inputs that must not change what is computed.

    The control is run through it too: what it changes is the control's own rounding,
    and no candidate is asked to be closer than that.

    Attributes:
        name: In words.
        inputs: Changes inputs and targets, a list of arrays each with the batch first.
        outputs: Undoes the change in the outputs and in gradients of inputs.
        leaves: Changes a leaf before it is loaded, by name and value.
        undo_leaves: Undoes it, in gradients and updated weights.
    """

    name: str
    inputs: Callable[[list[np.ndarray]], list[np.ndarray]] = _same
    outputs: Callable[[list[np.ndarray]], list[np.ndarray]] = _same
    leaves: Callable[[str, np.ndarray], np.ndarray] = _same_leaf
    undo_leaves: Callable[[str, np.ndarray], np.ndarray] = _same_leaf
    threads: int | None = field(default=None, compare=False)


def _reversed(values: list[np.ndarray]) -> list[np.ndarray]:
    return [v[::-1].copy() if v.ndim else v for v in values]


def _one_ulp(value: np.ndarray, draw: int) -> np.ndarray:
    """Every element moved to one of the two numbers next to it."""
    if value.dtype.kind == "c":
        value = np.ascontiguousarray(value)
        return _one_ulp(value.view(np.real(value).dtype), draw).view(value.dtype)
    if value.dtype.kind != "f":
        return value
    up = np.random.default_rng([draw, value.size]).integers(0, 2, value.shape)
    infinity = np.array(np.inf, value.dtype)
    return np.where(up, np.nextafter(value, infinity), np.nextafter(value, -infinity))


def nudged(draw: int) -> Symmetry:
    """Inputs and leaves moved by rounding alone; `draw` chooses the directions."""
    return Symmetry(
        f"inputs and leaves moved by one unit in the last place, draw {draw}",
        lambda values: [_one_ulp(v, draw) for v in values],
        leaves=lambda name, leaf: _one_ulp(leaf, draw),
    )


REORDERED = Symmetry("batch in reverse order", _reversed, _reversed)
THREADS = Symmetry("two threads", threads=2)
#: What every model is tried with; one that doesn't hold for the control is left out.
SYMMETRIES: Sequence[Symmetry] = (REORDERED, nudged(1), nudged(2), THREADS)
