"""Runs ladders in processes of their own, replaced before their memory fills up.

torch keeps what it traced until a process ends: 10 to 50 MB for each physical model
that is compiled, and a ladder compiles dozens.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import TracebackType
from typing import Any

from bridge.harness.errors import HarnessError
from bridge.harness.ladder import CaseResult, run_ladder
from bridge.harness.project import Project
from bridge.harness.words import Words, ladders_of

#: Runs of a ladder until a new process takes over.
TASKS = 8
#: A ladder's own cases.
NONE = Words()


class Apart:
    """Processes for the ladders of a project; use it as a context.

    Args:
        project: The project.
        tasks: Runs of each process until a new one takes over.
        processes: How many there are at once.
    """

    def __init__(
        self, project: Project, tasks: int = TASKS, processes: int = 1
    ) -> None:
        self._project, self._tasks, self._processes = project, tasks, processes
        self._pool: ProcessPoolExecutor | None = None
        self._done = 0

    def _submit(self, what: Any, *args: Any) -> "Future[CaseResult]":
        """Gives work to processes that have not done too much yet.

        `max_tasks_per_child` of the pool itself may wait for ever in Python 3.11 when
        more is submitted than its processes do.
        """
        if self._pool is None:
            # Spawned, as one that has differentiated anything can't be forked.
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(self._processes, context)
        self._done += 1
        return self._pool.submit(what, self._project, *args)

    def _close_if_used(self) -> None:
        if self._pool is not None and self._done >= self._tasks * self._processes:
            self._pool.shutdown()
            self._pool, self._done = None, 0

    def _all(self, what: Any, every: Sequence[tuple[Any, ...]]) -> Iterator[CaseResult]:
        """Several at once, in their order, in new processes after so many."""
        size = self._tasks * self._processes
        for first in range(0, len(every), size):
            part = every[first : first + size]
            futures = [self._submit(what, *args) for args in part]
            for future in futures:
                yield self._result(future)
            self._close_if_used()

    def run(self, ladder: str, *, case: int, words: Words = NONE) -> CaseResult:
        """A ladder on one of its cases.

        Args:
            ladder: Its name, or `module:object`.
            case: Its number among the ladder's.
            words: What makes other cases of it.
        """
        return self._one(_run, ladder, case, words)

    def run_all(
        self, ladder: str, *, cases: int, words: Words = NONE
    ) -> Iterator[CaseResult]:
        """A ladder on all of its cases, several at once, in their order.

        Args:
            ladder: Its name, or `module:object`.
            cases: How many it has.
            words: What makes other cases of it.
        """
        yield from self._all(_run, [(ladder, n, words) for n in range(cases)])

    def plant(self, ladder: str, *, fault: int) -> CaseResult:
        """A ladder with one of its faults in it.

        Args:
            ladder: Its name, or `module:object`.
            fault: Its number among the ladder's.
        """
        return self._one(_plant, ladder, fault)

    def plant_all(self, ladder: str, *, faults: int) -> Iterator[CaseResult]:
        """A ladder with each of its faults in it, several at once, in their order."""
        yield from self._all(_plant, [(ladder, n) for n in range(faults)])

    def plant_elsewhere(
        self, ladder: str, *, faults: int, words: Words
    ) -> Iterator[CaseResult | str]:
        """The same in the case of a run's words; why not, where one has no place."""
        yield from self._all(_try, [(ladder, n, words) for n in range(faults)])

    def _one(self, what: Any, *args: Any) -> CaseResult:
        (result,) = self._all(what, [args])
        return result

    def _result(self, future: "Future[CaseResult]") -> CaseResult:
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise HarnessError(
                "a process that ran a ladder was killed, probably for want of memory;"
                " close other programs, or take one ladder at a time"
            ) from error

    def __enter__(self) -> "Apart":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def processes() -> int:
    """How many run at once by default: one a core, as each has one thread; 4 at most.

    Each takes one to three GB.
    """
    return min(4, len(os.sched_getaffinity(0)))


def _run(project: Project, name: str, case: int, words: Words) -> CaseResult:
    project.prepare()
    (ladder,) = ladders_of(project, name, words).values()
    return run_ladder(ladder, ladder.cases[case])


def _plant(project: Project, name: str, number: int, words: Words = NONE) -> CaseResult:
    project.prepare()
    (ladder,) = ladders_of(project, name, words).values()
    fault = ladder.faults()[number]
    with fault.plant():
        return run_ladder(ladder, fault.case)


def _try(project: Project, name: str, number: int, words: Words) -> CaseResult | str:
    """A fault made for another case may look for what isn't there."""
    try:
        return _plant(project, name, number, words)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
