"""Networks of one's own at the door: both sides, and their arguments."""

from pathlib import Path
from typing import Any

import pytest

from bridge.assemble import build_components
from experiment.settings import SIDES
from experiment.system import SettingsError
from tests.helpers import small

PAIR = {
    "legacy": "migration.sources.model.legacy=tests.own_networks:FNO",
    "phiml": "migration.sources.model.phiml=tests.own_networks:PhimlFNO",
}
KWARGS = "model.synthetic.architecture.kwargs={modes: 2, width: 3}"


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("component", ("model", "trainer", "data", "physics", "hybrid"))
def test_a_source_of_the_side_that_does_not_run_is_refused(
    tmp_path: Path, component: str, side: str
) -> None:
    """As with a rollback: the built-in class would run, with a line in the log."""
    (other,) = {*SIDES} - {side}
    given = f"migration.sources.{component}.{other}=mypackage.nets:Mine"
    with pytest.raises(SettingsError) as caught:
        small(tmp_path, f"migration.{component}={side}", given)
    message = str(caught.value)
    assert f"Give `migration.sources.{component}.{side}` as well" in message
    assert "the built-in one is " in message
    both = f"migration.sources.{component}.{side}=mypackage.nets:Twin"
    assert small(tmp_path, f"migration.{component}={side}", given, both)


def test_a_network_of_ones_own_gets_its_arguments(tmp_path: Path) -> None:
    from legacy.assemble import build_model

    model: Any = build_model(small(tmp_path, PAIR["legacy"], KWARGS))
    assert model.network.blocks[0].spectral.modes == 2
    assert model.network.lift.weight.shape[0] == 3


def test_built_in_networks_take_no_arguments(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="kwargs` is .* only a network of your own"):
        small(tmp_path, KWARGS)


def test_arguments_that_a_network_does_not_take_are_named(tmp_path: Path) -> None:
    wrong = "model.synthetic.architecture.kwargs={mode: 2}"
    with pytest.raises(SettingsError, match="unexpected keyword argument 'mode'"):
        build_components(small(tmp_path, PAIR["legacy"], wrong))


def test_what_belongs_to_a_u_net_is_not_asked_of_others(tmp_path: Path) -> None:
    """Sizes that can't be halved, levels without filters."""
    odd = "model.physical.resolution={x: 11, y: 13}"
    none = "model.synthetic.architecture.filters=null"
    assert small(tmp_path, PAIR["legacy"], odd, none)
    with pytest.raises(SettingsError, match="a unet with levels = 2.* needs a multip"):
        small(tmp_path, odd)
