"""Times a case's verified sides against its control, and judges the ratios."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from bridge.harness.bench_case import Case, Subject, case_folder
from bridge.harness.bench_timing import Ratio, paired, timed_in_turn
from bridge.harness.bench_verdicts import IsLack, lacks_a_module, verdicts_of

#: A ratio whose whole interval lies beyond this band is not noise.
BAND = 1.05
#: A side that seems slower is timed again, in so many times the rounds.
AGAIN = 2


class Speed(Enum):
    """The verdict on a pair; the value is what a person reads."""

    FASTER = "faster"
    EQUAL = "equal"
    SLOWER = "slower"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Pair:
    """One side of a case beside the control.

    Attributes:
        case: Name of the case.
        side: Name of the implementation.
        ratio: Time of the control over that of the side; None if it wasn't timed.
        speed: The verdict on the ratio.
        judged: Whether being slower fails; false for references and reports.
        reason: Why it isn't comparable; empty if it is.
    """

    case: str
    side: str
    ratio: Ratio | None
    speed: Speed
    judged: bool
    reason: str = ""

    @property
    def fails(self) -> bool:
        """Whether a gate must not let this pass."""
        return self.judged and self.speed is Speed.SLOWER


def judge(ratio: Ratio) -> Speed:
    """The verdict on a ratio, control over candidate, by its 95 % interval."""
    if ratio.low > BAND:
        return Speed.FASTER
    if ratio.high < 1 / BAND:
        return Speed.SLOWER
    if ratio.low >= 1 / BAND and ratio.high <= BAND:
        return Speed.EQUAL
    return Speed.INCONCLUSIVE


def pairs_of(
    case: Case,
    folder: Path,
    rounds: int,
    unproved: Callable[[str], list[str]],
    *,
    is_lack: IsLack = lacks_a_module,
) -> list[Pair]:
    """Verifies the sides of a case, then times those that are equal, in turn.

    Args:
        case: A case; without a control its first side stands for it.
        folder: Keeps the data of the case.
        rounds: Paired rounds, at least 7.
        unproved: Why a ladder's proof doesn't count for the code as it is, a sentence
            each; none if it does.
        is_lack: Which errors say that the installed code lacks what a side needs.

    Returns:
        A pair for every side but the control.
    """
    gated = case.gated and case.baseline == case.control
    judged = {s: gated and s in case.candidates for s in case.builders}
    others = [side for side in case.builders if side != case.baseline]

    def refused(side: str, reason: str) -> Pair:
        return Pair(case.name, side, None, Speed.NOT_COMPARABLE, judged[side], reason)

    problems = [p for step in case.proved_by for p in unproved(step)]
    if problems:
        return [refused(side, "; ".join(problems)) for side in others]
    verdicts = verdicts_of([case], folder, is_lack)[case.name]
    reasons = {s: v.lacks or v.wrong for s, v in verdicts.items() if v.lacks or v.wrong}
    if case.baseline in reasons:
        return [refused(side, reasons[case.baseline]) for side in others]
    built = {
        side: build(case_folder(folder, case))
        for side, build in case.builders.items()
        if side not in reasons
    }
    measured = _measured(case, built, judged, rounds)
    pairs = []
    for side in others:
        if side in reasons:
            pairs.append(refused(side, reasons[side]))
        else:
            pairs.append(Pair(case.name, side, *measured[side], judged[side]))
    return pairs


def _measured(
    case: Case, built: Mapping[str, Subject], judged: Mapping[str, bool], rounds: int
) -> dict[str, tuple[Ratio, Speed]]:
    runs = {side: subject.run for side, subject in built.items()}
    times = timed_in_turn(runs, rounds=rounds, calls=case.calls)
    control = case.baseline
    measured = {}
    for side in runs:
        if side == control:
            continue
        ratio = paired(times[control], times[side])
        if judged[side] and judge(ratio) is Speed.SLOWER:
            # A neighbour on a shared machine can slow one side for seconds; code that
            # became slower is so a second time.
            two = {control: runs[control], side: runs[side]}
            again = timed_in_turn(two, rounds=AGAIN * rounds, calls=case.calls)
            ratio = paired(again[control], again[side])
        measured[side] = ratio, judge(ratio)
    return measured


def identical(case: Case, folder: Path, rounds: int) -> Pair:
    """The control against a second one that was built in the same way."""
    build = case.builders[case.baseline]
    data = case_folder(folder, case)
    built = {case.baseline: build(data), "itself": build(data)}
    judged = {case.baseline: False, "itself": True}
    ratio, speed = _measured(case, built, judged, rounds)["itself"]
    return Pair(case.name, "itself", ratio, speed, True)
