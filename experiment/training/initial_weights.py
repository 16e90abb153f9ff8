"""Initial weights are data: drawn once, stored, loaded by both sides."""

import logging
import zlib
from collections.abc import Mapping

import numpy as np

from experiment.settings import Settings

log = logging.getLogger(__name__)

#: Last words of the names that `draw_weights` has a rule for.
_WITH_RULE = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def initial_weights(
    leaves: Mapping[str, np.ndarray], settings: Settings
) -> dict[str, np.ndarray]:
    """The initial weights of a run.

    Drawn, and so the same on both sides, where a rule says how; a leaf of another name
    or of complex numbers keeps what its network gave it.

    Args:
        leaves: The network's own values by canonical name.
        settings: The settings of the run.
    """
    own = [name for name, leaf in leaves.items() if not has_rule(name, leaf)]
    if own:
        log.info("initial values that the network itself chooses: %s", ", ".join(own))
    shapes = {name: leaf.shape for name, leaf in leaves.items() if name not in own}
    drawn = draw_weights(shapes, settings.general.seed)
    return {name: drawn.get(name, leaf) for name, leaf in leaves.items()}


def has_rule(name: str, leaf: np.ndarray) -> bool:
    """Whether `draw_weights` knows an initial value for a leaf."""
    return not np.iscomplexobj(leaf) and name.rsplit(".", 1)[-1] in _WITH_RULE


def draw_weights(
    shapes: Mapping[str, tuple[int, ...]], seed: int
) -> dict[str, np.ndarray]:
    """Draws a network's initial weights by canonical name.

    Convolution kernels (out, in, k, ...) are uniform in +-1/sqrt(in * k * ...), as
    `torch.nn.Conv2d` draws them; biases and running means are 0, scales and running
    variances 1, counters 0. Each leaf has a generator of its own, seeded by its name,
    so neither the order of leaves nor the framework matters.

    Args:
        shapes: Shape of every leaf, by canonical name (`encoder.0.conv1.weight`).
        seed: Seed of the experiment.

    Returns:
        float64 arrays (int64 counters) by the same names.

    Raises:
        ValueError: A name ends in a word that has no rule.
    """
    return {name: _draw(name, shape, seed) for name, shape in shapes.items()}


def _draw(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    kind = name.rsplit(".", 1)[-1]
    match kind:
        case "weight" if len(shape) > 1:
            generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
            bound = 1 / np.sqrt(np.prod(shape[1:]))
            return generator.uniform(-bound, bound, shape)
        case "weight" | "running_var":
            return np.ones(shape)
        case "bias" | "running_mean":
            return np.zeros(shape)
        case "num_batches_tracked":
            return np.zeros(shape, dtype=np.int64)
    raise ValueError(f"`{name}` ends in `{kind}`, for which no initial value is known")
