"""Progress bars with loss and time left; silent when the output is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress


class Bar:
    """One bar; `step` moves it on and shows a few values behind it."""

    def __init__(self, shown: RichProgress | None, task: TaskID | None) -> None:
        self._shown = shown
        self._task = task

    def step(self, count: int = 1, **values: float | int) -> None:
        """Moves on by `count`; `values` are shown by name."""
        if self._shown is None or self._task is None:
            return
        text = "  ".join(
            f"{name} {value:.3e}" if isinstance(value, float) else f"{name} {value}"
            for name, value in values.items()
        )
        self._shown.update(self._task, advance=count, values=text)


class Progress:
    """Opens bars on a console, and none where the console is no terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()

    @contextmanager
    def bar(self, title: str, total: int, unit: str, done: int = 0) -> Iterator[Bar]:
        """A bar of `total` units, of which `done` are done already."""
        if not self.console.is_terminal:
            yield Bar(None, None)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(),
            TextColumn("{task.fields[values]}"),
        )
        with RichProgress(*columns, console=self.console, transient=True) as shown:
            task = shown.add_task(title, total=total, completed=done, values="")
            yield Bar(shown, task)
