"""Models of both sides from copied weights, and the control in float64."""

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
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
from experiment.settings import ARCHITECTURES
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

    def __init__(self, name: CaseName) -> None:
        torch.manual_seed(0)
        self.name = name
        self.settings = case_settings(name)
        self.control = legacy.assemble.build_model(self.settings)
        self.candidate = self.build_candidate()
        self.weights = self.draw_weights()
        models.import_weights(self.control.network, self.weights)
        self.fill_candidate()
        self.oracle = self.variant()
        sizes = self.settings.model.physical.resolution.values()
        shape = (BATCH, len(self.control.plan.names), STEPS + 1, *sizes)
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

    def turned_control(self) -> models.Surrogate:
        """The control with the axes of its kernels swapped.

        On swapped axes it computes the same function and adds in another order, which
        shows how much of a difference is rounding (A/A). Another memory order wouldn't:
        torch's circular padding gives its result the usual one.
        """
        turned = {n: swapped(w) for n, w in self.weights.items()}
        twin = legacy.assemble.build_model(self.settings)
        models.import_weights(twin.network, turned)
        return twin

    def draw_weights(self) -> dict[str, np.ndarray]:
        """A random value for every leaf of the control."""
        generator = np.random.default_rng(0)
        drawn = {}
        for leaf, shape in models.leaf_shapes(self.control.network).items():
            if leaf.endswith("num_batches_tracked"):
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

    @property
    def depth(self) -> float:
        """Convolutions in a row."""
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


def layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers that have leaves of their own, by canonical name."""
    for name, module in network.named_modules():
        if next(module.parameters(recurse=False), None) is not None:
            yield name, module


def candidate_layer(case: ModelCase, name: str) -> nn.Module:
    """The candidate's own layer behind a canonical name."""
    if not isinstance(case.candidate, TorchModel):
        return case.candidate_network.get_submodule(name)
    network: Any = case.candidate.model.network
    inner = network.leaves[f"{name}.weight"].removesuffix(".weight")
    return network.native.get_submodule(inner)


def array(tensor: torch.Tensor) -> np.ndarray:
    """A tensor's values in NumPy; bfloat16 as float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
