"""Arrays in a nest of dicts, lists, tuples or a JAX pytree, by name and back."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bridge.harness import HarnessError
from bridge.migration.arrays import is_array, is_jax, is_torch
from bridge.migration.sides import Function

#: Puts arrays by name back into the nest that they came from.
Rebuild = Callable[[Mapping[str, Any]], Any]


def taken_apart(nest: Any) -> tuple[dict[str, Any], Rebuild]:
    """The arrays of a nest by their paths, such as `layers.0.w`; what else is in it
    stays as it is.

    Raises:
        HarnessError: Two arrays have one name.
    """
    entries, rebuild = _pytree(nest) if _has_jax(nest) else _plain(nest)
    arrays: dict[str, Any] = {}
    for name, value in entries:
        if name in arrays:
            raise HarnessError(f"two leaves are called `{name}`; rename one of them")
        if is_array(value):
            arrays[name] = value
    return arrays, lambda some: rebuild([some.get(n, v) for n, v in entries])


def flat(function: Function) -> Function:
    """The same function on leaves by name, whatever nest it wants them in."""
    if isinstance(function.leaves, Mapping) and all(map(is_array, _values(function))):
        return function
    leaves, rebuild = taken_apart(function.leaves)
    return Function(
        lambda some, *inputs: function.apply(rebuild(some), *inputs), leaves
    )


def replace_leaves(function: Function, values: Mapping[str, np.ndarray]) -> None:
    """Gives a function other leaves, of the kinds and types that it has."""
    old, rebuild = taken_apart(function.leaves)
    new = rebuild({n: _like(old[n], v) for n, v in values.items()})
    object.__setattr__(function, "leaves", new)


def is_called_pytree(value: Any) -> bool:
    """Whether it is an object that JAX takes apart and that can be called."""
    return callable(value) and _has_jax(value)


def _values(function: Function) -> list[Any]:
    return list(function.leaves.values())


def _like(old: Any, value: np.ndarray) -> Any:
    if is_torch(old):
        import torch

        return torch.from_numpy(value.copy()).to(old)
    if is_jax(old):
        import jax

        return jax.numpy.array(value, dtype=old.dtype)
    return value.astype(old.dtype)


def _has_jax(nest: Any) -> bool:
    jax = sys.modules.get("jax")
    return jax is not None and any(is_jax(v) for v in jax.tree_util.tree_leaves(nest))


def _pytree(nest: Any) -> tuple[list[tuple[str, Any]], Callable[[list[Any]], Any]]:
    from jax import tree_util

    found, tree = tree_util.tree_flatten_with_path(nest)
    entries = [
        (tree_util.keystr(path, simple=True, separator="."), v) for path, v in found
    ]
    return entries, lambda values: tree_util.tree_unflatten(tree, values)


def _plain(nest: Any) -> tuple[list[tuple[str, Any]], Callable[[list[Any]], Any]]:
    entries: list[tuple[str, Any]] = []

    def walk(value: Any, path: str) -> None:
        for key, entry in _items(value):
            name = f"{path}.{key}" if path else str(key)
            if _items(entry):
                walk(entry, name)
            else:
                entries.append((name, entry))

    def build(value: Any, values: list[Any]) -> Any:
        parts = [
            build(entry, values) if _items(entry) else values.pop(0)
            for _, entry in _items(value)
        ]
        if isinstance(value, Mapping):
            return dict(zip(value, parts, strict=True))
        if hasattr(value, "_asdict"):
            return type(value)(*parts)
        return type(value)(parts)

    walk(nest, "")
    return entries, lambda values: build(nest, list(values))


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if hasattr(value, "_asdict"):
        return list(value._asdict().items())
    return list(enumerate(value)) if isinstance(value, list | tuple) else []
