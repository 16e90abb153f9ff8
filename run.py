"""The entry point: `python run.py --config-name=burgers.yaml [key=value ...]`.

Hydra composes `conf/`, `experiment` checks the result, and `bridge` puts the
components together; nothing behind this file knows Hydra.
"""

import logging
import os
import sys
import warnings
from typing import Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.logging import RichHandler

from experiment.run import console, run_tasks
from experiment.settings import COMPONENTS, check_settings, key_hint
from experiment.system import (
    Progress,
    SettingsError,
    UserError,
    keep_freed_memory,
    spelling_hint,
)

# PhiML compiles with torch.jit.trace, which torch 2.13 calls deprecated.
warnings.filterwarnings("ignore", message="`torch.jit", category=DeprecationWarning)

_GRID = ("model.physical.domain", "model.physical.resolution")
#: Tables by axis, each with all that lose an axis together. What an override leaves out
#: of one of these, Hydra keeps.
_BY_AXIS = {
    **dict.fromkeys(_GRID, _GRID),
    "data.observations.space.box": ("data.observations.space.box",),
}
#: What went wrong outside, a run each (a multirun has several).
_FAILED: list[UserError] = []


@hydra.main(version_base="1.3", config_path="conf", config_name=None)
def _run(config: DictConfig) -> None:
    shown = console()
    _log_to_console(shown)
    try:
        _checked_run(config, Progress(shown))
    except UserError as error:
        # Not raised through Hydra, which would print the whole command line too.
        _FAILED.append(error)
        print(f"error: {error}", file=sys.stderr)


def _checked_run(config: DictConfig, progress: Progress) -> None:
    _refuse_merged(config, [str(o) for o in HydraConfig.get().overrides.task])
    values = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    settings = check_settings(values)
    # torch takes seconds to import; a wrong setting is answered before.
    from bridge.assemble import build_components

    run_tasks(settings, build_components(settings, _reasons()), progress)


def _refuse_merged(config: DictConfig, given: list[str]) -> None:
    """Refuses a table of axes that Hydra merged into the one that was there.

    Raises:
        SettingsError: Axes that the command line left out are still there; says how to
            remove them.
    """
    overrides = OverridesParser.create().parse_overrides(given)
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


def _reasons() -> dict[str, str]:
    """Why each component has its switch value: preset, command line or default."""
    chosen = HydraConfig.get()
    given = [str(o) for o in chosen.overrides.task]
    preset = chosen.runtime.choices["migration"]
    reasons = {}
    for switch in COMPONENTS:
        if any(o.startswith(f"migration.{switch.name}=") for o in given):
            reasons[switch.name] = "the command line"
        elif any(o.startswith("migration=") for o in given):
            reasons[switch.name] = f"the preset {preset}"
        else:
            reasons[switch.name] = "default (conf/migration/current.yaml)"
    return reasons


def main() -> None:
    """Runs, and ends with status 2 and one message if something is wrong outside."""
    keep_freed_memory()
    # Hydra would print and end by itself; the messages below say more.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    if not any(word.startswith(("--config-name", "-cn")) for word in sys.argv[1:]):
        sys.argv.insert(1, "--config-name=burgers.yaml")
    try:
        _run()
    except (HydraException, OmegaConfBaseException) as error:
        _end(_composition_message(error))
    except KeyboardInterrupt:
        _end("interrupted; what was written is whole.", 130)
    if _FAILED:
        sys.exit(_FAILED[0].status)


def _log_to_console(shown: Console) -> None:
    # After Hydra's own set-up, which takes the handlers of others away.
    handler = RichHandler(
        console=shown, show_path=False, show_level=False, log_time_format="%H:%M:%S"
    )
    logging.basicConfig(
        level=logging.WARNING, handlers=[handler], format="%(message)s", force=True
    )
    for room in ("experiment", "legacy", "phiml_port", "bridge"):
        logging.getLogger(room).setLevel(logging.INFO)
    # PhiML announces its backend at level INFO, through a handler of its own.
    logging.getLogger("Φ-ML").setLevel(logging.WARNING)


def _composition_message(error: Exception) -> str:
    """What Hydra could not compose, with the nearest spelling of an unknown key."""
    cause = error.__cause__
    key = getattr(cause, "full_key", None)
    node = getattr(cause, "parent_node", None)
    if isinstance(cause, OmegaConfBaseException) and key and node is not None:
        name = key.rsplit(".", 1)[-1]
        hint = spelling_hint(name, [str(k) for k in node])
        if not hint.startswith("did you mean"):
            whole = OmegaConf.to_container(node._get_root(), resolve=False)
            hint = key_hint(key, cast(dict[str, Any], whole))
        return f"`{key}` is no setting: {hint}"
    return str(error)


def _end(message: str, status: int = 2) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
