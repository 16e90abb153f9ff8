"""The counters of conversions."""

import pytest
import torch

from bridge.convert import CONVERSIONS, to_phiml, to_torch


def test_conversions_are_counted_per_boundary() -> None:
    CONVERSIONS.reset()
    x = torch.zeros(2, 3)
    for _ in range(3):
        to_torch(to_phiml(x, "x y", boundary="in"), "y x", boundary="out")
    assert {n: b.count for n, b in CONVERSIONS.boundaries.items()} == {
        "in": 3,
        "out": 3,
    }
    counts = CONVERSIONS.boundaries["out"]
    assert (counts.bytes, counts.copies, counts.views) == (3 * 24, 0, 3)
    assert counts.seconds > 0


def test_tracing_shows_each_boundary_once(caplog: pytest.LogCaptureFixture) -> None:
    CONVERSIONS.reset(trace=True)
    x = torch.arange(6.0).reshape(2, 3)
    with caplog.at_level("INFO"):
        for _ in range(3):
            to_phiml(x, "x y", boundary="model: in")
    CONVERSIONS.reset()
    (record,) = caplog.messages
    assert record == (
        "model: in: (x=2, y=3) float32 on cpu, strides (3, 1), 0 to 5, view"
    )
