"""Makes a recording, and compares two."""

import json
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tests.recording import api
from tests.recording.data_cases import data_cases
from tests.recording.entries import Entry, Recording, text_entry
from tests.recording.physical_cases import hybrid_cases, physical_cases
from tests.recording.training_cases import training_cases
from tests.recording.whole_cases import whole_cases
from tests.recording.workshop import Case, Workshop


def every_case() -> Iterator[Case]:
    """All that is recorded."""
    yield Case("environment", lambda shop: _environment())
    yield from data_cases()
    yield from training_cases()
    yield from physical_cases()
    yield from hybrid_cases()
    # Last, as other backends and processes come in.
    yield from whole_cases()


def record(
    only: Sequence[str] = ("",), overrides: tuple[str, ...] = (), *, quiet: bool = True
) -> tuple[Recording, list[str]]:
    """Records the entries whose names begin with one of `only`.

    Args:
        only: Beginnings of names.
        overrides: Settings that every run gets besides.
        quiet: Shows no progress on the standard error.

    Returns:
        The recording, and the names of the cases that ended in an error.
    """
    api.forget_noise()
    cases = [c for c in every_case() if _touched(f"{c.name}/", only)]
    recording: Recording = {}
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(Path(folder), overrides)
        for number, case in enumerate(cases, 1):
            started = time.monotonic()
            try:
                for name, entry in case.record(shop):
                    full = f"{case.name}/{name}"
                    assert full not in recording, f"{full} comes twice"
                    if chosen(full, only):
                        recording[full] = entry
            except Exception:
                failed.append(case.name)
                print(f"{case.name}:\n{traceback.format_exc()}", file=sys.stderr)
            if not quiet:
                seconds = time.monotonic() - started
                shown = f"{number}/{len(cases)} {case.name} {seconds:.1f} s"
                print(shown, file=sys.stderr)
    return recording, failed


def chosen(name: str, only: Sequence[str]) -> bool:
    """Whether a name begins with one of `only`."""
    return name.startswith(tuple(only))


def differences(stored: Recording, found: Recording) -> list[tuple[str, ...]]:
    """Rows: name, what differs, stored, now, and how far the norms are apart."""
    rows = []
    for name in sorted({*stored, *found}):
        before, now = stored.get(name), found.get(name)
        if before is None:
            rows.append((name, "extra", "-", _hash(now), ""))
        elif now is None:
            rows.append((name, "missing", _hash(before), "-", ""))
        else:
            for key in ("shape", "dtype", "memory", "text"):
                if before.get(key) != now.get(key):
                    pair = (json.dumps(e.get(key)) for e in (before, now))
                    rows.append((name, key, *pair, ""))
            if before["sha256"] != now["sha256"]:
                hashes = (_hash(before), _hash(now))
                rows.append((name, "sha256", *hashes, _apart(before, now)))
    return rows


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows in columns."""
    heading = ("entry", "differs in", "stored", "now", "sum, norm: stored -> now")
    shown = [heading, *rows]
    widths = [max(len(row[i]) for row in shown) for i in range(4)]
    lines = []
    for row in shown:
        cells = [cell.ljust(w) for cell, w in zip(row[:4], widths, strict=True)]
        lines.append("  ".join([*cells, row[4]]).rstrip())
    return "\n".join(lines)


def _touched(name: str, only: Sequence[str]) -> bool:
    """Whether a case has a name with such a beginning."""
    return any(name.startswith(o) or o.startswith(name) for o in only)


def _environment() -> Iterator[tuple[str, Entry]]:
    """What numbers depend on besides the code; a difference here explains others."""
    import torch

    for package, version in api.versions().items():
        yield package, {**text_entry(version), "text": version}
    capability = torch.backends.cpu.get_cpu_capability()
    yield "cpu", {**text_entry(capability), "text": capability}
    threads = str(torch.get_num_threads())
    yield "threads", {**text_entry(threads), "text": threads}
    # A product of the linear algebra library that NumPy was built with.
    square = np.random.default_rng(0).standard_normal((64, 64))
    yield "product", text_entry(repr(float((square @ square).sum())))


def _hash(entry: Entry | None) -> str:
    return str(entry["sha256"])[:16] if entry else "-"


def _apart(before: Entry, now: Entry) -> str:
    if "float" not in before or "float" not in now:
        return ""
    left, right = before["float"], now["float"]
    return ", ".join(f"{left[key]} -> {right[key]}" for key in ("sum", "norm"))
