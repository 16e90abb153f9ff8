"""A run's own words as the cases of a ladder: `[tool.bridge] words`.

The project names a function that takes a ladder and `Words`, and gives the ladder with
the cases and the settings of a run that is started with these words.
"""

from dataclasses import dataclass

from bridge.harness.errors import HarnessError, load_object
from bridge.harness.ladder import Ladder
from bridge.harness.project import Project

#: Sizes of the cases: small ones alone, or the run's own too.
SIZES = ("small", "run")


@dataclass(frozen=True)
class Words:
    """What a run is started with.

    Attributes:
        config: The name of its configuration; None for the project's default.
        overrides: Settings, `key=value`.
        folder: Another folder with configurations.
        sizes: One of `SIZES`.
    """

    config: str | None = None
    overrides: tuple[str, ...] = ()
    folder: str | None = None
    sizes: str = SIZES[0]

    def __bool__(self) -> bool:
        """Whether a run is meant, rather than the ladder's own cases."""
        return self != Words()

    def __str__(self) -> str:
        return " ".join(filter(None, (self.config, *self.overrides)))


def ladders_of(project: Project, name: str, words: Words) -> dict[str, Ladder]:
    """The ladders of a name, with the cases of some words if there are any.

    Raises:
        HarnessError: There is no such ladder, or it takes no words.
    """
    ladders = project.chosen(name)
    if not words:
        return ladders
    if "words" not in project.table:
        raise HarnessError(
            f"`{words}`: this project's ladders take no settings; name the function"
            " that makes cases of them as `words` in the table [tool.bridge]"
        )
    take = load_object(project.setting("words"))
    return {name: take(ladder, words) for name, ladder in ladders.items()}
