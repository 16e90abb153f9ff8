"""Signals that end a run: caught, shared, sent again, kept from workers."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing.context import ForkContext, SpawnContext

import pytest

from experiment.system import (
    Stopped,
    StopSignal,
    obey_parent,
    signals_held,
    stopping_at_once,
)

FORK = multiprocessing.get_context("fork")
ENDING = [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _nothing_is_ignored() -> Iterator[None]:
    """As it may be where tests run in the background."""
    python = {signal.SIGINT: signal.default_int_handler}
    before = {
        n: signal.signal(n, python.get(n, signal.SIG_DFL))
        for n in (*ENDING, signal.SIGINT)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def run() -> Iterator[None]:
    """As around the tasks of a run; ends a test that leaves a signal behind."""
    with stopping_at_once():
        yield


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_a_task_with_the_status_that_a_shell_reports(
    number: signal.Signals,
) -> None:
    said = f"stopped by {number.name}; what was written is whole"
    with pytest.raises(Stopped, match=said) as caught, stopping_at_once():
        signal.raise_signal(number)

    assert caught.value.status == 128 + number


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("number", [*ENDING, signal.SIGINT])
def test_the_outer_learns_what_the_inner_caught(number: signal.Signals) -> None:
    with StopSignal() as outer:
        with StopSignal() as inner:
            signal.raise_signal(number)
            assert inner.name == number.name
        assert outer.name == number.name


@pytest.mark.usefixtures("run")
def test_the_inner_knows_what_the_outer_caught() -> None:
    """Else a training that begins after the signal would run to its end."""
    with StopSignal() as outer:
        signal.raise_signal(signal.SIGINT)
        with StopSignal() as inner:
            assert inner.name == outer.name == "SIGINT"


def test_what_came_too_late_to_stop_a_training_stops_nothing() -> None:
    """All of it is done and saved; the run goes on until the next signal."""
    with pytest.raises(Stopped, match="SIGTERM"), stopping_at_once():
        with StopSignal() as stop:
            signal.raise_signal(signal.SIGUSR1)
        assert stop.name == "SIGUSR1"
        signal.raise_signal(signal.SIGTERM)


def test_what_was_there_is_restored_and_what_is_ignored_stays() -> None:
    before = [signal.getsignal(n) for n in ENDING]
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping_at_once(), StopSignal() as stop:
            # As `nohup` has it: the terminal may be closed.
            signal.raise_signal(signal.SIGHUP)
            assert stop.name is None
    finally:
        signal.signal(signal.SIGHUP, ignored)
    assert [signal.getsignal(n) for n in ENDING] == before


@pytest.mark.parametrize("context", [FORK, multiprocessing.get_context("spawn")])
def test_workers_never_get_them(context: ForkContext | SpawnContext) -> None:
    """Sent to all processes of a job, they would be an error of who waits for them."""
    with signals_held():
        worker = context.Process(target=signal.pause)
        worker.start()
    for number in (*ENDING, signal.SIGINT):
        os.kill(worker.pid or 0, number)
    worker.join(1)
    alive = worker.is_alive()
    worker.kill()
    worker.join()
    assert alive
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


def _obeying(parent: int) -> None:
    obey_parent(parent)
    threading.Event().wait()


@pytest.mark.parametrize("obeyed", [True, False])
def test_a_worker_obeys_its_parent_alone(obeyed: bool) -> None:
    """multiprocessing ends its workers by SIGTERM, and waits for them."""
    with signals_held():
        parent = os.getpid() if obeyed else 1
        worker = FORK.Process(target=_obeying, args=(parent,))
        worker.start()
    worker.terminate()
    worker.join(1)
    code = worker.exitcode
    worker.kill()
    worker.join()
    assert code == (0 if obeyed else None)


def test_a_worker_without_is_ended() -> None:
    """So that the test above sees something."""
    program = "import signal; signal.pause()"
    worker = subprocess.Popen([sys.executable, "-c", program])
    worker.terminate()
    assert worker.wait(30) == -signal.SIGTERM
