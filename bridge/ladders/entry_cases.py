"""Runs of both sides in the rows of the covering array, each made once."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from bridge.assemble import MixedParts
from bridge.harness import rms
from bridge.ladders.covering import Row, stored_rows
from bridge.ladders.covering.factors import SHIPPED, SIDE, STOPPED
from bridge.ladders.entry_runs import NEVER, WatchedParts, Written, written
from bridge.ladders.entry_silent import silent_leaves
from bridge.ladders.entry_words import WordsRow
from bridge.ladders.physics_cases import NUDGES
from bridge.ladders.run_cases import RunCase, is_own
from bridge.ladders.started import StartedParts
from experiment.settings import COMPONENTS, SIDES


@dataclass(frozen=True)
class EntryCase:
    """A row of the covering array, by its number."""

    number: int

    @property
    def row(self) -> Row:
        """The row."""
        return stored_rows()[self.number]

    def __str__(self) -> str:
        values = self.row.values
        ports = [values[f"{SIDE}{c.name}"] == "phiml" for c in COMPONENTS]
        sides = "".join("p" if port else "l" for port in ports)
        network = values["model.synthetic.name"]
        mode = values["general.mode"]
        return f"row-{self.number:02d}-{values[SHIPPED]}-{mode}-{network}-{sides}"


def case_names() -> list[EntryCase]:
    """Every row of the covering array."""
    return [EntryCase(number) for number in range(len(stored_rows()))]


class EntryRuns:
    """The control's run and the candidate's."""

    def __init__(self, name: EntryCase | RunCase) -> None:
        self.name = name
        self.row = WordsRow(name) if isinstance(name, RunCase) else name.row

    def on_port(self, component: str) -> bool:
        """Whether a component of the candidate is the port's."""
        return self.row.values[f"{SIDE}{component}"] == "phiml"

    @cached_property
    def silent(self) -> set[str]:
        """See `silent_leaves`."""
        with tempfile.TemporaryDirectory() as folder:
            return silent_leaves(self.row.settings(Path(folder), control=True))

    @cached_property
    def control(self) -> Written:
        """All components the control's, never stopped."""
        return run_of(self.row, control=True)

    @cached_property
    def candidate(self) -> Written:
        """The row's own sides, stopped and resumed where it says so."""
        return run_of(self.row, stop=self.row.values[STOPPED])

    @cached_property
    def nudged(self) -> Written:
        """The control from weights and parameters that differ by rounding (A/A)."""
        return run_of(self.row, control=True, nudge=True)

    def run_with(self, components: Mapping[str, str]) -> Written:
        """A run with other sides."""
        sides = {f"{SIDE}{name}": side for name, side in components.items()}
        return run_of(self.row.changed(sides), stop=self.row.values[STOPPED])

    @property
    def expected_sides(self) -> dict[str, str]:
        """The package of every part; `bridge` where two languages meet."""
        sides = {c.name: self.row.values[f"{SIDE}{c.name}"] for c in COMPONENTS}
        found = {}
        for name in ("model", "trainer", "data", "physics"):
            meets = name in ("model", "data") and sides[name] != sides["trainer"]
            found[name] = "bridge" if meets else SIDES[sides[name]]
        # Another scheme is nobody's side.
        other = self.row.values["data.reference"] != "same"
        return found | {"simulator": "experiment" if other else found["physics"]}

    @cached_property
    def scales(self) -> dict[str, float]:
        """What errors are relative to, by number, of the control's.

        A small leaf is judged by all leaves of its kind together.
        """
        numbers = self.control.numbers
        groups: dict[str, list[np.ndarray]] = {}
        for name, array in numbers.items():
            if array.dtype.kind == "f" and array.size:
                groups.setdefault(_group(name), []).append(array.ravel())
        sizes = {g: rms(np.nan_to_num(np.concatenate(a))) for g, a in groups.items()}
        return {
            name: max(sizes[_group(name)], rms(np.nan_to_num(array)))
            for name, array in numbers.items()
            if array.dtype.kind == "f" and array.size
        }


def run_of(
    row: Row | WordsRow,
    *,
    control: bool = False,
    stop: str = NEVER,
    nudge: bool = False,
) -> Written:
    """Makes a row's run, in a folder that vanishes.

    Args:
        row: The row.
        control: Whether every component is the control's.
        stop: Where it is stopped, once, to go on.
        nudge: Whether weights and parameters begin off by rounding.

    Raises:
        SettingsError: The row's values don't fit each other.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = row.settings(Path(folder), control=control)
        # Networks of one's own begin with the control's weights.
        started = nudge or is_own(settings)
        parts = StartedParts(nudge=nudge) if started else MixedParts()
        return written(settings, WatchedParts(parts, stop, NUDGES[-1] * nudge))


def _group(name: str) -> str:
    file, _, rest = name.partition(" ")
    kind = rest.split("/")
    if kind[0] == "weights":
        return f"{file} weights"
    if kind[0] == "optimiser":
        return f"{file} {kind[-1]}"
    if rest.startswith("parameters.csv"):
        # The smallest value of a field is judged by the field.
        return f"parameters {rest.partition('_')[0]}"
    return name
