"""Whether each side of a case may be timed, found out once and kept for asv."""

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks._case import Builder, Case
from benchmarks._machine import prepare
from benchmarks._same import Observed, observed, unlike, unusable, worst


@dataclass(frozen=True)
class Verdict:
    """What is known of a side before it is timed.

    Attributes:
        difference: Worst relative L2 difference of an outcome from the baseline's; nan
            where there is none to be had.
        lacks: What the code that is installed lacks for this side; empty if nothing.
        wrong: In what the side differs or how it failed; empty if it is verified.
    """

    difference: float
    lacks: str = ""
    wrong: str = ""

    def demand(self) -> None:
        """Lets a verified side pass.

        Raises:
            NotImplementedError: The installed code lacks what the side needs; asv skips
                the benchmark.
            RuntimeError: The side isn't verified; asv counts the benchmark as failed.
        """
        if self.lacks:
            raise NotImplementedError(self.lacks)
        if self.wrong:
            raise RuntimeError(self.wrong)


#: What a commit brings.
PACKAGES = ("experiment", "legacy", "phiml_port", "bridge")
#: Verdicts by case and side.
Verdicts = dict[str, dict[str, Verdict]]


def verdicts_of(cases: Iterable[Case], folder: Path) -> Verdicts:
    """Builds all sides once and compares them with their baseline.

    The baseline is compared with a second one, built afresh.

    Args:
        cases: Judged one after the other.
        folder: Keeps the data of each case in a folder of its own.
    """
    prepare()
    return {case.name: _judged(case, case_folder(folder, case)) for case in cases}


def case_folder(folder: Path, case: Case) -> Path:
    """The case's own folder below `folder`."""
    path = folder / case.name
    path.mkdir(parents=True, exist_ok=True)
    return path


def _judged(case: Case, folder: Path) -> dict[str, Verdict]:
    expected = _observed(case.builders[case.baseline], folder)
    if isinstance(expected, Verdict):
        return {side: expected for side in case.builders}
    if problems := unusable(case, expected):
        verdict = Verdict(float("nan"), wrong="\n".join(problems))
        return {side: verdict for side in case.builders}
    return {
        side: _compared(case, side, _observed(build, folder), expected)
        for side, build in case.builders.items()
    }


def _compared(
    case: Case, side: str, got: Observed | Verdict, expected: Observed
) -> Verdict:
    if isinstance(got, Verdict):
        return got
    if problems := unlike(case, side, got, expected):
        return Verdict(float("nan"), wrong="\n".join(problems))
    return Verdict(worst(got, expected))


def _observed(build: Builder, folder: Path) -> Observed | Verdict:
    """What a side gives, or why it gives nothing."""
    try:
        return observed(build(folder))
    except Exception as error:
        # One side that fails must not take the others with it. Nothing is hidden: a
        # failure is reported by every benchmark of the side, with where it happened.
        if _is_lack(error):
            return Verdict(float("nan"), lacks=f"{type(error).__name__}: {error}")
        return Verdict(float("nan"), wrong=traceback.format_exc())


def _is_lack(error: Exception) -> bool:
    """Whether the installed commit lacks something: a module, a preset, a setting.

    Or an attribute of one of its own objects. On the commit of the benchmarks that is a
    mistake, which the tests of the cases find.
    """
    if isinstance(error, ImportError):
        return True
    if isinstance(error, AttributeError):
        owner = error.obj if isinstance(error.obj, type) else type(error.obj)
        return owner.__module__.split(".")[0] in PACKAGES
    from hydra.errors import HydraException

    from experiment.system import SettingsError

    return isinstance(error, HydraException | SettingsError)
