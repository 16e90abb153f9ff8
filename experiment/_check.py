"""The door: plain nested dicts become checked, frozen settings, or one message."""

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from experiment._channels import ChannelPlan
from experiment._errors import SettingsError, nearest
from experiment._expressions import evaluate_expression
from experiment._grids import grid_positions
from experiment._parameters import parameter_range
from experiment._settings import (
    COMPONENTS,
    Advection,
    Burgers,
    Settings,
)

_ADAPTER = TypeAdapter(Settings)
#: The sides that exist for each component; grows with the migration.
BUILT = {
    "model": ("legacy", "phiml"),
    "trainer": ("legacy", "phiml"),
    "data": ("legacy", "phiml"),
    "physics": ("legacy", "phiml"),
    "hybrid": ("legacy", "phiml"),
}


def built_sides(component: str) -> tuple[str, ...]:
    """The switch values of a component that can be run."""
    return BUILT[component]


def check_settings(values: Mapping[str, Any]) -> Settings:
    """Makes `Settings` from nested dicts, lists and scalars.

    Raises:
        SettingsError: One message that names every unknown key (with the nearest
            spelling), wrong type and impossible value, with what was got and what is
            allowed.
    """
    _refuse_unserialisable(values)
    try:
        # JSON mode is strict about types and still makes tuples from lists.
        settings = _ADAPTER.validate_json(json.dumps(values))
    except ValidationError as error:
        raise SettingsError(_message(error, values)) from error
    problems = [*_impossible(settings)]
    if problems:
        raise SettingsError(_listed(problems))
    return settings


def plain(settings: Settings) -> dict[str, Any]:
    """Settings as nested dicts, lists and scalars (the inverse of `check_settings`)."""
    return json.loads(_ADAPTER.dump_json(settings))


def settings_warnings(settings: Settings) -> list[str]:
    """What is allowed and yet is probably not meant, a sentence each."""
    seen = set(settings.trainer.train_sim) | set(settings.trainer.val_sim)
    both = sorted(seen & set(settings.evaluation.test_sim))
    warnings = []
    if both:
        warnings.append(
            f"simulations {both} are in `evaluation.test_sim` and in"
            " `trainer.train_sim` or `trainer.val_sim`: the evaluation is not of"
            " unseen data"
        )
    leaked = sorted(set(settings.trainer.train_sim) & set(settings.trainer.val_sim))
    if leaked:
        warnings.append(
            f"simulations {leaked} are in `trainer.train_sim` and in"
            " `trainer.val_sim`: the validation loss is not of unseen data"
        )
    return warnings


def _refuse_unserialisable(values: Mapping[str, Any]) -> None:
    for key, value in _leaves(values):
        if isinstance(value, str) and value == "???":
            raise SettingsError(f"`{key}` has no value; the experiment must give one.")
        if value is not None and not isinstance(value, (str, int, float, bool, list)):
            raise SettingsError(
                f"`{key}` is of type {type(value).__name__}; expected a number, a"
                " word, true, false, null, a list or a group of keys."
            )


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        key = f"{above}{name}"
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


def _message(error: ValidationError, values: Mapping[str, Any]) -> str:
    problems = []
    items = error.errors(include_url=False)
    places = [item["loc"] for item in items]
    for item in items:
        own = item["loc"]
        # A list whose entries are wrong counts as too short as well.
        if any(p != own and p[: len(own)] == own for p in places):
            continue
        path = _real_path(item["loc"], values)
        key = ".".join(path)
        got = json.dumps(item["input"])
        match item["type"]:
            case "unexpected_keyword_argument":
                problems.append(f"`{key}` is no setting: {_spelling(path, values)}")
            case "missing" | "missing_argument":
                problems.append(f"`{key}` is missing; add it to your configuration.")
            case "literal_error":
                expected = item.get("ctx", {}).get("expected", "")
                problems.append(f"`{key}` is {got}; allowed: {expected}.")
            case "union_tag_invalid":
                expected = item.get("ctx", {}).get("expected_tags", "")
                got = json.dumps(item["input"].get("name"))
                problems.append(f"`{key}.name` is {got}; allowed: {expected}.")
            case "too_short":
                problems.append(f"`{key}` is {got}; expected at least one entry.")
            case _:
                expected = item["msg"].removeprefix("Input should be ")
                expected = expected.replace("a valid array", "a list, such as [1, 2]")
                problems.append(f"`{key}` is {got}; expected {expected}.")
    return _listed(list(dict.fromkeys(problems)))


def _listed(problems: list[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return f"{len(problems)} settings are wrong:\n  " + "\n  ".join(problems)


def _real_path(
    location: tuple[str | int, ...], values: Mapping[str, Any]
) -> tuple[str, ...]:
    """The keys of a location without the union tags that pydantic puts between."""
    path: list[str] = []
    here: Any = values
    for i, part in enumerate(location):
        last = i == len(location) - 1
        if isinstance(here, Mapping) and part in here:
            here = here[part]
            path.append(str(part))
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
            path[-1] += f"[{part}]"
        elif last and isinstance(here, Mapping) and _is_key(str(part)):
            path.append(str(part))
    return tuple(path)


def _is_key(part: str) -> bool:
    # Tags are class and type names (`constrained-str`, `list[int]`, `burgers`).
    return part.isidentifier() and part not in ("burgers", "advection", "int", "str")


def _spelling(path: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """The nearest key of the same group, or else of any group."""
    siblings = _siblings(path[:-1], values)
    hint = nearest(path[-1], siblings)
    return (
        hint if hint.startswith("did you mean") else nearest_key(".".join(path), values)
    )


def nearest_key(unknown: str, values: Mapping[str, Any]) -> str:
    """The key anywhere in `values` whose last word is nearest to that of `unknown`."""
    by_word: dict[str, str] = {}
    for key, _ in _leaves(values):
        if key != unknown:
            by_word.setdefault(key.rsplit(".", 1)[-1], key)
    hint = nearest(unknown.rsplit(".", 1)[-1], by_word)
    for word, key in by_word.items():
        if hint == f"did you mean `{word}`?":
            return f"did you mean `{key}`?"
    return "nothing is spelt like it; see conf/base.yaml."


def _siblings(path: tuple[str, ...], values: Mapping[str, Any]) -> list[str]:
    """The settings that exist in the group `path`."""
    kind: Any = Settings
    here: Any = values
    for part in path:
        here = here.get(part, {}) if isinstance(here, Mapping) else {}
        kind = _field_types(kind).get(part)
        if part == "physical":
            kind = {"burgers": Burgers, "advection": Advection}.get(here.get("name"))
        if kind is None:
            return []
    return list(_field_types(kind))


def _field_types(kind: Any) -> dict[str, Any]:
    if not dataclasses.is_dataclass(kind):
        return {}
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _impossible(settings: Settings) -> Iterator[str]:
    """What each value alone allows and all of them together do not."""
    yield from _impossible_switches(settings)
    yield from _impossible_processes(settings)
    yield from _impossible_fields(settings)
    grid = [*_impossible_grid(settings)]
    yield from grid
    if not grid:
        yield from _impossible_parameters(settings)
    yield from _impossible_simulations(settings)
    yield from _impossible_architecture(settings)


def _impossible_parameters(settings: Settings) -> Iterator[str]:
    names = [p.name for p in settings.trainer.physical.learnable_parameters]
    for parameter in settings.trainer.physical.learnable_parameters:
        try:
            parameter_range(settings, parameter)
        except SettingsError as error:
            yield str(error)
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        yield (
            f"`trainer.physical.learnable_parameters` names {', '.join(twice)} more"
            " than once."
        )


def _impossible_switches(settings: Settings) -> Iterator[str]:
    for switch in COMPONENTS:
        value = getattr(settings.migration, switch.component)
        built = BUILT[switch.component] or ("legacy",)
        if value not in built:
            yield (
                f"`migration.{switch.component}` is {value}, which is not built yet;"
                f" allowed now: {', '.join(built)}."
            )


def _impossible_processes(settings: Settings) -> Iterator[str]:
    migration = settings.migration
    on_jax = migration.physics == "phiml" and migration.phiml_backend == "jax"
    if on_jax and migration.data == "legacy" and settings.data.num_workers > 0:
        yield (
            f"`data.num_workers` is {settings.data.num_workers} with"
            " `migration.data=legacy` and `migration.phiml_backend=jax`: torch's loader"
            " forks processes, which locks up once JAX runs; use 0, `migration.data="
            "phiml`, or `migration.phiml_backend=torch`."
        )


def _impossible_fields(settings: Settings) -> Iterator[str]:
    data = settings.data
    scheme = data.fields_scheme
    offered = field_components(settings)
    for name in data.fields:
        if name not in offered:
            yield (
                f"`data.fields` has `{name}`, which {settings.model.physical.name}"
                f" doesn't have: {nearest(name, offered)}"
            )
    for role in ("dynamic", "static"):
        for name in getattr(scheme, role):
            if name not in data.fields:
                yield (
                    f"`data.fields_scheme.{role}` has `{name}`, which is not in"
                    f" `data.fields`: {nearest(name, data.fields)}"
                )
    for name in data.fields:
        roles = (name in scheme.dynamic) + (name in scheme.static)
        if roles != 1:
            yield (
                f"field `{name}` of `data.fields` must be in exactly one of"
                " `data.fields_scheme.dynamic` and `data.fields_scheme.static`; it is"
                f" in {'both' if roles else 'none'}."
            )
    for key, names in (
        ("data.fields", data.fields),
        ("data.fields_scheme.dynamic", scheme.dynamic),
        ("data.fields_scheme.static", scheme.static),
        ("trainer.train_sim", settings.trainer.train_sim),
        ("trainer.val_sim", settings.trainer.val_sim),
        ("evaluation.test_sim", settings.evaluation.test_sim),
    ):
        twice = sorted({str(n) for n in names if list(names).count(n) > 1})
        if twice:
            yield f"`{key}` names {', '.join(twice)} more than once."
    constant = constant_fields(settings)
    for name in scheme.dynamic:
        if name in constant:
            yield (
                f"`data.fields_scheme.dynamic` has `{name}`, which never changes in"
                f" {settings.model.physical.name}; put it into"
                " `data.fields_scheme.static`."
            )


def _impossible_grid(settings: Settings) -> Iterator[str]:
    physical = settings.model.physical
    if tuple(physical.domain) != tuple(physical.resolution):
        yield (
            f"`model.physical.resolution` has the axes {', '.join(physical.resolution)}"
            f", `model.physical.domain` {', '.join(physical.domain)}; expected the same"
            " axes in the same order."
        )
        return
    if tuple(physical.domain) != ("x", "y", "z")[: len(physical.domain)]:
        yield (
            f"`model.physical.domain` has the axes {', '.join(physical.domain)};"
            " expected x, or x and y, or x, y and z."
        )
        return
    if isinstance(physical, Advection) and len(physical.domain) == 1:
        yield (
            "`model.physical.domain` has one axis; advection carries its density by a"
            " divergence-free velocity, which needs at least x and y."
        )
    if isinstance(physical, Burgers):
        key = "model.physical.pde_params.viscosity"
        try:
            viscosity = evaluate_expression(
                physical.pde_params.viscosity, key, grid_positions(physical)
            )
        except SettingsError as error:
            yield str(error)
        else:
            if viscosity.min() < 0:
                yield (
                    f"`{key}` falls to {viscosity.min():.3g} m^2/s; a viscosity must"
                    " not be negative."
                )


def _impossible_simulations(settings: Settings) -> Iterator[str]:
    data = settings.data
    for key, indices in (
        ("trainer.train_sim", settings.trainer.train_sim),
        ("trainer.val_sim", settings.trainer.val_sim),
        ("evaluation.test_sim", settings.evaluation.test_sim),
    ):
        beyond = [i for i in indices if i >= data.num_simulations]
        if beyond:
            yield (
                f"`{key}` names simulations {beyond}; `data.num_simulations` is"
                f" {data.num_simulations}, so 0 to {data.num_simulations - 1} exist."
            )
    if settings.trainer.rollout_steps >= data.trajectory_length:
        yield (
            f"`trainer.rollout_steps` is {settings.trainer.rollout_steps}; a simulation"
            f" of `data.trajectory_length` = {data.trajectory_length} frames holds no"
            f" window; expected at most {data.trajectory_length - 1}."
        )
    if settings.evaluation.num_frames > data.trajectory_length:
        yield (
            f"`evaluation.num_frames` is {settings.evaluation.num_frames}; expected at"
            f" most `data.trajectory_length` = {data.trajectory_length}."
        )


def _impossible_architecture(settings: Settings) -> Iterator[str]:
    name = settings.model.synthetic.name
    architecture = settings.model.synthetic.architecture
    needed = ("levels", "filters") if name == "unet" else ("layers",)
    above = "model.synthetic.architecture"
    for key in ("levels", "filters", "layers"):
        value = getattr(architecture, key)
        if key in needed and value is None:
            yield (
                f"`{above}.{key}` is null, which {name} needs; choose the whole group"
                f" with `model/synthetic={name}`, or give a value."
            )
        if key not in needed and value is not None:
            yield (
                f"`{above}.{key}` is {json.dumps(value)}, which {name} doesn't read;"
                f" choose the whole group with `model/synthetic={name}`, or set null."
            )
    levels, filters = architecture.levels, architecture.filters
    if name != "unet" or levels is None or filters is None:
        return
    if isinstance(filters, tuple) and len(filters) != levels:
        yield (
            f"`{above}.filters` has {len(filters)} numbers; expected one number, or"
            f" `{above}.levels` = {levels} of them."
        )
    multiple = 2 ** (levels - 1)
    for axis, size in settings.model.physical.resolution.items():
        if size % multiple:
            smaller = max(size // multiple, 1) * multiple
            yield (
                f"`model.physical.resolution.{axis}` is {size}; a unet of {levels}"
                f" levels halves it {levels - 1} times, so it must be a multiple of"
                f" {multiple}, such as {smaller} or"
                f" {smaller + multiple}."
            )


def field_components(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The fields that the physical model offers, and the components of each."""
    axes = tuple(settings.model.physical.domain)
    if isinstance(settings.model.physical, Burgers):
        return {"velocity": axes, "viscosity": ()}
    return {"density": (), "velocity": axes}


def constant_fields(settings: Settings) -> tuple[str, ...]:
    """The fields that the physical model never changes."""
    if isinstance(settings.model.physical, Burgers):
        return ("viscosity",)
    return ("velocity",)


def channel_plan(settings: Settings) -> ChannelPlan:
    """The channels of the data and their roles, in config order."""
    offered = field_components(settings)
    scheme = settings.data.fields_scheme
    return ChannelPlan(
        fields={name: offered[name] for name in settings.data.fields},
        dynamic_fields=scheme.dynamic,
        inputs=settings.model.synthetic.architecture.inputs,
    )
