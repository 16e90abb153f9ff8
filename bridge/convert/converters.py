"""torch <-> PhiML by named layouts, without guessing and without loss."""

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from phiml import math
from phiml.math import Shape, Tensor, batch, channel, spatial

from bridge.convert.counters import CONVERSIONS

#: Type of every dim that a layout may name.
DIM_TYPES = {
    "batch": batch,
    "time": batch,
    "x": spatial,
    "y": spatial,
    "z": spatial,
    "vector": channel,
}


_AXES = ("x", "y", "z")


class ConversionError(ValueError):
    """A tensor can't be converted without guessing or losing something."""


def to_phiml(
    tensor: torch.Tensor,
    layout: str,
    *,
    components: Sequence[str] | None = None,
    boundary: str = "to PhiML",
) -> Tensor:
    """Names the dims of a torch tensor; always a view.

    Args:
        tensor: Any dtype, device and strides; its autograd graph goes on.
        layout: Name of each dim in order, such as `batch vector time x y`.
        components: Names of the components of `vector`.
        boundary: Where this happens, for the counter.

    Returns:
        PhiML tensor on the same memory.

    Raises:
        ConversionError: The layout names an unknown dim, one twice, or another number
            of dims than the tensor has; or the components don't fit.
    """
    start = time.perf_counter()
    if not isinstance(tensor, torch.Tensor):
        raise ConversionError(
            f"`tensor` is of type {type(tensor).__name__}; expected torch.Tensor"
        )
    names = dims_of(layout)
    if tensor.layout != torch.strided:
        raise ConversionError(
            f"`tensor` is sparse ({tensor.layout}); expected a dense one: call"
            " .to_dense() first"
        )
    if tensor.ndim != len(names):
        raise ConversionError(
            f"the layout `{layout}` names {len(names)} dims; the tensor has"
            f" {tensor.ndim}: {tuple(tensor.shape)}"
        )
    named = tuple(components) if components is not None else None
    result = math.wrap(tensor, _shape(tuple(tensor.shape), layout, named))
    CONVERSIONS.record(
        boundary, tensor, names, copied=False, seconds=time.perf_counter() - start
    )
    return result


def to_torch(
    tensor: Tensor, layout: str, *, boundary: str = "to torch"
) -> torch.Tensor:
    """A PhiML tensor as a torch tensor with its dims in the order of a layout.

    A view: the memory order stays, the strides change. NumPy data become torch data on
    the same memory; dims that PhiML only repeats have the stride 0. Only a read-only
    NumPy array (a window of a mapped file) is copied, because torch has no read-only
    tensors and would crash on writing.

    Args:
        tensor: Uniform, dense PhiML tensor in memory, on torch or NumPy.
        layout: Name of each dim in the wanted order, such as `batch time x y vector`.
        boundary: Where this happens, for the counter.

    Returns:
        torch tensor of the same dtype and device; its autograd graph goes on.

    Raises:
        ConversionError: The layout doesn't name exactly the tensor's dims, or the
            tensor is non-uniform, sparse, cached on disk, of another backend, or on
            several devices.
    """
    start = time.perf_counter()
    if not isinstance(tensor, Tensor):
        raise ConversionError(
            f"`tensor` is of type {type(tensor).__name__}; expected a PhiML Tensor"
        )
    names = dims_of(layout)
    _check_dense(tensor)
    if set(names) != set(tensor.shape.names):
        raise ConversionError(
            f"the layout `{layout}` doesn't name the dims of the tensor,"
            f" {tensor.shape}: {_unequal(names, tensor.shape)}"
        )
    # The array itself, because PhiML's own `native` casts floats to its current
    # precision, and bfloat16 to another type at any.
    source, stored = _memory(tensor)
    copied = False
    if not isinstance(source, torch.Tensor):
        copied = not source.flags.writeable
        source = torch.from_numpy(source.copy() if copied else source)
    extra = [n for n in names if n not in stored]
    result = source[(...,) + (None,) * len(extra)] if extra else source
    order = (*stored, *extra)
    result = result.permute([order.index(n) for n in names])
    if extra:
        result = result.expand(tensor.shape.only(list(names), reorder=True).sizes)
    CONVERSIONS.record(
        boundary, result, names, copied=copied, seconds=time.perf_counter() - start
    )
    return result


def image_layout(rank: int) -> str:
    """torch's order of the dims of states, `batch vector x ...`."""
    return " ".join(("batch", "vector", *_AXES[:rank]))


def window_layout(rank: int) -> str:
    """torch's order of the dims of windows, `batch vector time x ...`."""
    return " ".join(("batch", "vector", "time", *_AXES[:rank]))


@lru_cache(maxsize=1024)
def dims_of(layout: str) -> tuple[str, ...]:
    """The dims that a layout names.

    Raises:
        ConversionError: One is unknown or named twice.
    """
    names = tuple(layout.split())
    for name in names:
        if name not in DIM_TYPES:
            raise ConversionError(
                f"the layout `{layout}` names the dim `{name}`; allowed:"
                f" {', '.join(DIM_TYPES)}"
            )
        if names.count(name) > 1:
            raise ConversionError(f"the layout `{layout}` names `{name}` twice")
    return names


@lru_cache(maxsize=1024)
def _shape(
    sizes: tuple[int, ...], layout: str, components: tuple[str, ...] | None
) -> Shape:
    """The named shape; cached, because PhiML takes longer to build it than to wrap."""
    names = dims_of(layout)
    shapes = []
    for name, size in zip(names, sizes, strict=True):
        value: Any = size
        if name == "vector" and components is not None:
            if len(components) != size:
                raise ConversionError(
                    f"{len(components)} components are named, {components};"
                    f" `vector` of `{layout}` has {size}"
                )
            value = components
        shapes.append(DIM_TYPES[name](**{name: value}))
    if components is not None and "vector" not in names:
        raise ConversionError(f"components are named, but `{layout}` has no `vector`")
    return math.concat_shapes(*shapes)


def _memory(tensor: Any) -> tuple[Any, tuple[str, ...]]:
    """The array behind a dense tensor, before any cast, and the names of its dims."""
    return tensor._native, tensor._names


def _parts(tensor: Any) -> tuple[Tensor, ...]:
    return tuple(tensor._tensors)


def _check_dense(tensor: Tensor) -> None:
    kind = type(tensor).__name__
    if not tensor.shape.is_uniform:
        raise ConversionError(
            f"the tensor is non-uniform, {tensor.shape}; expected equal sizes: unstack"
            " it first (phiml.math.unstack)"
        )
    if math.is_sparse(tensor):
        raise ConversionError(
            f"the tensor is sparse ({kind}); expected a dense one: call"
            " phiml.math.dense first"
        )
    if kind == "DiskTensor":
        raise ConversionError(
            "the tensor is cached on disk, where its data can leave memory at any time;"
            " load it first: tensor.as_persistent()"
        )
    if kind == "TensorStack":
        devices = sorted(
            {str(getattr(_memory(part)[0], "device", "cpu")) for part in _parts(tensor)}
        )
        raise ConversionError(
            f"the tensor is a stack of separate tensors on {', '.join(devices)};"
            " expected one array on one device: move the parts to one device and stack"
            " them there"
        )
    if kind != "Dense":
        raise ConversionError(f"the tensor is a {kind}; expected a dense tensor")
    backend = tensor.default_backend.name
    if backend not in ("torch", "numpy"):
        raise ConversionError(
            f"the tensor lives on {backend}; its gradient and device can't be kept."
            " Expected torch or numpy"
        )


def _unequal(names: tuple[str, ...], shape: Shape) -> str:
    missing = [n for n in shape.names if n not in names]
    extra = [n for n in names if n not in shape.names]
    parts = []
    if missing:
        parts.append(f"not named: {', '.join(missing)}")
    if extra:
        parts.append(f"not there: {', '.join(extra)}")
    return "; ".join(parts)
