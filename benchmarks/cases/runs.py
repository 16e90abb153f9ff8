"""A hybrid cycle and whole runs, through the functions that `run.py` calls."""

import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._case import Case, Subject
from benchmarks._machine import finish
from benchmarks.cases._common import fresh_folder, settings_of, simulated_settings

_SHORT = (
    *("general.mode=hybrid", "trainer.hybrid.warm_up_epochs=1"),
    *("trainer.hybrid.cycles=1", "trainer.hybrid.epochs=1", "trainer.hybrid.rounds=1"),
    *("trainer.physical.windows=8", "trainer.physical.iterations=3"),
    *("data.num_simulations=4", "data.trajectory_length=13"),
    *("trainer.train_sim=[0,1]", "trainer.val_sim=[2]", "evaluation.test_sim=[3]"),
    "evaluation.num_frames=13",
)
_DEFAULT = ("general.mode=hybrid",)
PRESETS = ("legacy", "step1", "step2", "step3", "full")


def _written(folder: Path) -> list[str]:
    """Overrides for what a run writes; its data may lie elsewhere."""
    return [f"general.checkpoint_dir={folder}/checkpoints", f"general.run_dir={folder}"]


def _hybrid(preset: str, folder: Path) -> Subject:
    """Builds both trainers and trains: a warm-up epoch, then one cycle."""
    import bridge._physics_factories as physics
    from experiment import Progress, RunFolder, training_settings

    chosen = (f"migration={preset}", *_SHORT)
    simulated_settings(folder, *chosen)

    def run() -> Path:
        own = fresh_folder(folder / preset)
        settings = settings_of(folder, *chosen, *_written(own))
        trainer = physics.build_hybrid_trainer(training_settings(settings))
        trainer.train(RunFolder(settings), Progress())
        finish()
        return own

    return _trained(run)


def _whole(preset: str, overrides: tuple[str, ...], folder: Path) -> Subject:
    """Simulates, trains and evaluates, in an empty folder each time."""
    from rich.console import Console

    from bridge import build_components
    from experiment import Progress, run_tasks

    def run() -> Path:
        own = fresh_folder(folder / preset)
        settings = settings_of(own, f"migration={preset}", *overrides, *_written(own))
        shown = Progress(Console(file=io.StringIO()))
        run_tasks(settings, build_components(settings), shown)
        finish()
        return own

    return _trained(run)


def _trained(run: Any) -> Subject:
    """A training with the work and the losses of a first one, made here."""
    from experiment import LAST, PHYSICAL, PHYSICAL_LAST, load_checkpoint

    folder = run() / "checkpoints"
    held = load_checkpoint(folder / LAST)
    physical = load_checkpoint(folder / PHYSICAL_LAST, PHYSICAL)
    rounds = physical.state.history
    work = {
        "epochs": held.state.epoch,
        "optimiser steps": held.state.iteration,
        "parameters": sum(w.size for w in held.weights.values()),
        "rounds": physical.state.epoch,
        "iterations": physical.state.iteration,
    }
    losses = {
        f"{kind} loss of every {unit}": np.array([row[key] for row in rows], float)
        for kind, unit, key, rows in (
            ("training", "epoch", "train_loss", held.state.history),
            ("validation", "epoch", "val_loss", held.state.history),
            ("physical", "round", "real_loss", rounds),
        )
    }
    return Subject(run, lambda: losses, work)


CASES = (
    Case(
        "hybrid-cycle",
        "hybrid",
        {preset: partial(_hybrid, preset) for preset in ("legacy", "full")},
        ("step1", "step2", "step3", "physics", "hybrid"),
        tolerance=1e-3,
        profile="regular",
    ),
    Case(
        "run-short",
        "whole-run",
        {preset: partial(_whole, preset, _SHORT) for preset in PRESETS},
        ("step1", "step2", "step3", "physics", "hybrid"),
        tolerance=1e-3,
        profile="regular",
    ),
    Case(
        "run-default",
        "whole-run",
        {preset: partial(_whole, preset, _DEFAULT) for preset in PRESETS},
        ("step1", "step2", "step3", "physics", "hybrid"),
        tolerance=1e-3,
        profile="large",
    ),
)
