"""Whose difference it is, and what the control would have to be told to show it too."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bridge.harness import error_of, rms
from bridge.ladders.covering.factors import SHIPPED, SIDE, STOPPED
from bridge.ladders.covering.rows import all_factors
from bridge.ladders.entry_cases import EntryRuns, run_of
from experiment.settings import COMPONENTS
from experiment.system import UserError

#: Seconds that are spent on looking for a setting.
BUDGET = 60.0
#: Settings of each component, those first that a side may get wrong by itself.
_OF = {
    "model": ("model.synthetic.architecture.", "data.fields"),
    "trainer": ("trainer.synthetic.", "trainer.", "data.observations."),
    "data": ("data.", "trainer.rollout_steps", "trainer.batch_size", "general.seed"),
    "physics": ("model.physical.", "trainer.physical.", "trainer.hybrid.weights."),
    "hybrid": ("trainer.hybrid.", "trainer.data_access"),
}


def guilty_components(runs: EntryRuns, name: str, limit: float) -> list[str]:
    """The port's components with which, each alone, a number differs as well.

    Args:
        runs: Both sides' runs.
        name: The number.
        limit: The error up to which it is equal.
    """
    expected = runs.control.numbers[name]
    scale = runs.scales.get(name) or 1.0
    alone = []
    for component in on_port(runs):
        sides = {c.name: "legacy" for c in COMPONENTS} | {component: "phiml"}
        actual = runs.run_with(sides).numbers.get(name)
        if actual is None or not _near(actual, expected, scale, limit):
            alone.append(component)
    return alone


def on_port(runs: EntryRuns) -> list[str]:
    """Components that are the port's in a row."""
    return [c.name for c in COMPONENTS if runs.on_port(c.name)]


def setting_of(runs: EntryRuns, names: Sequence[str], components: list[str]) -> str:
    """The setting, and its value, that gives the control the candidate's numbers.

    It must explain all but a hundredth of the difference of each; empty if none does.
    Counts are left out, as they agree by chance.

    Args:
        runs: Both sides' runs.
        names: The first numbers that differ.
        components: Those that are guilty, whose settings are tried first.
    """
    actual, expected = runs.candidate.numbers, runs.control.numbers
    left = {}
    for name in names:
        one, other = actual[name], expected[name]
        if one.shape != other.shape or one.dtype.kind != "f" or _counts(one):
            continue
        seen = ~(np.isnan(one) | np.isnan(other))
        scale = runs.scales.get(name) or rms(other[seen]) or 1.0
        left[name] = scale, error_of(one[seen], other[seen], scale) / 100
    ends = time.monotonic() + BUDGET
    for key, value in _flips(runs, components) if left else ():
        if time.monotonic() > ends:
            break
        found = _flipped(runs, {key: value}) or {}
        if all(
            name in found and _near(found[name], actual[name], *sizes)
            for name, sizes in left.items()
        ):
            return f"as if `{key}` were {value}"
    return ""


def _counts(values: np.ndarray) -> bool:
    return bool(np.all(np.isnan(values) | (values == np.round(values))))


def _near(actual: Any, expected: Any, scale: float, limit: float) -> bool:
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return False
    if actual.dtype.kind != "f":
        return bool((actual == expected).all())
    seen = ~np.isnan(expected)
    if not np.array_equal(seen, ~np.isnan(actual)) or not seen.any():
        return np.array_equal(seen, ~np.isnan(actual))
    return error_of(actual[seen], expected[seen], scale) <= limit


def _flips(runs: EntryRuns, components: list[str]) -> Iterator[tuple[str, Any]]:
    factors, own = all_factors(), runs.row.values
    with tempfile.TemporaryDirectory() as folder:
        read = runs.row.read(runs.row.settings(Path(folder)))
    starts = [start for c in components for start in _OF[c]]
    keys = [k for k in read if k not in (SHIPPED, STOPPED) and not k.startswith(SIDE)]

    def place(key: str) -> int:
        found = [i for i, start in enumerate(starts) if key.startswith(start)]
        return found[0] if found else len(starts)

    for key in sorted(keys, key=place):
        for value in factors[key].values:
            if value != own[key]:
                yield key, value


def _flipped(
    runs: EntryRuns, changes: Mapping[str, Any]
) -> Mapping[str, np.ndarray] | None:
    """The control's numbers with other settings; None if they don't fit."""
    try:
        return run_of(runs.row.changed(changes), control=True).numbers
    except UserError:
        return None
