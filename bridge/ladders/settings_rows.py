"""Rows of `settings`: what both sides say of themselves, beside each other."""

import ast
import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bridge.harness import Row
from experiment.settings import SIDES, Settings, implementation
from experiment.system import resource

_ROOT = Path(__file__).parents[2]


def rows(
    case: str,
    settings: Settings,
    component: str,
    control: Mapping[str, str],
    candidate: Mapping[str, str],
) -> Iterator[Row]:
    """A row for each setting of either side.

    Args:
        case: What it is the setting of.
        settings: The settings of the case.
        component: The component, for where its classes are.
        control: The control's settings in words.
        candidate: The candidate's.
    """
    source = _source(settings, component)
    for key in {**control, **candidate}:
        left, right = control.get(key, "-"), candidate.get(key, "-")
        mark = "equal" if left == right else "UNEQUAL"
        if mark == "UNEQUAL" and f"{case}: {key}" in _known_differences():
            mark = "known"
        yield Row(case, key, left, right, mark, source)


@cache
def _known_differences() -> str:
    return resource("docs/known_differences.md").read_text(encoding="utf-8")


def _source(settings: Settings, component: str) -> str:
    """File and line of both sides' classes."""
    lines = []
    for side in SIDES:
        kind = implementation(settings, component, side)
        file = Path(inspect.getfile(kind))
        # One's own may lie elsewhere.
        file = file.relative_to(_ROOT) if file.is_relative_to(_ROOT) else file
        lines.append(f"{side} {file}:{inspect.getsourcelines(kind)[1]}")
    return ", ".join(lines)


def unread_keys() -> list[str]:
    """Config keys whose name no source file reads as an attribute or in a string."""
    read = {"name"}
    for package in ("experiment", *SIDES.values(), "bridge"):
        for file in (_ROOT / package).rglob("*.py"):
            if file.name == "schema.py":
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute):
                    read.add(node.attr)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    read.add(node.value)
    return [key for key in _keys(Settings) if key.rsplit(".", 1)[-1] not in read]


def _keys(kind: Any, above: str = "") -> list[str]:
    keys = []
    for field in dataclasses.fields(kind):
        inner = _dataclasses_in(field.type)
        if inner:
            for group in inner:
                keys += _keys(group, f"{above}{field.name}.")
        else:
            keys.append(f"{above}{field.name}")
    return list(dict.fromkeys(keys))


def _dataclasses_in(annotation: Any) -> list[Any]:
    inner = [annotation, *getattr(annotation, "__args__", ())]
    for part in list(inner):
        inner += getattr(part, "__args__", ())
    return [k for k in inner if inspect.isclass(k) and dataclasses.is_dataclass(k)]
