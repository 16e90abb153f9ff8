"""A process of its own up to its first training batch: `... FOLDER PRESET [key=value]`.

Prints the work of that batch and its loss, as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks._machine import device, prepare
from benchmarks.cases._common import moved_parameters, settings_of, window_work


def main(folder: Path, preset: str, *overrides: str) -> None:
    """Composes, builds the hybrid trainer and takes one step."""
    settings = settings_of(folder, f"migration={preset}", *overrides)
    prepare()
    from bridge._physics_factories import build_hybrid_trainer
    from experiment.training import training_settings

    trainer: Any = build_hybrid_trainer(training_settings(settings)).synthetic
    trainer._train_loader.set_epoch(0)
    windows = next(iter(trainer._train_loader))
    if settings.migration.trainer == "legacy":
        windows = windows.to(device())
    loss = trainer.training_step(windows, lambda loss: None)
    work = window_work(windows) | moved_parameters(trainer.optimiser)
    print(json.dumps({**work, "loss": loss}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
