"""Code in Markdown pages: blocks in fences with their markers, and lines of code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: `<!-- ci: small -->` or `<!-- ci: skip, as ... -->` above a block: how CI runs it.
MARKERS = ("small", "skip")
_FENCE = re.compile(
    r"^(?:<!-- ci: (?P<marker>\w+)[^>]*-->\n\n)?```(?P<language>[\w{}-]*)\n"
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SHELL = ("sh", "console")


@dataclass(frozen=True)
class Block:
    """A block of commands.

    Attributes:
        marker: What stands in `<!-- ci: ... -->` above it, or nothing.
        lines: Its commands, without comments.
    """

    marker: str
    lines: tuple[str, ...]


def shell_blocks(page: str) -> Iterator[Block]:
    """The blocks in fences that are for a shell, in order."""
    for match in _FENCE.finditer(page):
        if match["language"] in _SHELL:
            lines = [_command(line) for line in match["text"].splitlines()]
            yield Block(match["marker"] or "", tuple(filter(None, lines)))


def lines_of_code(page: str) -> Iterator[str]:
    """Every line that is code: in shell blocks, indented blocks and backquotes."""
    for block in shell_blocks(page):
        yield from block.lines
    for match in re.finditer(
        r"^    ([a-z].*)$|`([^`]+)`", _FENCE.sub("", page), re.MULTILINE
    ):
        yield " ".join((match[1] or match[2]).split()).split("  #")[0]


def _command(line: str) -> str:
    """A line without its prompt and the comment behind it."""
    return re.sub(r"^\$ |(^|\s+)#\s.*$", "", line).strip()
