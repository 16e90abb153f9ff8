"""A reference training in plain torch that shares no code with either side.

Both sides run the loops of `experiment.training`, so a fault there makes no difference
between them. This one has its own roll-out loss, optimiser, schedule, clipping and
order of samples; it is given the model. `hybrid_reference` adds the cycles.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bridge.ladders.reference_curriculum import at, noise, scheduler, stages

#: Loss and samples of every batch, by epoch.
Epochs = list[list[tuple[float, int]]]


class Reference:
    """A training of a torch model on windows in memory.

    Args:
        model: Maps `(batch, vector, x, ...)` to the next state; has `network`, `plan`.
        windows: `(window, vector, time, x, ...)`; targets that were not observed are
            NaN.
        settings: The settings of the case.
        optimiser: Its class.
        options: What it gets other than the semantics ask for.
    """

    def __init__(
        self,
        model: Any,
        windows: torch.Tensor,
        settings: Any,
        optimiser: Any = torch.optim.Adam,
        **options: Any,
    ) -> None:
        self.model, self.windows, self.settings = model.train(), windows, settings
        self.recipe, self.size = settings.trainer.synthetic, settings.trainer.batch_size
        options = {"eps": 1e-8, "weight_decay": self.recipe.weight_decay, **options}
        self.parameters = [p for p in model.network.parameters() if p.requires_grad]
        self.optimiser = optimiser(
            self.parameters, lr=self.recipe.learning_rate, **options
        )
        self.rates: list[float] = []
        self.losses: Epochs = []
        #: The last batch's losses, window by window.
        self.each = torch.zeros(0)
        #: Steps of a window that are learned from; None: all.
        self.steps: int | None = None
        self.noise: torch.Tensor | None = None
        #: How states `(batch, vector, x, ...)` are turned where they are seen in
        #: another view (A/A), its own inverse.
        self.turned: Callable[[torch.Tensor], torch.Tensor] = lambda states: states

    def train(self) -> None:
        """All epochs, the learning rate changed after each."""
        schedule = scheduler(self.recipe, self.optimiser)
        for epoch in range(self.recipe.epochs):
            self.rates.append(self.optimiser.param_groups[0]["lr"])
            self.steps = self.steps_of(epoch)
            losses = []
            for number, batch in enumerate(self.batches(epoch)):
                self.noise = self.noise_of(epoch, number, batch)
                losses.append(self.step(batch))
            self.losses.append(losses)
            schedule.step()

    def steps_of(self, epoch: int) -> int:
        """Steps that an epoch learns from: each length for as many epochs."""
        lengths = stages(self.settings.trainer, self.windows.shape[2] - 1)
        return at(lengths, epoch / self.recipe.epochs)

    def noise_of(
        self, epoch: int, number: int, batch: torch.Tensor
    ) -> torch.Tensor | None:
        """Noise on a batch's initial states, `(batch, vector, x, ...)`."""
        if not self.recipe.input_noise:
            return None
        seeds = self.settings.general.seed, epoch, number
        drawn = noise(batch[:, :, 0], seeds, self.noisy, self.turned)
        return drawn * self.recipe.input_noise

    @property
    def dynamic(self) -> list[int]:
        """Channels that the model moves on."""
        return list(self.model.plan.dynamic)

    @property
    def noisy(self) -> list[int]:
        """Channels that get noise."""
        return self.dynamic

    def batches(self, epoch: int) -> tuple[torch.Tensor, ...]:
        """The windows of an epoch in its order."""
        generator = np.random.default_rng([self.settings.general.seed, epoch])
        return self.windows[generator.permutation(len(self.windows))].split(self.size)

    def step(self, windows: torch.Tensor, weights: Any = 1.0) -> tuple[float, int]:
        """One optimiser step; the loss before it, and the samples.

        Args:
            windows: A batch.
            weights: What each window counts in the mean, `(batch,)`.
        """
        state, errors, targets = windows[:, :, 0], [], windows[:, :, 1:].unbind(2)
        if self.noise is not None:
            state = state + self.noise
        for target in targets[: self.steps]:
            state = self.model(state)
            errors.append((state - target)[:, self.dynamic].flatten(1))
        error = torch.cat(errors, 1)
        seen = ~error.isnan()
        each = torch.where(seen, error, 0).square().sum(1) / seen.sum(1)
        self.each, loss = each.detach(), (weights * each).mean()
        slopes = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        limit = self.recipe.clip_norm or float("inf")
        norm = torch.cat([s.flatten().abs() for s in slopes if s is not None]).norm()
        share = (limit / (norm + 1e-6)).clamp(max=1)
        for parameter, slope in zip(self.parameters, slopes, strict=True):
            parameter.grad = None if slope is None else slope * share
        self.optimiser.step()
        return loss.item(), len(windows)
