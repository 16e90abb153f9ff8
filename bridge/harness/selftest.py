"""Plants faults and sees that the ladders report them by name, and nothing else."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from bridge.harness.compare import Verdict
from bridge.harness.ladder import CaseResult, Fault, Ladder, run_ladder


@dataclass(frozen=True)
class Caught:
    """The report of a ladder on a planted fault.

    Attributes:
        fault: The fault.
        seen: The rung that failed first, and its words.
        caught: Whether that is the expected rung with the expected name.
        margin: The error over its limit.
    """

    fault: Fault
    seen: str
    caught: bool
    margin: float

    def lines(self) -> str:
        """The rung and the name, and the report in place of it if it was missed."""
        mark = "caught" if self.caught else "MISSED"
        text = f"{mark}  {self.fault.rung}  {self.fault.name}"
        return text if self.caught else f"{text}\n        seen instead: {self.seen}"


def plant(ladder: Ladder, fault: Fault) -> Caught:
    """Runs a ladder with a fault in it."""
    with fault.plant():
        return caught(fault, run_ladder(ladder, fault.case))


def caught(fault: Fault, result: CaseResult) -> Caught:
    """What a ladder with a fault in it reported, beside what was expected."""
    failure = result.first_failure
    if failure is None or failure.worst is None:
        return Caught(fault, "nothing", False, 0.0)
    worst, margin = failure.worst, failure.worst.margin
    right = (
        fault.rung in ("", failure.rung)
        and fault.name in worst.hint
        and fault.where in worst.where
    )
    if failure.verdict is Verdict.NOT_JUDGED or math.isnan(margin):
        margin = math.inf
    seen = f"{failure.rung}: {worst.hint or 'no name'}, {worst.where}"
    return Caught(fault, seen, right, margin)


class Trace(Enum):
    """What a planted fault left in the comparisons of a case that is not its own."""

    CAUGHT = "caught"
    OTHERWISE = "seen"
    NONE = "unused"
    UNFIT = "no place"
    MISSED = "MISSED"


@dataclass(frozen=True)
class Elsewhere:
    """The report of a ladder on a fault in the case of a run's own words.

    Attributes:
        fault: The fault.
        trace: Whether the ladder fails, by the fault's name or otherwise; whether the
            fault moves no number that is compared, as the run doesn't use what it
            changes; whether it couldn't be planted; or whether it moves some numbers,
            and all stay within their limits.
        seen: The rung that failed first, and its words; what moved; or why not.
    """

    fault: Fault
    trace: Trace
    seen: str

    def lines(self) -> str:
        """The verdict, the rung and the name, and what else is to be said."""
        rung = "" if self.trace is Trace.NONE else self.fault.rung
        text = f"{self.trace.value:<8}  {rung:<2}  {self.fault.name}"
        return f"{text}\n          {self.seen}" if self.seen else text


def elsewhere(fault: Fault, result: CaseResult | str, without: CaseResult) -> Elsewhere:
    """What a ladder reported of a fault in a case that the fault was not made for.

    Args:
        fault: The fault.
        result: The ladder's result with the fault in it, or why it has no place.
        without: The result of the same case without it; it passes.
    """
    if isinstance(result, str):
        return Elsewhere(fault, Trace.UNFIT, result)
    found = caught(fault, result)
    if found.caught:
        return Elsewhere(fault, Trace.CAUGHT, "")
    if result.first_failure is not None:
        return Elsewhere(fault, Trace.OTHERWISE, f"as {found.seen}")
    moved = [
        f"{rung.rung}: {name}"
        for rung, before in zip(result.rungs, without.rungs, strict=True)
        for name, judged in rung.judged.items()
        if judged != before.judged.get(name)
    ]
    if not moved:
        return Elsewhere(fault, Trace.NONE, "")
    return Elsewhere(fault, Trace.MISSED, f"moved within its limit: {moved[0]}")


def to_json(results: Sequence[Caught]) -> str:
    """A row for each fault: its name, rung, place and case, and how it shows.

    `margin` is the error over its limit, null where the comparison gives no number: a
    NaN, another structure, or nothing at all.
    """
    rows = [
        {
            "name": r.fault.name,
            "rung": r.fault.rung,
            "where": r.fault.where,
            "case": str(r.fault.case),
            "caught": r.caught,
            "margin": r.margin if math.isfinite(r.margin) else None,
            "seen": r.seen,
        }
        for r in results
    ]
    return json.dumps(rows, indent=1) + "\n"


def false_alarms(ladder: Ladder, runs: int) -> int:
    """How often a ladder doesn't pass with a copy of the control as the candidate."""
    if ladder.control_twice is None:
        return 0
    alarms = 0
    with ladder.control_twice():
        for run in range(runs):
            case = ladder.cases[run % len(ladder.cases)]
            alarms += run_ladder(ladder, case).verdict is not Verdict.PASSED
    return alarms
