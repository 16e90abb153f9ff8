"""Checks settings: nested dicts become checked, frozen settings, or one message."""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from experiment.equations import AXES, parameter_range
from experiment.settings.coarsening import (
    impossible_coarse_mask,
    impossible_coarsening,
    physics_equation,
)
from experiment.settings.comparing import impossible_comparison
from experiment.settings.disk import disk_problems, impossible_waves
from experiment.settings.masks import impossible_observations, observation_warnings
from experiment.settings.memory import memory_problems
from experiment.settings.messages import listed, message
from experiment.settings.model_checks import (
    impossible_architecture,
    impossible_switches,
)
from experiment.settings.plain import refuse_unserialisable
from experiment.settings.references import impossible_reference
from experiment.settings.run_checks import impossible_run
from experiment.settings.schema import Settings
from experiment.settings.training_checks import impossible_training
from experiment.settings.unread import given_in_vain
from experiment.settings.values import ADAPTER
from experiment.system import SettingsError, spelling_hint


def check_settings(values: Mapping[str, Any], given: Collection[str] = ()) -> Settings:
    """Makes `Settings` from nested dicts, lists and scalars.

    Args:
        values: A value for every key.
        given: Keys that the command line gives; a run must read them.

    Raises:
        SettingsError: One message that names every unknown key (with the nearest
            spelling), wrong type, impossible value and key that was given in vain,
            with what was got and what is allowed.
    """
    refuse_unserialisable(values)
    try:
        # JSON mode is strict about types and still makes tuples from lists.
        settings = ADAPTER.validate_json(json.dumps(values))
    except ValidationError as error:
        raise SettingsError(message(error, values)) from error
    problems = [*_impossible(settings), *given_in_vain(settings, given)]
    if problems:
        raise SettingsError(listed(problems))
    return settings


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
    warnings += observation_warnings(settings)
    return warnings


def _impossible(settings: Settings) -> Iterator[str]:
    """What each value alone allows and all of them together do not."""
    yield from impossible_switches(settings)
    yield from _impossible_processes(settings)
    yield from _impossible_fields(settings)
    yield from _impossible_import(settings)
    # First, as a grid that is too large could not even be looked at.
    grid = [*memory_problems(settings), *impossible_waves(settings)]
    grid += disk_problems(settings)
    grid = grid or [*_impossible_grid(settings)]
    yield from grid
    if not grid:
        coarse = [*impossible_coarsening(settings)]
        yield from coarse or _impossible_parameters(settings)
        unseen = [*impossible_observations(settings)]
        yield from unseen
        # Of observations that are themselves impossible there is no mask to look at.
        if not coarse and not unseen:
            yield from impossible_coarse_mask(settings)
    yield from _impossible_simulations(settings)
    yield from impossible_training(settings)
    yield from impossible_architecture(settings)
    yield from impossible_comparison(settings)
    yield from impossible_reference(settings)
    yield from impossible_run(settings)


def _impossible_parameters(settings: Settings) -> Iterator[str]:
    names = [p.name for p in settings.trainer.physical.learnable_parameters]
    for parameter in settings.trainer.physical.learnable_parameters:
        try:
            parameter_range(physics_equation(settings), parameter)
        except SettingsError as error:
            yield str(error)
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        yield (
            f"`trainer.physical.learnable_parameters` names {', '.join(twice)} more"
            " than once."
        )


def _missing_fields(settings: Settings) -> Iterator[str]:
    """Fields that a step of the PDE reads, and windows would not have."""
    mode, equation = settings.general.mode, settings.model.physical
    if mode not in ("physical", "hybrid", "compare"):
        return
    for name in equation.fields:
        if name not in settings.data.fields and name not in equation.parameters:
            yield (
                f"`data.fields` lacks `{name}`, from which the physical model of"
                f" {equation.name} computes the next frame (`general.mode={mode}`); add"
                f" it there and to `data.fields_scheme`, or use"
                " `general.mode=synthetic`."
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
    offered = settings.model.physical.fields
    for name in data.fields:
        if name not in offered:
            yield (
                f"`data.fields` has `{name}`, which {settings.model.physical.name}"
                f" doesn't have: {spelling_hint(name, offered)}"
            )
    for role in ("dynamic", "static"):
        for name in getattr(scheme, role):
            if name not in data.fields:
                yield (
                    f"`data.fields_scheme.{role}` has `{name}`, which is not in"
                    f" `data.fields`: {spelling_hint(name, data.fields)}"
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
    yield from _missing_fields(settings)
    constant = settings.model.physical.constant_fields
    for name in scheme.dynamic:
        if name in constant:
            yield (
                f"`data.fields_scheme.dynamic` has `{name}`, which never changes in"
                f" {settings.model.physical.name}; put it into"
                " `data.fields_scheme.static`."
            )


def _impossible_import(settings: Settings) -> Iterator[str]:
    tasks, data = settings.general.tasks, settings.data
    if "import" in tasks and data.source is None:
        yield (
            "`general.tasks` has import, and `data.source` is null; expected the path"
            " of what is to be imported."
        )
    if "import" in tasks and "generate" in tasks:
        yield (
            "`general.tasks` has import and generate; imported and simulated data"
            " don't mix. Take one of them."
        )
    if "export" in tasks and data.export is None:
        yield (
            "`general.tasks` has export, and `data.export` is null; expected the path"
            " of the NetCDF file that is to be written, such as mine.nc. (Forecasts and"
            " recovered parameters are written by the task evaluate, to"
            " `evaluation.export`.)"
        )
    if "export" in tasks and _same_file(data.export, settings.evaluation.export):
        yield (
            f"`data.export` and `evaluation.export` are both {data.export}; expected"
            " two files, one of simulations and one of forecasts."
        )
    for name in data.source_names or {}:
        if name not in data.fields:
            yield (
                f"`data.source_names` has `{name}`, which is not in `data.fields`:"
                f" {spelling_hint(name, data.fields)}"
            )


def _same_file(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return False
    return os.path.abspath(one) == os.path.abspath(other)


def _impossible_grid(settings: Settings) -> Iterator[str]:
    physical = settings.model.physical
    if tuple(physical.domain) != tuple(physical.resolution):
        yield (
            f"`model.physical.resolution` has the axes {', '.join(physical.resolution)}"
            f", `model.physical.domain` {', '.join(physical.domain)}; expected the same"
            " axes in the same order."
        )
        return
    if physical.axes != AXES[: len(physical.axes)]:
        yield (
            f"`model.physical.domain` has the axes {', '.join(physical.axes)};"
            " expected x, or x and y, or x, y and z."
        )
        return
    yield from physical.impossible()


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
    steps = settings.trainer.physical.rollout_steps
    if steps is not None and steps >= data.trajectory_length:
        yield (
            f"`trainer.physical.rollout_steps` is {steps}; a simulation of"
            f" `data.trajectory_length` = {data.trajectory_length} frames holds no such"
            f" window; expected at most {data.trajectory_length - 1}."
        )
    if settings.evaluation.num_frames > data.trajectory_length:
        yield (
            f"`evaluation.num_frames` is {settings.evaluation.num_frames}; expected at"
            f" most `data.trajectory_length` = {data.trajectory_length}."
        )
