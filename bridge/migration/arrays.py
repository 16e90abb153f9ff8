"""Arrays of any framework as NumPy, in nests of tuples and dicts, in a precision."""

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bridge.harness import HarnessError

#: NumPy's types by precision: real, complex.
DTYPES = {
    "float64": (np.float64, np.complex128),
    "float32": (np.float32, np.complex64),
}


def is_torch(value: Any) -> bool:
    """Whether it is a torch tensor; doesn't import torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_jax(value: Any) -> bool:
    """Whether it is a JAX array; doesn't import JAX."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(value, jax.Array)


def is_array(value: Any) -> bool:
    """Whether it is an array of a known framework."""
    return isinstance(value, np.ndarray) or is_torch(value) or is_jax(value)


def to_numpy(value: Any) -> np.ndarray:
    """A copy as NumPy; bfloat16, which NumPy lacks, as float32."""
    if is_torch(value):
        import torch

        tensor = value.detach().resolve_conj().resolve_neg().cpu()
        if tensor.dtype is torch.bfloat16:
            tensor = tensor.float()
        return tensor.numpy().copy()
    return np.array(value)


def flatten(value: Any, path: str = "") -> dict[str, Any]:
    """The arrays of a nest by their paths, such as `fields.u` or `0`.

    Raises:
        HarnessError: It has something else in it.
    """
    if is_array(value):
        return {path: value}
    if isinstance(value, bool | int | float | complex | np.generic):
        return {path: np.asarray(value)}
    if isinstance(value, Mapping):
        items: Sequence[tuple[Any, Any]] = list(value.items())
    elif hasattr(value, "_asdict"):
        items = list(value._asdict().items())
    elif isinstance(value, list | tuple):
        items = list(enumerate(value))
    elif value is None:
        return {}
    else:
        raise HarnessError(
            f"`{path or 'the output'}` is a {type(value).__name__}; expected an array,"
            " or a tuple or dict of arrays"
        )
    result = {}
    for key, entry in items:
        result |= flatten(entry, f"{path}.{key}" if path else str(key))
    return result


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Several arguments as they are, one as a tuple of one."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """The same nest with every array changed."""
    if isinstance(value, dict):
        return {k: mapped(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(mapped(v, change) for v in value)
    return change(value) if is_array(value) else value


def cast(value: np.ndarray, precision: str | None) -> np.ndarray:
    """Real and complex numbers in a precision, if one is given; others as they are."""
    if precision is None:
        return value
    real, complex_ = DTYPES[precision]
    if value.dtype.kind == "f":
        return value.astype(real)
    return value.astype(complex_) if value.dtype.kind == "c" else value


def real(value: np.ndarray) -> np.ndarray:
    """Complex numbers as two real ones on a last axis, so that they are compared."""
    if value.dtype.kind != "c":
        return value
    return np.stack([np.real(value), np.imag(value)], -1)


def checksum(values: Any) -> str:
    """A hash of all arrays of a nest, to see that they were not changed."""
    digest = hashlib.sha256()
    for path, value in flatten(values).items():
        array = to_numpy(value)
        digest.update(f"{path} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
