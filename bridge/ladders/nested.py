"""Settings as nested tables: one key of them, and what ties a run to a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def put(
    nested: dict[str, Any], key: str, value: Any, *, only_known: bool = False
) -> None:
    """Sets a setting by its whole key.

    Args:
        nested: Groups of settings; changed.
        key: Such as `trainer.synthetic.epochs`.
        value: Its value.
        only_known: Leaves out what isn't there, as another equation's parameter.
    """
    *path, last = key.split(".")
    group: Any = nested
    for part in path:
        if only_known and (not isinstance(group, dict) or part not in group):
            return
        group = group[part]
    if not only_known or last in group:
        group[last] = value


def settle(nested: dict[str, Any], folder: Path, sides: Mapping[str, str]) -> None:
    """Puts all that a run writes below a folder, and each component on a side.

    Args:
        nested: Groups of settings; changed.
        folder: The folder.
        sides: The switch value of every component.
    """
    for key, place in (
        ("general.run_dir", "runs"),
        ("general.checkpoint_dir", "checkpoints"),
        ("data.data_dir", "data"),
    ):
        put(nested, key, str(folder / place))
    if nested["cache"]["dir"] is not None:
        put(nested, "cache.dir", str(folder / "cache"))
    for component, side in sides.items():
        put(nested, f"migration.{component}", side)
