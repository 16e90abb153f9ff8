"""A project's pairs and where its files are: the table `[tool.bridge]`.

[tool.bridge]
ladders = "mypackage.ladders:LADDERS"  # {name: "module:ladder"}
bench = "benchmarks.cases:CASES"       # cases of `bench`
components = "mypackage:COMPONENTS"    # objects with `name` and `step`
sides = ["legacy", "phiml"]            # values that a component's switch has
errors = "mypackage:UserError"         # errors that are printed without traceback
prepare = "mypackage.ladders:prepare"  # called before a ladder is run
words = "mypackage.words:cases"        # a run's words as cases (`bridge.harness.words`)
reads = ["mypackage", "conf"]          # what a verification depends on
evidence = "evidence"                  # folder of the evidence
comparisons = "mypackage/comparisons"  # folder that keeps what ladders must compare
switches = "conf/migration"            # folder of the presets

[tool.bridge.presets]                  # in order: ladders to pass for each
legacy = []
step1 = ["step1"]

A package that ships this file as `bridge/pyproject.toml` has its table everywhere; what
lies elsewhere there than in the checkout, and what it doesn't have:

[tool.bridge.installed]
switches = "mypackage/conf/migration"  # from the folder that the packages lie in
without = ["bench"]
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bridge.harness.errors import HarnessError, load_object
from bridge.harness.ladder import Ladder

_CHECKOUT = Path(__file__).parents[2]
#: There in a wheel only.
_SHIPPED = Path(__file__).parents[1] / "pyproject.toml"


def _read(file: Path) -> dict[str, Any] | None:
    """The content of a file with a table `[tool.bridge]`; None for any other.

    Raises:
        HarnessError: The file is no TOML.
    """
    if not file.is_file():
        return None
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HarnessError(f"`{file}` is no valid TOML: {error}; repair it") from error
    return content if "bridge" in content.get("tool", {}) else None


def _pins(content: Mapping[str, Any]) -> Sequence[str]:
    return content.get("project", {}).get("dependencies", ())


def _name(content: Mapping[str, Any]) -> str:
    return content.get("project", {}).get("name", "")


@dataclass(frozen=True)
class Project:
    """What a `pyproject.toml` says of the pairs in its project.

    Attributes:
        root: The folder of the file; of the packages, where they were installed.
        table: Its table `[tool.bridge]`.
        pins: Its dependencies, as they stand there.
        installed_for: The folder that results are written to if the packages were
            installed, which are never changed; else None.
        name: Its name, as its metadata has it.
    """

    root: Path
    table: Mapping[str, Any] = field(default_factory=dict)
    pins: Sequence[str] = ()
    installed_for: Path | None = None
    name: str = ""

    @staticmethod
    def find(start: Path | None = None) -> "Project":
        """The project of the nearest `pyproject.toml` with a table `[tool.bridge]`.

        Looked for in a folder and those above it, then where this program is, last in
        the package that this program was installed with.

        Args:
            start: The first folder; the current one by default.
        """
        first = (start or Path.cwd()).resolve()
        for folder in (first, *first.parents, _CHECKOUT):
            content = _read(folder / "pyproject.toml")
            if content is not None:
                table, pins = content["tool"]["bridge"], _pins(content)
                return Project(folder, table, pins, name=_name(content))
        content = _read(_SHIPPED)
        if content is None:
            return Project(first)
        table = dict(content["tool"]["bridge"])
        changes = dict(table.pop("installed", {}))
        lacking = changes.pop("without", ())
        table = {k: v for k, v in (table | changes).items() if k not in lacking}
        return Project(_CHECKOUT, table, _pins(content), first, _name(content))

    def setting(self, key: str) -> Any:
        """The value of a key.

        Raises:
            HarnessError: It isn't there.
        """
        if key not in self.table:
            if self.installed_for is not None:
                raise HarnessError(
                    f"`{key}` is not part of the installed package, only of its source:"
                    " run this command in a checkout"
                )
            raise HarnessError(
                f"`{key}` is missing in the table [tool.bridge] of"
                f" `{self.root / 'pyproject.toml'}`"
            )
        return self.table[key]

    def folder(self, key: str) -> Path:
        """The folder that a key names."""
        return self.root / self.setting(key)

    @property
    def evidence(self) -> Path:
        """The folder of the evidence, which results are written to."""
        return (self.installed_for or self.root) / self.setting("evidence")

    @property
    def default_file(self) -> Path:
        """The file that names the default preset, as `defaults: [<preset>]`."""
        return self.folder("switches") / "current.yaml"

    @property
    def presets(self) -> Mapping[str, Sequence[str]]:
        """The ladders that each preset must pass, in the order of the migration."""
        return self.setting("presets")

    @cached_property
    def ladders(self) -> Mapping[str, str]:
        """Where each ladder is, `module:object` by name."""
        return load_object(self.setting("ladders"))

    def ladder(self, name: str) -> Ladder:
        """The ladder of a name, or at `module:object`.

        Raises:
            HarnessError: There is none.
        """
        if ":" not in name and name not in self.ladders:
            raise HarnessError(
                f"there is no ladder `{name}`; allowed: {', '.join(self.ladders)}, or"
                " `module:object`"
            )
        ladder = load_object(self.ladders.get(name, name))
        if not isinstance(ladder, Ladder):
            raise HarnessError(f"`{name}` is a {type(ladder).__name__}, not a Ladder")
        return ladder

    def chosen(self, name: str) -> dict[str, Ladder]:
        """All ladders for `all`, or one of them, as they are asked for."""
        names = list(self.ladders) if name == "all" else [name]
        return {n: self.ladder(n) for n in names}

    def prepare(self) -> None:
        """Pins threads and silences libraries, as the project says."""
        if "prepare" in self.table:
            load_object(self.setting("prepare"))()
