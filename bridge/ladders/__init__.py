"""This project's ladders: the control in PyTorch beside the candidate in PhiML."""

import logging
import warnings

#: Every ladder by its name, in the order of the migration, as `module:object`, so that
#: nothing is imported before it is used.
LADDERS = {
    "step1": "bridge.ladders.models:LADDER",
    "step2": "bridge.ladders.training:LADDER",
    "step3": "bridge.ladders.data:LADDER",
    "physics": "bridge.ladders.physics:LADDER",
    "hybrid": "bridge.ladders.hybrid:LADDER",
    "run": "bridge.ladders.entry:LADDER",
}


def prepare() -> None:
    """One thread, so that sums are added in one order; quiet libraries."""
    import torch

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    logging.getLogger("Φ-ML").setLevel(logging.WARNING)
    # Some cases change Scenes on purpose; that a cache is built again is no news.
    for package in ("experiment", "legacy", "phiml_port"):
        logging.getLogger(package).setLevel(logging.ERROR)
