"""Deliberate faults, each planted in the candidate, to prove that they are found."""

from tests.planted._fault import Fault
from tests.planted.data import DATA_FAULTS
from tests.planted.models import MODEL_FAULTS
from tests.planted.physics import PHYSICS_FAULTS
from tests.planted.training import TRAINING_FAULTS

FAULTS: tuple[Fault, ...] = (
    *MODEL_FAULTS,
    *TRAINING_FAULTS,
    *DATA_FAULTS,
    *PHYSICS_FAULTS,
)

__all__ = ["FAULTS", "Fault"]
