"""Every setting as a table: meaning and unit from `conf/`, the rest from the schema.

python -m docs.tools.settings_page    # prints it, in Markdown
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from docs.tools.comments import comments
from experiment.equations import EQUATIONS, KINDS
from experiment.settings import ARCHITECTURES, COMPONENTS, SIDES, Settings

CONF = Path(__file__).parents[2] / "conf"
_UNIT = re.compile(r"^\[([^\]]+)\] ")
#: Words that the schema checks by a registry, which a JSON schema doesn't show.
_REGISTRIES = {
    "model.synthetic.name": tuple(ARCHITECTURES),
    "trainer.physical.learnable_parameters[].type": tuple(KINDS),
    **{f"migration.{c.name}": tuple(SIDES) for c in COMPONENTS},
}
#: What the keys of a list's items mean; a YAML file has no line for them.
_ITEMS = {
    "name": "a parameter of the PDE (`model.physical`)",
    "type": "one number, or a number a cell",
    "initial_guess": "where the optimisation begins, in the parameter's unit; for a"
    " field also an expression of the position",
    "bounds": "lower and upper, in the parameter's unit; an upper null is the scheme's"
    " stability limit",
}
_HEAD = "| key | meaning | unit | default | allowed |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Row:
    """A setting.

    Attributes:
        key: Its whole name.
        meaning: What it does.
        unit: Its unit, or nothing.
        default: Its default as it is written in YAML.
        allowed: Which values it can have.
    """

    key: str
    meaning: str
    unit: str
    default: str
    allowed: str

    def line(self) -> str:
        """The row of a table in Markdown."""
        cells = (f"`{self.key}`", self.meaning, self.unit, self.default, self.allowed)
        return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def sections() -> dict[str, list[Row]]:
    """The rows of every section of the page by its title, in the order of `conf/`."""
    schema = TypeAdapter(Settings).json_schema()
    leaves = dict(_leaves(schema, schema, ""))
    base = _File(CONF / "base.yaml")
    page: dict[str, list[Row]] = {}
    for group in schema["properties"]:
        keys = [k for k in leaves if k.startswith(f"{group}.")]
        if group == "model":
            page |= _models(schema)
        elif group == "migration":
            switches = _File(CONF / "migration" / "legacy.yaml", "migration.")
            page[group] = [_row(k, leaves[k], switches, base) for k in keys]
        else:
            page[group] = [_row(k, leaves[k], base) for k in keys]
    return page


def markdown() -> str:
    """The sections as Markdown."""
    parts = []
    for title, rows in sections().items():
        lines = "\n".join(row.line() for row in rows)
        parts.append(f"## {title}\n\n{_HEAD}\n{lines}\n")
    return "\n".join(parts)


class _File:
    """A file of `conf/` with what it says of each key."""

    def __init__(self, path: Path, above: str = "", below: str = "") -> None:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        said = comments(path)
        for part in filter(None, below.split(".")):
            values = values[part]
            said = {
                k.removeprefix(f"{part}."): text
                for k, text in said.items()
                if k.startswith(f"{part}.")
            }
        self._above = above
        self._values = values
        self._said = said

    def default(self, key: str) -> Any:
        """The value of a key.

        Raises:
            KeyError: The file doesn't have it.
        """
        value = self._values
        for part in key.removeprefix(self._above).split("."):
            value = value[part]
        return value

    def meaning(self, key: str) -> str | None:
        """The comment of a key."""
        return self._said.get(key.removeprefix(self._above))


def _models(schema: Mapping[str, Any]) -> dict[str, list[Row]]:
    page = {}
    for name, equation in EQUATIONS.items():
        group = CONF / "model" / "physical" / f"{name}.yaml"
        above = "model.physical."
        if group.exists():
            file = _File(group, above)
        else:
            file = _File(CONF / f"{name}.yaml", above, "model.physical")
        inner = schema["$defs"][equation.__name__]
        leaves = _leaves(schema, inner, above)
        page[f"model/physical: {name}"] = [_row(k, leaf, file) for k, leaf in leaves]
    inner = schema["$defs"]["Synthetic"]
    for name in ARCHITECTURES:
        file = _File(CONF / "model" / "synthetic" / f"{name}.yaml", "model.synthetic.")
        leaves = _leaves(schema, inner, "model.synthetic.")
        page[f"model/synthetic: {name}"] = [_row(k, leaf, file) for k, leaf in leaves]
    return page


def _leaves(
    schema: Mapping[str, Any], node: Mapping[str, Any], above: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, found in node["properties"].items():
        key, leaf = f"{above}{name}", _resolved(schema, found)
        item = _resolved(schema, leaf.get("items", {}))
        if "properties" in leaf:
            yield from _leaves(schema, leaf, f"{key}.")
        elif "properties" in item:
            yield from _leaves(schema, item, f"{key}[].")
        elif "oneOf" not in leaf:
            yield key, leaf


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in node:
        return schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


def _row(key: str, leaf: Mapping[str, Any], *files: _File) -> Row:
    choices = _REGISTRIES.get(key) or _choices(leaf)
    allowed = " or ".join(f"`{c}`" for c in choices) if choices else _allowed(leaf)
    if "[]." in key:
        return Row(key, _ITEMS[key.rsplit(".", 1)[1]], "", "", allowed)
    for file in files:
        try:
            default = file.default(key)
        except (KeyError, TypeError):
            continue
        meaning, unit = _meaning(file.meaning(key) or "", choices)
        return Row(key, meaning, unit, _default(default), allowed)
    raise KeyError(f"no file of `conf/` has the setting `{key}`")


def _choices(leaf: Mapping[str, Any]) -> tuple[str, ...]:
    if "const" in leaf:
        return (str(leaf["const"]),)
    both = [leaf, *leaf.get("anyOf", ())]
    words = [str(w) for one in both for w in one.get("enum", ())]
    null = any(one.get("type") == "null" for one in both)
    return (*words, "null") if words and null else tuple(words)


def _meaning(comment: str, choices: tuple[str, ...]) -> tuple[str, str]:
    """The meaning and the unit that a comment says; a mere list of choices is none."""
    unit = _UNIT.match(comment)
    text = comment[unit.end() :] if unit else comment
    listed, colon, rest = text.partition(":")
    words = [word.strip() for word in listed.split("|")]
    if len(words) > 1 and set(words) <= set(choices):
        text = rest.strip() if colon else ""
    return text, unit[1] if unit else ""


def _default(value: Any) -> str:
    if value == "???":
        return "the experiment says"
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


def _allowed(leaf: Mapping[str, Any] | bool) -> str:
    if not isinstance(leaf, dict) or not leaf.keys() - {"title"}:
        return "any value"
    if "anyOf" in leaf:
        return " or ".join(_allowed(one) for one in leaf["anyOf"])
    kind = leaf.get("type")
    if kind == "array":
        return _list(leaf)
    if kind == "object":
        values = leaf.get("patternProperties", {"": leaf.get("additionalProperties")})
        inner = _allowed(next(iter(values.values())))
        names = leaf.get("propertyNames", {}).get("enum")
        return f"a table of {' or '.join(names) if names else 'names'}, each {inner}"
    words = {
        "string": "a name" if "pattern" in leaf else "text",
        "boolean": "`true` or `false`",
        "null": "`null`",
        "integer": "a whole number",
        "number": "a number",
    }
    return words[str(kind)] + _limits(leaf)


def _limits(leaf: Mapping[str, Any]) -> str:
    names = {
        "minimum": "from",
        "exclusiveMinimum": "above",
        "maximum": "to",
        "exclusiveMaximum": "below",
    }
    return "".join(f" {word} {leaf[k]:g}" for k, word in names.items() if k in leaf)


def _list(leaf: Mapping[str, Any]) -> str:
    if "prefixItems" in leaf:
        return "a list: " + ", then ".join(_allowed(one) for one in leaf["prefixItems"])
    choices = _choices(leaf["items"])
    inner = "`, `".join(choices)
    least = leaf.get("minItems", 0)
    length = f" {least}" if least and least == leaf.get("maxItems") else ""
    of = f"`{inner}`" if choices else _allowed(leaf["items"])
    some = ", at least one" if least == 1 else ""
    return f"a list of{length or ''}: {of}{some}"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("<", "&lt;") if cell else " "


if __name__ == "__main__":
    print(markdown())
