"""Comments of a YAML file by the key that they belong to."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

#: A comment after a value, or on a line of its own; `#` inside quotes has no blank
#: before it in `conf/`.
_COMMENT = re.compile(r"(?:^|\s)#\s?(.*)$")


def comments(file: Path) -> dict[str, str]:
    """The comment of every key that has one, by the key's whole name.

    A comment belongs to the key on its line, and so do the lines below it that are
    comments further to the right than that key. Comment lines that stand straight above
    a key, in its column, belong to it too. Keys of a table that is written on one line
    have the comment of the nearest table above them.

    Args:
        file: The YAML file.
    """
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    keys = list(_keys(root, ""))
    first_on_line: dict[int, tuple[str, int]] = {}
    for key, line, column in keys:
        first_on_line.setdefault(line, (key, column))
    said: dict[str, str] = {}
    for line, (key, column) in first_on_line.items():
        words = [*_above(lines, line, column), *_beside(lines, line, column)]
        if words:
            said[key] = " ".join(" ".join(words).split())
    for key, line, _ in keys:
        if key not in said and first_on_line[line][0] != key:
            above = _nearest(said, key)
            if above is not None:
                said[key] = above
    return said


def _keys(node: yaml.Node | None, above: str) -> Iterator[tuple[str, int, int]]:
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        key = f"{above}{name.value}"
        yield key, name.start_mark.line, name.start_mark.column
        yield from _keys(value, f"{key}.")


def _comment(line: str) -> str | None:
    match = _COMMENT.search(line)
    return match[1] if match else None


def _alone(line: str) -> int | None:
    """The column of a comment that has a line of its own."""
    stripped = line.lstrip()
    return len(line) - len(stripped) if stripped.startswith("#") else None


def _above(lines: list[str], line: int, column: int) -> list[str]:
    found: list[str] = []
    while line > 0 and _alone(lines[line - 1]) == column:
        line -= 1
        found.insert(0, _comment(lines[line]) or "")
    return found


def _beside(lines: list[str], line: int, column: int) -> list[str]:
    beside = _comment(lines[line])
    found = [] if beside is None else [beside]
    for below in lines[line + 1 :]:
        where = _alone(below)
        if where is None or where <= column or beside is None:
            break
        found.append(_comment(below) or "")
    return found


def _nearest(said: dict[str, str], key: str) -> str | None:
    """The comment of the nearest table above a key that has one."""
    parts = key.split(".")[:-1]
    while parts and ".".join(parts) not in said:
        parts.pop()
    return said.get(".".join(parts))
