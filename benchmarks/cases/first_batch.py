"""A process of its own up to its first training batch: `... FOLDER PRESET [key=value]`.

Prints the work of that batch and its loss, as JSON.
"""

from pathlib import Path
from typing import Any

from benchmarks.cases import build
from benchmarks.cases.common import any_loss, learned_numbers, window_work
from benchmarks.cases.settings import settings_of
from benchmarks.harness.process import answer


def step(folder: str, preset: str, *overrides: str) -> dict[str, Any]:
    """Composes, builds both learners of a hybrid training and takes one step."""
    settings = settings_of(Path(folder), f"migration={preset}", *overrides)
    windows, model = build.first_batch(settings), build.model(settings)
    learner = build.learner(settings, model)
    build.physical_learner(settings)
    loss = learner.step(windows, any_loss)
    return {**window_work(windows), **learned_numbers(model), "loss": loss}


if __name__ == "__main__":
    answer({"step": step})
