"""What a hybrid training would give with a fault, by the fault's name."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from bridge.harness import Counterfactuals
from bridge.ladders.hybrid_cases import CYCLES, HybridCase, Recording
from bridge.ladders.hybrid_reference import INTERACTION, HybridReference

OTHER_WEIGHTS = "weights of the other model's loss"
NO_INTERACTION = "interaction weight ignored"
ONE_MEAN = "one mean over all windows, not one a term"
_OTHER = {"synthetic": "physical", "physical": "synthetic"}


def of_cycles(
    case: HybridCase, take: Callable[[Recording], np.ndarray]
) -> Counterfactuals:
    """What `take` reads off a training with wrong terms, of either model or of both."""
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
