"""The entry point: `hyco --config-name=burgers.yaml [key=value ...]`, or run.py.

Hydra composes `conf/`, `experiment` checks the result, and `bridge` puts the
components together; nothing behind this file knows Hydra. A folder of one's own,
`--config-dir=FOLDER`, is looked through first, what this program ships after it.
"""

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.logging import RichHandler

from bridge.composing import COMPOSITION_ERRORS, HYDRA_ERRORS, composition_message
from bridge.configuration import refuse_merged
from experiment.run import console, run_tasks
from experiment.settings import COMPONENTS, check_settings, leaves
from experiment.system import Progress, UserError, keep_freed_memory, resource

# PhiML compiles with torch.jit.trace, which torch 2.13 calls deprecated.
warnings.filterwarnings("ignore", message="`torch.jit", category=DeprecationWarning)

_CONF = str(resource("conf"))
_CONFIG_PATH = ("--config-path", "-cp")
#: What went wrong outside, a run each (a multirun has several).
_FAILED: list[UserError] = []
#: The process that was started from the command line; none in a worker of a launcher.
_STARTED: list[int] = []
#: The processes that got a configuration to run.
_BEGUN: list[int] = []


class _Shipped(SearchPathPlugin):
    """Keeps what is shipped where `--config-path` takes its place."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if all(element.path != _CONF for element in search_path.get_path()):
            search_path.append("hyco", f"file://{_CONF}")


@hydra.main(version_base="1.3", config_path=_CONF, config_name=None)
def _run(config: DictConfig) -> None:
    _BEGUN.append(os.getpid())
    keep_freed_memory()
    shown = console()
    _log_to_console(shown)
    try:
        _checked_run(config, Progress(shown))
    except UserError as error:
        # Not raised through Hydra, which would print the whole command line too.
        print(f"error: {error}", file=sys.stderr)
        if os.getpid() not in _STARTED:
            # A launcher's worker: Hydra takes it to the process that waits for it.
            raise
        _FAILED.append(error)


def _checked_run(config: DictConfig, progress: Progress) -> None:
    given = [str(o) for o in HydraConfig.get().overrides.task]
    refuse_merged(config, given)
    values = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    settings = check_settings(values, given_keys(given))
    # torch takes seconds to import; a wrong setting is answered before.
    from bridge.assemble import build_components

    run_tasks(settings, build_components(settings, _reasons()), progress)


def given_keys(given: list[str]) -> list[str]:
    """Keys that overrides give a value; a group that they choose is one of them."""
    keys: list[str] = []
    for override in OverridesParser.create().parse_overrides(given):
        if override.is_delete():
            continue
        key, value = str(override.key_or_group).replace("/", "."), override.value()
        table = isinstance(value, dict)
        keys += [f"{key}.{name}" for name, _ in leaves(value)] if table else [key]
    return keys


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
    _STARTED.append(os.getpid())
    Plugins.instance().register(_Shipped)
    sys.argv[1:] = _from_here(sys.argv[1:])
    # Hydra would print and end by itself; the messages below say more.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    if not any(word.startswith(("--config-name", "-cn")) for word in sys.argv[1:]):
        sys.argv.insert(1, "--config-name=burgers.yaml")
    try:
        _run()
    except COMPOSITION_ERRORS as error:
        # Interpolations are resolved when a run has begun; what else it raises then is
        # no matter of the configuration.
        if _BEGUN and not isinstance(error, HYDRA_ERRORS):
            raise
        _end(composition_message(error))
    except UserError as error:
        _end(f"a run of several failed: {error}", error.status)
    except KeyboardInterrupt:
        _end("interrupted; what was written is whole.", 130)
    if _FAILED:
        sys.exit(_FAILED[0].status)


def _from_here(words: list[str]) -> list[str]:
    """A relative `--config-path` starts here, not where this file was installed."""
    found, after = [], ""
    for word in words:
        name, equals, path = word.partition("=")
        if name in _CONFIG_PATH and equals and "://" not in path:
            word = f"{name}={Path(path).absolute()}"
        elif after in _CONFIG_PATH and "://" not in word:
            word = str(Path(word).absolute())
        found.append(word)
        after = name if not equals else ""
    return found


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


def _end(message: str, status: int = 2) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
