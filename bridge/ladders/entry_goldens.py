"""Numbers of the control from a process that never imports the candidate.

What both sides share can't be judged by either of them; it can't change unseen beside
numbers that were kept. `python -m bridge.ladders.entry_goldens` makes them: do so only
if the semantics were changed on purpose, and say so in CHANGELOG.md.
"""

import json
import sys
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from bridge.harness import rms
from bridge.harness.errors import HarnessError, write_file
from bridge.ladders.covering import stored_rows
from bridge.ladders.entry_runs import Numbers, WatchedParts, written
from bridge.ladders.entry_silent import (
    counts_a_search,
    follows_rounding,
    silent_leaves,
)

FILE = Path(__file__).with_name("entry_goldens.json")


def digest(numbers: Numbers, follows: frozenset[str] = frozenset()) -> dict[str, float]:
    """A number for each kind of what a run wrote, which any change of it changes.

    It is the sum over all elements of the element times a fixed random number, over the
    root of their count.

    Args:
        numbers: What was written.
        follows: Names that are left out, as they follow rounding.
    """
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for name, array in numbers.items():
        # What counts a search, another CPU rounds otherwise.
        is_kept = not (is_repeated(name) or counts_a_search(name) or name in follows)
        if not is_kept or not _is_number(array):
            continue
        kind, values = kind_of(name), _flat(array)
        weights = np.random.default_rng(zlib.crc32(name.encode()))
        sums[kind] = sums.get(kind, 0.0) + float(
            values @ weights.standard_normal(values.size)
        )
        counts[kind] = counts.get(kind, 0) + values.size
    return {kind: total / np.sqrt(counts[kind]) for kind, total in sums.items()}


def sizes_of(numbers: Numbers) -> dict[str, float]:
    """The root mean square of each kind of what a run wrote."""
    kinds: dict[str, list[np.ndarray]] = {}
    for name, array in numbers.items():
        if _is_number(array):
            kinds.setdefault(kind_of(name), []).append(_flat(array))
    return {kind: rms(np.concatenate(arrays)) for kind, arrays in kinds.items()}


def _is_number(array: np.ndarray) -> bool:
    return array.dtype.kind in "fiub" and array.size > 0


def _flat(array: np.ndarray) -> np.ndarray:
    """All elements in float64, without NaN and infinity."""
    return np.nan_to_num(array.astype(np.float64).ravel(), posinf=1.0, neginf=-1.0)


def is_repeated(name: str) -> bool:
    """Whether other files say the same: histories do, and checkpoints on the way."""
    file = name.partition(" ")[0]
    return " history " in name or file.startswith(("epoch_", "physical-epoch"))


def kind_of(name: str) -> str:
    """What a number is one of: a file with a column, or with all leaves of a kind."""
    file, _, rest = name.partition(" ")
    if file == "simulation":
        return file
    first, slash, leaf = rest.partition("/")
    if not slash:
        return name
    if first == "optimiser":
        return f"{file} {leaf.rpartition('/')[2]}"
    return f"{file} {first}"


@lru_cache
def goldens() -> Sequence[Mapping[str, float]]:
    """The kept numbers of every row, by the row's number.

    Raises:
        HarnessError: The file is damaged, or the rows are others.
    """
    content = json.loads(FILE.read_text())
    if content["rows"] != rows_hash():
        raise HarnessError(
            f"`{FILE.name}` is of other rows than the covering array has; make it anew:"
            " `python -m bridge.ladders.entry_goldens`"
        )
    return content["goldens"]


def rows_hash() -> int:
    """A checksum of the rows' values."""
    values = [sorted(row.values.items(), key=str) for row in stored_rows()]
    return zlib.crc32(repr(values).encode())


def make() -> None:
    """Runs the control in every row and keeps what it wrote."""
    import torch

    import legacy.assemble

    torch.set_num_threads(1)
    found = []
    for number, row in enumerate(stored_rows()):
        with tempfile.TemporaryDirectory() as folder:
            settings = row.settings(Path(folder), control=True)
            silent = silent_leaves(settings)
            numbers = written(settings, WatchedParts(legacy.assemble)).numbers
        follows = frozenset(n for n in numbers if follows_rounding(n, silent))
        found.append(digest(numbers, follows))
        print(number, len(found[-1]), flush=True)
    if "phiml_port" in sys.modules:
        raise HarnessError("the candidate was imported; these are no goldens")
    lines = [
        json.dumps({kind: float(f"{value:.12g}") for kind, value in kinds.items()})
        for kinds in found
    ]
    text = f'{{"rows": {rows_hash()},\n"goldens": [\n' + ",\n".join(lines) + "\n]}\n"
    write_file(FILE, text)


if __name__ == "__main__":
    make()
