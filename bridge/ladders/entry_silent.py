"""What of a run is rounding, in the control: no comparison can judge it."""

from collections.abc import Collection

import numpy as np
import torch

import legacy.assemble
from experiment.settings import Settings
from legacy.models import Surrogate
from legacy.training import rollout_loss

#: A leaf whose gradient is below this times the largest one's has none but rounding.
_SILENT = 1e-10


def silent_leaves(settings: Settings) -> set[str]:
    """Leaves whose gradient is nothing but rounding, in the control.

    What only shifts the input of a batch norm has none. Weight decay and Adam turn the
    rounding into steps, on which nothing that is trained depends. None is silent where
    no surrogate is trained.
    """
    if settings.general.mode == "physical":
        return set()
    model = legacy.assemble.build_model(settings)
    cells = settings.model.physical.resolution.values()
    generator = np.random.default_rng(5)
    windows = generator.standard_normal((3, len(model.plan.names), 3, *cells))
    return without_gradient(model.train(), torch.from_numpy(windows))


def without_gradient(model: Surrogate, windows: torch.Tensor) -> set[str]:
    """Leaves whose gradient of the roll-out loss is 0 but for rounding.

    Args:
        model: The control's, in training mode.
        windows: `(batch, vector, time, x, y, ...)`.
    """
    rollout_loss(model, windows, model.plan.dynamic).backward()
    sizes = {
        name: float(p.grad.abs().square().mean().sqrt())
        for name, p in model.network.named_parameters()
        if p.grad is not None
    }
    largest = max(sizes.values())
    return {name for name, size in sizes.items() if size < _SILENT * largest}


def follows_rounding(name: str, silent: Collection[str]) -> bool:
    """Whether an array of a checkpoint does: of a silent leaf, or a running mean then.

    Args:
        name: `<file> weights/<leaf>` or `<file> optimiser/<leaf>/<moment>`.
        silent: The silent leaves.
    """
    _, _, rest = name.partition(" ")
    kind, _, leaf = rest.partition("/")
    if kind == "optimiser":
        leaf, _, moment = leaf.rpartition("/")
        return leaf in silent and moment != "step"
    if kind != "weights":
        return False
    return leaf_follows(leaf, silent)


def leaf_follows(leaf: str, silent: Collection[str]) -> bool:
    """Whether a leaf's value does: it is silent, or a running mean of what is."""
    return leaf in silent or (bool(silent) and leaf.endswith("running_mean"))


def counts_a_search(name: str) -> bool:
    """Whether it counts what an optimiser tried, which ends where rounding begins."""
    file, _, rest = name.partition(" ")
    words = ("iteration", "iterations", "evaluations", "converged", "message")
    return file.startswith("physical") and rest.rpartition(" ")[2] in words
