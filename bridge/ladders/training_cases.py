"""Learners of both sides and the reference on the same windows, from one start."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

import legacy.assemble
import phiml_port.assemble
from bridge.convert import PhimlLoader
from bridge.ladders.cases import CaseName, case_settings
from bridge.ladders.entry_silent import leaf_follows, without_gradient
from bridge.ladders.memory_loader import MemoryLoader
from bridge.ladders.networks import nudge_leaves
from bridge.ladders.observed import cells_of, with_holes
from bridge.ladders.reference import Reference
from bridge.ladders.run_cases import RunCase, is_own, limited
from bridge.migration.torch_wrappers import operations
from experiment.data import Observed, channel_plan
from experiment.settings import Settings
from experiment.training import (
    SyntheticLearner,
    has_rule,
)
from legacy import models

WINDOWS, BATCH, EPOCHS, STEPS = 8, 3, 4, 2
#: Symmetries of the grid. On swapped or mirrored axes, with its kernels swapped or
#: mirrored, a model computes the same and adds in another order (A/A).
VIEWS = ("swap", "mirror", "swap mirror")
#: Views of any network: a batch in another order, weights a unit in the last place off.
REORDERED, NUDGED = GENERAL_VIEWS = ("reordered", "nudged")
#: Rates, lengths of the roll-out and noise of other kinds than the experiments have.
CURRICULA = (
    CaseName(
        *("advection", "convnet", "float64"),
        batch_norm=False,
        also=(
            *("trainer.synthetic.schedule=step", "trainer.synthetic.decay_epochs=2"),
            *("trainer.rollout_schedule=linear", "trainer.synthetic.input_noise=0.1"),
        ),
    ),
    CaseName(
        *("burgers", "resnet", "float64"),
        batch_norm=False,
        also=(
            *("trainer.synthetic.schedule=exponential", "general.seed=3"),
            *("trainer.synthetic.decay=0.3", "trainer.rollout_schedule=exponential"),
        ),
    ),
)
Arrays = Mapping[str, np.ndarray]


def viewed(values: np.ndarray, view: str) -> np.ndarray:
    """Kernels or windows in a view; each view is its own inverse."""
    if values.ndim < 4 or view in GENERAL_VIEWS:
        return values
    if "mirror" in view:
        values = values[..., ::-1, ::-1]
    if "swap" in view:
        values = values.swapaxes(-1, -2)
    # A copy, as NumPy calls a mirrored axis of length 1 contiguous.
    return values.copy(order="C")


class TrainingCase:
    """Both learners and the reference, from the same weights, on 8 windows."""

    def __init__(self, name: CaseName | RunCase) -> None:
        self.name = name
        base = case_settings(name)
        self.is_own = is_own(base)
        trainer, synthetic = base.trainer, base.trainer.synthetic
        #: Whether little is run, at the sizes of a run.
        self.is_short = isinstance(name, RunCase) and name.at_own_sizes
        self.epochs = 2 if self.is_short else EPOCHS
        synthetic = replace(synthetic, epochs=self.epochs)
        if isinstance(name, CaseName):
            synthetic = replace(
                synthetic,
                learning_rate=1e-3,
                weight_decay=1e-3,
                # Bites in every step.
                clip_norm=0.1 if name.architecture == "convnet" else None,
            )
        self.batch = limited(name, trainer.batch_size, BATCH)
        steps = limited(name, trainer.rollout_steps, STEPS)
        trainer = replace(
            trainer,
            synthetic=synthetic,
            batch_size=self.batch,
            rollout_steps=steps,
            rollout_start=min(trainer.rollout_start, steps),
        )
        self.settings = replace(base, trainer=trainer)
        sizes = self.settings.model.physical.resolution.values()
        self.plan = channel_plan(self.settings)
        self.rank = len(sizes)
        ours = not self.is_own and self.rank == 2
        self.views = VIEWS if ours else GENERAL_VIEWS
        #: Those of many steps.
        self.few_views = self.views[:1]
        if isinstance(name, RunCase):
            # What kinks and long roll-outs make of rounding is not known beforehand.
            some = self.views[:2] if self.is_short else self.views
            self.views = tuple(dict.fromkeys((*some, *GENERAL_VIEWS)))
            self.few_views = self.views
        self.count = self.batch if self.is_short else WINDOWS
        shape = (self.count, len(self.plan.names), steps + 1, *sizes)
        values = np.random.default_rng(2).standard_normal(shape)
        self.windows = torch.from_numpy(values).to(
            getattr(torch, self.settings.general.precision)
        )

    def turned(self, values: np.ndarray, view: str) -> np.ndarray:
        """Windows, or what was observed of them, in a view; its own inverse."""
        if view == REORDERED:
            return values[::-1].copy()
        return viewed(values, view)

    def observed(self, view: str = "") -> Observed | None:
        """What was observed of the windows, in a view; None if everything was.

        Of some the first target, of some the second; two were made by a model.
        """
        if not self.is_observed:
            return None
        generated = np.isin(np.arange(WINDOWS), (2, 7))
        seen = np.array([(True, True), (True, False), (False, True)] * WINDOWS)
        steps = seen[:WINDOWS] | generated[:, None]
        cells = viewed(cells_of(self.settings)[None, None], view)[0, 0]
        if view == REORDERED:
            steps, generated = steps[::-1], generated[::-1]
        return Observed(steps, cells, generated)

    def seen_windows(self) -> torch.Tensor:
        """The windows, with NaN in the place of targets that were not observed."""
        seen = self.observed()
        if seen is None:
            return self.windows
        cells = seen.cells | seen.generated[:, None, None]
        masks = seen.steps[..., None, None] & cells[:, None]
        return with_holes(self.windows.numpy(), masks)

    def model(
        self, view: str = "", settings: Settings | None = None
    ) -> models.Surrogate:
        """The control's model at the start, in a view."""
        model = legacy.assemble.build_model(settings or self.settings)
        start = {n: viewed(w, view) for n, w in self.start.items()}
        models.import_weights(model.network, start)
        if view == NUDGED:
            nudge_leaves(model.network)
        return model.train()

    @cached_property
    def start(self) -> dict[str, np.ndarray]:
        """The weights that every training begins with."""
        model = legacy.assemble.build_model(self.settings)
        return models.export_weights(model.network)

    def control(
        self, view: str = "", settings: Settings | None = None
    ) -> SyntheticLearner:
        """A new learner of the control, in a view, or of other settings."""
        settings = settings or self.settings
        model = self.model(view, settings)
        return legacy.assemble.build_synthetic_learner(settings, model)

    def candidate(self) -> SyntheticLearner:
        """A new learner of the candidate."""
        model = phiml_port.assemble.build_model(self.settings)
        fill_unruled(model.network, self.start)
        return phiml_port.assemble.build_synthetic_learner(self.settings, model)

    def learner(self, side: str) -> SyntheticLearner:
        """A new learner of `control` or `candidate`."""
        return self.control() if side == "control" else self.candidate()

    def loader(self, side: str = "control") -> Any:
        """The windows, in the language of a side."""
        seed = self.settings.general.seed
        loader = MemoryLoader(self.windows, self.batch, seed, self.observed())
        if side == "control":
            return loader
        return PhimlLoader(loader, self.plan.names, rank=self.rank, device="cpu")

    def reference(
        self, view: str = "", kind: Callable[..., Reference] = Reference, **options: Any
    ) -> Reference:
        """A new reference training in a view; of another kind for a counterfactual."""
        windows = torch.from_numpy(viewed(self.seen_windows().numpy(), view))
        reference = kind(self.model(view), windows, self.settings, **options)
        reference.turned = lambda states: torch.from_numpy(
            self.turned(states.numpy(), view)
        )
        if view == REORDERED:
            ordered = reference.batches
            reference.batches = lambda epoch: tuple(b.flip(0) for b in ordered(epoch))
        return reference

    @cached_property
    def without_signal(self) -> frozenset[str]:
        """Leaves whose gradient is 0 but for rounding, at the start."""
        return frozenset(without_gradient(self.model(), self.windows[:BATCH]))

    def follows_rounding(self, leaf: str) -> bool:
        """Whether a leaf has no gradient but rounding, or follows leaves without one.

        What only shifts the input of a batch norm has none; weight decay and Adam turn
        the rounding into steps. Nothing depends on it in training, and the running
        means follow it.
        """
        return leaf_follows(leaf, self.without_signal)

    @property
    def is_observed(self) -> bool:
        """Whether there are gaps in the windows."""
        return bool(self.name.observed)

    @cached_property
    def depth(self) -> float:
        """Operations in a row of one training step."""
        if self.is_own:
            steps = self.settings.trainer.rollout_steps
            return float(operations(self.model(), self.windows[:, :, 0])) * 2 * steps
        convolutions = sum(w.ndim > 2 for w in self.start.values())
        # A large grid's sums, in pairs, are as deep as this besides.
        sums = self.windows[: self.batch, 0, 0].numel() if self.is_short else 2
        return float(convolutions * 3 * 2 * 2 * np.log2(sums))


def fill_unruled(network: Any, start: Arrays) -> None:
    """Gives a candidate's network the control's values that no rule draws.

    What a rule draws is left, so that another value is seen.
    """
    own = network.export_weights()
    unruled = {n: start[n] for n, w in own.items() if n in start and not has_rule(n, w)}
    if unruled:
        network.import_weights({**own, **unruled})
