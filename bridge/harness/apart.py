"""Runs ladders in a process of their own, replaced before its memory fills up.

torch keeps what it traced until a process ends: 10 to 50 MB for each physical model
that is compiled, and a ladder compiles dozens.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType

from bridge.harness.ladder import CaseResult, run_ladder
from bridge.harness.project import Project

#: Runs of a ladder until a new process takes over.
TASKS = 8


class Apart:
    """A process for the ladders of a project; use it as a context.

    Args:
        project: The project.
        tasks: Runs until a new process takes over.
    """

    def __init__(self, project: Project, tasks: int = TASKS) -> None:
        self._project = project
        # Spawned, as a process that has differentiated anything can't be forked.
        self._pool = ProcessPoolExecutor(
            1, get_context("spawn"), max_tasks_per_child=tasks
        )

    def run(self, ladder: str, *, case: int) -> CaseResult:
        """A ladder on one of its cases.

        Args:
            ladder: Its name, or `module:object`.
            case: Its number among the ladder's.
        """
        return self._pool.submit(_run, self._project, ladder, case, None).result()

    def plant(self, ladder: str, *, fault: int) -> CaseResult:
        """A ladder with one of its faults in it.

        Args:
            ladder: Its name, or `module:object`.
            fault: Its number among the ladder's.
        """
        return self._pool.submit(_run, self._project, ladder, None, fault).result()

    def __enter__(self) -> "Apart":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)


def _run(
    project: Project, name: str, case: int | None, number: int | None
) -> CaseResult:
    project.prepare()
    ladder = project.ladder(name)
    if number is None:
        return run_ladder(ladder, ladder.cases[case or 0])
    fault = ladder.faults()[number]
    with fault.plant():
        return run_ladder(ladder, fault.case)
