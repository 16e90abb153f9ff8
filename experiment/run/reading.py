"""Reads the trained models of a run, and all that is known of them."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiment.data import observations_text
from experiment.evaluation import Forecast, RecoveredParameter
from experiment.run.evaluating import Evaluated
from experiment.run.parts import Parts
from experiment.run.recovery import recovered_parameters
from experiment.run.uncertainty import with_uncertainty
from experiment.settings import Settings
from experiment.system import CheckpointError
from experiment.training import (
    PHYSICAL,
    SYNTHETIC,
    Checkpoint,
    LearnerState,
    checkpoint_path,
    load_for_model,
    load_parameters,
    physical_settings,
)


def read_evaluated(settings: Settings, parts: Parts) -> Evaluated:
    """The trained models of `general.checkpoint_dir` and all that is known of them.

    Raises:
        CheckpointError: A checkpoint is missing, torn, of another architecture, or of a
            training with another seed.
    """
    which, mode = settings.evaluation.checkpoint, settings.general.mode
    paths = {
        kind: checkpoint_path(settings, kind, which) for kind in (SYNTHETIC, PHYSICAL)
    }
    wanted = {kind: mode in (kind, "hybrid") for kind in paths}
    if mode == "evaluate":
        wanted = {kind: path.exists() for kind, path in paths.items()}
        # With none there, say which is missing.
        wanted[SYNTHETIC] |= not wanted[PHYSICAL]
    forecasts: dict[str, Forecast] = {}
    histories, facts, steps = {}, {}, {}
    parameters: Sequence[RecoveredParameter] = ()
    if wanted[SYNTHETIC]:
        learner = parts.build_synthetic_learner(settings, parts.build_model(settings))
        path = paths[SYNTHETIC]
        checkpoint = load_for_model(path, settings, learner.state().weights)
        _require_seed(path, checkpoint, settings)
        learner.load(LearnerState(checkpoint.weights))
        forecasts[SYNTHETIC] = learner.predict
        histories[SYNTHETIC] = checkpoint.state.history
        steps[SYNTHETIC] = checkpoint.state.iteration
        facts |= {
            "checkpoint": path,
            "epochs trained": checkpoint.state.epoch,
            "optimiser steps": checkpoint.state.iteration,
            "its last epoch": _terms(checkpoint.state.history, "generated"),
        }
    if wanted[PHYSICAL]:
        path = paths[PHYSICAL]
        checkpoint = load_parameters(path, settings)
        _require_seed(path, checkpoint, settings)
        forecasts[PHYSICAL] = _physical_forecast(settings, parts, checkpoint.weights)
        parameters = with_uncertainty(
            settings,
            parts.build_physical_learner,
            {name: o["unbounded"] for name, o in checkpoint.optimiser.items()},
            recovered_parameters(settings, checkpoint.weights),
        )
        histories[PHYSICAL] = checkpoint.state.history
        steps[PHYSICAL] = checkpoint.state.iteration
        facts |= {
            "physical checkpoint": path,
            "rounds of L-BFGS-B": checkpoint.state.epoch,
            "its iterations": checkpoint.state.iteration,
            "its last round": _terms(checkpoint.state.history, "predicted"),
        }
    observed = observations_text(settings)
    if observed is not None:
        facts["observed in training"] = observed
    return Evaluated(forecasts, parameters, histories, facts, steps)


def _require_seed(path: Path, checkpoint: Checkpoint, settings: Settings) -> None:
    """Refuses to show a training of one seed as that of another."""
    stored = checkpoint.settings.get("general", {}).get("seed")
    wanted = settings.general.seed
    if stored != wanted:
        raise CheckpointError(
            f"`{path}` was trained with `general.seed={stored}`; this run has"
            f" `general.seed={wanted}`. Give the seed that it was trained with, or name"
            " another run in `evaluation.run`."
        )


def _terms(history: Sequence[Mapping[str, Any]], made: str) -> str:
    """How many windows of each kind entered last, and their mean losses, in words."""
    if not history:
        return "none"
    parts = []
    for kind, name in (("real", "real"), ("interaction", made)):
        # A checkpoint of before these columns has none.
        count, loss = (
            history[-1].get(f"{kind}_{word}") for word in ("windows", "loss")
        )
        if count:
            parts.append(f"{count} {name} windows, mean loss {loss:.3e}")
    return "; ".join(parts)


def _physical_forecast(
    settings: Settings, parts: Parts, weights: Mapping[str, np.ndarray]
) -> Forecast:
    learner = parts.build_physical_learner(physical_settings(settings))
    return partial(learner.rollout, weights)
