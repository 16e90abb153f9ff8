"""Cases that the ladders share: small settings whose sizes tell axes apart."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from bridge.ladders import observed
from bridge.ladders.run_cases import RunCase
from experiment.run import RunFolder
from experiment.settings import (
    ARCHITECTURES,
    COMPONENTS,
    SIDES,
    Settings,
    check_settings,
)
from experiment.system import resource

EXPERIMENTS = ("burgers", "advection")
PRECISIONS = ("float64", "float32")
#: Values of `migration.<component>`.
CONTROL, CANDIDATE = SIDES
_CONF = resource("conf")
#: Small values of what only some architectures read.
_SMALL = {"levels": "2", "filters": "[5,7]", "layers": "[5,7,5]"}


@dataclass(frozen=True)
class CaseName:
    """An experiment, an architecture, a precision, and what the network has.

    `diffusion` is `model.physical.pde_params.diffusion`; empty, the experiment's own.
    `observed` is empty if all was; else `data.observations.initial` of a case with gaps
    in time and space, and noise.
    `coarsening` is `trainer.physical.coarsening`; the grid has as many times the cells.
    `also` are further settings, `key=value`.
    """

    experiment: str
    architecture: str
    precision: str
    batch_norm: bool = True
    periodic: bool = True
    diffusion: str = ""
    observed: str = ""
    coarsening: int = 1
    also: tuple[str, ...] = ()

    def __str__(self) -> str:
        extras = ("" if self.batch_norm else "-no-norm") + (
            "" if self.periodic else "-wall"
        )
        extras += f"-{self.diffusion}" if self.diffusion else ""
        extras += f"-observed-{self.observed}" if self.observed else ""
        extras += f"-coarse-{self.coarsening}" if self.coarsening > 1 else ""
        extras += "".join(f"-{key.partition('=')[2]}" for key in self.also)
        return f"{self.experiment}-{self.architecture}-{self.precision}{extras}"


def case_settings(name: CaseName | RunCase) -> Settings:
    """Settings of a case, the control on; of a run's words, the run's.

    Others are distinct primes, times 2 for a network that halves its grid.

    Fields stand in an order that is not the alphabetical one, so that sorting is seen.
    """
    if isinstance(name, RunCase):
        return switched(name.settings, CONTROL)
    above = "model.synthetic.architecture"
    keys = ARCHITECTURES[name.architecture].settings
    halved = "levels" in keys
    sizes = {"x": 22, "y": 14, "z": 10} if halved else {"x": 11, "y": 13, "z": 5}
    physics = "model.physical"
    overrides = [
        f"model/synthetic={name.architecture}",
        f"general.precision={name.precision}",
        f"{above}.batch_norm={str(name.batch_norm).lower()}",
        f"{above}.periodic={str(name.periodic).lower()}",
        f"{above}.activation=SiLU",
        *(f"{above}.{key}={_SMALL[key]}" for key in keys),
    ]
    if name.diffusion:
        overrides.append(f"{physics}.pde_params.diffusion={name.diffusion}")
    if name.observed:
        overrides += observed.overrides(name.observed)
    overrides.append(f"trainer.physical.coarsening={name.coarsening}")
    overrides += name.also
    with initialize_config_dir(str(_CONF), version_base="1.3"):
        base = compose(name.experiment)
        axes = base.model.physical.domain
        overrides += [
            f"{physics}.resolution.{axis}={sizes[axis] * name.coarsening}"
            for axis in axes
        ]
        fields = sorted(base.data.fields, reverse=True)
        overrides.append(f"data.fields=[{','.join(fields)}]")
        config = compose(name.experiment, overrides)
    values = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    return switched(check_settings(values), CONTROL)


def switched(settings: Settings, side: str, *components: str) -> Settings:
    """The settings with some components, by default all, on a side."""
    names = components or tuple(c.name for c in COMPONENTS)
    migration = replace(settings.migration, **dict.fromkeys(names, side))
    return replace(settings, migration=migration)


@contextmanager
def run_folder(settings: Settings) -> Iterator[tuple[RunFolder, Settings]]:
    """A run folder, and the settings with it; it vanishes with its checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        general = replace(
            settings.general,
            run_dir=f"{folder}/runs",
            checkpoint_dir=f"{folder}/checkpoints",
        )
        settings = replace(settings, general=general)
        yield RunFolder(settings), settings
