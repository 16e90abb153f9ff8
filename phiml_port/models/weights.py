"""A network's weights on disk, in the neutral format."""

from pathlib import Path

from experiment.system import CheckpointError
from experiment.training import (
    Checkpoint,
    first_leaf_that_differs,
    load_checkpoint,
    save_checkpoint,
)
from phiml_port.models.network import Network


def save_weights(path: Path, network: Network) -> None:
    """Writes all parameters and buffers, whole or not at all.

    The file is a checkpoint without optimiser and progress, which either side reads.
    """
    save_checkpoint(path, Checkpoint(weights=network.export_weights()))


def load_weights(path: Path, network: Network) -> None:
    """Fills a network from a checkpoint of either side.

    Raises:
        CheckpointError: The file is missing, torn, or a leaf is missing, extra, of
            another shape or dtype; names the first one.
    """
    checkpoint = load_checkpoint(path)
    problem = first_leaf_that_differs(network.export_weights(), checkpoint.weights)
    if problem:
        raise CheckpointError(f"`{path}` doesn't fit this network: {problem}")
    network.import_weights(checkpoint.weights)
