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
switches = "conf/migration"            # folder of the presets

[tool.bridge.presets]                  # in order: ladders to pass for each
legacy = []
step1 = ["step1"]
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bridge.harness.errors import HarnessError, load_object
from bridge.harness.ladder import Ladder


@dataclass(frozen=True)
class Project:
    """What a `pyproject.toml` says of the pairs in its project.

    Attributes:
        root: The folder of the file.
        table: Its table `[tool.bridge]`.
        pins: Its dependencies, as they stand there.
    """

    root: Path
    table: Mapping[str, Any] = field(default_factory=dict)
    pins: Sequence[str] = ()

    @staticmethod
    def find(start: Path | None = None) -> "Project":
        """The project of the nearest `pyproject.toml` with a table `[tool.bridge]`.

        Looked for in a folder and those above it, then where this program is.

        Args:
            start: The first folder; the current one by default.
        """
        first = (start or Path.cwd()).resolve()
        for folder in (first, *first.parents, Path(__file__).parents[2]):
            file = folder / "pyproject.toml"
            if not file.is_file():
                continue
            content = tomllib.loads(file.read_text())
            if "bridge" not in content.get("tool", {}):
                continue
            pins = content.get("project", {}).get("dependencies", ())
            return Project(folder, content["tool"]["bridge"], pins)
        return Project(first)

    def setting(self, key: str) -> Any:
        """The value of a key.

        Raises:
            HarnessError: It isn't there.
        """
        if key not in self.table:
            raise HarnessError(
                f"`{key}` is missing in the table [tool.bridge] of"
                f" `{self.root / 'pyproject.toml'}`"
            )
        return self.table[key]

    def folder(self, key: str) -> Path:
        """The folder that a key names."""
        return self.root / self.setting(key)

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
