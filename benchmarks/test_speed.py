"""All cases under pytest-benchmark: `pytest benchmarks/`.

A group is a case, a test one implementation of it; `BENCHMARK_PROFILE` is `fast`
(default), `regular` or `large`. An implementation whose work or outcome isn't the
control's fails and has no time. `--benchmark-autosave` and `--benchmark-compare` keep
and compare runs. Rounds of one side come in a row here, so that a machine that slows
down shows as a difference: `python -m bridge bench` takes them in turn and judges.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cases import cases_of
from bridge.harness.bench_case import PROFILES, Case
from bridge.harness.bench_outcome import Observed, observed, unlike, unusable

_CASES = cases_of(os.environ.get("BENCHMARK_PROFILE", PROFILES[0]))  # type: ignore[arg-type]
_SIDES = [(case, side) for case in _CASES.values() for side in case.builders]
#: Seconds that a side is timed for, and rounds that it gets whatever it takes.
_SECONDS = 1.0
_ROUNDS = (5, 50)


class CurrentCase:
    """The folder and the baseline of the case under test; removed with the next."""

    def __init__(self) -> None:
        self._name = ""
        self.folder = Path()
        self._expected: Observed | None = None

    def turn_to(self, case: Case) -> Observed:
        """What the sides of a case must do and give."""
        if self._name != case.name or self._expected is None:
            self.remove()
            self._name, self.folder = case.name, Path(tempfile.mkdtemp())
            baseline = case.builders[case.baseline](self.folder)
            self._expected = observed(baseline)
        return self._expected

    def remove(self) -> None:
        """Removes the folder."""
        if self._name:
            shutil.rmtree(self.folder)
        self._name, self._expected = "", None


CURRENT = CurrentCase()


def pytest_generate_tests(metafunc: Any) -> None:
    # Not by pytest's decorators: asv imports this module where there is no pytest.
    ids = [f"{case.name}-{side}" for case, side in _SIDES]
    metafunc.parametrize(("case", "side"), _SIDES, ids=ids)


def test_speed(case: Case, side: str, benchmark: Any) -> None:
    benchmark.group = case.name
    expected = CURRENT.turn_to(case)
    subject = case.builders[side](CURRENT.folder)
    problems = unusable(case, expected)
    if side != case.baseline:
        problems += unlike(case, side, observed(subject), expected)
    assert not problems, "; ".join(problems)
    benchmark.extra_info.update(subject.work, reference=side in case.references)
    rounds = _rounds(subject.run, case.calls)
    benchmark.pedantic(subject.run, rounds=rounds, iterations=case.calls)


def _rounds(run: Callable[[], object], calls: int) -> int:
    """As many as fit the seconds; the calls made here warm the side up."""
    run()
    start = time.perf_counter()
    run()
    spent = (time.perf_counter() - start) * calls
    fewest, most = _ROUNDS
    return max(fewest, min(most, int(_SECONDS / max(spent, 1e-9))))
