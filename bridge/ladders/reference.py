"""A reference training in plain torch that shares no code with either side.

Both sides run the loops of `experiment.training`, so a fault there makes no difference
between them. This one has its own roll-out loss, optimiser, schedule, clipping, order
of samples and cycles; it is given the model, or the learners of a hybrid training.
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
        windows: `(window, vector, time, x, ...)`.
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

    def step(self, windows: torch.Tensor) -> tuple[float, int]:
        """One optimiser step; the loss before it, and the samples."""
        state, errors = windows[:, :, 0], []
        for target in windows[:, :, 1:].unbind(2):
            state = self.model(state)
            error = (state - target)[:, list(self.model.plan.dynamic)]
            errors.append(error.square().mean())
        loss = torch.stack(errors).mean()
        slopes = torch.autograd.grad(loss, self.parameters)
        limit = self.recipe.clip_norm or float("inf")
        norm = torch.cat([slope.flatten() for slope in slopes]).norm()
        share = (limit / (norm + 1e-6)).clamp(max=1)
        for parameter, slope in zip(self.parameters, slopes, strict=True):
            parameter.grad = slope * share
        self.optimiser.step()
        return loss.item(), len(windows)


def hybrid_reference(
    settings: Any, synthetic: Any, loader: Any, physical: Any, ranges: Any, starts: Any
) -> tuple[list[tuple[str, np.ndarray]], Epochs, list[float], dict[str, Any]]:
    """A warm-up, then cycles in which two learners teach each other.

    Args:
        settings: The settings, with the epochs of the whole training.
        synthetic: The learner of the synthetic model.
        loader: Its training windows.
        physical: The learner of the physical model.
        ranges: Start and bounds of its parameters by name.
        starts: Initial states of every cycle.

    Returns:
        What was handed over, and to whom; loss and samples of every batch, by epoch;
        losses by round; parameters at the end.
    """
    trainer, cycle = settings.trainer, settings.trainer.hybrid
    handed, epochs, rounds = [], [], []
    unbounded = {name: r.start for name, r in ranges.items()}
    clock = torch.optim.SGD([torch.zeros(1)], trainer.synthetic.learning_rate)
    schedule = CosineAnnealingLR(clock, T_max=trainer.synthetic.epochs)

    def known() -> dict[str, Any]:
        return {n: r.bounded(unbounded[n]) for n, r in ranges.items()}

    def train(more: int) -> None:
        for _ in range(more):
            synthetic.learning_rate = clock.param_groups[0]["lr"]
            loader.set_epoch(len(epochs))
            epochs.append(
                [(synthetic.step(b, float), synthetic.samples(b)) for b in loader]
            )
            clock.step()
            schedule.step()

    train(cycle.warm_up_epochs)
    for states in starts:
        made = physical.rollout(known(), states, settings.data.trajectory_length)
        loader.augment(made, trainer.data_access)
        train(cycle.epochs)
        predicted = synthetic.predict(states, trainer.rollout_steps + 1)
        physical.augment(predicted, trainer.data_access)
        handed += [("synthetic", made), ("physical", predicted)]
        for _ in range(cycle.rounds):
            best = physical.minimise(unbounded, physical.loss(unbounded))
            unbounded = best.unbounded
            rounds.append(physical.loss(unbounded))
    return handed, epochs, rounds, known()
