"""Trainings of the synthetic model on every combination of sides."""

import itertools
import json
from collections.abc import Iterator
from functools import partial

from tests.recording import api
from tests.recording.convolutions import watched_convolutions
from tests.recording.entries import Entries, text_entry
from tests.recording.workshop import (
    ARCHITECTURE,
    PRECISIONS,
    SIDES,
    Case,
    Workshop,
    all_on,
    on,
    stopped_run,
    whole_run,
)

NORM = f"{ARCHITECTURE}.batch_norm=true"
#: Settings that a trainer treats on its own; recorded on either side of everything.
VARIANTS = {
    "plain": (),
    "constant-clipped": (
        "trainer.synthetic.schedule=constant",
        "trainer.synthetic.clip_norm=0.05",
    ),
    "weight-decay": ("trainer.synthetic.weight_decay=0.01",),
    "bf16": ("trainer.amp=bf16",),
    "bf16-norm": ("trainer.amp=bf16", NORM),
    "no-validation": ("trainer.val_sim=[]", "trainer.synthetic.checkpoint_every=1"),
    "wall": (f"{ARCHITECTURE}.periodic=false", f"{ARCHITECTURE}.activation=SiLU"),
}
#: After 4 batches of an epoch a kill leaves the epoch's end; a signal saves inside.
STOPS = {
    "killed-after-epoch": api.Stop("train", 5, signalled=False),
    "stopped-inside-epoch": api.Stop("train", 6, signalled=True),
    "stopped-at-last-batch": api.Stop("train", 4, signalled=True),
}
EVALUATED = "general.tasks=[train,evaluate]"


def combinations() -> Iterator[tuple[str, tuple[str, ...]]]:
    """`<model>-<trainer>-<data>` and its switches."""
    for sides in itertools.product(SIDES, repeat=3):
        named = dict(zip(("model", "trainer", "data"), sides, strict=True))
        yield "-".join(sides), on(**named)


def training_cases() -> Iterator[Case]:
    """Names: `synthetic/<model>-<trainer>-<data>/<precision>[-norm]` and so on."""
    for (name, switches), precision, norm in itertools.product(
        combinations(), PRECISIONS, (False, True)
    ):
        own = (*switches, f"general.precision={precision}")
        own += (NORM,) if norm else ()
        label = f"synthetic/{name}/{precision}{'-norm' if norm else ''}"
        yield Case(label, partial(_trained, "burgers", "unet", own))
    for side, (label, overrides) in itertools.product(SIDES, VARIANTS.items()):
        own = (*all_on(side), *overrides)
        yield Case(
            f"variants/{label}/{side}", partial(_trained, "burgers", "unet", own)
        )
    for side, net in itertools.product(SIDES, ("resnet", "convnet")):
        for norm in ((), (NORM,)):
            label = f"variants/{net}{'-norm' if norm else ''}/{side}"
            own = (*all_on(side), *norm)
            yield Case(label, partial(_trained, "burgers", net, own))
    for side, seen in itertools.product(SIDES, ("all", "dynamic")):
        own = (*all_on(side), f"{ARCHITECTURE}.inputs={seen}", EVALUATED)
        label = f"variants/advection-{seen}/{side}"
        yield Case(label, partial(_trained, "advection", "unet", own))
    for name, switches in combinations():
        yield Case(f"convolutions/{name}", partial(_convolutions, switches))
    for side, checkpoint in itertools.product(SIDES, ("last", "best")):
        own = (*all_on(side), EVALUATED, f"evaluation.checkpoint={checkpoint}")
        label = f"evaluation/synthetic-{checkpoint}/{side}"
        yield Case(label, partial(_trained, "burgers", "unet", own))
    mixed = ("legacy-phiml-legacy", "phiml-legacy-phiml")
    for name, switches in combinations():
        if len(set(name.split("-"))) > 1 and name not in mixed:
            continue
        for place, stop in STOPS.items():
            yield Case(f"resumed/{name}/{place}", partial(_resumed, switches, stop))


def _trained(
    experiment: str, net: str, overrides: tuple[str, ...], shop: Workshop
) -> Entries:
    data = shop.simulated(experiment, net)
    yield from whole_run(
        shop.settings(*overrides, experiment=experiment, net=net, data=data)
    )


def _resumed(switches: tuple[str, ...], stop: api.Stop, shop: Workshop) -> Entries:
    more = (*switches, NORM, "trainer.synthetic.epochs=3")
    first, second = shop.to_resume(*more, data=shop.simulated())
    yield from stopped_run(first, second, stop)


def _convolutions(switches: tuple[str, ...], shop: Workshop) -> Entries:
    data = shop.simulated()
    more = (*switches, NORM, "trainer.synthetic.epochs=1")
    settings = shop.settings(*more, data=data)
    with watched_convolutions() as seen:
        api.run(settings)
    for line, count in seen.items():
        yield line, text_entry(json.dumps(count))
