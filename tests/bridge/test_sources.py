"""What the log names is what is built: the registry's, or a source of one's own."""

import logging
from pathlib import Path

import pytest

from bridge.assemble import MixedParts
from experiment.run import build_hybrid_training, log_components
from experiment.settings import COMPONENTS, SIDES, source_of
from tests import own_sources
from tests.helpers import small

_SIDES = {"legacy": "Legacy", "phiml": "Phiml"}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("component", ("trainer", "data", "physics", "hybrid"))
def test_a_source_takes_the_place_of_the_registry(
    burgers_folder: Path, side: str, component: str, caplog: pytest.LogCaptureFixture
) -> None:
    kind = f"{_SIDES[side]}{component.capitalize()}"
    path = f"tests.own_sources:{kind}"
    settings = small(
        burgers_folder,
        "general.mode=hybrid",
        f"migration.{component}={side}",
        f"migration.sources.{component}.{side}={path}",
    )
    own_sources.BUILT.clear()
    with caplog.at_level(logging.INFO):
        log_components(settings, {})
    build_hybrid_training(settings, MixedParts())
    # The training's and the validation's loader.
    times = 2 if component == "data" else 1
    assert [kind] * times == own_sources.BUILT
    assert f"{component}: {side} ({path})" in caplog.text


@pytest.mark.parametrize("side", SIDES)
def test_the_log_names_a_class_that_is_there(tmp_path: Path, side: str) -> None:
    """Every entry of the registry, so that the log can't name what isn't built."""
    import importlib

    settings = small(tmp_path)
    for component in COMPONENTS:
        module, name = source_of(settings, component.name, side).split(":")
        assert isinstance(getattr(importlib.import_module(module), name), type)
