"""How far a training has come."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class TrainingState:
    """How far training has come.

    Attributes:
        epoch: Whole epochs done; the number of the epoch that is under way.
        iteration: Optimiser steps done since the start.
        position: Batches done of the epoch that is under way.
        loss_sum: Sum over those batches' samples of the loss.
        samples: Samples in those batches.
        real_sum: Sum over real samples of the loss, without weights.
        real_samples: Real samples among them.
        generated_sum: The same of generated samples.
        generated_samples: Generated samples among them.
        learning_rate: The rate of the epoch that is under way.
        best_loss: Lowest validation loss so far (training loss without validation).
        best_epoch: The epoch that had it, counted from 1.
        history: One row an epoch: epoch, losses, learning rate, seconds.
        cycles: Cycles that were judged (`trainer.hybrid.keep_best`).
        kept_loss: Loss on real data of the state before the cycle under way.
    """

    epoch: int = 0
    iteration: int = 0
    position: int = 0
    loss_sum: float = 0.0
    samples: int = 0
    real_sum: float = 0.0
    real_samples: int = 0
    generated_sum: float = 0.0
    generated_samples: int = 0
    learning_rate: float = 0.0
    best_loss: float | None = None
    best_epoch: int | None = None
    history: tuple[dict[str, Any], ...] = ()
    cycles: int = 0
    kept_loss: float | None = None

    def term(self, kind: str, total: float, samples: int) -> "TrainingState":
        """The state with a batch's windows of a kind counted.

        Args:
            kind: `real` or `generated`.
            total: The sum of their losses, without weights.
            samples: How many there are.
        """
        if kind == "real":
            total, samples = self.real_sum + total, self.real_samples + samples
            return replace(self, real_sum=total, real_samples=samples)
        total, samples = self.generated_sum + total, self.generated_samples + samples
        return replace(self, generated_sum=total, generated_samples=samples)

    def mean(self, kind: str) -> float | None:
        """The mean loss of the epoch's windows of a kind; None without any."""
        samples: int = getattr(self, f"{kind}_samples")
        return getattr(self, f"{kind}_sum") / samples if samples else None

    def next_epoch(self, learning_rate: float) -> "TrainingState":
        """The state at the end of an epoch, its sums at 0."""
        return replace(
            self,
            position=0,
            learning_rate=learning_rate,
            loss_sum=0.0,
            samples=0,
            real_sum=0.0,
            real_samples=0,
            generated_sum=0.0,
            generated_samples=0,
        )
