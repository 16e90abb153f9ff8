"""A reference training in plain torch that shares no code with either side.

Both sides run the loops of `experiment.training`, so a fault there makes no difference
between them. This one has its own roll-out loss, optimiser, schedule, clipping and
order of samples; it is given the model. `hybrid_reference` adds the cycles.
"""

from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

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
        self.parameters = list(model.network.parameters())
        self.optimiser = optimiser(
            self.parameters, lr=self.recipe.learning_rate, **options
        )
        self.rates: list[float] = []
        self.losses: Epochs = []
        #: The last batch's losses, window by window.
        self.each = torch.zeros(0)

    def train(self) -> None:
        """All epochs, the learning rate annealed after each."""
        schedule = CosineAnnealingLR(self.optimiser, T_max=self.recipe.epochs)
        for epoch in range(self.recipe.epochs):
            self.rates.append(self.optimiser.param_groups[0]["lr"])
            self.losses.append([self.step(batch) for batch in self.batches(epoch)])
            schedule.step()

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
        state, errors, seen = windows[:, :, 0], [], []
        for target in windows[:, :, 1:].unbind(2):
            state, dynamic = self.model(state), list(self.model.plan.dynamic)
            seen.append(~target[:, dynamic].isnan())
            error = torch.where(seen[-1], state[:, dynamic] - target[:, dynamic], 0)
            errors.append(error.square().flatten(1).sum(1))
        number = torch.stack([mask.flatten(1).sum(1) for mask in seen]).sum(0)
        each = torch.stack(errors).sum(0) / number
        self.each, loss = each.detach(), (weights * each).mean()
        slopes = torch.autograd.grad(loss, self.parameters)
        limit = self.recipe.clip_norm or float("inf")
        norm = torch.cat([slope.flatten() for slope in slopes]).norm()
        share = (limit / (norm + 1e-6)).clamp(max=1)
        for parameter, slope in zip(self.parameters, slopes, strict=True):
            parameter.grad = slope * share
        self.optimiser.step()
        return loss.item(), len(windows)
