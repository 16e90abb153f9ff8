"""Trainings of the physical model, and of both."""

import itertools
from collections.abc import Iterator
from functools import partial

from tests.recording import api
from tests.recording.entries import Entries
from tests.recording.workshop import (
    PRECISIONS,
    SIDES,
    Case,
    Workshop,
    all_on,
    on,
    stopped_run,
    whole_run,
)

EXPERIMENTS = ("burgers", "advection")
EVALUATED = "general.tasks=[train,evaluate]"
#: Sides of the hybrid trainer, the physics, and the model with trainer and data.
MIXED = (
    ("legacy", "phiml", "legacy"),
    ("phiml", "legacy", "phiml"),
    ("legacy", "legacy", "phiml"),
    ("phiml", "phiml", "legacy"),
)
ROUND = {
    "stopped-after-round": api.Stop("physical", 1, signalled=True),
    "killed-after-round": api.Stop("physical", 1, signalled=False),
}
#: 4 batches of warm-up, then 5 an epoch: 10 real windows and 5 generated ones.
INSIDE = {
    "stopped-in-warm-up": api.Stop("train", 3, signalled=True),
    "killed-after-warm-up": api.Stop("train", 5, signalled=False),
    "stopped-in-first-cycle": api.Stop("train", 6, signalled=True),
    "stopped-after-first-epoch": api.Stop("train", 9, signalled=True),
    "killed-before-second-cycle": api.Stop("train", 10, signalled=False),
    "stopped-in-second-cycle": api.Stop("train", 12, signalled=True),
    **ROUND,
}


def physical_cases() -> Iterator[Case]:
    """Names: `physical/<experiment>/<physics>/<precision>` and so on."""
    for experiment, side, precision in itertools.product(
        EXPERIMENTS, SIDES, PRECISIONS
    ):
        own = (*on(physics=side), f"general.precision={precision}", EVALUATED)
        label = f"physical/{experiment}/{side}/{precision}"
        yield Case(label, partial(_trained, "physical", experiment, own))
    for side, (place, stop) in itertools.product(SIDES, ROUND.items()):
        own = on(physics=side)
        label = f"resumed-physical/{side}/{place}"
        yield Case(label, partial(_resumed, "physical", own, stop))


def hybrid_cases() -> Iterator[Case]:
    """Names: `hybrid/<experiment>/<hybrid>-<physics>-<others>` and so on."""
    for experiment, side in itertools.product(EXPERIMENTS, SIDES):
        label = f"hybrid/{experiment}/{side}"
        own = (*all_on(side), EVALUATED)
        yield Case(label, partial(_trained, "hybrid", experiment, own))
    for side in SIDES:
        own = (*all_on(side), "general.precision=float64", EVALUATED)
        label = f"hybrid/float64/{side}"
        yield Case(label, partial(_trained, "hybrid", "advection", own))
        for access in ("real_only", "generated_only"):
            own = (*all_on(side), f"trainer.data_access={access}")
            label = f"hybrid/{access}/{side}"
            yield Case(label, partial(_trained, "hybrid", "advection", own))
    for hybrid, physics, rest in MIXED:
        own = on(hybrid=hybrid, physics=physics, model=rest, trainer=rest, data=rest)
        label = f"hybrid/mixed/{hybrid}-{physics}-{rest}"
        yield Case(label, partial(_trained, "hybrid", "advection", own))
    for trainer, data in itertools.permutations(SIDES):
        own = on(trainer=trainer, data=data)
        label = f"hybrid/crossing/{data}-for-{trainer}"
        yield Case(label, partial(_trained, "hybrid", "advection", own))
    for side, (place, stop) in itertools.product(SIDES, INSIDE.items()):
        label = f"resumed-hybrid/{side}/{place}"
        yield Case(label, partial(_resumed, "hybrid", all_on(side), stop))


def _trained(
    mode: str, experiment: str, overrides: tuple[str, ...], shop: Workshop
) -> Entries:
    data = shop.simulated(experiment, "convnet")
    more = (f"general.mode={mode}", *overrides)
    settings = shop.settings(*more, experiment=experiment, net="convnet", data=data)
    yield from whole_run(settings)


def _resumed(
    mode: str, overrides: tuple[str, ...], stop: api.Stop, shop: Workshop
) -> Entries:
    data = shop.simulated("advection", "convnet")
    more = (f"general.mode={mode}", *overrides)
    first, second = shop.to_resume(
        *more, experiment="advection", net="convnet", data=data
    )
    yield from stopped_run(first, second, stop)
