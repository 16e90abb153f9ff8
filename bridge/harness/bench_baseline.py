"""Results on disk, and how they compare with those of another time."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.harness.bench_case import BenchError
from bridge.harness.bench_pairs import Pair


def save(path: Path, pairs: Sequence[Pair], machine: Mapping[str, str]) -> None:
    """Writes pairs and the machine that they were measured on, whole or not at all.

    Raises:
        BenchError: The file can't be written.
    """
    rows = [
        {
            "case": pair.case,
            "side": pair.side,
            "speed": pair.speed.value,
            "judged": pair.judged,
            "reason": pair.reason,
        }
        | (
            {}
            if pair.ratio is None
            else {
                "ratio": pair.ratio.median,
                "low": pair.ratio.low,
                "high": pair.ratio.high,
                "control_seconds": pair.ratio.seconds[0],
                "seconds": pair.ratio.seconds[1],
                "rounds": pair.ratio.rounds,
            }
        )
        for pair in pairs
    ]
    content = {"machine": dict(machine), "pairs": rows}
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(content, indent=2) + "\n")
        os.replace(partial, path)
    except OSError as error:
        raise BenchError(
            f"the baseline `{path}` can't be written: {error.strerror or error}; choose"
            " another file"
        ) from error


def compared(
    path: Path, pairs: Sequence[Pair], machine: Mapping[str, str]
) -> list[str]:
    """Pairs beside those of a file, a line each.

    Args:
        path: A baseline that `save` wrote.
        pairs: What was measured now.
        machine: The machine that it was measured on; another one isn't compared.

    Raises:
        BenchError: The file can't be read.
    """
    try:
        stored: dict[str, Any] = json.loads(path.read_text())
        stored_machine, rows = stored["machine"], stored["pairs"]
        then = {(r["case"], r["side"]): r for r in rows if "ratio" in r}
    except FileNotFoundError:
        return [
            f"no baseline yet: there is no `{path.name}`. Make one with"
            " `python -m bridge bench --save`."
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(
            f"the baseline `{path}` can't be read ({error}); make another with"
            " `python -m bridge bench --save`"
        ) from error
    other = [
        f"{key} {stored_machine.get(key)}"
        for key, value in machine.items()
        if stored_machine.get(key) != value
    ]
    if other:
        return [
            f"the baseline is of another machine ({', '.join(other)}), so it is not"
            " compared. Make one here with `python -m bridge bench --save`."
        ]
    return [_line(pair, then.get((pair.case, pair.side))) for pair in pairs]


def _line(pair: Pair, then: dict[str, Any] | None) -> str:
    name = f"{pair.case} {pair.side}"
    if pair.ratio is None:
        return f"{name}: {pair.speed.value}"
    if then is None:
        return f"{name}: not in the baseline"
    word = "as before"
    if pair.ratio.low > then["high"]:
        word = "better"
    elif pair.ratio.high < then["low"]:
        word = "worse"
    return f"{name}: {then['ratio']:.2f} -> {pair.ratio.median:.2f}, {word}"
