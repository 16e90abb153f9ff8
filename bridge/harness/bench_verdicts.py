"""Whether each side of a case may be timed: judged once, before any clock starts."""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bridge.harness.bench_case import Builder, Case, case_folder
from bridge.harness.bench_outcome import Observed, observed, unlike, unusable, worst


@dataclass(frozen=True)
class Verdict:
    """Whether a side may be timed, and why not.

    Attributes:
        difference: Worst relative L2 difference of an outcome from the baseline's; nan
            where there is none.
        lacks: What the code that is installed lacks for this side; empty if nothing.
        wrong: In what the side differs or how it failed; empty if it is verified.
    """

    difference: float
    lacks: str = ""
    wrong: str = ""

    def demand(self) -> None:
        """Returns for a verified side, and raises for any other.

        Raises:
            NotImplementedError: The installed code lacks what the side needs; asv skips
                the benchmark.
            RuntimeError: The side isn't verified; asv counts the benchmark as failed.
        """
        if self.lacks:
            raise NotImplementedError(self.lacks)
        if self.wrong:
            raise RuntimeError(self.wrong)


#: Verdicts by case and side.
Verdicts = dict[str, dict[str, Verdict]]
#: Tells an error that means "the installed code lacks this" from a failure.
IsLack = Callable[[Exception], bool]


def lacks_a_module(error: Exception) -> bool:
    """Whether an import failed."""
    return isinstance(error, ImportError)


def verdicts_of(
    cases: Iterable[Case], folder: Path, is_lack: IsLack = lacks_a_module
) -> Verdicts:
    """Builds all sides once and compares them with their baseline.

    The baseline is compared with a second one, built afresh.

    Args:
        cases: Judged one after the other.
        folder: Keeps the data of each case in a folder of its own.
        is_lack: Which errors say that the installed code lacks what a side needs.
    """
    return {
        case.name: _judged(case, case_folder(folder, case), is_lack) for case in cases
    }


def _judged(case: Case, folder: Path, is_lack: IsLack) -> dict[str, Verdict]:
    expected = _observed(case.builders[case.baseline], folder, is_lack)
    if isinstance(expected, Verdict):
        return {side: expected for side in case.builders}
    if problems := unusable(case, expected):
        verdict = Verdict(float("nan"), wrong="\n".join(problems))
        return {side: verdict for side in case.builders}
    return {
        side: _compared(case, side, _observed(build, folder, is_lack), expected)
        for side, build in case.builders.items()
    }


def _compared(
    case: Case, side: str, actual: Observed | Verdict, expected: Observed
) -> Verdict:
    if isinstance(actual, Verdict):
        return actual
    if problems := unlike(case, side, actual, expected):
        return Verdict(float("nan"), wrong="\n".join(problems))
    return Verdict(worst(actual, expected))


def _observed(build: Builder, folder: Path, is_lack: IsLack) -> Observed | Verdict:
    """The work and the outcome of a side, or why there is none."""
    try:
        return observed(build(folder))
    except Exception as error:
        # One side that fails must not take the others with it. Nothing is hidden: a
        # failure is reported by every benchmark of the side, with its traceback.
        if is_lack(error):
            return Verdict(float("nan"), lacks=f"{type(error).__name__}: {error}")
        return Verdict(float("nan"), wrong=traceback.format_exc())
