"""HYCO's own boundaries through the door that is open to every pipeline."""

import pytest

from hyco.migrations import surrogate, training
from tests.bridge.migration.nets import quiet, worst


def test_the_surrogate_passes_every_rung() -> None:
    proof = surrogate.verify(report=quiet)

    assert worst(proof) == ("", "", "")
    rungs = [r.rung for r in proof.results[0].rungs]
    assert rungs == ["R1", "R2", "R3", "R4", "R5", "R6", "R9"]


def test_the_training_passes_every_rung() -> None:
    proof = training.verify(report=quiet)

    assert worst(proof) == ("", "", "")
    assert [r.rung for r in proof.results[0].rungs] == ["R1", "R6", "R8", "R9"]


@pytest.mark.long
def test_every_fault_around_the_training_is_found_by_name() -> None:
    found = training.selftest(report=quiet)

    assert len(found) > 10
    assert [f.seen for f in found if not f.caught] == []
