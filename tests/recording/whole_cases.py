"""Whole runs as a user does them: generate, train and evaluate in one."""

from collections.abc import Iterator
from functools import partial

from tests.recording.data_cases import scenes
from tests.recording.entries import Entries
from tests.recording.workshop import SIDES, Case, Workshop, all_on, whole_run

PRESETS = ("current", "legacy", "step1", "step2", "step3", "full")
#: In three dims.
THREE = (
    "+model.physical.domain.z=4.0",
    "+model.physical.resolution.z=4",
    "model.physical.resolution.x=6",
    "model.physical.resolution.y=8",
)
EVERY_TASK = "general.tasks=[generate,train,evaluate]"
#: Pictures take most of an evaluation's time.
NO_PICTURES = "general.tasks=[generate,train]"


def whole_cases() -> Iterator[Case]:
    """Names: `presets/<preset>`, `three-dims/<side>`, `workers/<side>`, `jax`."""
    for preset in PRESETS:
        own = (f"migration={preset}", EVERY_TASK)
        yield Case(f"presets/{preset}", partial(_whole, "advection", "convnet", own))
    for side in SIDES:
        own = (*all_on(side), *THREE, NO_PICTURES)
        yield Case(f"three-dims/{side}", partial(_whole, "burgers", "unet", own))
    for side in SIDES:
        own = (*all_on(side), "data.num_workers=2", NO_PICTURES)
        yield Case(f"workers/{side}", partial(_whole, "advection", "convnet", own))
    # Last: once JAX runs, no process should fork.
    own = (*all_on("phiml"), "migration.phiml_backend=jax", NO_PICTURES)
    yield Case("jax", partial(_whole, "advection", "convnet", own))


def _whole(
    experiment: str, net: str, overrides: tuple[str, ...], shop: Workshop
) -> Entries:
    more = ("general.mode=hybrid", *overrides)
    settings = shop.settings(*more, experiment=experiment, net=net)
    yield from whole_run(settings)
    for name, entry in scenes(settings):
        yield f"scenes/{name}", entry
