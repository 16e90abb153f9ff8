"""Faults that a migration of the data pipeline plants by hand, rung R8."""

from typing import Any
from unittest.mock import patch

import numpy as np

import phiml_port.data.dataset
import phiml_port.data.loader
from bridge.verify import CaseName, climb_data
from bridge.verify import _data_rungs as names
from bridge.verify._diagnosis import CHANNEL_ORDER
from experiment.data import TrajectoryStore, channel_plan
from phiml_port.data import WindowLoader
from tests.planted._fault import Fault

_CASE = CaseName("advection", "convnet", "float64", batch_norm=False)


def _later(gather: Any) -> Any:
    def faulty(arrays: Any, array: np.ndarray, rows: np.ndarray, size: int) -> Any:
        last = len(arrays(0).values) - 1
        return gather(arrays, array, np.minimum(rows + 1, last), size)

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


def _fewer(order: Any) -> Any:
    def faulty(self: Any) -> np.ndarray:
        numbers = order(self)
        return numbers[: len(numbers) // self.batch_size * self.batch_size]

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
    def plant() -> Any:
        return patch.object(owner, attribute, faulty(getattr(owner, attribute)))

    return Fault(name, "R8", _CASE, plant, climb_data)


DATA_FAULTS = (
    _fault(names.OFF_BY_ONE, phiml_port.data.dataset, "gather", _later),
    _fault(names.DOUBLED, WindowLoader, "order", _doubled),
    _fault(names.SHUFFLED, phiml_port.data.loader, "sample_order", _other_generator),
    _fault(names.LAST_BATCH, WindowLoader, "order", _fewer),
    _fault(CHANNEL_ORDER, phiml_port.data.dataset, "read_scene", _by_name),
    _fault(names.STALE, TrajectoryStore, "_fingerprint", _never_looks),
)
