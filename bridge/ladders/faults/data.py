"""Faults of a data pipeline's migration, reported by R8."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from phiml.math import Tensor

import phiml_port.data.dataset
import phiml_port.data.loader
from bridge.harness import Fault
from bridge.ladders import data
from bridge.ladders.cases import CaseName
from bridge.ladders.faults.observed import NOISY_VALIDATION, SHARED
from bridge.ladders.faults.planting import wrapped
from bridge.ladders.names import CHANNEL_ORDER, LAST_BATCH
from bridge.ladders.observed import NOISE_IN_VALIDATION
from experiment.data import TrajectoryStore, channel_plan
from phiml_port.data import WindowLoader

_CASE = CaseName("advection", "convnet", "float64", batch_norm=False)


def _later(gather: Any) -> Any:
    def faulty(arrays: Any, array: np.ndarray, rows: np.ndarray, size: int) -> Any:
        last = len(arrays(array[0]).values) - 1
        return gather(arrays, array, (rows + 1).clip(max=last), size)

    return faulty


def _doubled(order: Any) -> Any:
    def faulty(self: Any) -> np.ndarray:
        numbers = order(self).copy()
        numbers[1] = numbers[0]
        return numbers

    return faulty


def _other_generator(_: Any) -> Any:
    def faulty(seed: int, epoch: int, count: int) -> np.ndarray:
        return np.random.RandomState(seed + epoch).permutation(count)

    return faulty


def _fewer(batches: Any) -> Any:
    def faulty(self: WindowLoader) -> Iterator[Tensor]:
        for batch in batches(self):
            if batch.shape.get_size("batch") == self.batch_size:
                yield batch

    return faulty


def _by_name(read: Any) -> Any:
    def faulty(settings: Any, simulation: int) -> np.ndarray:
        channels = channel_plan(settings).names
        order = sorted(range(len(channels)), key=lambda i: channels[i])
        return read(settings, simulation)[..., order]

    return faulty


def _never_looks(_: Any) -> Any:
    return lambda self, index: "the same"


def _fault(name: str, owner: Any, attribute: str, faulty: Any) -> Fault:
    return Fault(name, "R8", _CASE, wrapped(owner, attribute, faulty))


_OBSERVED = replace(_CASE, experiment="burgers", observed="known")
_REFERENCE = "beside the reference"

FAULTS = (
    *(Fault(n, "R8", _OBSERVED, plant, _REFERENCE) for n, plant in SHARED.items()),
    Fault(NOISE_IN_VALIDATION, "R8", _OBSERVED, NOISY_VALIDATION, _REFERENCE),
    _fault(data.OFF_BY_ONE, phiml_port.data.dataset, "gather", _later),
    _fault(data.DOUBLED, WindowLoader, "order", _doubled),
    _fault(data.SHUFFLED, phiml_port.data.loader, "sample_order", _other_generator),
    _fault(LAST_BATCH, WindowLoader, "__iter__", _fewer),
    _fault(CHANNEL_ORDER, phiml_port.data.dataset, "read_scene", _by_name),
    _fault(data.STALE, TrajectoryStore, "_fingerprint", _never_looks),
)
