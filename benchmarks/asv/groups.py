"""The history of all cases, for asv: one class a group, implementation first.

`BENCHMARK_PROFILE` is `fast` (default), `regular` or `large`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, cast

from benchmarks.cases import CASES, cases_of
from benchmarks.harness.installed import check_code, is_lack
from benchmarks.harness.machine import prepare
from bridge.harness.bench_case import Profile, Subject, case_folder
from bridge.harness.bench_timing import interleaved
from bridge.harness.bench_verdicts import Verdicts, verdicts_of

#: Paired rounds of a ratio.
ROUNDS = 15
#: Unit of a ratio.
RATIO = "times as fast as the baseline"
#: Runs before the clock starts.
WARM_UP = 2


def _in_unit(unit: str) -> Callable[[Any], Any]:
    """Sets the unit of a tracked number, where asv looks for it."""

    def set_unit(method: Any) -> Any:
        method.unit = unit
        return method

    return set_unit


class _Sides:
    """What asv measures of a group; private, so that asv lists the groups only.

    A side that isn't verified is never timed: `setup` asks for its verdict. The group's
    `setup_cache` judges once a commit, in a process of its own and in the folder that
    keeps the simulated data for all others.
    """

    #: All groups that have a class, with cases in the profile or without.
    known: ClassVar[set[str]] = set()
    group: ClassVar[str]
    params: ClassVar[tuple[list[str], list[str]]]
    param_names = ("implementation", "case")
    timeout = 1200
    #: Samples: at least 5, at most 15, and no more behind 5 seconds.
    repeat = (5, 15, 5.0)
    rounds = 1
    number = 1
    #: To be raised when the same names measure something else: results of other
    #: versions are not shown.
    version = "1"

    def __init_subclass__(cls, *, group: str) -> None:
        profile = cast(Profile, os.environ.get("BENCHMARK_PROFILE", "fast"))
        cases = [case for case in cases_of(profile).values() if case.group == group]
        sides = dict.fromkeys(side for case in cases for side in case.builders)
        cls.known.add(group)
        cls.group = group
        cls.params = (list(sides), [case.name for case in cases])

    def __init__(self) -> None:
        self._built: tuple[str, str] | None = None

    def _judged(self) -> Verdicts:
        if environment := os.environ.get("ASV_ENV_DIR"):
            check_code(Path(environment))
        prepare()
        cases = (CASES[name] for name in self.params[1])
        return verdicts_of(cases, Path.cwd(), is_lack)

    def setup(self, verdicts: Verdicts, implementation: str, case: str) -> None:
        """Builds the side and warms it up, once: asv calls this before every sample."""
        if self._built == (implementation, case):
            return
        if implementation not in CASES[case].builders:
            raise NotImplementedError(f"{case} has no side {implementation}")
        verdicts[case][implementation].demand()
        prepare()
        self._subject = self._build(implementation, case)
        self.number = CASES[case].calls
        for _ in range(WARM_UP):
            self._subject.run()
        self._built = (implementation, case)

    def _build(self, side: str, name: str) -> Subject:
        case = CASES[name]
        return case.builders[side](case_folder(Path.cwd(), case))

    def time_run(self, verdicts: Verdicts, implementation: str, case: str) -> None:
        """One unit of work."""
        self._subject.run()

    def peakmem_run(self, verdicts: Verdicts, implementation: str, case: str) -> None:
        """Peak memory of a process that imports, builds and runs the side."""
        self._subject.run()

    @_in_unit("relative L2 difference")
    def track_same_result(
        self, verdicts: Verdicts, implementation: str, case: str
    ) -> float:
        """Worst relative L2 difference of an outcome from the baseline's."""
        return verdicts[case][implementation].difference

    @_in_unit(RATIO)
    def track_ratio_to_baseline(
        self, verdicts: Verdicts, implementation: str, case: str
    ) -> float:
        """Time of the baseline over that of the side, in interleaved rounds."""
        chosen = CASES[case]
        baseline = self._build(chosen.baseline, case)
        ratio = interleaved(
            baseline.run, self._subject.run, rounds=ROUNDS, calls=chosen.calls
        )
        return round(ratio.median, 3)


# asv keeps one cache for each line that defines a `setup_cache`: were it inherited, one
# benchmark of one group would build the cases of all groups.


class Converters(_Sides, group="converters"):
    """Conversions between torch and PhiML."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


class ModelForward(_Sides, group="model-forward"):
    """One application of a network."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


class ModelGradient(_Sides, group="model-gradient"):
    """The gradient of a network by its weights."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


class TrainingStep(_Sides, group="training-step"):
    """A step of the synthetic trainer."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


class Data(_Sides, group="data"):
    """Windows from disk."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


class Generation(_Sides, group="generation"):
    """Simulating, with all that is written."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


class PhysicsRollout(_Sides, group="physics-rollout"):
    """A roll-out of the PDE."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


class PhysicsGradient(_Sides, group="physics-gradient"):
    """The loss of a roll-out and its gradient by the PDE's parameters."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


class Compiling(_Sides, group="compiling"):
    """The first call, which traces and compiles."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


class Hybrid(_Sides, group="hybrid"):
    """The hybrid training."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


class WholeRun(_Sides, group="whole-run"):
    """A run from its settings to its page."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


class Starting(_Sides, group="starting"):
    """Processes from their start, and switches of a side."""

    def setup_cache(self) -> Verdicts:
        """Judges all sides of the group."""
        return self._judged()


# A group without a case in the profile has nothing to be listed.
for _name, _value in list(globals().items()):
    is_group = isinstance(_value, type) and issubclass(_value, _Sides)
    if is_group and _name != _Sides.__name__ and not _value.params[1]:
        del globals()[_name]
