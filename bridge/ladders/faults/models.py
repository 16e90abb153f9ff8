"""Faults of a model's migration, reported by R0 to R5."""

import dataclasses
from typing import Any

import numpy as np
import torch
from phiml import math
from torch import nn

import bridge.convert.converters
import phiml_port.assemble
import phiml_port.models.surrogate
from bridge.convert import TorchModel
from bridge.harness import Fault
from bridge.harness.inputs import CHANGED
from bridge.ladders import models, models_counterfactuals
from bridge.ladders.cases import CaseName
from bridge.ladders.converters import CUT_CONVERTER
from bridge.ladders.faults.planting import Plant, wrapped
from bridge.ladders.models_cases import ModelCase
from bridge.ladders.names import BOUNDARY, CHANNEL_ORDER, ONE_OBJECT, SWAPPED
from phiml_port.models import Network, Surrogate

_BURGERS = CaseName("burgers", "unet", "float64")
_SINGLE = CaseName("burgers", "resnet", "float32")
_ADVECTION = CaseName("advection", "convnet", "float64")
_NO_NORM = CaseName("burgers", "convnet", "float64", batch_norm=False)


def _built_with(**architecture: Any) -> Plant:
    """The candidate is built with another architecture than the settings say."""

    def wrap(build: Any) -> Any:
        def faulty(settings: Any) -> Any:
            synthetic = settings.model.synthetic
            changed = dataclasses.replace(synthetic.architecture, **architecture)
            synthetic = dataclasses.replace(synthetic, architecture=changed)
            model = dataclasses.replace(settings.model, synthetic=synthetic)
            return build(dataclasses.replace(settings, model=model))

        return faulty

    return wrapped(phiml_port.assemble, "build_model", wrap)


def _no_residual(call: Any) -> Any:
    def faulty(self: Any, state: Any) -> Any:
        after = call(self, state)
        pieces = []
        for is_dynamic, start, stop in self.plan.runs:
            piece = after.vector[start:stop]
            pieces.append(piece - state.vector[start:stop] if is_dynamic else piece)
        return math.concat(pieces, "vector")

    return faulty


def _changes_its_input(call: Any) -> Any:
    def faulty(self: Any, state: Any) -> Any:
        after = call(self, state)
        with torch.no_grad():
            state.native(state.shape).mul_(1 + 1e-9)
        return after

    return faulty


def _sorted_channels(take: Any) -> Any:
    def faulty(x: Any, channels: tuple[int, ...]) -> Any:
        labels = x.shape.get_labels("vector")
        order = sorted(channels, key=lambda i: labels[i])
        return math.concat([x.vector[i : i + 1] for i in order], "vector")

    return faulty


def _swapped_axes(build: Any) -> Any:
    def faulty(settings: Any) -> Any:
        model = build(settings)
        forward = model.network.native.forward
        model.network.native.forward = lambda x: forward(x.transpose(-1, -2)).transpose(
            -1, -2
        )
        return model

    return faulty


def _momentum(build: Any) -> Any:
    def faulty(settings: Any) -> Any:
        model = build(settings)
        for module in model.network.native.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.9
        return model

    return faulty


def _tied(build: Any) -> Any:
    def faulty(settings: Any) -> Any:
        model = build(settings)
        block = model.network.native.get_submodule("Res_in")
        block.bn2.weight = block.bn1.weight
        return model

    return faulty


def _transposed_kernels(load: Any) -> Any:
    def faulty(self: Any, weights: Any) -> None:
        load(
            self,
            {
                name: np.ascontiguousarray(w.swapaxes(-1, -2)) if w.ndim > 3 else w
                for name, w in weights.items()
            },
        )

    return faulty


def _autocast(forward: Any) -> Any:
    def faulty(self: Any, state: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return forward(self, state)

    return faulty


def _detached_state(forward: Any) -> Any:
    return lambda self, state: forward(self, state.detach())


def _detached(convert: Any) -> Any:
    return lambda *arguments, **options: convert(*arguments, **options).detach()


def _as_float32(convert: Any) -> Any:
    def faulty(*arguments: Any, **options: Any) -> Any:
        result = convert(*arguments, **options)
        return result.float() if result.dtype == torch.float64 else result

    return faulty


def _always_training(_: Any) -> Any:
    return lambda self, training: self.native.train(True)


def _same_object(_: Any) -> Any:
    return lambda case: case.control


def _zeros(draw: Any) -> Any:
    return lambda case: {n: np.zeros_like(w) for n, w in draw(case).items()}


def _nan(draw: Any) -> Any:
    def faulty(case: Any) -> Any:
        weights = draw(case)
        weights["head.bias"] = np.full_like(weights["head.bias"], np.nan)
        return weights

    return faulty


FAULTS = (
    Fault(
        CUT_CONVERTER,
        "R0",
        _BURGERS,
        wrapped(bridge.convert.converters, "to_torch", _detached),
    ),
    Fault(
        "expected torch.float64",
        "R0",
        _BURGERS,
        wrapped(bridge.convert.converters, "to_torch", _as_float32),
    ),
    Fault(models.STATIC, "R1", _ADVECTION, _built_with(inputs="dynamic")),
    Fault(models.ALWAYS_NORM, "R1", _NO_NORM, _built_with(batch_norm=True)),
    Fault(
        models_counterfactuals.TRANSPOSED,
        "R1",
        _BURGERS,
        wrapped(Network, "import_weights", _transposed_kernels),
    ),
    Fault(
        "the same memory as blocks.0.norm1.weight",
        "R1",
        _SINGLE,
        wrapped(phiml_port.assemble, "build_model", _tied),
    ),
    Fault(
        ONE_OBJECT,
        "R1",
        _BURGERS,
        wrapped(ModelCase, "build_candidate", _same_object),
    ),
    Fault(
        models.ZERO_WEIGHTS, "R1", _BURGERS, wrapped(ModelCase, "draw_weights", _zeros)
    ),
    Fault(models.NAN, "R1", _BURGERS, wrapped(ModelCase, "draw_weights", _nan)),
    Fault(
        models_counterfactuals.TRAIN_MODE,
        "R2",
        _BURGERS,
        wrapped(Network, "set_training", _always_training),
    ),
    Fault(BOUNDARY, "R2", _ADVECTION, _built_with(periodic=False)),
    Fault(
        models_counterfactuals.RESIDUAL,
        "R3",
        _ADVECTION,
        wrapped(Surrogate, "__call__", _no_residual),
    ),
    Fault(CHANGED, "R3", _BURGERS, wrapped(Surrogate, "__call__", _changes_its_input)),
    Fault(
        SWAPPED,
        "R3",
        _BURGERS,
        wrapped(phiml_port.assemble, "build_model", _swapped_axes),
    ),
    Fault(
        CHANNEL_ORDER,
        "R3",
        _ADVECTION,
        wrapped(phiml_port.models.surrogate, "take_channels", _sorted_channels),
    ),
    Fault(
        models_counterfactuals.MOMENTUM,
        "R3",
        _BURGERS,
        wrapped(phiml_port.assemble, "build_model", _momentum),
    ),
    Fault(
        models_counterfactuals.AUTOCAST,
        "R3",
        _SINGLE,
        wrapped(TorchModel, "forward", _autocast),
    ),
    Fault(
        models_counterfactuals.CUT_ROLLOUT,
        "R5",
        _BURGERS,
        wrapped(TorchModel, "forward", _detached_state),
    ),
)
