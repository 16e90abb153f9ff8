"""Named arrays plus JSON facts in one safetensors file, checked on reading.

The facts (JSON) and a checksum of the arrays lie in the header of the same file, so
that arrays and facts can never be of different ages. Reading never unpickles.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from experiment.system.errors import UserError
from experiment.system.files import write_whole
from experiment.system.reading import open_regular

FORMAT = "hyco-arrays-1"


class TornFile(UserError):
    """A file is cut short, damaged or not of this format."""


@dataclass(frozen=True)
class ArrayFile:
    """What a file holds: arrays by name, and facts."""

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


def save_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> None:
    """Writes `arrays` and `facts` to `path`, whole or not at all."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # ascontiguousarray makes a 0-d array 1-d; give the shape back.
    contiguous = {n: a.reshape(np.shape(arrays[n])) for n, a in contiguous.items()}
    # safetensors has no complex128: complex numbers are pairs, in a last axis.
    complex_names = [n for n, a in contiguous.items() if np.iscomplexobj(a)]
    contiguous |= {n: _as_pairs(contiguous[n]) for n in complex_names}
    # In the order of the facts, which is that of columns in tables made from them.
    metadata = {"format": FORMAT, "facts": json.dumps(dict(facts))}
    if complex_names:
        metadata["complex"] = json.dumps(complex_names)
    metadata["checksum"] = checksum(contiguous, _header(metadata))
    write_whole(path, save(contiguous, metadata=metadata))


def load_arrays(path: Path) -> ArrayFile:
    """Reads what `save_arrays` wrote and checks it.

    Raises:
        FileNotFoundError: There is no such file.
        TornFile: The file is cut short, damaged or of another format.
    """
    with open_arrays(path) as (file, metadata):
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        verify_checksum(path, arrays, metadata)
        for name in json.loads(metadata.get("complex", "[]")):
            arrays[name] = _from_pairs(arrays[name])
    return ArrayFile(arrays, json.loads(metadata["facts"]))


def _as_pairs(array: np.ndarray) -> np.ndarray:
    """Complex numbers as their real and imaginary parts, in a last axis."""
    return np.stack([np.real(array), np.imag(array)], -1)


def _from_pairs(pairs: np.ndarray) -> np.ndarray:
    kind = np.complex64 if pairs.dtype == np.float32 else np.complex128
    return np.ascontiguousarray(pairs).view(kind)[..., 0]


def read_facts(path: Path) -> dict[str, Any]:
    """The facts of a file alone; the arrays are neither read nor checked."""
    with open_arrays(path) as (_, metadata):
        return json.loads(metadata["facts"])


@contextmanager
def open_arrays(
    path: Path, framework: str = "numpy"
) -> Iterator[tuple[Any, dict[str, str]]]:
    """A file, open, and its header: format, facts (JSON) and checksum.

    The file is opened once, so header and arrays are of one age even while another
    process puts a new file in its place.

    Args:
        path: Where the file is.
        framework: What `get_tensor` gives: `numpy` arrays, read, or `pt` tensors,
            memory-mapped.

    Raises:
        FileNotFoundError: There is no such file.
        TornFile: The file is cut short, damaged or of another format.
    """
    try:
        # A FIFO would be waited for.
        open_regular(path).close()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TornFile(f"`{path}` can't be read: {error.strerror}.") from error
    try:
        with safe_open(path, framework=framework) as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise TornFile(
                    f"`{path}` is not of this program: expected the format {FORMAT},"
                    f" got {metadata.get('format', 'none')}."
                )
            yield file, metadata
    except (SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        raise TornFile(f"`{path}` is torn: {error}.") from error


def verify_checksum(
    path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Compares the stored checksum with that of `arrays`; `TornFile` if it differs."""
    found = checksum(arrays, _header(metadata))
    if found != metadata["checksum"]:
        raise TornFile(
            f"`{path}` is damaged: its checksum is {found}, stored was"
            f" {metadata['checksum']}."
        )


def _header(metadata: Mapping[str, str]) -> str:
    """What a checksum is of besides arrays."""
    return metadata["facts"] + metadata.get("complex", "")


def checksum(arrays: Mapping[str, np.ndarray], facts_json: str) -> str:
    """CRC-32 over names, dtypes, shapes and bytes of all arrays, and the facts."""
    value = zlib.crc32(facts_json.encode())
    for name in sorted(arrays):
        array = arrays[name]
        value = zlib.crc32(f"{name} {array.dtype.str} {array.shape}".encode(), value)
        value = zlib.crc32(array.reshape(-1).view(np.uint8).data, value)
    return f"{value:08x}"
