"""What varies between the runs of the covering array: read off the settings' schema.

Every setting takes part by its type: a word all its words, a switch both, a number the
small one of the cases and the next. What that rule can't give stands in `SAMPLES`, and
what has one value everywhere stands in `FIXED`, with the reason.
"""

import dataclasses
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from bridge.ladders.entry_runs import BETWEEN, INSIDE, NEVER
from experiment.equations import EQUATIONS
from experiment.settings import COMPONENTS, SIDES, Settings

#: Settings that are the same in every row, and why.
FIXED = {
    "general.experiment_name": "names folders",
    "general.tasks": "a row generates, trains and evaluates",
    "general.run_dir": "names a folder",
    "general.run_name": "names a folder",
    "general.checkpoint_dir": "names a folder",
    "general.take_over": "about locks; tests/experiment/run",
    "general.device": "another machine",
    "general.num_threads": "sums are added in one order",
    "general.tensorboard": "writes the numbers of the history once more",
    "general.trace": "prints",
    "data.data_dir": "names a folder",
    "data.num_workers": "bitwise the same; tests/experiment/data",
    "data.overwrite": "about files that are there; tests/experiment/data",
    "data.source": "data of others; tests/experiment/data",
    "data.source_names": "data of others; tests/experiment/data",
    "data.export": "a copy of the data",
    "trainer.amp": "too coarse after an epoch; R4 of step1 and step2",
    "general.precision": "too coarse after an epoch; R3 to R5 of step1, R4 of step2",
    "data.precision": "rounds what both sides simulate; R8 of step3",
    "trainer.resume": "whether a row is stopped and resumed is a factor of its own",
    "trainer.extend": "about a run that ended; tests/experiment/training",
    "trainer.train_sim": "in no order, one more or less by data.num_simulations",
    "trainer.val_sim": "follows trainer.train_sim",
    "trainer.physical.tolerance": "a few iterations don't get there; P4 of physics",
    "trainer.physical.learnable_parameters": "the equation's own",
    "evaluation.test_sim": "follows trainer.train_sim",
    "evaluation.run": "names a run",
    "evaluation.output_dir": "names a folder",
    "evaluation.export": "a copy of the results; tests/experiment/evaluation",
    "model.physical.name": "comes with the configuration, which varies",
    "model.physical.domain": "comes with the configuration, which varies",
    "model.physical.dt": "comes with the configuration, which varies",
    "model.synthetic.architecture.kwargs": "of networks of one's own alone",
    "compare.seeds": "of general.mode=compare, which is several of these runs",
    "compare.redraw_data": "of general.mode=compare, which is several of these runs",
    "migration.phiml_backend": "minutes to compile; tests/phiml_port/physics",
    **{
        f"migration.sources.{component.name}.{side}": "another pair"
        for component in COMPONENTS
        for side in SIDES
    },
}
#: The value that the shipped configuration has.
CONFIGURED = "the configuration's"
#: Values of settings whose type is wider than what can be meant, or whose values depend
#: on each other.
SAMPLES: dict[str, tuple[Any, ...]] = {
    "general.mode": ("hybrid", "synthetic", "physical"),
    # Square or not; all that networks which halve their grid and coarse grids need.
    "model.physical.resolution": ("distinct", "square"),
    "data.fields": ("in order", "turned"),
    "data.fields_scheme": ("the other fields static", "no static field"),
    # Below and above what the port simulates at once.
    "data.num_simulations": (4, 9),
    # Below and above what the port solves at once.
    "trainer.physical.windows": (3, 6),
    "data.reference_refinement": (2, 3),
    "data.observations.time.fraction": (0.3, 0.5),
    "data.observations.time.every": (1, 2),
    "data.observations.time.frames": ((0, 1, 2, 4), (0, 1, 3, 4, 5)),
    "data.observations.space.box": ("left", "middle"),
    "data.observations.space.fraction": (0.5, 0.8),
    "data.observations.space.number": (5, 9),
    "data.observations.space.seed": (0, 5),
    "data.observations.space.file": ("sensors.csv",),
    "data.observations.noise": (0.0, 0.01),
    "cache.dir": (None, "cache"),
    "cache.ttl": (None, 100.0),
    "model.synthetic.architecture.levels": (1, 2),
    "model.synthetic.architecture.filters": (5, "one a level"),
    "model.synthetic.architecture.layers": ((5, 7), (5, 7, 5)),
    "model.physical.pde_params.viscosity": (CONFIGURED, 0.11),
    "model.physical.pde_params.diffusivity": (CONFIGURED, 0.11),
    "model.physical.pde_params.velocity_modulation": (CONFIGURED, 0.9),
    "trainer.synthetic.learning_rate": (1e-3, 3e-3),
    "trainer.synthetic.weight_decay": (0.0, 1e-3),
    "trainer.synthetic.clip_norm": (None, 0.1),
    "trainer.synthetic.input_noise": (0.0, 0.05),
    "trainer.synthetic.decay": (0.5, 0.3),
    "trainer.hybrid.alpha": (0.5, 1.0),
    "trainer.hybrid.trajectories": (None, 3),
    "trainer.hybrid.generated_frames": (None, 6),
    "trainer.hybrid.predicted_frames": (None, 5),
    "trainer.physical.rollout_steps": (None, 1, 3),
    "trainer.physical.regularisation_weight": (0.5, 0.1),
    "evaluation.laplace_rank": (0, 2),
}
_WEIGHT = "trainer.hybrid.weights"
SAMPLES |= {
    f"{_WEIGHT}.synthetic.real": (1.0, 0.8),
    f"{_WEIGHT}.synthetic.interaction": (1.0, 0.3),
    f"{_WEIGHT}.physical.real": (1.0, 1.2),
    f"{_WEIGHT}.physical.interaction": (0.001, 0.5),
}
#: What varies and is no setting: see `Row`.
SHIPPED, STOPPED = "the configuration", "stopped and resumed"
SIDE = "migration."
#: Shipped configurations that train something of their own.
CONFIGURATIONS = ("burgers", "advection", "heat", "burgers_1d", "advection_modulation")


@dataclass(frozen=True)
class Factor:
    """Something that varies between rows.

    Attributes:
        key: The setting, or what else varies.
        values: What it takes; the first is the plain one.
    """

    key: str
    values: tuple[Any, ...]


class UnknownRange(Exception):
    """A setting that nobody gave a second value or a reason."""


def factors_of(base: Settings) -> list[Factor]:
    """Everything that varies, of the settings of one small case.

    Raises:
        UnknownRange: A setting has one value everywhere, without a reason.
    """
    extra = [
        Factor(SHIPPED, CONFIGURATIONS),
        Factor(STOPPED, (NEVER, INSIDE, BETWEEN)),
        Factor("model.synthetic.name", ("unet", "resnet", "convnet")),
        *(Factor(f"{SIDE}{c.name}", ("phiml", "legacy")) for c in COMPONENTS),
    ]
    known = {factor.key for factor in extra}
    found = []
    for key, kind, value in _leaves("", Settings, base):
        if key in FIXED or key in known:
            continue
        values = SAMPLES.get(key) or tuple(_values(kind, value))
        if len(dict.fromkeys(values)) < 2 and key not in SAMPLES:
            raise UnknownRange(
                f"`{key}` would be {value!r} in every row of the covering array; give"
                " it values in SAMPLES, or a reason in FIXED"
                " (bridge/ladders/covering/factors.py)"
            )
        found.append(Factor(key, tuple(dict.fromkeys(values))))
    return [*extra, *found]


def _leaves(above: str, kind: Any, value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Key, type and value of every setting below one."""
    if above == "model.physical":
        kind = EQUATIONS[value.name]
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        key = f"{above}.{field.name}" if above else field.name
        own, inner = hints[field.name], getattr(value, field.name)
        is_table = dataclasses.is_dataclass(inner) and key not in SAMPLES
        if is_table:
            yield from _leaves(key, type(inner), inner)
        else:
            yield key, own, inner


def _values(kind: Any, value: Any) -> Iterator[Any]:
    """Values of a type, the small case's own first."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _values(get_args(kind)[0], value)
    elif origin in (Union, types.UnionType):
        inner = [k for k in get_args(kind) if k is not type(None)]
        yield value
        optional = len(inner) < len(get_args(kind))
        if optional and value is not None:
            yield None
        for one in inner:
            yield from _values(one, value)
    elif origin is Literal:
        yield from (value, *(v for v in get_args(kind) if v != value))
    elif isinstance(value, str) or kind is str:
        yield value
    elif kind is bool:
        yield from (value, not value)
    elif kind is int:
        yield from (1, 2) if value is None else (value, value + 1)
    elif kind is float:
        yield from (1.0, 2.0) if value is None else (value, value / 2 + 0.05)
    else:
        yield value
