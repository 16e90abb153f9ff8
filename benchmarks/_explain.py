"""Where the time and the memory of a training batch go, for each preset."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._machine import prepare, threads
from benchmarks._memory import peak_anonymous
from benchmarks.settings import experiment_settings, simulated

PRESETS = ("legacy", "step1", "step2", "step3")
PARTS = ("data wait", "conversion", "forward", "backward", "optimiser", "rest")
EPOCHS = 3


class Instrumented:
    """Epochs of training, with the time of their parts.

    Args:
        trainer: A synthetic trainer of either side.
    """

    def __init__(self, trainer: Any) -> None:
        from bridge import CONVERSIONS

        self.trainer = trainer
        self.times: dict[str, float] = dict.fromkeys(PARTS, 0.0)
        self.batches = 0
        self._conversions = CONVERSIONS
        self._mark = 0.0
        self._epoch = 0
        inner = trainer._loss

        def loss(windows: Any) -> Any:
            start = time.perf_counter()
            value = inner(windows)
            self._mark = time.perf_counter()
            self.times["forward"] += self._mark - start
            return value

        trainer._loss = loss
        trainer.optimiser.register_step_pre_hook(lambda *_: self._note("backward"))
        trainer.optimiser.register_step_post_hook(lambda *_: self._note("optimiser"))

    def _note(self, part: str) -> None:
        now = time.perf_counter()
        self.times[part] += now - self._mark
        self._mark = now

    def forget(self) -> None:
        """Begins anew, behind a warm-up."""
        self.times.update(dict.fromkeys(PARTS, 0.0))
        self.batches = 0

    def epoch(self) -> None:
        """Trains one epoch; validation and checkpoints are left out."""
        trainer, times = self.trainer, self.times
        self._conversions.reset()
        loader, model = trainer._train_loader, trainer.model
        began, before = time.perf_counter(), sum(times.values())
        loader.set_epoch(self._epoch)
        self._epoch += 1
        model.train() if hasattr(model, "train") else model.set_training(True)
        start = time.perf_counter()
        for windows in loader:
            times["data wait"] += time.perf_counter() - start
            trainer.training_step(windows, lambda loss: None)
            self.batches += 1
            start = time.perf_counter()
        converting = sum(b.seconds for b in self._conversions.boundaries.values())
        times["conversion"] += converting
        # A loader of the bridge converts each batch; models convert inside the loss.
        converts = type(loader).__module__.startswith("bridge.")
        times["data wait" if converts else "forward"] -= converting
        spent = time.perf_counter() - began
        times["rest"] += spent - (sum(times.values()) - before)


def explained(preset: str, folder: Path) -> dict[str, Any]:
    """Measures a preset in this process; seconds and bytes a batch, MB at most."""
    from bridge import CONVERSIONS, build_trainer

    own = (f"migration={preset}", "trainer.train_sim=[0,1,2]")
    settings = simulated(experiment_settings(folder, "burgers", *own))
    trainer: Any = build_trainer(settings)
    trainer._train_loader.set_epoch(0)
    windows = next(iter(trainer._train_loader))
    start = time.perf_counter()
    trainer.training_step(windows, lambda loss: None)
    first = time.perf_counter() - start
    measured = Instrumented(trainer)
    measured.epoch()
    measured.forget()
    start = time.perf_counter()
    peak = peak_anonymous(lambda: [measured.epoch() for _ in range(EPOCHS)])
    spent = time.perf_counter() - start
    a_batch = measured.batches / EPOCHS
    crossed = CONVERSIONS.boundaries.values()
    return {
        "first": first,
        "batch": spent / measured.batches,
        "parts": {p: s / measured.batches for p, s in measured.times.items()},
        "peak": peak,
        "conversions": sum(b.count for b in crossed) / a_batch,
        "bytes": sum(b.bytes for b in crossed) / a_batch,
        "copies": sum(b.copies for b in crossed) / a_batch,
    }


def explain() -> list[str]:
    """A table of all presets, each measured in a process of its own."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for preset in PRESETS:
            command = [sys.executable, "-m", "benchmarks._explain", preset, folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(done.stderr[-2000:])
            found[preset] = json.loads(done.stdout.splitlines()[-1])
    return [
        f"a training batch of default Burgers, {threads()} threads, ms",
        _row("", [*PRESETS]),
        *(
            _row(part, [f"{1e3 * found[p]['parts'][part]:.2f}" for p in PRESETS])
            for part in PARTS
        ),
        _row("whole", [f"{1e3 * found[p]['batch']:.1f}" for p in PRESETS]),
        _row("first call", [f"{1e3 * found[p]['first']:.0f}" for p in PRESETS]),
        _row("conversions", [f"{found[p]['conversions']:.0f}" for p in PRESETS]),
        _row("  kB", [f"{found[p]['bytes'] / 1e3:.0f}" for p in PRESETS]),
        _row("  copies", [f"{found[p]['copies']:.0f}" for p in PRESETS]),
        _row("peak memory, MB", [f"{found[p]['peak']:.0f}" for p in PRESETS]),
    ]


def _row(name: str, cells: list[str]) -> str:
    return f"{name:18}" + "".join(f"{cell:>12}" for cell in cells)


if __name__ == "__main__":
    prepare()
    print(json.dumps(explained(sys.argv[1], Path(sys.argv[2]))))
