"""Signals that end a run so that nothing is lost."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType, TracebackType

from experiment.system.errors import Stopped

#: What Slurm, a shell and a terminal send to end a program, in time for it to save.
_ENDING = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGUSR1", "SIGHUP", "SIGINT")
    if hasattr(signal, name)
)


def _caught() -> list[signal.Signals]:
    """Those that nobody ignores, as `nohup` ignores that the terminal is closed."""
    if threading.current_thread() is not threading.main_thread():
        return []
    return [n for n in _ENDING if signal.getsignal(n) is not signal.SIG_IGN]


class StopSignal:
    """Catches signals that end a program, so that it ends after the batch under way.

    A second Ctrl-C ends at once. Outside the main thread it catches nothing. One
    inside another shares its signals: what either caught, both know.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignal":
        for number in _caught():
            self._before[number] = signal.signal(number, self._catch)
        for outer in self._outer():
            self.name = outer.name
        return self

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.name is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.name = signal.Signals(number).name

    @property
    def number(self) -> signal.Signals:
        """The signal that came."""
        assert self.name is not None
        return signal.Signals[self.name]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]
        for outer in self._outer():
            outer.name = self.name

    def _outer(self) -> list["StopSignal"]:
        """The one around this one, if there is one."""
        handlers = self._before.values()
        owners = [getattr(before, "__self__", None) for before in handlers]
        return [o for o in owners[:1] if isinstance(o, StopSignal)]


@contextmanager
def stopping_at_once() -> Iterator[None]:
    """Ends what can be made again, or is written whole or not at all, where it stands.

    A training inside it, which is asked by a `StopSignal`, first saves. Ctrl-C is left
    to Python.

    Raises:
        Stopped: A signal came.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        raise Stopped(
            f"stopped by {name}; what was written is whole: the same command makes what"
            " is missing",
            number,
        )

    before = {n: signal.getsignal(n) for n in _caught() if n != signal.SIGINT}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def obey_parent(parent: int) -> None:
    """Ends this worker, started with signals held, when its parent sends SIGTERM.

    multiprocessing ends its workers by it, and waits until they have.

    Args:
        parent: The parent's process id.
    """

    def wait() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
            pass
        os._exit(0)

    if hasattr(signal, "pthread_sigmask"):
        held = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        if signal.SIGTERM in held:
            threading.Thread(target=wait, daemon=True).start()


@contextmanager
def signals_held() -> Iterator[None]:
    """Processes that are started inside never get these signals.

    What ends a job is sent to all of its processes. Workers that it ends first would
    be an error of the program that waits for them; it ends them itself, by
    `obey_parent`.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        # multiprocessing's own process, begun with the first worker. It must not get
        # them either, and where it is begun it lets SIGTERM through again.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
