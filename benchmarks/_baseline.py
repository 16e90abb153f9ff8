"""Results on disk, and how they compare with those of another time."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._machine import machine_facts
from benchmarks._pairs import Pair
from experiment.system import UserError, write_whole


def save(path: Path, pairs: Sequence[Pair]) -> None:
    """Writes what was measured, and on what, whole or not at all."""
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
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine_facts(), "pairs": rows}
    write_whole(path, json.dumps(content, indent=2) + "\n")


def compared(path: Path, pairs: Sequence[Pair]) -> list[str]:
    """How pairs stand beside those of a file, a line each.

    Raises:
        UserError: The file can't be read.
    """
    try:
        held: dict[str, Any] = json.loads(path.read_text())
        machine, rows = held["machine"], held["pairs"]
        then = {(r["case"], r["side"]): r for r in rows if "ratio" in r}
    except FileNotFoundError:
        return [
            f"no baseline yet: there is no `{path.name}`. Make one with"
            " `python -m bridge bench --save`."
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"the baseline `{path}` can't be read ({error}); make another with"
            " `python -m bridge bench --save`"
        ) from error
    now = machine_facts()
    other = [f"{key} {machine.get(key)}" for key in now if machine.get(key) != now[key]]
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
