"""Runs ladders in processes of their own, replaced before their memory fills up.

torch keeps what it traced until a process ends: 10 to 50 MB for each physical model
that is compiled, and a ladder compiles dozens.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import TracebackType

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
        tasks: Runs until a new process takes over.
        processes: How many there are at once.
    """

    def __init__(
        self, project: Project, tasks: int = TASKS, processes: int = 1
    ) -> None:
        self._project = project
        # Spawned, as a process that has differentiated anything can't be forked.
        self._pool = ProcessPoolExecutor(
            processes, get_context("spawn"), max_tasks_per_child=tasks
        )

    def run(self, ladder: str, *, case: int, words: Words = NONE) -> CaseResult:
        """A ladder on one of its cases.

        Args:
            ladder: Its name, or `module:object`.
            case: Its number among the ladder's.
            words: What makes other cases of it.
        """
        return self._result(self._pool.submit(_run, self._project, ladder, case, words))

    def run_all(
        self, ladder: str, *, cases: int, words: Words = NONE
    ) -> Iterator[CaseResult]:
        """A ladder on all of its cases, several at once, in their order.

        Args:
            ladder: Its name, or `module:object`.
            cases: How many it has.
            words: What makes other cases of it.
        """
        submit, project = self._pool.submit, self._project
        every = [submit(_run, project, ladder, n, words) for n in range(cases)]
        for one in every:
            yield self._result(one)

    def plant(self, ladder: str, *, fault: int) -> CaseResult:
        """A ladder with one of its faults in it.

        Args:
            ladder: Its name, or `module:object`.
            fault: Its number among the ladder's.
        """
        return self._result(self._pool.submit(_plant, self._project, ladder, fault))

    def plant_all(self, ladder: str, *, faults: int) -> Iterator[CaseResult]:
        """A ladder with each of its faults in it, several at once, in their order."""
        submit, project = self._pool.submit, self._project
        every = [submit(_plant, project, ladder, n) for n in range(faults)]
        for one in every:
            yield self._result(one)

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


def _plant(project: Project, name: str, number: int) -> CaseResult:
    project.prepare()
    ladder = project.ladder(name)
    fault = ladder.faults()[number]
    with fault.plant():
        return run_ladder(ladder, fault.case)
