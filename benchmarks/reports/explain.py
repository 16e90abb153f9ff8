"""Where the time and the memory of a training batch go, for each preset."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cases import build
from benchmarks.cases.common import any_loss
from benchmarks.cases.settings import simulated_settings
from benchmarks.harness.machine import threads
from benchmarks.harness.memory import peak_anonymous
from benchmarks.harness.process import answer, measure_apart

PRESETS = ("legacy", "step1", "step2", "step3")
PARTS = ("data wait", "conversion", "forward", "backward", "optimiser", "rest")
EPOCHS = 3


class Clock:
    """The time of each part of a training step, by what torch calls on the way.

    A step is forward until `Tensor.backward`, and behind the optimiser the rest.
    """

    def __init__(self) -> None:
        self.times: dict[str, float] = dict.fromkeys(PARTS, 0.0)
        self._mark = 0.0

    def start(self) -> None:
        """Begins a part."""
        self._mark = time.perf_counter()

    def note(self, part: str) -> None:
        """Ends a part, and begins the next."""
        now = time.perf_counter()
        self.times[part] += now - self._mark
        self._mark = now

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Notes forward, backward and optimiser of every step inside."""
        import torch
        from torch.optim.optimizer import (
            register_optimizer_step_post_hook,
            register_optimizer_step_pre_hook,
        )

        backward = torch.Tensor.backward

        def timed_backward(*arguments: Any, **named: Any) -> None:
            self.note("forward")
            backward(*arguments, **named)
            self.note("backward")

        # Behind the backward pass some steps check the loss and clip gradients.
        hooks = (
            register_optimizer_step_pre_hook(lambda *_: self.note("rest")),
            register_optimizer_step_post_hook(lambda *_: self.note("optimiser")),
        )
        torch.Tensor.backward = timed_backward
        try:
            yield
        finally:
            torch.Tensor.backward = backward
            for hook in hooks:
                hook.remove()


class Instrumented:
    """Epochs of training, with the time of their parts.

    Args:
        learner: A synthetic learner of either side.
        loader: Its training windows.
    """

    def __init__(self, learner: Any, loader: Any) -> None:
        self.learner, self.loader = learner, loader
        self.clock = Clock()
        self.batches = 0
        self._epoch = 0

    def reset(self) -> None:
        """Begins anew, after a warm-up."""
        self.clock = Clock()
        self.batches = 0

    def epoch(self) -> None:
        """Trains one epoch; validation and checkpoints are left out."""
        conversions, clock = build.conversions(), self.clock
        conversions.reset()
        self.loader.set_epoch(self._epoch)
        self._epoch += 1
        with clock.watching():
            clock.start()
            for windows in self.loader:
                clock.note("data wait")
                self.learner.step(windows, any_loss)
                clock.note("rest")
                self.batches += 1
        converting = sum(b.seconds for b in conversions.boundaries.values())
        clock.times["conversion"] += converting
        # A loader of the bridge converts each batch; models convert in the forward.
        converts = type(self.loader).__module__.startswith("bridge.")
        clock.times["data wait" if converts else "forward"] -= converting


def explained(preset: str, folder: str) -> dict[str, Any]:
    """Measures a preset in this process; seconds and bytes a batch, MB at most."""
    overrides = (f"migration={preset}", "trainer.train_sim=[0,1,2]")
    settings = simulated_settings(Path(folder), *overrides)
    loader, learner = build.loader(settings), build.learner(settings)
    windows = build.first_batch(settings)
    start = time.perf_counter()
    learner.step(windows, any_loss)
    first = time.perf_counter() - start
    measured = Instrumented(learner, loader)
    measured.epoch()
    measured.reset()
    start = time.perf_counter()
    peak = peak_anonymous(lambda: [measured.epoch() for _ in range(EPOCHS)])
    spent = time.perf_counter() - start
    a_batch = measured.batches / EPOCHS
    crossed = build.conversions().boundaries.values()
    times = measured.clock.times
    return {
        "first": first,
        "batch": spent / measured.batches,
        "parts": {part: s / measured.batches for part, s in times.items()},
        "peak": peak,
        "conversions": sum(b.count for b in crossed) / a_batch,
        "bytes": sum(b.bytes for b in crossed) / a_batch,
        "copies": sum(b.copies for b in crossed) / a_batch,
    }


def lines() -> list[str]:
    """A table of all presets, each measured in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        measured = {
            preset: measure_apart(__name__, "explained", preset, folder)
            for preset in PRESETS
        }
    return [
        f"a training batch of default Burgers, {threads()} threads, ms",
        _row("", [*PRESETS]),
        *(
            _row(part, [f"{1e3 * measured[p]['parts'][part]:.2f}" for p in PRESETS])
            for part in PARTS
        ),
        _row("whole", [f"{1e3 * measured[p]['batch']:.1f}" for p in PRESETS]),
        _row("first call", [f"{1e3 * measured[p]['first']:.0f}" for p in PRESETS]),
        _row("conversions", [f"{measured[p]['conversions']:.0f}" for p in PRESETS]),
        _row("  kB", [f"{measured[p]['bytes'] / 1e3:.0f}" for p in PRESETS]),
        _row("  copies", [f"{measured[p]['copies']:.0f}" for p in PRESETS]),
        _row("peak memory, MB", [f"{measured[p]['peak']:.0f}" for p in PRESETS]),
    ]


def _row(name: str, cells: list[str]) -> str:
    return f"{name:18}" + "".join(f"{cell:>12}" for cell in cells)


if __name__ == "__main__":
    answer({"explained": explained})
