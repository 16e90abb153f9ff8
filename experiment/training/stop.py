"""Signals that end a training after the batch under way."""

import signal
import threading
from types import FrameType, TracebackType


class StopSignal:
    """Catches SIGTERM and Ctrl-C, so that training ends after the batch under way.

    A second Ctrl-C ends at once. Outside the main thread it catches nothing. One
    inside another shares its signals: what either caught, both know.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
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
