"""What the control would give with a fault in its model, by the fault's name."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bridge.harness import Counterfactuals
from bridge.ladders.models_cases import ModelCase, array
from bridge.ladders.names import BOUNDARY, CHANNEL_ORDER, SWAPPED
from bridge.ladders.networks import OtherGelu
from legacy.models import Surrogate
from legacy.training import rollout_loss

RESIDUAL = "residual missing"
TRAIN_MODE = "BatchNorm in train mode at evaluation"
MOMENTUM = "BatchNorm momentum 0.9 for 0.1"
TRANSPOSED = "square kernel transposed"
AUTOCAST = "autocast left on"
CUT_ROLLOUT = "gradient cut between roll-out steps"
GELU = "GELU by tanh for the exact one, or the other way round"
_CONVOLVED = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
#: Another rounding than that of the autocast at hand leaves more behind.
ROUGH = (AUTOCAST,)


@torch.no_grad()
def of_layer(layer: nn.Module, x: torch.Tensor) -> Counterfactuals:
    """What a faulty copy of one of the control's layers would give."""

    def transposed() -> np.ndarray:
        return array(_convolved(layer, x, turn=True))

    def other_boundary() -> np.ndarray:
        return array(_convolved(layer, x, swap_boundary=True))

    def low_precision() -> np.ndarray:
        return array(_convolved(layer, x, dtype=torch.bfloat16).to(x.dtype))

    def batch_statistics() -> np.ndarray:
        norm: Any = layer
        with torch.no_grad():
            return array(
                functional.batch_norm(
                    x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps
                )
            )

    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        return {TRAIN_MODE: batch_statistics}
    return {
        TRANSPOSED: transposed,
        BOUNDARY: other_boundary,
        AUTOCAST: low_precision,
    }


@torch.no_grad()
def _convolved(
    layer: Any,
    x: torch.Tensor,
    *,
    turn: bool = False,
    swap_boundary: bool = False,
    dtype: torch.dtype = torch.float64,
) -> torch.Tensor:
    kernel, bias, x = (t.to(dtype) for t in (layer.weight, layer.bias, x))
    kernel = kernel.transpose(-1, -2) if turn else kernel
    width = kernel.shape[-1] // 2
    periodic = (layer.padding_mode == "circular") != swap_boundary
    if width:
        mode = "circular" if periodic else "constant"
        x = functional.pad(x, (width,) * 2 * (x.ndim - 2), mode=mode)
    return _CONVOLVED[x.ndim - 2](x, kernel, bias)


@torch.no_grad()
def of_any_layer(
    layer: nn.Module, given: Sequence[Any], options: Mapping[str, Any]
) -> Counterfactuals:
    """What a faulty copy of a layer of one's own would give."""

    def other_gelu() -> np.ndarray:
        with torch.no_grad(), OtherGelu():
            return array(layer(*given, **options))

    return {GELU: other_gelu}


def of_forward(case: ModelCase, state: torch.Tensor) -> Counterfactuals:
    """What a faulty model would give for a state, in evaluation mode."""
    oracle, plan = case.oracle, case.control.plan
    wide = state.double()

    def result(model: nn.Module, x: torch.Tensor, train: bool = False) -> torch.Tensor:
        model.train(train)
        with torch.no_grad():
            y = model(x)
        model.eval()
        return y

    def without_residual() -> np.ndarray:
        following = result(oracle, wide).clone()
        moved = list(plan.dynamic)
        following[:, moved] -= wide[:, moved]
        return array(following)

    def in_train_mode() -> np.ndarray:
        model = case.variant()
        return array(result(model, wide, train=True))

    def swapped() -> np.ndarray:
        return array(result(oracle, wide.transpose(-1, -2)).transpose(-1, -2))

    def wrong_boundary() -> np.ndarray:
        return array(result(case.variant(periodic=not case.name.periodic), wide))

    def by_name() -> np.ndarray:
        order = sorted(plan.network_inputs, key=lambda i: plan.names[i])
        oracle.eval()
        with torch.no_grad():
            change = oracle.network(wide[:, order])
        following = wide.clone()
        following[:, list(plan.dynamic)] += change
        return array(following)

    def low_precision() -> np.ndarray:
        with torch.autocast("cpu", torch.bfloat16):
            return array(result(case.control, state))

    def other_gelu() -> np.ndarray:
        with OtherGelu():
            return array(result(oracle, wide))

    general = {
        RESIDUAL: without_residual,
        TRAIN_MODE: in_train_mode,
        CHANNEL_ORDER: by_name,
        AUTOCAST: low_precision,
        GELU: other_gelu,
    }
    # What kernels and boundaries are is known of this project's networks alone.
    ours = {SWAPPED: swapped, BOUNDARY: wrong_boundary}
    return general if case.is_own else {**general, **ours}


def of_buffer(before: np.ndarray, after: np.ndarray) -> Counterfactuals:
    """What a running statistic would be with another momentum."""
    batch = (after - 0.9 * before) / 0.1
    return {MOMENTUM: lambda: 0.1 * before + 0.9 * batch}


def of_gradient(case: ModelCase, leaf: str) -> Counterfactuals:
    """What a leaf's gradient would be, were the roll-out cut between its steps."""

    class Cut(nn.Module):
        def __init__(self, model: Surrogate) -> None:
            super().__init__()
            self.model = model

        def forward(self, state: torch.Tensor) -> torch.Tensor:
            return self.model(state.detach())

    def cut() -> np.ndarray:
        model = case.variant().train()
        loss = rollout_loss(Cut(model), case.windows.double(), model.plan.dynamic)
        loss.backward()
        gradient = dict(model.network.named_parameters())[leaf].grad
        return array(gradient) if gradient is not None else np.zeros(())

    return {CUT_ROLLOUT: cut}
