"""What a hybrid training would give with a fault, by the fault's name."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from bridge.harness import Counterfactuals
from bridge.ladders.coarse import CONSTANT, EVERY_SECOND
from bridge.ladders.hybrid_cases import CYCLES, HybridCase, Recording
from bridge.ladders.hybrid_reference import INTERACTION, HybridReference
from bridge.ladders.observed import IGNORED, ON_GENERATED, cells_of, with_holes

OTHER_WEIGHTS = "weights of the other model's loss"
NO_INTERACTION = "interaction weight ignored"
ONE_MEAN = "one mean over all windows, not one a term"
_OTHER = {"synthetic": "physical", "physical": "synthetic"}


def of_cycles(
    case: HybridCase, take: Callable[[Recording], np.ndarray]
) -> Counterfactuals:
    """What `take` reads off a training with wrong terms, of either model or of both."""
    if case.name.observed:
        return {n: lambda n=n: take(_masked(case, n)) for n in (IGNORED, ON_GENERATED)}
    if case.name.coarsening > 1:
        return {
            EVERY_SECOND: lambda: take(_coarse(case, "picked")),
            CONSTANT: lambda: take(_coarse(case, "constant")),
        }
    models = [tuple(_OTHER), *((model,) for model in _OTHER)]
    return {
        f"{name} ({', '.join(some)})": lambda n=name, s=some: take(_with(case, n, s))
        for name in (OTHER_WEIGHTS, NO_INTERACTION, ONE_MEAN)
        for some in models
    }


@lru_cache(maxsize=9)
def _with(case: HybridCase, name: str, models: tuple[str, ...]) -> Recording:
    class Faulty(HybridReference):
        def factors(self, model: str, counts: dict[str, int]) -> dict[str, float]:
            right = super().factors(model, counts)
            if model not in models or len(counts) == 1:
                return right
            if name == OTHER_WEIGHTS:
                return super().factors(_OTHER[model], counts)
            if name == NO_INTERACTION:
                return {**right, INTERACTION: 1.0}
            total = sum(counts.values())
            return {kind: f * counts[kind] / total for kind, f in right.items()}

    starts = [case.initial_states(cycle) for cycle in range(CYCLES)]
    return case.reference(starts, Faulty)


@lru_cache(maxsize=2)
def _coarse(case: HybridCase, fault: str) -> Recording:
    starts = [case.initial_states(cycle) for cycle in range(CYCLES)]
    return case.reference(starts, fault={fault: True})


@lru_cache(maxsize=2)
def _masked(case: HybridCase, name: str) -> Recording:
    """A training of the synthetic model with a fault of the masks."""
    cells = cells_of(case.settings)

    class Faulty(HybridReference):
        def epochs(self, more: int, kinds: Any, schedule: Any) -> None:
            if name == ON_GENERATED and INTERACTION in kinds:
                made = kinds[INTERACTION].numpy()
                masks = np.broadcast_to(cells, (len(made), 1, *cells.shape))
                kinds = {**kinds, INTERACTION: with_holes(made, masks)}
            super().epochs(more, kinds, schedule)

    starts = [case.initial_states(cycle) for cycle in range(CYCLES)]
    return case.reference(starts, Faulty, masked=name != IGNORED)
