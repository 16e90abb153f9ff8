"""No settings and no configuration file ends in a traceback; a small fixed sample."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import attempt
from tests.fuzz.files import broken_copy, meet_composition
from tests.fuzz.settings import NUMBERS, OTHERS, TEXTS, meet_the_door, paths, replaced
from tests.helpers import composed

VALUES = composed("burgers")
PLACES = [*paths(VALUES)]
KINDS = ("allowed", "refused")


@given(
    place=st.sampled_from(PLACES),
    value=st.one_of(
        st.sampled_from([*NUMBERS, *TEXTS, *OTHERS]),
        st.integers(),
        st.floats(),
        st.text(st.characters(), max_size=20),
        st.recursive(st.none(), st.lists, max_leaves=5),
    ),
)
@settings(max_examples=150, derandomize=True, deadline=None, database=None)
def test_one_value_of_any_kind_ends_in_a_message(place: tuple, value: object) -> None:
    import copy

    changed = copy.deepcopy(VALUES)
    table = changed
    for name in place[:-1]:
        table = table[name]
    table[place[-1]] = value
    kind, fault = attempt(lambda: meet_the_door(changed))
    assert kind in KINDS, (place, fault)


@pytest.mark.parametrize("seed", range(5))
def test_several_values_end_in_a_message(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(20):
        changed = replaced(VALUES, draw)
        kind, fault = attempt(lambda changed=changed: meet_the_door(changed))
        assert kind in KINDS, (fault, changed)


@pytest.mark.parametrize("seed", range(15))
def test_a_broken_file_ends_in_a_message(tmp_path: Path, seed: int) -> None:
    file = broken_copy(tmp_path / "conf", random.Random(seed))
    kind, fault = attempt(lambda: meet_composition(tmp_path / "conf"))
    assert kind in KINDS, (fault, file.read_bytes())


def test_a_traceback_and_a_hang_are_noticed() -> None:
    """The instrument itself: what is planted is seen."""

    def endless() -> None:
        while True:
            pass

    assert attempt(lambda: str(1 // 0))[0] == "traceback"
    assert attempt(lambda: "")[0] == "bad message"
    import tests.fuzz.__main__ as fuzz

    before, fuzz._HANGS = fuzz._HANGS, 1
    try:
        assert attempt(endless)[0] == "hang"
    finally:
        fuzz._HANGS = before
