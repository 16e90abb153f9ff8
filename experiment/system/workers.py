"""The same work on many items, in several processes when asked."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from experiment.system.errors import Stopped, UserError
from experiment.system.process import die_with_parent
from experiment.system.stop import obey_parent, signals_held

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_processes(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    *,
    prepare: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> Iterator[tuple[Item, Result]]:
    """Yields each item with its result, in the order in which they are done.

    Args:
        work: A function of a module; with several processes it and the items cross by
            pickle.
        items: What to work on.
        workers: Processes; up to 1 stays in this process.
        prepare: Called once in each process, with `arguments`.
        arguments: What `prepare` gets.

    Raises:
        UserError: A process was killed, perhaps for its memory.
        Stopped: A signal came that ends the run; the processes are ended.
        Exception: Whatever `work` raises; the work not begun yet is given up.
    """
    if workers <= 1 or len(items) <= 1:
        if prepare is not None:
            prepare(*arguments)
        for item in items:
            yield item, work(item)
        return
    pool = ProcessPoolExecutor(
        min(workers, len(items)),
        # Forking a process whose libraries hold threads can lock up.
        multiprocessing.get_context("spawn"),
        _prepare,
        (os.getpid(), prepare, arguments),
    )
    before = {*multiprocessing.active_children()}
    try:
        with signals_held():
            submitted = {pool.submit(work, item): item for item in items}
        for done in as_completed(submitted):
            yield submitted[done], done.result()
    except BrokenProcessPool as error:
        raise UserError(
            f"one of the {workers} processes of `data.num_workers` was killed, perhaps"
            " for its memory. What was whole is kept; run again with fewer."
        ) from error
    except (Stopped, KeyboardInterrupt):
        # What they are at is given up, and may take longer than there is time.
        for worker in {*multiprocessing.active_children()} - before:
            worker.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare(
    parent: int, prepare: Callable[..., None] | None, arguments: tuple[Any, ...]
) -> None:
    die_with_parent(parent)
    obey_parent(parent)
    # Processes share the cores; each takes one. Read when a library is loaded, so it
    # must stand before the first import of it.
    os.environ["OMP_NUM_THREADS"] = "1"
    if prepare is not None:
        prepare(*arguments)
