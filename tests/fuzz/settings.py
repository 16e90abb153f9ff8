"""Settings with one or two values replaced by nasty ones, and the door they meet."""

import copy
import random
from collections.abc import Iterator, Mapping
from typing import Any

from experiment.settings import check_settings, check_sources, settings_warnings
from experiment.system import SettingsError

NUMBERS: list[Any] = [
    *(0, -1, 1, 2, 3, 7, 10**6, 10**9, 2**31, 2**63, 2**64, 10**18, 10**400, 10**5000),
    *(-(10**9), 0.5, 1.5, -0.0, 1e-320, 5e-324, 1e-200, 1e200, 1e308, -1e308),
    *(float("inf"), float("nan"), 1e-30, 1e30, 1e15, 1e-15, 1e-9, 0.1),
]
TEXTS: list[Any] = [
    *("", " ", ".", "..", "../..", "/", "a/b", "a" * 300, "a/" * 3000, "\0", "\ud800"),
    *("é" * 200, "null", "true", "nan", "[1]", "{a: 1}", "../../etc/passwd", "~", "-"),
    *("x + y", " + ".join(["x"] * 500), "1" * 400, "9**9**9", "max(x, x, x)", "sin()"),
    *("x" * 30_000, "(" * 500 + "x" + ")" * 500, "1/0*x", "__import__('os')", "x.y"),
    *(".nets:UNet", "os:path", "nothing:Class", ":", "a:", ":b", "json:JSONDecoder"),
    *("tests.own_sources:LegacyData", "a..b:C"),
    *("tests.fuzz.broken_import:A", "/dev/zero", "/dev/null", "/proc/self/mem"),
    *("legacy", "phiml", "shadow", "hybrid", "physical", "compare", "all", "fine"),
    *("spectral", "random", "sensors", "frames", "endpoints", "every", "centre", "box"),
]
OTHERS: list[Any] = [
    *(None, True, False, [], {}, [1], [0, 1, 2], [None], [[]], {"a": 1}, ["x"]),
    *([10**9], [1e200], list(range(2000)), {"x": 10**9}, {"x": 1e200, "y": 1}),
    *({"x": 16}, {"q": 3}, {1: 2}, [{"name": "viscosity"}], b"bytes", {1, 2}),
    *([0, 1e9], [0.0, None], {"kind": "box"}, [2**70], [-1], [1, 1]),
]


def paths(values: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key and place in nested tables and lists."""
    inner = values.items() if isinstance(values, Mapping) else ()
    if isinstance(values, list):
        inner = list(enumerate(values))
    for name, value in inner:
        yield (*above, name)
        yield from paths(value, (*above, name))


def nasty(draw: random.Random) -> Any:
    """A value that is allowed nowhere, somewhere, or only just."""
    group = draw.choice((NUMBERS, NUMBERS, TEXTS, OTHERS))
    return copy.deepcopy(draw.choice(group))


def replaced(values: Mapping[str, Any], draw: random.Random) -> dict[str, Any]:
    """A copy with one to three values replaced, removed or added."""
    changed: Any = copy.deepcopy(dict(values))
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        place = draw.choice([*paths(changed)])
        table = changed
        for name in place[:-1]:
            table = table[name]
        action = draw.random()
        if action < 0.05 and isinstance(table, dict):
            del table[place[-1]]
        elif action < 0.1 and isinstance(table, dict):
            table[draw.choice(("new", "seeds", "..", ""))] = nasty(draw)
        else:
            table[place[-1]] = nasty(draw)
        if not changed:
            break
    return changed


def meet_the_door(values: Mapping[str, Any]) -> str | None:
    """What the checks say: None where everything is allowed.

    Raises:
        Exception: Anything but the one message for a person: that is a fault.
    """
    try:
        settings = check_settings(values)
        settings_warnings(settings)
        check_sources(settings)
    except SettingsError as error:
        return str(error)
    return None
