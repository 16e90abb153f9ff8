"""What pydantic refuses, as one message with the nearest spelling."""

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from experiment.equations import EQUATIONS
from experiment.settings.schema import Settings
from experiment.system import spelling_hint

#: Problems that one message lists.
_LISTED = 30


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every key with its value, tables within tables by keys with dots."""
    for name, value in values.items():
        key = f"{above}{name}"
        if isinstance(value, Mapping):
            yield from leaves(value, f"{key}.")
        else:
            yield key, value


def message(error: ValidationError, values: Mapping[str, Any]) -> str:
    problems = []
    items = error.errors(include_url=False)
    places = [item["loc"] for item in items]
    for item in items:
        own = item["loc"]
        # A list whose entries are wrong counts as too short as well.
        if any(p != own and p[: len(own)] == own for p in places):
            continue
        path = _real_path(item["loc"], values)
        if item["type"] == "unexpected_keyword_argument":
            # Whatever it is called, such as 1.
            name = str(own[-1])
            path = path if path[-1:] == (name,) else (*path, name)
        key = ".".join(path)
        got = shown(item["input"])
        match item["type"]:
            case "unexpected_keyword_argument":
                problems.append(f"`{key}` is no setting: {_spelling(path, values)}")
            case "missing" | "missing_argument":
                problems.append(f"`{key}` is missing; add it to your configuration.")
            case "literal_error":
                expected = item.get("ctx", {}).get("expected", "")
                problems.append(f"`{key}` is {got}; allowed: {expected}.")
            case "union_tag_invalid":
                expected = item.get("ctx", {}).get("expected_tags", "")
                got = shown(item["input"].get("name"))
                problems.append(f"`{key}.name` is {got}; allowed: {expected}.")
            case "value_error":
                allowed = item.get("ctx", {}).get("error", "")
                problems.append(f"`{key}` is {got}; allowed: {allowed}.")
            case "too_long" | "string_too_long":
                problems.append(f"`{key}` is {got}; it is too long: {item['msg']}.")
            case "too_short":
                problems.append(f"`{key}` is {got}; expected at least one entry.")
            case _:
                expected = item["msg"].removeprefix("Input should be ")
                expected = expected.replace("a valid array", "a list, such as [1, 2]")
                problems.append(f"`{key}` is {got}; expected {expected}.")
    return listed(list(dict.fromkeys(problems)))


def shown(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def listed(problems: list[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    more = len(problems) - _LISTED
    rest = [f"and {more} more"] if more > 0 else []
    lines = "\n  ".join([*problems[:_LISTED], *rest])
    return f"{len(problems)} settings are wrong:\n  {lines}"


def _real_path(
    location: tuple[str | int, ...], values: Mapping[str, Any]
) -> tuple[str, ...]:
    """The keys of a location without the union tags that pydantic puts between."""
    path: list[str] = []
    here: Any = values
    for i, part in enumerate(location):
        last = i == len(location) - 1
        if isinstance(here, Mapping) and part in here:
            here = here[part]
            path.append(str(part))
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
            path[-1] += f"[{part}]"
        elif last and isinstance(here, Mapping) and _is_key(str(part)):
            path.append(str(part))
    return tuple(path)


def _is_key(part: str) -> bool:
    # Tags are class and type names (`constrained-str`, `list[int]`, `burgers`).
    return part.isidentifier() and part not in (*EQUATIONS, "int", "str")


def _spelling(path: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """The nearest key of the same group, or else of any group."""
    siblings = _siblings(path[:-1], values)
    hint = spelling_hint(path[-1], siblings)
    return hint if hint.startswith("did you mean") else key_hint(".".join(path), values)


def key_hint(unknown: str, values: Mapping[str, Any]) -> str:
    """The key anywhere in `values` whose last word is nearest to that of `unknown`."""
    by_word: dict[str, str] = {}
    for key, _ in leaves(values):
        if key != unknown:
            by_word.setdefault(key.rsplit(".", 1)[-1], key)
    hint = spelling_hint(unknown.rsplit(".", 1)[-1], by_word)
    for word, key in by_word.items():
        if hint == f"did you mean `{word}`?":
            return f"did you mean `{key}`?"
    return "nothing is spelt like it; see conf/base.yaml."


def _siblings(path: tuple[str, ...], values: Mapping[str, Any]) -> list[str]:
    """The settings that exist in the group `path`."""
    kind: Any = Settings
    here: Any = values
    for part in path:
        here = here.get(part, {}) if isinstance(here, Mapping) else {}
        kind = _field_types(kind).get(part)
        if part == "physical":
            kind = EQUATIONS.get(here.get("name", ""))
        if kind is None:
            return []
    return list(_field_types(kind))


def _field_types(kind: Any) -> dict[str, Any]:
    if not dataclasses.is_dataclass(kind):
        return {}
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
