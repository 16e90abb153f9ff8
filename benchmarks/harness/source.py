"""Lines of code of a folder, and which modules another one needs to run."""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_lines(source: str) -> int:
    """Lines of a module that hold code; a statement over three lines counts three.

    Comments, docstrings and blank lines are left out.
    """
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
            text = node.body[0]
            lines.difference_update(range(text.lineno, (text.end_lineno or 0) + 1))
    return len(lines)


@dataclass(frozen=True)
class Sources:
    """The modules below some packages of a checkout.

    Attributes:
        root: The checkout.
        packages: Names of its packages.
    """

    root: Path
    packages: tuple[str, ...]

    def modules(self, package: str) -> list[str]:
        """Dotted names of the modules of a package, and below it."""
        folder = self.root / package.replace(".", "/")
        return sorted(self._name(path) for path in folder.rglob("*.py"))

    def size(self, modules: Iterable[str]) -> int:
        """Their lines of code."""
        return sum(code_lines(self._text(name)) for name in modules)

    def needed(self, modules: Iterable[str], package: str) -> set[str]:
        """Modules of a package that others import, directly or through each other.

        A name that a package re-exports counts as the module that defines it, so that
        whoever asks for one name doesn't need all that lies beside it. The `__init__`
        files on the way are part of neither.
        """
        waiting, needed = [*modules], set[str]()
        while waiting:
            for name in self._imports(waiting.pop()):
                if name.split(".")[0] == package and name not in needed:
                    needed.add(name)
                    waiting.append(name)
        return {name for name in needed if not self.is_package(name)}

    def _imports(self, module: str) -> Iterator[str]:
        """The modules of `packages` that a module takes names from."""
        if self.is_package(module):
            return
        tree = ast.parse(self._text(module))
        aliases: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                for alias in node.names:
                    source = self._defining(node.module, alias.name)
                    if source is not None and self.is_package(source):
                        aliases[alias.asname or alias.name] = source
                    elif source is not None:
                        yield source
        # `from package import room` and then `room.Name`.
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                room = aliases.get(node.value.id)
                source = self._defining(room, node.attr) if room else None
                if source is not None:
                    yield source

    def _defining(self, module: str, name: str) -> str | None:
        """The module that defines what `from module import name` gives."""
        if module.split(".")[0] not in self.packages:
            return None
        if self.exists(f"{module}.{name}"):
            return f"{module}.{name}"
        if not self.is_package(module):
            return module
        for node in ast.parse(self._text(module)).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self._defining(node.module, alias.name)
        return module

    def exists(self, module: str) -> bool:
        """Whether there is such a module or package."""
        return self.is_package(module) or self._file(module).is_file()

    def is_package(self, module: str) -> bool:
        """Whether a module is the `__init__` of a package."""
        return (self._folder(module) / "__init__.py").is_file()

    def _folder(self, module: str) -> Path:
        return self.root / module.replace(".", "/")

    def _file(self, module: str) -> Path:
        return self._folder(module).with_suffix(".py")

    def _text(self, module: str) -> str:
        if self.is_package(module):
            return (self._folder(module) / "__init__.py").read_text()
        return self._file(module).read_text()

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
