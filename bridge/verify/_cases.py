"""What is verified: both sides from copied weights, at sizes that tell axes apart."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

import bridge._factories as factories
from bridge._adapters import TorchView
from experiment.settings import Settings, check_settings
from legacy import models

ARCHITECTURES = ("unet", "resnet", "convnet")
EXPERIMENTS = ("burgers", "advection")
PRECISIONS = ("float64", "float32")
_CONF = Path(__file__).parents[2] / "conf"
BATCH, STEPS = 3, 4


@dataclass(frozen=True)
class CaseName:
    """An experiment, an architecture, a precision, and what the network has."""

    experiment: str
    architecture: str
    precision: str
    batch_norm: bool = True
    periodic: bool = True

    def __str__(self) -> str:
        extras = ("" if self.batch_norm else "-no-norm") + (
            "" if self.periodic else "-wall"
        )
        return f"{self.experiment}-{self.architecture}-{self.precision}{extras}"


def case_names() -> list[CaseName]:
    """Every case of `verify`."""
    names = [
        CaseName(e, a, p)
        for e, a, p in itertools.product(EXPERIMENTS, ARCHITECTURES, PRECISIONS)
    ]
    for architecture in ARCHITECTURES:
        names.append(CaseName("burgers", architecture, "float64", batch_norm=False))
        names.append(CaseName("burgers", architecture, "float64", periodic=False))
    return names


def case_settings(name: CaseName) -> Settings:
    """Settings of a case: distinct primes, times 2 where the U-Net halves."""
    unet = name.architecture == "unet"
    sizes = {"x": 22, "y": 14} if unet else {"x": 11, "y": 13}
    above = "model.synthetic.architecture"
    overrides = [
        f"model/synthetic={name.architecture}",
        f"model.physical.resolution={{x: {sizes['x']}, y: {sizes['y']}}}",
        f"general.precision={name.precision}",
        f"{above}.batch_norm={str(name.batch_norm).lower()}",
        f"{above}.periodic={str(name.periodic).lower()}",
        f"{above}.activation=SiLU",
    ]
    if name.experiment == "advection":
        # An order that is not the alphabetical one, so that sorting is seen.
        overrides.append("data.fields=[velocity,density]")
    overrides += (
        [f"{above}.levels=2", f"{above}.filters=[5,7]"]
        if unet
        else [f"{above}.layers=[5,7,5]"]
    )
    with initialize_config_dir(str(_CONF), version_base="1.3"):
        config = compose(name.experiment, overrides)
    return check_settings(
        cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    )


class Case:
    """Both sides, and the control once more in float64 as the oracle.

    Weights are random in every leaf (also running statistics), so that no leaf can be
    wrong unseen; they are drawn here and copied to both sides.
    """

    def __init__(self, name: CaseName) -> None:
        torch.manual_seed(0)
        self.name = name
        self.settings = case_settings(name)
        self.control = factories.build_legacy_model(self.settings)
        self.candidate = self.build_candidate()
        self.weights = self.draw_weights()
        models.import_weights(self.control.network, self.weights)
        self.fill_candidate()
        self.oracle = self.variant()
        sizes = self.settings.model.physical.resolution.values()
        shape = (BATCH, len(self.control.plan.names), STEPS + 1, *sizes)
        generator = np.random.default_rng(1)
        self.windows = torch.from_numpy(generator.standard_normal(shape)).to(self.dtype)

    def build_candidate(self) -> nn.Module:
        return TorchView(
            factories.build_phiml_model(self.settings),
            rank=len(self.settings.model.physical.domain),
            precision=factories.bits(self.settings),
        )

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
        twin = factories.build_legacy_model(self.settings)
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
        """Copies the weights to the candidate by its own way, if its leaves allow."""
        own = models.leaf_shapes(self.candidate_network)
        if own != models.leaf_shapes(self.control.network):
            return
        if isinstance(self.candidate, TorchView):
            self.candidate.model.network.import_weights(self.weights)
        else:
            models.import_weights(self.candidate_network, self.weights)

    def refill(self) -> None:
        """Gives both sides their weights and buffers again."""
        models.import_weights(self.control.network, self.weights)
        models.import_weights(self.oracle.network, self.weights)
        self.fill_candidate()

    def variant(self, **architecture: Any) -> models.Surrogate:
        """The control in float64, with the same weights and another architecture."""
        arguments = {**factories._arguments(self.settings), **architecture}
        kind = factories.network_class(self.settings, "legacy")
        plan = self.control.plan
        network = kind(len(plan.network_inputs), len(plan.dynamic), **arguments)
        models.import_weights(network.double(), self.weights)
        return models.Surrogate(network, plan)

    @property
    def depth(self) -> float:
        """Convolutions in a row."""
        convolutions = [w for w in self.weights.values() if w.ndim > 2]
        return float(len(convolutions) * 3)


def swapped(kernel: np.ndarray) -> np.ndarray:
    """A kernel `(out, in, x, y)` with its axes swapped; other leaves as they are."""
    return np.ascontiguousarray(kernel.swapaxes(-1, -2)) if kernel.ndim > 3 else kernel


def layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers that hold leaves, by canonical name."""
    for name, module in network.named_modules():
        if next(module.parameters(recurse=False), None) is not None:
            yield name, module
