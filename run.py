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
from yaml import MarkedYAMLError, YAMLError

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

#: Tables by axis. What an override leaves out of one of these, Hydra keeps.
_BY_AXIS = ("model.physical.domain", "model.physical.resolution")
#: What went wrong outside, a run each (a multirun has several).
_FAILED: list[UserError] = []
#: What reading a configuration file that is no YAML raises, beside Hydra's own errors:
#: syntax, encoding, nesting, values and keys that YAML has and a configuration hasn't.
COMPOSITION_ERRORS = (
    *(HydraException, OmegaConfBaseException, YAMLError, UnicodeError, RecursionError),
    *(ValueError, TypeError, AttributeError, KeyError, AssertionError, OSError),
)
#: Runs that were composed: an error after that is none of the configuration.
_BEGUN: list[str] = []


@hydra.main(version_base="1.3", config_path="conf", config_name=None)
def _run(config: DictConfig) -> None:
    _BEGUN.append(str(config.general.get("experiment_name", "")))
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
                away = " ".join(f"~{above}.{a}" for a in kept for above in _BY_AXIS)
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
    except COMPOSITION_ERRORS as error:
        # Interpolations are resolved when a run has begun.
        if _BEGUN and not isinstance(error, (HydraException, OmegaConfBaseException)):
            raise
        _end(composition_message(error))
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


def composition_message(error: Exception) -> str:
    """What Hydra could not compose, with the nearest spelling of an unknown key."""
    unreadable = _unreadable(error)
    if unreadable is not None:
        return unreadable
    cause = error.__cause__
    key = getattr(cause, "full_key", None)
    node = getattr(cause, "parent_node", None)
    # A node that is null or holds an interpolation has no keys.
    if isinstance(cause, OmegaConfBaseException) and key and _keys(node):
        name = key.rsplit(".", 1)[-1]
        hint = spelling_hint(name, _keys(node))
        if not hint.startswith("did you mean"):
            hint = key_hint(key, _whole(node))
        return f"`{key}` is no setting: {hint}"
    every = [error, error.__cause__, error.__context__]
    said = [text for text in (str(e or "").strip() for e in every) if text]
    return said[0] if said else f"the configuration can't be put together ({error!r})"


def _keys(node: Any) -> list[str]:
    """Of a table; what is null, missing or an interpolation has none."""
    if not isinstance(node, DictConfig) or node._is_none() or node._is_missing():
        return []
    return [] if node._is_interpolation() else [str(key) for key in node]


def _whole(node: Any) -> dict[str, Any]:
    whole = OmegaConf.to_container(node._get_root(), resolve=False)
    return cast(dict[str, Any], whole) if isinstance(whole, dict) else {}


def _unreadable(error: BaseException) -> str | None:
    """Says which file is no YAML and where, if that is what is wrong."""
    remedy = "Mend the file, or take another with `--config-name`."
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        if isinstance(error, MarkedYAMLError):
            mark = error.problem_mark or error.context_mark
            place = f" `{mark.name}`, line {mark.line + 1}" if mark else ""
            what = error.problem or error.context
            return f"the configuration{place} is no YAML: {what}. {remedy}"
        if isinstance(error, YAMLError | UnicodeError | RecursionError):
            what = str(error).replace("\n", " ")
            return (
                f"a configuration file is no YAML in UTF-8 ({what[:300]}): the one that"
                f" `--config-name` names, or one that it chooses. {remedy}"
            )
        error = error.__cause__ or error.__context__ or error
    if isinstance(seen[0], HydraException | OmegaConfBaseException):
        return None
    what = f"{type(seen[0]).__name__}: {str(seen[0])[:300]}"
    return f"the configuration can't be put together ({what}). {remedy}"


def _end(message: str, status: int = 2) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
