"""The table of settings: each key, with what `conf/` says of it."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from docs.tools.comments import comments
from docs.tools.settings_page import Row, markdown, sections
from tests.helpers import ROOT

ROWS = [row for rows in sections().values() for row in rows]


def _keys(node: object, above: str) -> list[str]:
    if isinstance(node, dict):
        return [k for n, v in node.items() for k in _keys(v, f"{above}.{n}")]
    if isinstance(node, list) and node and isinstance(node[0], dict):
        return [f"{above}[].{name}" for name in node[0]]
    return [above]


def test_every_key_of_an_experiment_has_a_row() -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_container(compose("burgers"))
    wanted = {key.removeprefix(".") for key in _keys(config, "")}
    there = {row.key for row in ROWS}
    whole = ("model.physical.domain.", "model.physical.resolution.")
    missing = {k for k in wanted - there if not k.startswith(whole)}
    assert not missing


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_every_row_says_meaning_and_what_is_allowed(row: Row) -> None:
    assert row.meaning, f"`{row.key}` has no comment in `conf/` that says what it does"
    assert row.allowed
    assert row.default or "[]." in row.key


def _row(key: str) -> Row:
    return next(row for row in ROWS if row.key == key)


def test_rows_hold_what_schema_and_files_say() -> None:
    time_step = _row("model.physical.dt")
    assert (time_step.unit, time_step.default) == ("s", "`0.2`")
    assert time_step.allowed.startswith("a number above 0")
    side = _row("migration.trainer")
    assert (side.default, side.allowed) == ("`legacy`", "`legacy` or `phiml`")
    assert "synthetic" in _row("general.mode").allowed
    assert _row("trainer.hybrid.weights.physical.interaction").default == "`0.001`"
    kind = _row("trainer.physical.learnable_parameters[].type")
    assert kind.allowed == "`scalar` or `field`"
    own = _row("model.synthetic.architecture.kwargs")
    assert own.allowed == "a table of names, each any value or `null`"
    assert "| `data.export` |" in markdown()


def test_comments_belong_to_the_key_that_they_stand_by(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(
        "# of a\n"
        "a: 1\n"
        "b: '#no comment'   # of b,\n"
        "                   # and more of b\n"
        "c:\n"
        "  # of d\n"
        "  d: {e: 1, f: 2}\n"
        "  g: 3\n"
        "# of nothing, as no key follows\n"
    )
    assert comments(file) == {
        "a": "of a",
        "b": "of b, and more of b",
        "c.d": "of d",
        "c.d.e": "of d",
        "c.d.f": "of d",
    }
