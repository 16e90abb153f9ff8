"""The settings of a run: frozen dataclasses, one for each group of `conf/`.

The YAML files hold every default; the dataclasses hold names, types and limits.
`experiment.check_settings` makes them from plain nested dicts.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from experiment.equations import AnyEquation, LearnableParameter
from experiment.settings.observations import Observations
from experiment.settings.registry import ARCHITECTURES, VALUES
from experiment.system import (
    STRICT,
    Count,
    Index,
    Name,
    NotNegative,
    PathText,
    Positive,
    Seed,
    one_of,
)


def _amp_word(value: Any) -> Any:
    # YAML 1.1 reads a bare `off` as false.
    return "off" if value is False else value


def _number_as_word(value: Any) -> Any:
    # Hydra reads a run's name such as 4711, a job's number, as an integer.
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value


def _resume_word(value: Any) -> Any:
    value = _number_as_word(value)
    if isinstance(value, bool) or (isinstance(value, str) and value.strip()):
        return value
    raise ValueError("true, false, last, auto, or the name or folder of a run")


#: The name or the folder of a run.
Run = Annotated[str, BeforeValidator(_number_as_word)]
Words = tuple[Name, ...]
Indices = tuple[Index, ...]
#: Channels of a layer.
Width = Annotated[int, Field(ge=1, le=2**20)]
Widths = Annotated[tuple[Width, ...], Field(max_length=1000)]
Frames = Annotated[int, Field(ge=2, le=10**7)]
ImportPath = Annotated[str, Field(max_length=300)]
Processes = Annotated[int, Field(ge=1, le=1024)]
Precision = Literal["float32", "float64"]
Task = Literal["import", "generate", "train", "evaluate", "export"]
Side = Annotated[str, one_of(VALUES)]


@dataclass(frozen=True, config=STRICT)
class General:
    experiment_name: Name
    mode: Literal["synthetic", "physical", "hybrid", "compare", "evaluate"]
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    run_dir: PathText
    run_name: Annotated[Name, BeforeValidator(_number_as_word)] | None
    checkpoint_dir: PathText | None
    take_over: bool
    seed: Seed
    precision: Precision
    device: Literal["cpu", "cuda"]
    num_threads: Processes | None
    tensorboard: bool
    trace: bool


@dataclass(frozen=True, config=STRICT)
class FieldsScheme:
    """Which fields the model moves on, and which it only sees."""

    dynamic: Annotated[Words, Field(min_length=1)]
    static: Words


@dataclass(frozen=True, config=STRICT)
class Data:
    data_dir: PathText
    fields: Annotated[Words, Field(min_length=1)]
    fields_scheme: FieldsScheme
    num_simulations: Count
    seed: Seed
    trajectory_length: Frames
    precision: Precision
    reference: Literal["same", "fine", "spectral"]
    reference_refinement: Annotated[int, Field(ge=1, le=64)]
    num_workers: Annotated[int, Field(ge=0, le=1024)]
    overwrite: bool
    source: PathText | None
    source_names: dict[Name, Name] | None
    export: PathText | None
    observations: Observations


@dataclass(frozen=True, config=STRICT)
class Cache:
    """Where trajectories are cached, and in which memory.

    `dir` null caches nothing. `ttl` is in s. `backend` holds the port's batches,
    `worker_backend` puts its caches together.
    """

    dir: PathText | None
    open_simulations: Count
    ttl: Positive | None
    backend: Literal["torch", "numpy"]
    worker_backend: Literal["torch", "numpy"]


@dataclass(frozen=True, config=STRICT)
class Architecture:
    """What a network is built from; an architecture reads some of it, others null.

    `kwargs` are further arguments of a network of one's own, by name.
    """

    levels: Annotated[int, Field(ge=1, le=20)] | None
    filters: Width | Widths | None
    layers: Annotated[Widths, Field(min_length=1)] | None
    batch_norm: bool
    activation: Literal["ReLU", "Sigmoid", "tanh", "SiLU", "GeLU"]
    periodic: bool
    inputs: Literal["all", "dynamic"]
    kwargs: dict[Name, Any] | None = None

    @property
    def layer_widths(self) -> tuple[int, ...]:
        """Channels of each layer or block of a network without levels."""
        return self.layers or ()

    @property
    def level_widths(self) -> tuple[int, ...]:
        """Channels of each level of a U-Net."""
        if isinstance(self.filters, tuple):
            return self.filters
        return (self.filters or 0,) * (self.levels or 0)


@dataclass(frozen=True, config=STRICT)
class Synthetic:
    name: Annotated[str, one_of(ARCHITECTURES)]
    architecture: Architecture


@dataclass(frozen=True, config=STRICT)
class Model:
    physical: AnyEquation
    synthetic: Synthetic


@dataclass(frozen=True, config=STRICT)
class SyntheticOptions:
    epochs: Count
    learning_rate: Positive
    weight_decay: NotNegative
    clip_norm: Positive | None
    schedule: Literal["cosine", "constant", "step", "exponential"]
    decay: Annotated[float, Field(gt=0, lt=1)]
    decay_epochs: Count
    input_noise: NotNegative
    checkpoint_every: Index


@dataclass(frozen=True, config=STRICT)
class PhysicalOptions:
    """L-BFGS-B in rounds of some iterations; each round ends in a checkpoint.

    `coarsening` divides the cells along every axis. `rollout_steps` null is
    `trainer.rollout_steps`; `regularisation` null adds nothing.
    """

    learnable_parameters: Annotated[tuple[LearnableParameter, ...], Field(min_length=1)]
    coarsening: Count
    windows: Count
    rollout_steps: Count | None
    rounds: Count
    iterations: Count
    tolerance: Positive
    regularisation: Literal["l2", "tv"] | None
    regularisation_weight: Positive


@dataclass(frozen=True, config=STRICT)
class TermWeights:
    """What each term counts in a model's loss: the mean over real windows, and that
    over the windows that the other model made."""

    real: NotNegative
    interaction: NotNegative


@dataclass(frozen=True, config=STRICT)
class HybridWeights:
    synthetic: TermWeights
    physical: TermWeights


@dataclass(frozen=True, config=STRICT)
class HybridOptions:
    """A warm-up of the synthetic model, then cycles in which each teaches the other.

    Null is `alpha` times the real simulations for `trajectories`, a whole simulation
    for `generated_frames`, one window for `predicted_frames`.
    """

    warm_up_epochs: Count
    cycles: Count
    epochs: Count
    rounds: Count
    alpha: Annotated[float, Field(gt=0, le=1)]
    trajectories: Count | None
    generated_frames: Frames | None
    predicted_frames: Frames | None
    weights: HybridWeights
    proportional: bool
    keep_best: bool


@dataclass(frozen=True, config=STRICT)
class Trainer:
    batch_size: Count
    rollout_steps: Count
    rollout_schedule: Literal["constant", "linear", "exponential"]
    rollout_start: Count
    train_sim: Annotated[Indices, Field(min_length=1)]
    val_sim: Indices
    amp: Annotated[Literal["off", "bf16"], BeforeValidator(_amp_word)]
    resume: Annotated[bool | str, BeforeValidator(_resume_word)]
    extend: bool
    data_access: Literal["both", "real_only", "generated_only"]
    synthetic: SyntheticOptions
    physical: PhysicalOptions
    hybrid: HybridOptions


@dataclass(frozen=True, config=STRICT)
class Evaluation:
    test_sim: Annotated[Indices, Field(min_length=1)]
    num_frames: Frames
    checkpoint: Literal["last", "best"]
    run: Run | None
    laplace_rank: Index
    export: PathText | None
    output_dir: PathText | None


@dataclass(frozen=True, config=STRICT)
class Compare:
    """Each model alone and both together, over seeds (`general.mode=compare`)."""

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    redraw_data: bool


@dataclass(frozen=True, config=STRICT)
class Source:
    """Import paths `package.module:Class` that take the registry's place."""

    legacy: ImportPath | None
    phiml: ImportPath | None


@dataclass(frozen=True, config=STRICT)
class Sources:
    """Implementations of one's own, by component and side."""

    model: Source
    trainer: Source
    data: Source
    physics: Source
    hybrid: Source


@dataclass(frozen=True, config=STRICT)
class Migration:
    """Which side runs each component."""

    model: Side
    trainer: Side
    data: Side
    physics: Side
    hybrid: Side
    phiml_backend: Literal["torch", "jax"]
    sources: Sources


@dataclass(frozen=True, config=STRICT)
class Settings:
    """All settings of a run, checked."""

    general: General
    data: Data
    cache: Cache
    model: Model
    trainer: Trainer
    evaluation: Evaluation
    compare: Compare
    migration: Migration
