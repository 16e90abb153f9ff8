"""Looks for rows in which every pair of values meets: `python -m` this module.

Greedy: each row begins with pairs that no row has, and every other value is the one
that meets most of what it has not met. It begins with the rows that are stored, so that
a new setting adds few; `--anew` begins with none. The seed is fixed.
"""

import itertools
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.harness.errors import write_file
from bridge.ladders.covering.factors import SHIPPED, Factor
from bridge.ladders.covering.rows import FILE, Row, all_factors, pairs_of, stored_rows
from experiment.settings import Settings
from experiment.system import SettingsError

_SEED = 1
#: Rows that are tried for each that is taken.
_TRIES = 2
#: What decides whether other settings are read.
DECIDING = (
    SHIPPED,
    "general.mode",
    "model.synthetic.name",
    "data.fields_scheme",
    "data.reference",
    "data.observations.time.kind",
    "data.observations.space.kind",
    "data.observations.noise",
    "cache.dir",
    "trainer.synthetic.schedule",
    "trainer.rollout_schedule",
    "trainer.physical.regularisation",
    "trainer.hybrid.trajectories",
)
#: Why two values can't meet that need others of a third setting.
GATED = "no run reads both, by"
Pair = tuple[Any, ...]


def universe(factors: Mapping[str, Factor]) -> set[Pair]:
    """Every pair of values of two factors."""
    every = sorted(factors.values(), key=lambda f: f.key)
    return {
        (one.key, value, other.key, its)
        for number, one in enumerate(every)
        for other in every[number + 1 :]
        for value in one.values
        for its in other.values
    }


def search(
    folder: Path, known: Iterable[Row] = ()
) -> tuple[list[Row], dict[Pair, str]]:
    """Rows, and the pairs that can't meet, each with the reason.

    Args:
        folder: Where files that rows name are written.
        known: Rows to begin with; what they lack gets its plain value, and those that
            don't fit any more, or meet nothing new, are left out.
    """
    factors = all_factors()
    left = universe(factors)
    chance = random.Random(_SEED)
    rows: list[Row] = []
    plain = {f.key: f.values[0] for f in factors.values()}
    for row in known:
        row = Row(plain | {k: v for k, v in row.values.items() if k in plain})
        met = _met(row, folder) & left if _read(row, folder) else set()
        if met:
            rows.append(row)
            left -= met
    impossible: dict[Pair, str] = {}
    seen = seen_together(factors, folder)
    for pair in sorted(left, key=repr):
        why = never(seen, pair)
        if why:
            impossible[pair] = why
    print(len(left), "pairs,", len(impossible), "of them never read together")
    while left - impossible.keys():
        pair = chance.choice(sorted(left - impossible.keys(), key=repr))
        tried = [_row(factors, left, pair, chance, folder) for _ in range(_TRIES)]
        best: tuple[Row, set[Pair]] | None = None
        for row in tried:
            if isinstance(row, Row):
                met = _met(row, folder) & left
                if pair in met and (best is None or len(met) > len(best[1])):
                    best = row, met
        if best is None:
            reasons = [row for row in tried if isinstance(row, str)]
            impossible[pair] = reasons[0] if reasons else "no run reads both"
            continue
        rows.append(best[0])
        left -= best[1]
        print(len(rows), len(best[1]), len(left - impossible.keys()), flush=True)
    return rows, {pair: why for pair, why in impossible.items() if pair in left}


#: By setting and by what decides: the values of the latter with which it was read.
Seen = Mapping[str, Mapping[str, set[Any]]]


def seen_together(factors: Mapping[str, Factor], folder: Path) -> Seen:
    """What decides whether a setting is read, by every two values of what decides."""
    seen: dict[str, dict[str, set[Any]]] = {
        key: {gate: set() for gate in DECIDING} for key in factors
    }
    plain = {f.key: f.values[0] for f in factors.values()}
    gates = {gate: factors[gate].values for gate in DECIDING}
    single = [(gate, value) for gate in DECIDING for value in gates[gate]]
    for one, other in itertools.combinations(single, 2):
        row = Row(plain | dict([one, other]))
        read = _read(row, folder)
        for key in read or ():
            for gate in DECIDING:
                if gate in (read or {}):
                    seen[key][gate].add(row.values[gate])
                else:
                    # What isn't read itself decides nothing.
                    seen[key][gate].update(gates[gate])
    return seen


def never(seen: Seen, pair: Pair) -> str:
    """Why two values are never read in one run; empty if they may be."""
    one, value, other, its = pair
    for gate in DECIDING:
        allowed = seen[one][gate] & seen[other][gate]
        for key, fixed in ((one, value), (other, its)):
            if key == gate:
                allowed &= {fixed}
        if not allowed:
            return f"{GATED} {gate}"
    return ""


def _met(row: Row, folder: Path) -> set[Pair]:
    return set(pairs_of(row.read(row.settings(folder))))


def _row(
    factors: Mapping[str, Factor],
    left: set[Pair],
    pair: Pair,
    chance: random.Random,
    folder: Path,
) -> Row | str:
    """A row with a pair in it, or why there is none."""
    wanted = {pair[0]: pair[1], pair[2]: pair[3]}
    values = {f.key: f.values[0] for f in factors.values()}
    start = _started(factors, values | wanted, wanted, chance, folder)
    if isinstance(start, str):
        return start
    values = start
    busy = Counter(key for pair in left for key in (pair[0], pair[2]))
    keys = [k for k in factors if k not in wanted]
    chance.shuffle(keys)
    # What decides whether others are read comes first; then what has most to meet.
    keys.sort(key=lambda k: (k not in DECIDING, -busy[k]))
    settled = dict(wanted)
    for key in keys:
        scored: list[tuple[int, float, Any]] = []
        read = _read(Row(values), folder) or {}
        for option in factors[key].values:
            if key in DECIDING:
                one = _read(Row(values | {key: option}), folder)
                score = _promise(left, settled | {key: option}, one or {})
            else:
                score = _score(left, key, option, read)
            scored.append((-score, chance.random(), option))
        for _, _, option in sorted(scored, key=lambda s: s[:2]):
            one = _read(Row(values | {key: option}), folder)
            if one is not None and all(k in one for k in wanted):
                values[key] = option
                settled[key] = option
                break
    return Row(values)


def _promise(
    left: set[Pair], settled: Mapping[str, Any], read: Mapping[str, Any]
) -> int:
    """Pairs that could still meet in a row that reads this, some values settled."""
    count = 0
    for one, value, other, its in left:
        fits = settled.get(one, value) == value and settled.get(other, its) == its
        count += fits and one in read and other in read
    return count


def _score(left: set[Pair], key: str, value: Any, read: Mapping[str, Any]) -> int:
    """Pairs of a value with what else is read that no row has."""
    count = 0
    for other, its in read.items():
        pair = (key, value, other, its) if key < other else (other, its, key, value)
        count += pair in left
    return count


def _started(
    factors: Mapping[str, Factor],
    values: dict[str, Any],
    wanted: Mapping[str, Any],
    chance: random.Random,
    folder: Path,
) -> dict[str, Any] | str:
    """Values with which a run reads what is wanted: the plain ones, or others."""
    why = "no run reads both"
    free = [k for k in factors if k not in wanted]
    for attempt in range(100):
        changed = dict(values)
        for key in chance.sample(free, min(len(free), attempt // 4)):
            changed[key] = chance.choice(factors[key].values)
        if attempt:
            for key in (SHIPPED, "general.mode", "model.synthetic.name"):
                if key in free:
                    changed[key] = chance.choice(factors[key].values)
            for key in free:
                if key.endswith(".kind") and attempt % 2:
                    changed[key] = chance.choice(factors[key].values)
        try:
            read = Row(changed).read(Row(changed).settings(folder))
        except SettingsError as error:
            why = str(error)
            continue
        if all(key in read for key in wanted):
            return changed
    return why


def _read(row: Row, folder: Path) -> dict[str, Any] | None:
    try:
        settings: Settings = row.settings(folder)
    except SettingsError:
        return None
    return row.read(settings)


def write(rows: Sequence[Row], impossible: Mapping[Pair, str]) -> None:
    """Writes what was found, a row a line."""
    keys = sorted(rows[0].values)
    pairs = [
        [*map(str, pair), why.splitlines()[0][:160]]
        for pair, why in sorted(impossible.items(), key=repr)
        if GATED not in why
    ]
    parts = [
        f'"keys": {json.dumps(keys)}',
        _lines("rows", [[row.values[key] for key in keys] for row in rows]),
        _lines("can't meet", pairs),
    ]
    write_file(FILE, "{" + ",\n".join(parts) + "}\n")


def _lines(name: str, entries: Iterable[Any]) -> str:
    return f'"{name}": [\n' + ",\n".join(map(json.dumps, entries)) + "\n]"


if __name__ == "__main__":
    begin = stored_rows() if "--anew" not in sys.argv else []
    with tempfile.TemporaryDirectory() as place:
        write(*search(Path(place), begin))
