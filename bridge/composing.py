"""What is wrong with a configuration that Hydra could not put together."""

from typing import Any, cast

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from experiment.settings import key_hint
from experiment.system import spelling_hint

#: Hydra's own errors.
HYDRA_ERRORS = (HydraException, OmegaConfBaseException)
#: What reading a configuration file that is no YAML raises beside these: of syntax,
#: encoding, nesting, values and keys that YAML has and a configuration hasn't.
COMPOSITION_ERRORS = (
    *(*HYDRA_ERRORS, YAMLError, UnicodeError, RecursionError),
    *(ValueError, TypeError, AttributeError, KeyError, AssertionError, OSError),
)


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
