"""The reference's cycles: terms, weights, hand-overs and L-BFGS-B of its own."""

from typing import Any

import numpy as np
import torch
from scipy import optimize

from bridge.ladders.reference import Reference

#: The terms of a loss.
REAL, INTERACTION = "real", "interaction"


def made_windows(trajectories: np.ndarray, frames: int) -> torch.Tensor:
    """Windows `(window, vector, time, x, ...)`, trajectory by trajectory.

    Args:
        trajectories: `(simulation, time, x, ..., vector)`.
        frames: Frames of a window.
    """
    moved = torch.from_numpy(np.moveaxis(trajectories, -1, 1).copy())
    starts = range(moved.shape[2] - frames + 1)
    every = [one[:, start : start + frames] for one in moved for start in starts]
    return torch.stack(every)


class HybridReference(Reference):
    """A warm-up, then cycles in which two models teach each other.

    Args:
        model: The synthetic model.
        windows: The real windows.
        settings: The settings, with the epochs of the whole training.
        physical: Two learners of the physical model by `REAL` and `INTERACTION`; each
            is asked for the mean over windows of its own kind alone.
        ranges: Start and bounds of the parameters by name.

    Attributes:
        handed: What was handed over, and to whom.
        terms: Means over the windows of each kind, by epoch.
        rounds: Losses of the physical model, by round.
        unbounded: Its parameters.
    """

    def __init__(
        self,
        model: Any,
        windows: torch.Tensor,
        settings: Any,
        physical: Any,
        *,
        ranges: Any,
    ) -> None:
        super().__init__(model, windows, settings)
        self.physical, self.ranges = physical, ranges
        self.unbounded = {name: r.start for name, r in ranges.items()}
        self.handed: list[tuple[str, np.ndarray]] = []
        self.terms: list[dict[str, float]] = []
        self.rounds: list[float] = []

    @property
    def known(self) -> dict[str, Any]:
        """The parameters as they are."""
        return {n: r.bounded(self.unbounded[n]) for n, r in self.ranges.items()}

    def cycles(self, starts: Any) -> None:
        """The whole training; `starts` are the initial states of every cycle."""
        trainer, cycle = self.settings.trainer, self.settings.trainer.hybrid
        schedule = self.schedule()
        self.epochs(cycle.warm_up_epochs, {REAL: self.windows}, schedule)
        for states in starts:
            frames = cycle.generated_frames or self.settings.data.trajectory_length
            made = self.physical[REAL].rollout(self.known, states, frames)
            own = made_windows(made, trainer.rollout_steps + 1)
            self.epochs(cycle.epochs, {REAL: self.windows, INTERACTION: own}, schedule)
            frames = cycle.predicted_frames or self.physical_steps + 1
            predicted = self.predicted(states, frames - 1)
            self.handed += [("synthetic", made), ("physical", predicted)]
            self.physical[INTERACTION].augment(predicted, "generated_only")
            windows = len(predicted) * (frames - self.physical_steps)
            for _ in range(cycle.rounds):
                self.round(self.physical_counts(windows))

    def factors(self, model: str, counts: dict[str, int]) -> dict[str, float]:
        """What each term's mean counts in a model's loss."""
        if len(counts) == 1:
            return dict.fromkeys(counts, 1.0)
        hybrid = self.settings.trainer.hybrid
        own, total = getattr(hybrid.weights, model), sum(counts.values())
        share = {k: n / total if hybrid.proportional else 1 for k, n in counts.items()}
        return {kind: getattr(own, kind) * share[kind] for kind in counts}

    def epochs(self, more: int, kinds: dict[str, torch.Tensor], schedule: Any) -> None:
        """Some epochs of the synthetic model on real windows, and others behind."""
        windows = torch.cat(list(kinds.values()))
        counts = {kind: len(own) for kind, own in kinds.items()}
        factors = self.factors("synthetic", counts)
        # A term is a mean over its own windows, an epoch's loss one over all.
        scales = {k: factors[k] * len(windows) / n for k, n in counts.items()}
        parts = [windows.new_full((n,), scales[k]) for k, n in counts.items()]
        weights = torch.cat(parts)
        for _ in range(more):
            self.steps = self.steps_of(len(self.losses))
            generator = np.random.default_rng(
                [self.settings.general.seed, len(self.losses)]
            )
            order = torch.from_numpy(generator.permutation(len(windows)))
            losses, each = [], torch.zeros(len(windows), dtype=windows.dtype)
            for number, chosen in enumerate(order.split(self.size)):
                self.noise = self.noise_of(len(self.losses), number, windows[chosen])
                losses.append(self.step(windows[chosen], weights[chosen]))
                each[chosen] = self.each
            self.losses.append(losses)
            parts = each.split(list(counts.values()))
            means = zip(counts, parts, strict=True)
            self.terms.append({kind: part.mean().item() for kind, part in means})
            schedule.step()

    def predicted(self, states: np.ndarray, steps: int) -> np.ndarray:
        """The synthetic model's roll-out `(simulation, time, x, ..., vector)`."""
        frames = [torch.from_numpy(np.moveaxis(states, -1, 1).copy())]
        self.model.eval()
        with torch.no_grad():
            for _ in range(steps):
                frames.append(self.model(frames[-1]))
        self.model.train()
        return np.moveaxis(torch.stack(frames, 1).numpy(), 2, -1)

    def physical_counts(self, predicted: int) -> dict[str, int]:
        """Windows of each kind that the physical model learns from."""
        most = self.settings.trainer.physical.windows
        frames, steps = self.settings.data.trajectory_length, self.physical_steps
        real = len(self.settings.trainer.train_sim) * (frames - steps)
        # Of the same length they are the same windows, fewer if frames are missing.
        if steps == self.windows.shape[2] - 1:
            real = len(self.windows)
        counts = {REAL: real, INTERACTION: predicted}
        return {kind: min(count, most) for kind, count in counts.items()}

    @property
    def physical_steps(self) -> int:
        """Target frames of the physical model's windows."""
        trainer = self.settings.trainer
        return trainer.physical.rollout_steps or trainer.rollout_steps

    def roughness(self, at: dict[str, Any]) -> tuple[float, dict[str, np.ndarray]]:
        """The weighted gradient of learned fields, and its slope by parameter."""
        recipe = self.settings.trainer.physical
        slopes = {name: np.zeros(np.shape(z)) for name, z in at.items()}
        total = 0.0
        for name, r in self.ranges.items():
            if recipe.regularisation is None or not r.axes:
                continue
            z = torch.tensor(at[name], requires_grad=True)
            field = r.lower + (r.upper - r.lower) * torch.sigmoid(z)
            field = field / r.guess.mean()
            sizes = self.settings.model.physical.cell_sizes
            squares = torch.zeros_like(field)
            for axis, label in enumerate(r.axes):
                slope = (field.roll(-1, axis) - field) / sizes[label]
                squares = squares + slope**2
            if recipe.regularisation == "tv":
                squares = (squares + 1e-6).sqrt()
            term = recipe.regularisation_weight * squares.mean()
            slopes[name] = torch.autograd.grad(term, z)[0].numpy()
            total += term.item()
        return total, slopes

    def round(self, counts: dict[str, int]) -> None:
        """A round of L-BFGS-B on the sum of both terms."""
        factors = self.factors("physical", counts)
        total = (
            self.settings.trainer.hybrid.cycles * self.settings.trainer.hybrid.rounds
        )
        steps = self.stages(self.physical_steps)
        done = len(self.rounds) / total
        for learner in self.physical.values():
            learner.rollout_steps = steps[int(done * len(steps) + 1e-9)]
        sizes = [r.start.size for r in self.ranges.values()]

        def split(flat: np.ndarray) -> dict[str, np.ndarray]:
            parts = np.split(flat, np.cumsum(sizes)[:-1])
            every = zip(self.ranges.items(), parts, strict=True)
            return {n: part.reshape(r.start.shape) for (n, r), part in every}

        def loss(flat: np.ndarray) -> float:
            at = split(flat)
            losses = sum(f * self.physical[k].loss(at) for k, f in factors.items())
            return losses + self.roughness(at)[0]

        def slope(flat: np.ndarray) -> np.ndarray:
            total = np.zeros(len(flat))
            for kind, factor in factors.items():
                slopes = self.physical[kind].gradient(split(flat))
                parts = [np.ravel(slopes[name]) for name in self.ranges]
                total = total + factor * np.concatenate(parts)
            rough = self.roughness(split(flat))[1]
            return total + np.concatenate([np.ravel(rough[n]) for n in self.ranges])

        start = np.concatenate([np.ravel(self.unbounded[n]) for n in self.ranges])
        scale, recipe = loss(start), self.settings.trainer.physical
        best = optimize.minimize(
            lambda flat: (loss(flat) / scale, slope(flat) / scale),
            start,
            method="L-BFGS-B",
            jac=True,
            tol=recipe.tolerance,
            options={"maxiter": recipe.iterations},
        ).x
        self.unbounded = split(best)
        self.rounds.append(loss(best))
