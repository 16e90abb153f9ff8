"""Sees that comparing leaves its inputs as they were.

A side that changes what it is given changes it for the other side too, which would then
be compared on the same wrong numbers.
"""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bridge.harness.compare import Finding, failed, passed

CHANGED = "a side changes its input"


def checksums(built: Any) -> dict[str, int]:
    """A checksum of every array that a built case holds, by its name.

    Arrays of NumPy and tensors of torch, also in tables; what a case makes later isn't
    there yet.
    """
    return {
        name: _checksum(a) for name, a in _arrays("", getattr(built, "__dict__", {}))
    }


def _arrays(above: str, values: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, np.ndarray) or _is_tensor(value):
            yield name, value
        elif isinstance(value, Mapping):
            yield from _arrays(f"{name}/", value)


def _is_tensor(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("detach", "element_size", "cpu"))


def _checksum(values: Any) -> int:
    if _is_tensor(values):
        values = values.detach().cpu()
        # NumPy has no bfloat16; its values are numbers of float32.
        is_short = str(values.dtype) == "torch.bfloat16"
        values = (values.float() if is_short else values).numpy()
    shape = repr((values.shape, values.dtype)).encode()
    return zlib.crc32(np.ascontiguousarray(values).tobytes(), zlib.crc32(shape))


def unchanged(built: Any, before: Mapping[str, int]) -> Finding:
    """One finding: whether every array that was there is as it was.

    Args:
        built: The case.
        before: `checksums` of it, before anything was compared.
    """
    after = checksums(built)
    changed = [name for name, value in before.items() if after.get(name) != value]
    if changed:
        return failed(f"inputs: {', '.join(changed[:3])}", "identity", CHANGED)
    return passed(f"{len(before)} inputs unchanged")
