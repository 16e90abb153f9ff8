"""What a hybrid training is made of, the same on both sides."""

from dataclasses import replace

import numpy as np

from experiment.data import channel_plan
from experiment.settings import Settings


def hybrid_epochs(settings: Settings, cycles: int) -> int:
    """Epochs of the synthetic model after so many cycles; 0 cycles: the warm-up."""
    hybrid = settings.trainer.hybrid
    return hybrid.warm_up_epochs + cycles * hybrid.epochs


def training_settings(settings: Settings) -> Settings:
    """The settings with the synthetic model's epochs as `general.mode` has them.

    The learning rate is annealed over all epochs of the run.
    """
    if settings.general.mode != "hybrid":
        return settings
    epochs = hybrid_epochs(settings, settings.trainer.hybrid.cycles)
    synthetic = replace(settings.trainer.synthetic, epochs=epochs)
    return replace(settings, trainer=replace(settings.trainer, synthetic=synthetic))


def physical_rounds(settings: Settings) -> int:
    """Rounds of the physical model in the whole training."""
    if settings.general.mode != "hybrid":
        return settings.trainer.physical.rounds
    return settings.trainer.hybrid.cycles * settings.trainer.hybrid.rounds


def generated_count(settings: Settings) -> int:
    """Simulations that are generated a cycle: `alpha` of the real ones, at least 1."""
    share = settings.trainer.hybrid.alpha * len(settings.trainer.train_sim)
    return max(1, round(share))


def new_states(settings: Settings, cycle: int) -> np.ndarray:
    """Initial states of a cycle, `(simulation, x, y, ..., vector)`.

    Drawn as those of the data, and numbered on behind them, so no state comes twice.
    In `general.precision`.
    """
    count = generated_count(settings)
    first = settings.data.num_simulations + cycle * count
    plan = channel_plan(settings)
    states = []
    for number in range(first, first + count):
        fields = settings.model.physical.initial_state(settings.data.seed, number)
        columns = [
            fields[name] if components else fields[name][..., None]
            for name, components in plan.fields.items()
        ]
        states.append(np.concatenate(columns, -1))
    return np.stack(states).astype(settings.general.precision)
