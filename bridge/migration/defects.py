"""Faults that any training may have: planted into a candidate, tried as causes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bridge.migration.arrays import flatten, is_array, is_torch, mapped
from bridge.migration.pair import Pair
from bridge.migration.subject import Changes, Subject


@dataclass(frozen=True)
class Defect:
    """A fault with a name.

    Attributes:
        name: In the terms of the field.
        plant: Puts it into a built side.
    """

    name: str
    plant: Callable[[Subject], None]


def changing(name: str, **changes: Any) -> Defect:
    """A fault in terms of `Changes`."""

    def plant(subject: Subject) -> None:
        subject.changes = replace(subject.changes, **changes)

    return Defect(name, plant)


def catalogue(pair: Pair) -> Iterator[Defect]:
    """Every fault that the control could have, in the order of execution."""
    yield from of_any(pair)
    if hasattr(pair.oracle, "plain"):
        from bridge.migration.torch_defects import of_operations, of_optimiser

        yield from of_operations(pair)
        if pair.oracle.trains:
            yield from of_optimiser(pair)


def of_any(pair: Pair) -> Iterator[Defect]:
    """Those that don't hang on a framework, so that any candidate may have them."""
    from bridge.migration.trainer_defects import of_batches, of_rates, of_steps

    for fault in pair.migration.faults:
        yield fault.defect
    if pair.migration.applies("R7"):
        yield from of_rates()
    if pair.migration.applies("R8"):
        yield from of_batches()
    if pair.control_is_trainer:
        if pair.migration.batch is not None:
            yield from of_steps(pair)
        return
    yield from _of_leaves(pair)
    yield from _of_forward(pair)
    yield from _of_loss()
    yield from _of_gradients(pair)


def _of_leaves(pair: Pair) -> Iterator[Defect]:
    if pair.loadable:
        for name, value in pair.weights.items():
            yield from leaf_defects(name, value)


def leaf_defects(name: str, value: np.ndarray) -> Iterator[Defect]:
    """What may go wrong where a leaf is handed over."""
    if value.dtype.kind not in "fc" or not value.size:
        return
    yield _loading(f"`{name}` isn't used: it is 0", name, np.zeros_like)
    if value.dtype.kind == "c":
        yield _loading(f"`{name}` conjugated", name, np.conj)
        for part, lost in _LOST.items():
            yield _loading(f"{part} part of `{name}` isn't used: it is 0", name, lost)
    if value.ndim == 1:
        yield _loading(f"`{name}` isn't used: it is 1", name, np.ones_like)
    if value.ndim > 1 and value.shape[-1] == value.shape[-2] > 1:
        yield _loading(f"`{name}` transposed", name, lambda v: v.swapaxes(-1, -2))
    if value.ndim > 2 and value.shape[0] == value.shape[1] > 1:
        yield _loading(
            f"`{name}`: first two axes swapped", name, lambda v: v.swapaxes(0, 1)
        )


#: A complex array without one of its parts, by the name of what is lost.
_LOST: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "imaginary": lambda value: np.real(value).astype(value.dtype),
    "real": lambda value: value - np.real(value),
}


def changed_leaf(defect: Defect, name: str, value: np.ndarray) -> np.ndarray:
    """A leaf as a fault hands it over."""
    holder = _Holder()
    defect.plant(holder)  # type: ignore[arg-type]
    return holder.changes.load(name, value)


class _Holder:
    """What a fault is planted into to see what it does to a leaf."""

    def __init__(self) -> None:
        self.changes = Changes()


def _loading(
    name: str, leaf: str, change: Callable[[np.ndarray], np.ndarray]
) -> Defect:
    def load(own: str, value: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(change(value)) if own == leaf else value

    return changing(name, load=load)


def _of_forward(pair: Pair) -> Iterator[Defect]:
    yield changing("evaluation mode in training", training=lambda mode: False)
    yield changing("training mode in evaluation", training=lambda mode: True)
    yield changing("the two modes exchanged", training=lambda mode: not mode)
    yield changing("input missing from the output (residual)", output=_minus)
    yield changing("input added to the output (residual)", output=_plus)
    inputs, _ = pair.batch(max(pair.migration.sizes))
    rank = max((v.ndim for v in inputs), default=0)
    for left in range(1, rank):
        for right in range(left + 1, rank):
            yield _swapped(left, right)
    for axis in range(1, rank):
        yield changing(
            f"inputs reversed along axis {axis}",
            inputs=lambda v, a=axis: [_flip(x, a) for x in v],
        )
        yield changing(
            f"outputs reversed along axis {axis}",
            output=lambda _, y, a=axis: mapped(y, lambda x: _flip(x, a)),
        )
    yield changing(
        "outputs of the batch in another order",
        output=lambda _, y: mapped(y, lambda x: _flip(x, 0)),
    )
    if len(inputs) > 1:
        yield changing("first two inputs exchanged", inputs=_exchanged)


def _exchanged(values: list[Any]) -> list[Any]:
    return [values[1], values[0], *values[2:]]


def _minus(inputs: list[Any], output: Any) -> Any:
    return _with_input(inputs, output, -1)


def _plus(inputs: list[Any], output: Any) -> Any:
    return _with_input(inputs, output, 1)


def _with_input(inputs: list[Any], output: Any, sign: int) -> Any:
    if not is_array(output) or tuple(output.shape) != tuple(inputs[0].shape):
        raise ValueError("the output doesn't have the input's shape")
    return output + sign * inputs[0]


def _flip(value: Any, axis: int) -> Any:
    if value.ndim <= axis:
        return value
    if is_torch(value):
        return value.flip(axis)
    return value[tuple([slice(None)] * axis + [slice(None, None, -1)])]


def _swapped(left: int, right: int) -> Defect:
    def swap(value: Any) -> Any:
        if value.ndim <= right:
            return value
        return value.swapaxes(left, right)

    return changing(
        f"axes {left} and {right} exchanged",
        inputs=lambda values: [swap(v) for v in values],
        output=lambda _, y: mapped(y, swap),
    )


def _of_loss() -> Iterator[Defect]:
    def scaled(size: Callable[[Any], float]) -> Callable[[Any, Any], Any]:
        return lambda loss, output: loss * size(output)

    for name, size in _SIZES.items():
        yield changing(name, loss=scaled(size))
    yield changing("root of the loss", loss=lambda loss, _: loss**0.5)


def _batch(output: Any) -> float:
    return float(next(iter(flatten(output).values())).shape[0])


def _count(output: Any) -> float:
    return float(sum(np.prod(v.shape) for v in flatten(output).values()))


#: Reductions of a loss by their factor over the mean.
_SIZES: Mapping[str, Callable[[Any], float]] = {
    "loss summed over the batch, not averaged": _batch,
    "sum of the loss over all elements, not mean": _count,
    "half the loss": lambda output: 0.5,
    "twice the loss": lambda output: 2.0,
    "half the sum of the loss": lambda output: 0.5 * _count(output),
    "half the sum of the loss per sample": lambda y: 0.5 * _count(y) / _batch(y),
    "sum of the loss per sample": lambda y: _count(y) / _batch(y),
    "loss divided by the batch twice": lambda output: 1 / _batch(output),
    "mean of the loss, not sum": lambda output: 1 / _count(output),
    "mean over the batch of the loss, not sum": lambda output: 1 / _batch(output),
}


def _of_gradients(pair: Pair) -> Iterator[Defect]:
    if not pair.oracle.differentiates and not pair.oracle.trains:
        return
    for name in pair.oracle.trainable():
        yield changing(
            f"`{name}` isn't trained",
            gradient=lambda found, n=name: {
                k: g * 0 if k == n else g for k, g in found.items()
            },
        )
    for norm in (0.01, 0.1, 0.5, 1.0, 5.0, 10.0):
        yield changing(
            f"gradients clipped to the norm {norm:g}",
            gradient=lambda found, n=norm: _clipped(found, n),
        )
    yield changing(
        "gradients of the opposite sign",
        gradient=lambda found: {k: -g for k, g in found.items()},
    )
    yield changing("gradients not set to 0 between steps", accumulates=True)


def _clipped(found: Mapping[str, Any], norm: float) -> dict[str, Any]:
    size = sum(float((abs(g) ** 2).sum()) for g in found.values()) ** 0.5
    factor = min(1.0, norm / (size + 1e-6))
    return {k: g * factor for k, g in found.items()}


__all__ = ["Changes", "Defect", "catalogue", "changing", "of_any"]
