"""What both sides say of themselves is equal, and an unequal setting is seen."""

from collections.abc import Iterator

import pytest

from bridge.harness import Fault, Project, Row
from bridge.ladders import LADDERS
from bridge.ladders.settings_rows import unread_keys
from tests.helpers import ROOT

EVERY = [Project.find(ROOT).ladder(name) for name in LADDERS]


def rows() -> Iterator[Row]:
    for ladder in EVERY:
        yield from ladder.settings()


def fault(name: str) -> Fault:
    return next(f for x in EVERY for f in x.faults() if f.name == name)


def test_settings_of_both_sides_are_equal_and_all_keys_are_read() -> None:
    every = list(rows())
    assert every and not [r for r in every if r.unequal]
    settings = {r.setting for r in every}
    assert {"batch norm eps", "batch norm momentum", "residual on"} <= settings
    assert {"optimiser", "betas", "eps", "weight decay", "decay kind"} <= settings
    assert {"order of epoch 1", "last batch"} <= settings
    assert unread_keys() == []
    sources = {r.source for r in every if r.case.startswith("trainer-")}
    (source,) = sources
    assert "legacy legacy/training/synthetic.py:" in source
    assert "phiml phiml_port/training/synthetic.py:" in source


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("BatchNorm momentum 0.9 for 0.1", {"batch norm momentum"}),
        ("Adam eps 1e-7", {"eps"}),
        ("weight decay decoupled", {"optimiser", "decay kind"}),
        ("weight decay missing", {"weight decay"}),
    ],
)
def test_an_unequal_setting_is_seen(name: str, settings: set[str]) -> None:
    with fault(name).plant():
        unequal = [r for r in rows() if r.unequal]
    assert {r.setting for r in unequal} == settings
