"""Lines of code of both sides: comments, docstrings and blank lines left out."""

import ast
import io
import tokenize
from pathlib import Path

_ROOT = Path(__file__).parents[1]
ROOMS = ("models", "training", "data", "physics")
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(source: str) -> int:
    """Lines of a module that hold code; a statement over three lines counts three."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            text = node.body[0]
            lines.difference_update(range(text.lineno, (text.end_lineno or 0) + 1))
    return len(lines)


def _files(side: str, room: str) -> dict[str, int]:
    folder = _ROOT / side / room
    return {p.name: code_lines(p.read_text()) for p in sorted(folder.glob("*.py"))}


def code_table() -> list[str]:
    """Both sides by room and file, no wider than 80 columns."""
    lines = [_row("code lines", "legacy", "phiml_port", "ratio")]
    total = 0, 0
    for room in ROOMS:
        legacy, port = _files("legacy", room), _files("phiml_port", room)
        sums = sum(legacy.values()), sum(port.values())
        total = total[0] + sums[0], total[1] + sums[1]
        lines.append(_row(room, *sums, f"{sums[1] / sums[0]:.2f}"))
        for name in sorted(legacy.keys() | port.keys()):
            pair = legacy.get(name, "-"), port.get(name, "-")
            lines.append(_row(f"  {name}", *pair))
    return [*lines, _row("all", *total, f"{total[1] / total[0]:.2f}")]


def _row(name: str, legacy: object, port: object, ratio: str = "") -> str:
    return f"{name:24}{legacy!s:>10}{port!s:>14}{ratio:>10}".rstrip()
