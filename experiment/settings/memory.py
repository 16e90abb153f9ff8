"""The memory that a run needs at least, so that a run that can't end isn't begun.

Counted is what grows with the grid: arrays that must be there at the same time. What
libraries need besides is not, so a run takes more than this.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from experiment.settings.registry import ARCHITECTURES
from experiment.settings.schema import Settings
from experiment.settings.sources import own_network
from experiment.system import memory_limit

_BYTES = {"float32": 4, "float64": 8}
#: Arrays that a convolution leaves for its gradient: its padded input, its output.
_KEPT = 2
_GIB = 2**30
#: What Python and the libraries take in a worker process, at least.
_A_PROCESS = 100 * 2**20
#: Modes that train both models.
_BOTH = ("hybrid", "compare")


@dataclass(frozen=True)
class Need:
    """Memory that some part of a run needs.

    Attributes:
        what: The part.
        counted: What is counted, in words.
        size: In bytes.
        lower: Settings that it grows with.
    """

    what: str
    counted: str
    size: int
    lower: tuple[str, ...]


def memory_needs(settings: Settings) -> Iterator[Need]:
    """What each part of a run needs at least while it runs; parts follow one another.

    `generate` needs coefficients, positions and one state; training a model the
    windows of a step with all that is kept for its gradient, in every step of the
    roll-out; a hybrid training also the other model's windows, and generated
    trajectories; an evaluation all forecasts.
    """
    tasks, mode = settings.general.tasks, settings.general.mode
    yield _grid(settings)
    if settings.data.num_workers > 0:
        yield _processes(settings)
    if "generate" in tasks and settings.data.reference != "same":
        yield _reference(settings)
    training = "train" in tasks and mode != "evaluate"
    if training and mode != "physical" and settings.general.device == "cpu":
        yield _surrogate(settings)
    if training and mode != "synthetic":
        yield _physics(settings)
        if settings.evaluation.laplace_rank:
            yield _uncertainty(settings)
    if "evaluate" in tasks or mode == "evaluate":
        yield _evaluation(settings)


def memory_problems(settings: Settings, limit: int | None = None) -> Iterator[str]:
    """Says which part of a run can't fit into the memory, a sentence each.

    Args:
        settings: The settings of the run.
        limit: Bytes that there are; what this process may use by default.
    """
    limit = memory_limit() if limit is None else limit
    for need in memory_needs(settings):
        if need.size > limit:
            yield (
                f"{need.what} needs at least {need.size / _GIB:.3g} GiB of memory"
                f" ({need.counted}); there are {limit / _GIB:.3g} GiB. Lower"
                f" {', '.join(f'`{key}`' for key in need.lower)}."
            )


def channels_of(settings: Settings) -> int:
    """Channels of all fields of the data."""
    return _channels(settings)


def trajectory_bytes(settings: Settings, precision: str) -> int:
    """Bytes of a whole trajectory; a field that never changes has one frame."""
    data, physical = settings.data, settings.model.physical
    values = 0
    for name in data.fields:
        frames = 1 if name in physical.constant_fields else data.trajectory_length
        values += frames * (len(physical.fields.get(name, ())) or 1)
    return values * _cells(settings) * _BYTES[precision]


def evaluation_bytes(settings: Settings) -> int:
    """Bytes of what is evaluated at least: the reference and a forecast a model."""
    evaluation = settings.evaluation
    frames = len(evaluation.test_sim) * evaluation.num_frames
    models = 2 if settings.general.mode == "hybrid" else 1
    values = (1 + models) * frames * _channels(settings, dynamic=True)
    return values * _cells(settings) * _BYTES[settings.general.precision]


def _cells(settings: Settings, coarsening: int = 1) -> int:
    sizes = settings.model.physical.resolution.values()
    return math.prod(max(size // coarsening, 1) for size in sizes)


def _channels(settings: Settings, *, dynamic: bool = False) -> int:
    data, offered = settings.data, settings.model.physical.fields
    names = data.fields_scheme.dynamic if dynamic else data.fields
    return sum(len(offered.get(name, ())) or 1 for name in names)


def _frames(settings: Settings, count: float) -> int:
    """Bytes of some frames of all channels."""
    one = _channels(settings) * _cells(settings) * _BYTES[settings.general.precision]
    return int(count * one)


def _windows(settings: Settings, steps: int) -> int:
    """Windows of the training simulations, at least."""
    each = max(settings.data.trajectory_length - steps, 0)
    # Which of them a few observed frames leave is not known here; one, at least.
    dense = settings.data.observations.time.kind == "all"
    return len(settings.trainer.train_sim) * (each if dense else min(each, 1))


def _grid(settings: Settings) -> Need:
    rank, channels = len(settings.model.physical.resolution), _channels(settings)
    size = 8 * _cells(settings) * (rank + channels)
    counted = f"positions along {rank} axes and a state of {channels} channels"
    return Need("a simulation", counted, size, ("model.physical.resolution",))


def _processes(settings: Settings) -> Need:
    count = settings.data.num_workers
    return Need(
        f"{count} processes",
        "the libraries and a frame in each",
        count * (_A_PROCESS + _frames(settings, 1)),
        ("data.num_workers",),
    )


def _reference(settings: Settings) -> Need:
    """The finer grid that data are simulated on."""
    factor, rank = (
        settings.data.reference_refinement,
        len(settings.model.physical.resolution),
    )
    need = _grid(settings)
    return Need(
        "a simulation of `data.reference`",
        f"a grid {factor} times as fine along {rank} axes",
        need.size * factor**rank,
        ("data.reference_refinement", *need.lower),
    )


def _uncertainty(settings: Settings) -> Need:
    learned = len(settings.trainer.physical.learnable_parameters)
    values = min(settings.evaluation.laplace_rank, _cells(settings) * learned)
    return Need(
        "the uncertainty of parameters",
        f"{values} directions of {learned} parameters at every cell",
        8 * values * learned * _cells(settings),
        ("evaluation.laplace_rank", "model.physical.resolution"),
    )


def _surrogate(settings: Settings) -> Need:
    trainer, synthetic = settings.trainer, settings.model.synthetic
    rank = len(settings.model.physical.resolution)
    # What a network of one's own keeps is not known.
    known = not own_network(settings)
    network = ARCHITECTURES[synthetic.name]
    outputs = network.outputs(synthetic.architecture) if known else ()
    # Each level has half as many cells along every axis.
    values = _cells(settings) * sum(n / 2 ** (rank * level) for n, level in outputs)
    number = 2 if trainer.amp == "bf16" else _BYTES[settings.general.precision]
    batch = min(trainer.batch_size, _windows(settings, trainer.rollout_steps))
    size = int(_KEPT * number * batch * trainer.rollout_steps * values)
    size += _frames(settings, batch * (trainer.rollout_steps + 1))
    size += _generated(settings)
    # Weights, their gradients and both moments; each convolution reads the one before.
    widths = [_channels(settings), *(width for width, _ in outputs)]
    weights = sum(a * b for a, b in zip(widths, widths[1:], strict=False)) * 3**rank
    size += 4 * _BYTES[settings.general.precision] * weights
    kept = (
        f"its {weights:.3g} weights with gradients and moments; input and output of its"
        f" {len(outputs)} convolutions, for "
    ) * known
    return Need(
        "training the synthetic model",
        f"{kept}a batch of {batch} windows of {trainer.rollout_steps} steps",
        size,
        (
            *("trainer.batch_size", "trainer.rollout_steps"),
            *(
                f"model.synthetic.architecture.{key}"
                for key in network.settings
                if known
            ),
            "model.physical.resolution",
        ),
    )


def _generated(settings: Settings) -> int:
    """Bytes of the trajectories that the physical model makes in a hybrid cycle."""
    if settings.general.mode not in _BOTH:
        return 0
    trainer, hybrid = settings.trainer, settings.trainer.hybrid
    simulations = hybrid.trajectories or hybrid.alpha * len(trainer.train_sim)
    frames = hybrid.generated_frames or settings.data.trajectory_length
    return _frames(settings, simulations * frames)


def _physics(settings: Settings) -> Need:
    trainer, equation = settings.trainer, settings.model.physical
    own = trainer.physical.rollout_steps
    steps = trainer.rollout_steps if own is None else own
    windows = min(trainer.physical.windows, _windows(settings, steps))
    kept = equation.kept_by_a_step
    cells = _cells(settings, trainer.physical.coarsening)
    one = _channels(settings, dynamic=True) * cells
    one *= _BYTES[settings.general.precision]
    size = windows * steps * kept * one + _frames(settings, windows * (steps + 1))
    size += _generated(settings)
    above = "trainer" if own is None else "trainer.physical"
    return Need(
        "training the physical model",
        f"{windows} windows of {steps} steps, of which each keeps {kept} arrays for"
        " the gradient",
        size,
        (
            *("trainer.physical.windows", f"{above}.rollout_steps"),
            "model.physical.resolution",
        ),
    )


def _evaluation(settings: Settings) -> Need:
    evaluation = settings.evaluation
    models = 2 if settings.general.mode in _BOTH else 1
    trajectories = len(evaluation.test_sim) * (models + 1)
    return Need(
        "an evaluation",
        f"{trajectories} trajectories of {evaluation.num_frames} frames: truth and"
        " forecasts",
        _frames(settings, trajectories * evaluation.num_frames),
        (
            *("evaluation.test_sim", "evaluation.num_frames"),
            "model.physical.resolution",
        ),
    )
