"""Simulations of both simulators, and batches of both data sides."""

import itertools
from collections.abc import Iterator
from functools import partial

import numpy as np

from tests.recording import api
from tests.recording.entries import Entries, array_entry, batch_entry
from tests.recording.workshop import PRECISIONS, SIDES, SQUARE, Case, Workshop, on

EXPERIMENTS = ("burgers", "advection")
ACCESS = ("real_only", "both", "generated_only")
#: Epoch, and the batch that it begins with.
PLACES = ((0, 0), (1, 0), (1, 2))
#: What reading needs; the rest holds objects, which nothing here unpickles.
_OF_SCENES = ("data", "dim_names")


def data_cases() -> Iterator[Case]:
    """Names: `scenes/<experiment>/<physics>/<precision>` and so on."""
    for experiment, side, precision in itertools.product(
        EXPERIMENTS, SIDES, PRECISIONS
    ):
        yield Case(
            f"scenes/{experiment}/{side}/{precision}",
            partial(_scenes, experiment, side, (f"data.precision={precision}",)),
        )
    for side in SIDES:
        square = (f"model.physical.resolution={SQUARE}",)
        yield Case(
            f"scenes/burgers-square/{side}", partial(_scenes, "burgers", side, square)
        )
        five = ("model.physical.pde_params.diffusion_substeps=5",)
        yield Case(
            f"scenes/burgers-substeps/{side}", partial(_scenes, "burgers", side, five)
        )
    for experiment, data, trainer, precision in itertools.product(
        EXPERIMENTS, SIDES, SIDES, PRECISIONS
    ):
        yield Case(
            f"batches/{experiment}/{data}-for-{trainer}/{precision}",
            partial(_batches, experiment, data, trainer, precision, ()),
        )
    for data, (label, override) in itertools.product(
        SIDES, {"uncached": "cache.dir=null", "numpy": "cache.backend=numpy"}.items()
    ):
        yield Case(
            f"batches/{label}/{data}",
            partial(_batches, "burgers", data, data, "float32", (override,)),
        )


def _scenes(
    experiment: str, side: str, overrides: tuple[str, ...], shop: Workshop
) -> Entries:
    net = "unet" if experiment == "burgers" else "convnet"
    settings = shop.settings(
        "general.tasks=[generate]",
        *on(physics=side),
        *overrides,
        experiment=experiment,
        net=net,
    )
    api.run(settings)
    yield from scenes(settings)


def scenes(settings: api.Settings) -> Entries:
    """Every frame of every simulation."""
    for number in range(settings.data.num_simulations):
        folder = api.scene_folder(settings, number)
        for file in sorted(folder.glob("*.npz")):
            with np.load(file, allow_pickle=False) as content:
                for name in _OF_SCENES:
                    yield f"{number}/{file.stem}/{name}", array_entry(content[name])


def _batches(
    experiment: str,
    data: str,
    trainer: str,
    precision: str,
    overrides: tuple[str, ...],
    shop: Workshop,
) -> Entries:
    net = "unet" if experiment == "burgers" else "convnet"
    settings = shop.settings(
        *on(data=data, trainer=trainer),
        f"general.precision={precision}",
        *overrides,
        experiment=experiment,
        net=net,
        data=shop.simulated(experiment, net),
    )
    train = api.loader(settings, settings.trainer.train_sim, True)
    for access in ("unaugmented", *ACCESS):
        if access != "unaugmented":
            train.augment(_generated(settings), access)
        yield from _epochs(train, access)
    train.augment(None, "real_only")
    yield from _epochs(train, "taken-away")
    validation = api.loader(settings, settings.trainer.val_sim, False)
    yield from _epochs(validation, "validation")


def _epochs(windows: object, label: str) -> Entries:
    for epoch, position in PLACES:
        for i, (values, native) in enumerate(api.batches(windows, epoch, position)):
            yield (
                f"{label}/epoch-{epoch}-from-{position}/{i}",
                batch_entry(values, native, api.LAYOUT),
            )


def _generated(settings: api.Settings) -> np.ndarray:
    """Two trajectories as a model hands them over, of other numbers than the real."""
    sizes = settings.model.physical.resolution.values()
    channels = 2 if len(settings.data.fields) == 1 else 3
    shape = (2, settings.data.trajectory_length, *sizes, channels)
    drawn = np.random.default_rng(5).standard_normal(shape)
    return drawn.astype(settings.general.precision)
