"""Composes a configuration and words as a run does, and says what is wrong with them.

The entry point composes by `hydra.main`; what judges a run's own words composes here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from bridge.composing import COMPOSITION_ERRORS, composition_message
from experiment.settings import Settings, check_settings
from experiment.system import SettingsError, resource

CONF = resource("conf")
#: What a run without a name takes.
DEFAULT = "burgers.yaml"
_GRID = ("model.physical.domain", "model.physical.resolution")
#: Tables by axis, each with all that lose an axis together. What an override leaves out
#: of one of these, Hydra keeps.
_BY_AXIS = {
    **dict.fromkeys(_GRID, _GRID),
    "data.observations.space.box": ("data.observations.space.box",),
}


def composed(
    name: str | None, words: Sequence[str], folder: str | None = None
) -> Settings:
    """The settings of `run.py --config-name=<name> <words>`.

    Args:
        name: The configuration; `burgers.yaml` by default.
        words: Overrides, `key=value`.
        folder: Another folder with configurations (`--config-dir`).

    Raises:
        SettingsError: As a run would end.
    """
    name = name or DEFAULT
    first, others = CONF, []
    if folder is not None:
        # Hydra looks for the configuration itself in one folder alone.
        own = Path(folder).resolve()
        inside = (own / name).with_suffix(".yaml").is_file()
        first, second = (own, CONF) if inside else (CONF, own)
        others = [f"hydra.searchpath=[file://{second}]"]
    try:
        with initialize_config_dir(str(first), version_base="1.3"):
            config = compose(name, [*others, *words])
            values = OmegaConf.to_container(config, resolve=True)
    except COMPOSITION_ERRORS as error:
        raise SettingsError(composition_message(error)) from error
    refuse_merged(config, words)
    return check_settings(cast(dict[str, Any], values))


def refuse_merged(config: DictConfig, given: Sequence[str]) -> None:
    """Refuses a table of axes that Hydra merged into the one that was there.

    Raises:
        SettingsError: Axes that the command line left out are still there; says how to
            remove them.
    """
    overrides = OverridesParser.create().parse_overrides(list(given))
    # An axis that the command line itself gives is meant.
    meant = {str(o.key_or_group) for o in overrides if not o.is_delete()}
    for override in overrides:
        key, value = str(override.key_or_group), override.value()
        if override.is_delete() or not isinstance(value, dict):
            continue
        for table, axes in _tables(key, value).items():
            there = OmegaConf.select(config, table) or {}
            kept = [a for a in there if a not in axes and f"{table}.{a}" not in meant]
            if table in _BY_AXIS and axes and kept:
                tables = _BY_AXIS[table]
                away = " ".join(f"~{above}.{a}" for a in kept for above in tables)
                raise SettingsError(
                    f"`{override.input_line}` leaves out {', '.join(kept)}, which is"
                    f" still there: Hydra merges a table into the one of the"
                    f" configuration. For {', '.join(axes)} alone add `{away}`; else"
                    " give every axis."
                )


def _tables(key: str, value: dict[Any, Any]) -> dict[str, list[str]]:
    """Keys of every table in an override's value, by the table's own key."""
    found = {key: [str(k) for k in value]}
    for name, inner in value.items():
        if isinstance(inner, dict):
            found |= _tables(f"{key}.{name}", inner)
    return found
