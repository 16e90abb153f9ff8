"""The covering array: every setting takes part, every pair of values meets."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from bridge.ladders.covering import factors, rows, stored_rows
from bridge.ladders.covering.search import never, seen_together, universe
from experiment.settings import Settings, check_settings, leaves, to_dict
from experiment.system import SettingsError

FACTORS = rows.all_factors()


def test_every_setting_varies_or_says_why_not() -> None:
    """Also: no reason for a setting that isn't there any more."""
    keys: set[str] = set()
    for config in factors.CONFIGURATIONS:
        keys |= {key for key, _ in leaves(to_dict(rows.base_settings(config)))}
    known = {*FACTORS, *factors.FIXED}
    for key in keys:
        above = key.split(".")
        names = {".".join(above[: n + 1]) for n in range(len(above))}
        assert names & known, f"{key} is neither a factor nor fixed"
    for key in factors.FIXED:
        assert any(k == key or k.startswith(f"{key}.") for k in keys), key
    assert all(len(reason) > 5 for reason in factors.FIXED.values())


def test_a_new_setting_joins_by_its_type() -> None:
    base = rows.base_settings("burgers")
    kinds = {
        "a_switch": (bool, False, (False, True)),
        "a_count": (int | None, None, (None, 1, 2)),
        "a_size": (float, 2.0, (2.0, 1.05)),
    }
    for name, (kind, value, expected) in kinds.items():
        assert _factor_of(base, name, kind, value).values == expected


def _factor_of(base: Settings, name: str, kind: Any, value: Any) -> factors.Factor:
    """The factor of a setting that `compare` didn't have."""
    wider = dataclasses.make_dataclass("Compare", [(name, kind)])(value)
    changed: Any = _Replaced(base, wider)
    found = factors.factors_of(changed)
    return next(f for f in found if f.key == f"compare.{name}")


class _Replaced:
    """Settings with another group; not checked, as its class is another."""

    def __init__(self, base: Settings, compare: Any) -> None:
        self._base, self.compare = base, compare

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)


def test_a_setting_with_one_value_everywhere_is_refused_by_name() -> None:
    with pytest.raises(factors.UnknownRange, match="`compare.a_word` would be 'x'"):
        _factor_of(rows.base_settings("burgers"), "a_word", str, "x")


def test_every_pair_meets_in_some_row_or_can_not(tmp_path: Path) -> None:
    left = universe(FACTORS)
    for row in stored_rows():
        assert row.values.keys() == FACTORS.keys()
        left -= set(rows.pairs_of(row.read(row.settings(tmp_path))))
    listed = json.loads(rows.FILE.read_text())["can't meet"]
    named = {tuple(one[:4]) for one in listed}
    seen = seen_together(FACTORS, tmp_path)
    for pair in left:
        words = tuple(map(str, pair))
        assert words in named or never(seen, pair), words
    assert all(len(one[4]) > 10 for one in listed) and len(named) < 60


def test_no_row_is_for_nothing(tmp_path: Path) -> None:
    """Each has a pair that no other has."""
    met = [set(rows.pairs_of(r.read(r.settings(tmp_path)))) for r in stored_rows()]
    for number, own in enumerate(met):
        others = set().union(*met[:number])
        assert own - others, number


def test_what_nobody_can_judge_is_no_row(tmp_path: Path) -> None:
    norm = "model.synthetic.architecture.batch_norm"
    for row in stored_rows():
        values = {**row.values, norm: True, "trainer.synthetic.weight_decay": 1e-3}
        if values["general.mode"] == "synthetic":
            with pytest.raises(SettingsError, match="is rounding alone"):
                rows.Row(values).settings(tmp_path)
            return
    raise AssertionError("no row trains the surrogate alone")


def test_a_small_case_is_checked_as_any_other(tmp_path: Path) -> None:
    settings = stored_rows()[0].settings(tmp_path)
    assert check_settings(to_dict(settings)) == settings
