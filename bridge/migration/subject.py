"""A built side, whatever it is made of, in the words that the rungs need."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bridge.harness import HarnessError
from bridge.migration.arrays import DTYPES, is_array, is_jax, is_torch
from bridge.migration.mapping import LeafMap, leaf_map
from bridge.migration.nests import flat, is_called_pytree, taken_apart
from bridge.migration.sides import Function, Side


def _of_epoch(made: Callable[[int], Any], epoch: int) -> Any:
    return made(epoch)


@dataclass(frozen=True)
class Changes:
    """A fault in terms that every framework understands; nothing by default.

    Attributes:
        inputs: Changes the inputs before the call.
        output: `output(inputs, output)` changes what comes back.
        loss: `loss(loss, output)` changes the loss.
        training: The mode in place of the one that is asked for.
        context: Entered around each call.
        gradient: Changes the gradients of all leaves, by own name.
        load: `load(name, value)` changes a leaf before it is set.
        optimiser: Changes an optimiser that was built; may return another one.
        accumulates: Gradients are not set to zero between steps.
        targets: Changes the targets before a trainer's step.
        repeats: How often a trainer makes its step of a number, from 1 on.
        frozen: The leaf that a trainer's step leaves as it was.
        rate: `rate(of_epoch, epoch)` is the rate in place of `of_epoch(epoch)`.
        batches: `batches(of_epoch, epoch)` in place of `of_epoch(epoch)`, a list of
            batches, each its arrays by name.
    """

    inputs: Callable[[list[Any]], list[Any]] = lambda inputs: inputs
    output: Callable[[list[Any], Any], Any] = lambda inputs, output: output
    loss: Callable[[Any, Any], Any] = lambda loss, output: loss
    training: Callable[[bool], bool] = lambda training: training
    context: Callable[[], AbstractContextManager[Any]] = nullcontext
    gradient: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    load: Callable[[str, np.ndarray], np.ndarray] = lambda name, value: value
    optimiser: Callable[[Any], Any] = lambda optimiser: optimiser
    accumulates: bool = False
    targets: Callable[[list[Any]], list[Any]] = lambda targets: targets
    repeats: Callable[[int], int] = lambda number: 1
    frozen: str = ""
    rate: Callable[[Callable[[int], float], int], float] = _of_epoch
    batches: Callable[[Callable[[int], Any], int], Any] = _of_epoch


@dataclass(frozen=True)
class Terms:
    """What both sides are given by the migration.

    Attributes:
        loss: `loss(output, *targets)`.
        optimiser: Makes an optimiser of a list of parameters.
    """

    loss: Callable[..., Any] | None
    optimiser: Callable[..., Any] | None


@runtime_checkable
class Subject(Protocol):
    """A built side. Names of leaves are the side's own; `mapping` gives the control's.

    Attributes:
        side: What the user said of it.
        object: What the user built.
        precision: `float64` or `float32`; None if leaves keep their types.
        changes: The fault that it has, if any.
        differentiates: Whether it has gradients.
        trains: Whether it can take steps.
    """

    side: Side
    object: Any
    precision: str | None
    changes: Changes
    differentiates: bool
    trains: bool

    def leaves(self) -> dict[str, np.ndarray]:
        """Copies of all its arrays by own name."""
        ...

    def trainable(self) -> list[str]:
        """The names of those that are trained."""
        ...

    def memory(self) -> dict[str, int]:
        """Where each leaf begins in memory."""
        ...

    def load(self, leaves: Mapping[str, np.ndarray]) -> None:
        """Sets leaves by own name."""
        ...

    def forward(self, inputs: Sequence[np.ndarray], training: bool) -> Any:
        """The outputs, a nest of the framework's arrays."""
        ...

    def loss(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> float:
        """The loss in training mode."""
        ...

    def gradients(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> dict[str, np.ndarray | None]:
        """Gradients of the loss by own leaf name, and by `input 0`, `input 1`, ..."""
        ...

    def start(self) -> None:
        """Makes a new optimiser."""
        ...

    def train_step(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> float:
        """One step of the optimiser; the loss before it."""
        ...

    def moments(self) -> dict[str, dict[str, np.ndarray]]:
        """The optimiser's arrays by kind, such as `exp_avg`, then own leaf name."""
        ...


def make_subject(
    side: Side, built: Any, terms: Terms, precision: str | None
) -> Subject:
    """Finds out what a side built, and gives it the words of `Subject`.

    Args:
        side: What the user said of it.
        built: What its `build` returned.
        terms: Loss and optimiser.
        precision: What its leaves are cast to; None leaves them as they are.

    Raises:
        HarnessError: Nothing is known of such an object.
    """
    if precision is not None and precision not in DTYPES:
        raise HarnessError(f"precision `{precision}`; allowed: {', '.join(DTYPES)}")
    if side.step is not None:
        from bridge.migration.trainers import TrainerSubject

        return TrainerSubject(side, built, terms, precision)
    if _is_module(built):
        from bridge.migration.torch_modules import TorchSubject

        return TorchSubject(side, built, terms, precision)
    if isinstance(built, Function):
        kinds = taken_apart(built.leaves)[0].values()
        if any(map(is_torch, kinds)):
            from bridge.migration.torch_modules import TorchSubject
            from bridge.migration.torch_wrappers import module_of

            return TorchSubject(side, module_of(flat(built)), terms, precision)
        of_jax = any(map(is_jax, kinds))
        built = built if of_jax else flat(built)
    else:
        of_jax = is_called_pytree(built)
    if of_jax:
        from bridge.migration.jax_functions import JaxSubject

        return JaxSubject(side, built, terms, precision)
    if callable(built) or side.call is not None:
        from bridge.migration.numpy_objects import NumpySubject

        return NumpySubject(side, built, terms, precision)
    raise HarnessError(
        f"`build` returned a {type(built).__name__}; expected a torch module, a"
        " `bridge.Function`, something that can be called, or a trainer with `step`"
    )


def _is_module(value: Any) -> bool:
    import sys

    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def mapping_of(subject: Subject, shapes: Mapping[str, Sequence[int]]) -> LeafMap:
    """How the control's leaves lie on a side."""
    return leaf_map(subject.side.rename, shapes, subject.leaves())


def scalar(loss: Any) -> Any:
    """The loss, if it is one number.

    Raises:
        HarnessError: It is something else.
    """
    shape = tuple(getattr(loss, "shape", ()))
    if not is_array(loss) and not isinstance(loss, float | int | np.generic):
        raise HarnessError(
            f"the loss is a {type(loss).__name__}; expected one number. Does it return"
            " several terms? Add them up."
        )
    if int(np.prod(shape, dtype=int)) != 1:
        raise HarnessError(
            f"the loss has shape {shape}; expected one number: take its mean or sum"
        )
    array: Any = loss
    return array.reshape(()) if shape else loss
