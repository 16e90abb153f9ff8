"""A row of the covering array: from the values that vary to checked settings."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bridge.configuration import composed
from bridge.ladders.covering.factors import (
    CONFIGURATIONS,
    CONFIGURED,
    SHIPPED,
    SIDE,
    STOPPED,
    Factor,
    factors_of,
)
from bridge.ladders.nested import put, settle
from experiment.settings import (
    ARCHITECTURES,
    COMPONENTS,
    Settings,
    check_settings,
    leaves,
    to_dict,
)
from experiment.settings.observations import SPACE_KINDS, TIME_KINDS
from experiment.settings.unread import given_in_vain
from experiment.system import SettingsError

#: Where the rows are kept; `python -m bridge.ladders.covering.search` writes it.
FILE = Path(__file__).with_name("rows.json")
_ARCHITECTURE = "model.synthetic.architecture"
_TIME, _SPACE = "data.observations.time", "data.observations.space"
#: Windows of a step, epochs, rounds and iterations of a small run.
COUNTS = {
    "trainer.batch_size": 3,
    "trainer.synthetic.epochs": 2,
    "trainer.physical.rounds": 1,
    "trainer.physical.iterations": 2,
    "trainer.hybrid.warm_up_epochs": 1,
    "trainer.hybrid.cycles": 1,
    "trainer.hybrid.epochs": 1,
    "trainer.hybrid.rounds": 1,
}
#: Small values of what has a size; each may be one more in a row.
_SMALL: dict[str, Any] = {
    **COUNTS,
    "general.experiment_name": "row",
    "general.precision": "float64",
    "data.precision": "float64",
    "data.trajectory_length": 6,
    "evaluation.num_frames": 5,
    "evaluation.laplace_rank": 0,
    "trainer.rollout_steps": 2,
    "trainer.rollout_start": 1,
    "trainer.synthetic.decay_epochs": 1,
    "trainer.physical.coarsening": 1,
    "model.physical.pde_params.diffusion_substeps": 1,
    "model.physical.pde_params.initial_wavenumber": 2,
    "model.physical.pde_params.speed_wavenumber": 1,
    "cache.open_simulations": 1,
}
#: Components that a mode doesn't use.
_UNUSED = {"physical": ("model", "trainer", "data", "hybrid"), "synthetic": ("hybrid",)}
_BOX = {"left": (0.0, 0.5), "middle": (0.3, 0.8)}


@dataclass(frozen=True)
class Row:
    """One run: a value for everything that varies."""

    values: Mapping[str, Any]

    def settings(self, folder: Path, *, control: bool = False) -> Settings:
        """The settings of its run.

        Args:
            folder: Where everything of the run lies.
            control: Whether every component is the control's.

        Raises:
            SettingsError: The values don't fit each other.
        """
        settings = check_settings(self._nested(folder, control))
        synthetic = settings.model.synthetic.architecture
        surrogate = settings.general.mode != "physical"
        if (
            surrogate
            and synthetic.batch_norm
            and settings.trainer.synthetic.weight_decay
        ):
            raise SettingsError(
                "weight decay of a bias before a batch norm is rounding alone, which"
                " Adam makes whole steps of: what is evaluated differs by 5e-3 between"
                " two runs of the control whose weights differ by 1e-16; R6 and R9 of"
                " step2 judge what does not follow it"
            )
        return settings

    def _nested(self, folder: Path, control: bool) -> dict[str, Any]:
        values = dict(self.values)
        nested = to_dict(base_settings(values[SHIPPED]))
        name = values["model.synthetic.name"]
        for key, small in _SMALL.items():
            _put(nested, key, small)
        for key, value in values.items():
            if not key.startswith(SIDE) and not key.startswith(_ARCHITECTURE):
                _put(nested, key, value)
        _architecture(nested, name, values)
        _sizes(nested, values)
        _fields(nested, values)
        _observations(nested, values, folder)
        settle(nested, folder, sides_of(values, control=control))
        return nested

    def changed(self, changes: Mapping[str, Any]) -> "Row":
        """The row with other values."""
        return Row({**self.values, **changes})

    def read(self, settings: Settings) -> dict[str, Any]:
        """The values that its run reads, of everything that varies."""
        keys = [k for k in self.values if not k.startswith(SIDE)]
        vain = {said.split("`")[1] for said in given_in_vain(settings, keys)}
        own = {key for key, _ in leaves(to_dict(settings))}
        return {
            key: value
            for key, value in self.values.items()
            if key not in vain and _is_read(key, settings, own)
        }


def sides_of(values: Mapping[str, Any], *, control: bool) -> dict[str, str]:
    """The switch value of every component; all the control's, if it is asked for."""
    return {
        c.name: "legacy" if control else values[f"{SIDE}{c.name}"] for c in COMPONENTS
    }


@lru_cache
def base_settings(config: str) -> Settings:
    """A shipped configuration as it is, with a network that needs no size."""
    return composed(config, ("model/synthetic=convnet",))


def all_factors() -> dict[str, Factor]:
    """Everything that varies in some configuration, by key."""
    found: dict[str, Factor] = {}
    for config in CONFIGURATIONS:
        nested = to_dict(base_settings(config))
        for key, small in _SMALL.items():
            _put(nested, key, small)
        for factor in factors_of(check_settings(nested)):
            found.setdefault(factor.key, factor)
    return found


@lru_cache
def stored_rows() -> list[Row]:
    """The rows that were found."""
    content = json.loads(FILE.read_text())
    keys = content["keys"]
    return [Row(_with_tuples(dict(zip(keys, v, strict=True)))) for v in content["rows"]]


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def _put(nested: dict[str, Any], key: str, value: Any) -> None:
    """Sets a setting that is there; what this equation doesn't have is left out."""
    if value != CONFIGURED:
        value = list(value) if isinstance(value, tuple) else value
        put(nested, key, value, only_known=True)


def _architecture(nested: dict[str, Any], name: str, values: Mapping[str, Any]) -> None:
    own = nested["model"]["synthetic"]["architecture"]
    for key in own:
        if f"{_ARCHITECTURE}.{key}" in values:
            own[key] = values[f"{_ARCHITECTURE}.{key}"]
    if own["filters"] == "one a level":
        own["filters"] = [5, 7][: own["levels"]]
    special = {k for network in ARCHITECTURES.values() for k in network.settings}
    for key in special - set(ARCHITECTURES[name].settings):
        own[key] = None
    own["layers"] = own["layers"] and list(own["layers"])


def _sizes(nested: dict[str, Any], values: Mapping[str, Any]) -> None:
    levels = nested["model"]["synthetic"]["architecture"]["levels"] or 1
    factor = 2 ** (levels - 1) * nested["trainer"]["physical"]["coarsening"]
    distinct = (11, 13, 5) if factor == 1 else (12, 20, 8)
    is_square = values["model.physical.resolution"] == "square"
    sizes = (distinct[0],) * 3 if is_square else distinct
    axes = nested["model"]["physical"]["domain"]
    nested["model"]["physical"]["resolution"] = dict(zip(axes, sizes, strict=False))


def _fields(nested: dict[str, Any], values: Mapping[str, Any]) -> None:
    data, equation = nested["data"], base_settings(values[SHIPPED]).model.physical
    dynamic = list(base_settings(values[SHIPPED]).data.fields_scheme.dynamic)
    others = [f for f in equation.fields if f not in dynamic]
    static = others if values["data.fields_scheme"] == "the other fields static" else []
    fields = [*dynamic, *static]
    if values["data.fields"] == "turned":
        fields.reverse()
    data["fields"] = fields
    data["fields_scheme"] = {"dynamic": dynamic, "static": static}
    more = data["num_simulations"] > 4
    nested["trainer"]["train_sim"] = [7, 2, 0, 3] if more else [2, 0, 3]
    nested["trainer"]["val_sim"] = nested["evaluation"]["test_sim"] = [1]


def _observations(
    nested: dict[str, Any], values: Mapping[str, Any], folder: Path
) -> None:
    above = nested["data"]["observations"]
    for group, kinds in (("time", TIME_KINDS), ("space", SPACE_KINDS)):
        for key in above[group]:
            if key != "kind" and key not in kinds[above[group]["kind"]]:
                above[group][key] = None
    space, domain = above["space"], nested["model"]["physical"]["domain"]
    if space["box"] is not None:
        axis, (low, high) = list(domain)[-1], _BOX[space["box"]]
        space["box"] = {axis: [low * domain[axis], high * domain[axis]]}
    if space["file"] is not None:
        file = folder / space["file"]
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            ",".join(
                f"{domain[a] * (0.1 + 0.17 * i + 0.05 * n):.6f}"
                for n, a in enumerate(domain)
            )
            for i in range(5)
        ]
        file.write_text("\n".join(lines) + "\n")
        space["file"] = str(file)


def _is_read(key: str, settings: Settings, own: Collection[str]) -> bool:
    """Whether a run reads a key, by what else is chosen."""
    if key in (SHIPPED, STOPPED):
        return True
    if key.startswith(SIDE):
        unused = _UNUSED.get(settings.general.mode, ())
        return key.removeprefix(SIDE) not in unused
    if not any(k == key or k.startswith(f"{key}.") for k in own):
        return False
    observed, equation = settings.data.observations, settings.model.physical
    if key.startswith(_ARCHITECTURE):
        special = {k for n in ARCHITECTURES.values() for k in n.settings}
        mine = ARCHITECTURES[settings.model.synthetic.name].settings
        name = key.rsplit(".", 1)[1]
        return name not in special or name in mine
    conditions = {
        "model.physical.resolution": len(equation.axes) > 1,
        "data.fields": len(settings.data.fields) > 1,
        "data.reference_refinement": settings.data.reference != "same",
        "data.observations.noise_seed": observed.noise > 0,
        "data.observations.initial": observed.space.kind != "all",
        "cache.ttl": settings.cache.dir is not None,
        "cache.worker_backend": settings.cache.dir is not None,
    }
    for group, kinds, kind in (
        (_TIME, TIME_KINDS, observed.time.kind),
        (_SPACE, SPACE_KINDS, observed.space.kind),
    ):
        if key.startswith(f"{group}.") and not key.endswith(".kind"):
            return key.rsplit(".", 1)[1] in kinds[kind]
    return conditions.get(key, True)


def pairs_of(read: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Every pair of values in what a run reads: key, value, key, value."""
    items = sorted(read.items())
    for number, (key, value) in enumerate(items):
        for other, its in items[number + 1 :]:
            yield key, value, other, its
