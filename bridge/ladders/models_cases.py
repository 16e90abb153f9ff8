"""Models of both sides from copied weights, and the control in float64."""

import itertools
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from typing import Any, cast
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

import legacy.assemble
from bridge.assemble import MixedParts
from bridge.convert import TorchModel
from bridge.ladders.cases import (
    CANDIDATE,
    EXPERIMENTS,
    PRECISIONS,
    CaseName,
    case_settings,
    switched,
)
from bridge.ladders.networks import View, general_views
from bridge.ladders.run_cases import RunCase, is_own, limited
from bridge.migration.torch_wrappers import operations
from experiment.settings import ARCHITECTURES
from experiment.training import has_rule
from legacy import models

BATCH, STEPS = 3, 4


def case_names() -> list[CaseName]:
    """Every experiment, architecture and precision; no batch norm, and no period."""
    names = [
        CaseName(e, a, p)
        for e, a, p in itertools.product(EXPERIMENTS, ARCHITECTURES, PRECISIONS)
    ]
    for architecture in ARCHITECTURES:
        names.append(CaseName("burgers", architecture, "float64", batch_norm=False))
        names.append(CaseName("burgers", architecture, "float64", periodic=False))
    return names


class ModelCase:
    """Both sides, and the control once more in float64 as the oracle.

    Weights are random in every leaf (also running statistics), so that no leaf can be
    wrong unseen; they are drawn here and copied to both sides.
    """

    def __init__(self, name: CaseName | RunCase) -> None:
        torch.manual_seed(0)
        self.name = name
        self.settings = case_settings(name)
        self.is_own = is_own(self.settings)
        self.control = legacy.assemble.build_model(self.settings)
        self.candidate = self.build_candidate()
        self.weights = self.draw_weights()
        models.import_weights(self.control.network, self.weights)
        self.fill_candidate()
        self.oracle = self.variant()
        sizes = self.settings.model.physical.resolution.values()
        self.rank = len(sizes)
        self.batch = limited(name, self.settings.trainer.batch_size, BATCH)
        self.steps = limited(name, self.settings.trainer.rollout_steps, STEPS)
        shape = (self.batch, len(self.control.plan.names), self.steps + 1, *sizes)
        generator = np.random.default_rng(1)
        self.windows = torch.from_numpy(generator.standard_normal(shape)).to(self.dtype)

    def build_candidate(self) -> Any:
        """The PhiML model as the torch trainer calls it."""
        return MixedParts().build_model(switched(self.settings, CANDIDATE, "model"))

    @property
    def dtype(self) -> torch.dtype:
        """The precision under test."""
        return cast(torch.dtype, getattr(torch, self.name.precision))

    @property
    def candidate_network(self) -> nn.Module:
        """The candidate's leaves under canonical names."""
        return cast(nn.Module, self.candidate.network)

    @property
    def states(self) -> torch.Tensor:
        """States `(batch, vector, x, y)`."""
        return self.windows[:, :, 0]

    def views(self) -> list[View]:
        """The control with other rounding (A/A).

        On swapped axes, with its kernels swapped, one of this project's networks
        computes the same function and adds in another order. Another memory order
        wouldn't: torch's circular padding gives its result the usual one.
        """
        if self.is_own or self.rank != 2:
            return general_views(self._copy_of_control)

        def turn(values: torch.Tensor) -> torch.Tensor:
            return values.transpose(-1, -2)

        def back(values: np.ndarray) -> np.ndarray:
            return values.swapaxes(-1, -2)

        twin = self._copy_of_control({n: swapped(w) for n, w in self.weights.items()})
        return [View(twin, turn, back, swapped)]

    def _copy_of_control(
        self, weights: Mapping[str, np.ndarray] | None = None
    ) -> models.Surrogate:
        twin = legacy.assemble.build_model(self.settings)
        models.import_weights(twin.network, weights or self.weights)
        return twin

    def draw_weights(self) -> dict[str, np.ndarray]:
        """A value for every leaf of the control: random where a rule names its kind.

        A leaf of another name, or complex, keeps the control's own value, with noise if
        that is 0.
        """
        generator = np.random.default_rng(0)
        trained = {n for n, _ in self.control.network.named_parameters()}
        drawn = {}
        for leaf, value in models.export_weights(self.control.network).items():
            shape = value.shape
            if not has_rule(leaf, value):
                silent = leaf in trained and not value.any()
                noise = generator.uniform(-0.02, 0.02, shape).astype(value.dtype)
                drawn[leaf] = noise if silent else value
            elif leaf.endswith("num_batches_tracked"):
                drawn[leaf] = np.array(7)
            elif leaf.endswith("running_var") or (
                leaf.endswith("weight") and len(shape) == 1
            ):
                drawn[leaf] = generator.uniform(0.5, 1.5, shape)
            elif len(shape) > 1:
                bound = 1 / np.sqrt(np.prod(shape[1:]))
                drawn[leaf] = generator.uniform(-bound, bound, shape)
            else:
                drawn[leaf] = generator.uniform(-0.5, 0.5, shape)
        return drawn

    def fill_candidate(self) -> None:
        """Copies the weights by the candidate's own import, if its leaves allow."""
        shapes = models.leaf_shapes(self.candidate_network)
        if shapes != models.leaf_shapes(self.control.network):
            return
        if isinstance(self.candidate, TorchModel):
            network: Any = self.candidate.model.network
            network.import_weights(self.weights)
        else:
            models.import_weights(self.candidate_network, self.weights)

    def refill(self) -> None:
        """Gives both sides their weights and buffers again."""
        models.import_weights(self.control.network, self.weights)
        models.import_weights(self.oracle.network, self.weights)
        self.fill_candidate()

    def variant(self, **architecture: Any) -> models.Surrogate:
        """The control in float64, with the same weights and another architecture."""
        settings = self.settings
        synthetic = settings.model.synthetic
        changed = replace(synthetic.architecture, **architecture)
        model = replace(
            settings.model, synthetic=replace(synthetic, architecture=changed)
        )
        general = replace(settings.general, precision="float64")
        built = legacy.assemble.build_model(
            replace(settings, model=model, general=general)
        )
        models.import_weights(built.network, self.weights)
        return built

    @cached_property
    def operations(self) -> float:
        """Operations in a row of the control, counted."""
        return float(operations(self.oracle, self.states.double()))

    @property
    def depth(self) -> float:
        """Operations in a row; of this project's networks, convolutions times 3."""
        if self.is_own:
            return self.operations
        convolutions = [w for w in self.weights.values() if w.ndim > 2]
        return float(len(convolutions) * 3)


def control_twice() -> AbstractContextManager[object]:
    """Cases inside have a second control as their candidate."""

    def copy(case: ModelCase) -> nn.Module:
        return legacy.assemble.build_model(case.settings)

    return patch.object(ModelCase, "build_candidate", copy)


def swapped(kernel: np.ndarray) -> np.ndarray:
    """A kernel `(out, in, x, y)` with its axes swapped; other leaves as they are."""
    return np.ascontiguousarray(kernel.swapaxes(-1, -2)) if kernel.ndim > 3 else kernel


def array(tensor: torch.Tensor) -> np.ndarray:
    """A tensor's values in NumPy; bfloat16 as float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
