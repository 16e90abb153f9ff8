"""Whether data that another program made fit the settings."""

from collections.abc import Iterator

import numpy as np

from experiment.data.importing.source import Source
from experiment.settings import Settings
from experiment.system import SceneError, spelling_hint

#: Relative; positions are often stored in 32 bits.
_TOLERANCE = 1e-4


def check_source(source: Source, settings: Settings) -> dict[str, str]:
    """Checks everything that can be known before the values are read.

    Returns:
        The source's name of every field of `data.fields`.

    Raises:
        SceneError: A field or a simulation is missing, or the box or `dt` is another.
    """
    data, physical = settings.data, settings.model.physical
    names = {field: _name_there(field, settings) for field in data.fields}
    for field, name in names.items():
        if name not in source.fields:
            raise SceneError(
                f"`{source.path}` holds no field `{name}`:"
                f" {spelling_hint(name, source.fields)} Say what it is called there"
                f" with `'data.source_names={{{field}: ...}}'`."
            )
        count = source.simulations(name)
        if count < data.num_simulations:
            raise SceneError(
                f"`{source.path}` holds {count} simulations of `{name}`;"
                f" `data.num_simulations` is {data.num_simulations}. Set"
                f" `data.num_simulations={count}`, and `trainer.train_sim`,"
                " `trainer.val_sim` and `evaluation.test_sim` to numbers below it."
            )
    stated = source.domain
    if stated is not None and tuple(stated) != physical.axes:
        raise SceneError(
            f"`{source.path}` has the axes {', '.join(stated)}; `model.physical.domain`"
            f" has {', '.join(physical.axes)}."
        )
    for axis, size in physical.domain.items():
        there = size if stated is None else stated[axis]
        if not np.isclose(there, size, rtol=_TOLERANCE):
            raise SceneError(
                f"the box of `{source.path}` is {there:g} long in {axis};"
                f" `model.physical.domain.{axis}` is {size:g}."
            )
    dt = source.dt
    if dt is not None and not np.isclose(dt, physical.dt, rtol=_TOLERANCE):
        raise SceneError(
            f"the frames of `{source.path}` are {dt:g} apart; `model.physical.dt` is"
            f" {physical.dt:g}."
        )
    return names


def _name_there(field: str, settings: Settings) -> str:
    return (settings.data.source_names or {}).get(field, field)


def unstated(source: Source, settings: Settings) -> Iterator[str]:
    """What the source doesn't say, and what is taken for it; a sentence each."""
    physical, data = settings.model.physical, settings.data
    missing = ["units (taken as m, s and the units of `model.physical`)"]
    if source.dt is None:
        missing.append(f"time between frames (`model.physical.dt` = {physical.dt:g} s)")
    if source.domain is None:
        sizes = ", ".join(f"{axis}: {size:g}" for axis, size in physical.domain.items())
        missing.append(f"size of the box (`model.physical.domain` = {{{sizes}}} m)")
    if not source.boundaries:
        missing.append("boundary (taken as periodic)")
    yield f"`{source.path}` doesn't say: {'; '.join(missing)}."
    others = sorted({*source.boundaries} - {"periodic"})
    if others:
        yield (
            f"`{source.path}` has the boundaries {', '.join(others)}; the physical"
            " model here is periodic and will be wrong near them."
        )
    count = source.simulations(_name_there(data.fields[0], settings))
    if count > data.num_simulations:
        yield (
            f"`{source.path}` holds {count} simulations; the first"
            f" {data.num_simulations} are imported (`data.num_simulations`)."
        )


def checked_field(
    source: Source, field: str, name: str, simulation: int, settings: Settings
) -> np.ndarray:
    """A field of a simulation, checked, in `data.precision`.

    Returns:
        `(time, x, y, ..., vector)`, without the last axis for a scalar: the first
        `data.trajectory_length` frames, or one of a field that never changes.

    Raises:
        SceneError: It has another shape or type, too few frames, a value that is not
            finite, or changes where it must not.
    """
    values = source.read(name, simulation)
    what = f"`{name}` of simulation {simulation} in `{source.path}`"
    if values.dtype.kind not in "fiu":
        raise SceneError(f"{what} is of type {values.dtype}; expected real numbers.")
    physical = settings.model.physical
    components = physical.fields[field]
    grid = tuple(physical.resolution.values())
    shape = (*grid, len(components)) if components else grid
    frame = values.shape[1:]
    # One component may have an axis of its own or not.
    if frame in {grid, (*grid, 1)} and len(components) <= 1:
        values = values.reshape(len(values), *shape)
    elif frame != shape:
        raise SceneError(
            f"{what} has frames of the shape {frame}; expected {shape} (cells along"
            f" {', '.join(physical.axes)} as in `model.physical.resolution`"
            + (f", components {', '.join(components)})." if components else ").")
        )
    constant = field in physical.constant_fields
    wanted = 1 if constant else settings.data.trajectory_length
    if len(values) < wanted:
        raise SceneError(
            f"{what} has {len(values)} frames; `data.trajectory_length` is {wanted}."
            f" Set it to at most {len(values)}."
        )
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        raise SceneError(
            f"{what} holds NaN or infinity, first at frame {bad[0][0]}, cell"
            f" {tuple(int(i) for i in bad[0][1 : 1 + len(grid)])}; expected finite"
            " numbers."
        )
    if constant and (values != values[:1]).any():
        raise SceneError(
            f"{what} changes in time; in {physical.name} `{field}` never does. Take"
            " another `model/physical`, or leave it out of `data.fields`."
        )
    cast = values[:wanted]
    with np.errstate(over="ignore"):
        cast = cast.astype(settings.data.precision)
    if not np.isfinite(cast).all():
        raise SceneError(
            f"{what} holds values that {settings.data.precision} can't; set"
            " `data.precision=float64`."
        )
    return cast
