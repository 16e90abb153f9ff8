"""Small runs in a folder that vanishes, and what is recorded of them."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.recording import api
from tests.recording.entries import Entries, array_entry, text_entry

SIDES = ("legacy", "phiml")
PRECISIONS = ("float32", "float64")
#: 10 training windows in batches of 3: four an epoch, the last with one window. The
#: order of the simulations is not the ascending one, so that sorting is seen.
SMALL = (
    "general.num_threads=1",
    "model.physical.domain={x: 8.0, y: 6.0}",
    "data.num_simulations=4",
    "data.trajectory_length=7",
    "trainer.train_sim=[2,0]",
    "trainer.val_sim=[1]",
    "trainer.batch_size=3",
    "trainer.rollout_steps=2",
    "trainer.synthetic.epochs=2",
    "trainer.physical.windows=6",
    "trainer.physical.rounds=2",
    "trainer.physical.iterations=3",
    "trainer.hybrid.warm_up_epochs=1",
    "trainer.hybrid.cycles=2",
    "trainer.hybrid.epochs=1",
    "trainer.hybrid.rounds=1",
    "evaluation.test_sim=[3]",
    "evaluation.num_frames=5",
)
#: Stable with one substep, which compiles sooner.
BURGERS = (
    "model.physical.pde_params.diffusion_substeps=1",
    # The form that there was when the first recordings were made.
    "model.physical.pde_params.diffusion=laplacian",
    "model.physical.pde_params.viscosity='0.02 * (x/size_x + y/size_y)**3'",
)
EVEN, ODD, SQUARE = "{x: 16, y: 12}", "{x: 11, y: 13}", "{x: 16, y: 16}"
ARCHITECTURE = "model.synthetic.architecture"
UNET = (f"{ARCHITECTURE}.levels=2", f"{ARCHITECTURE}.filters=[3,5]")
LAYERS = (f"{ARCHITECTURE}.layers=[5,4]",)


@dataclass(frozen=True)
class Case:
    """Some entries that are made together; their names start with the case's."""

    name: str
    record: Callable[["Workshop"], Entries]


class Workshop:
    """Makes settings and simulations below a folder.

    Args:
        folder: An empty folder; whoever made it removes it.
        overrides: Settings that every run gets besides.
    """

    def __init__(self, folder: Path, overrides: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self._overrides = overrides
        self._made = 0

    def settings(
        self,
        *overrides: str,
        experiment: str = "burgers",
        net: str = "unet",
        data: Path | None = None,
        place: str | None = None,
    ) -> api.Settings:
        """Small settings below a folder of their own.

        Args:
            overrides: As on the command line.
            experiment: `burgers` or `advection`.
            net: `unet`, `resnet` or `convnet`.
            data: Where the simulations are; by default nowhere yet.
            place: A folder that several settings share; by default a new one.
        """
        self._made += 1
        own = self.folder / (place or f"run_{self._made:04d}")
        return api.build_settings(
            experiment,
            (
                *SMALL,
                *(BURGERS if experiment == "burgers" else ()),
                f"model/synthetic={net}",
                *(UNET if net == "unet" else LAYERS),
                f"model.physical.resolution={EVEN if net == 'unet' else ODD}",
                f"general.checkpoint_dir={own}/checkpoints",
                f"general.run_dir={own}/runs",
                f"cache.dir={own}/cache",
                f"data.data_dir={data or own / 'data'}",
                "general.mode=synthetic",
                "general.tasks=[train]",
                *overrides,
                *self._overrides,
            ),
        )

    def simulated(
        self, experiment: str = "burgers", net: str = "unet", *overrides: str
    ) -> Path:
        """A folder of simulations by the control; made once, not to be changed."""
        key = "-".join((experiment, net, *overrides)).replace("/", "-")
        folder = self.folder / f"simulated-{key}"
        if not folder.exists():
            more = ("general.tasks=[generate]", *overrides)
            api.run(self.settings(*more, experiment=experiment, net=net, data=folder))
        return folder

    def to_resume(
        self,
        *overrides: str,
        experiment: str = "burgers",
        net: str = "unet",
        data: Path | None = None,
    ) -> tuple[api.Settings, api.Settings]:
        """Settings of a run that is stopped, and of the one that goes on."""
        place = f"stopped_{self._made:04d}"
        first = self.settings(
            *overrides, experiment=experiment, net=net, data=data, place=place
        )
        more = (*overrides, "trainer.resume=true")
        return first, self.settings(
            *more, experiment=experiment, net=net, data=data, place=place
        )


def on(**sides: str) -> tuple[str, ...]:
    """Overrides that switch components to sides."""
    return tuple(f"migration.{name}={side}" for name, side in sides.items())


def all_on(side: str) -> tuple[str, ...]:
    """Overrides that switch everything to one side."""
    names = ("model", "trainer", "data", "physics", "hybrid")
    return on(**dict.fromkeys(names, side))


def checkpoints(settings: api.Settings, kinds: tuple[str, ...]) -> Entries:
    """Every array of checkpoints and the state of the training beside them."""
    for file in kinds:
        path = api.checkpoint_folder(settings) / file
        if not path.exists():
            continue
        arrays, state = api.read_arrays(path)
        label = file.split(".")[0]
        for name, array in arrays.items():
            yield f"{label}/{name}", array_entry(array)
        yield f"{label}/state", text_entry(json.dumps(_untimed(state)))


def run_files(folder: Path) -> Entries:
    """The metrics of a run without their seconds, and its evaluation's tables."""
    for name in ("metrics.csv", "physical_metrics.csv"):
        if (folder / name).exists():
            rows = csv.DictReader(io.StringIO((folder / name).read_text()))
            table = [{k: v for k, v in r.items() if k != "seconds"} for r in rows]
            yield name, text_entry(json.dumps(table, indent=0))
    for path in sorted((folder / "evaluation").glob("*")):
        if path.suffix in (".csv", ".json"):
            yield f"evaluation/{path.name}", text_entry(path.read_text())
        elif path.suffix == ".safetensors":
            for name, array in api.read_arrays(path)[0].items():
                yield f"evaluation/{path.stem}/{name}", array_entry(array)


def whole_run(settings: api.Settings) -> Entries:
    """Runs; the checkpoints and the files of the run."""
    folder = api.run(settings)
    assert folder is not None
    yield from checkpoints(settings, api.CHECKPOINTS + api.PHYSICAL_CHECKPOINTS)
    yield from run_files(folder)


def stopped_run(
    settings: api.Settings, resuming: api.Settings, stop: api.Stop
) -> Entries:
    """Stops a run, and then goes on; `resuming` shares the folders of `settings`."""
    every = api.CHECKPOINTS + api.PHYSICAL_CHECKPOINTS
    api.run(settings, stop)
    for name, entry in checkpoints(settings, every):
        yield f"stopped/{name}", entry
    folder = api.run(resuming)
    assert folder is not None
    yield from checkpoints(settings, every)
    yield from run_files(folder)


def _untimed(state: dict[str, Any]) -> dict[str, Any]:
    history = [
        {k: v for k, v in row.items() if k != "seconds"} for row in state["history"]
    ]
    return {**state, "history": history}
