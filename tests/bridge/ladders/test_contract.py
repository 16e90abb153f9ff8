"""Rungs judge by the contract: they read no private name of a side."""

import ast
from pathlib import Path

import pytest

from tests.helpers import ROOT

FILES = sorted((ROOT / "bridge" / "ladders").glob("*.py"))


def private_names(text: str) -> list[str]:
    """Private attributes of something else than the object itself."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_"):
            continue
        owner = ast.unparse(node.value).partition(".")[0]
        if node.attr.startswith("__") or owner in ("self", "cls", "nn", "torch"):
            continue
        found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_a_rung_reads_no_private_name(file: Path) -> None:
    assert private_names(file.read_text()) == []


def test_a_private_name_is_found() -> None:
    assert private_names("x = learner._value\ny = self._own\nz = a.__dict__") == [
        "1: learner._value"
    ]
