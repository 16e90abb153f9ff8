"""The settings of a run: frozen dataclasses, one for each group of `conf/`.

The YAML files hold every default; the dataclasses hold names, types and limits.
`experiment.check_settings` makes them from plain nested dicts.
"""

from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _amp_word(value: Any) -> Any:
    # YAML 1.1 reads a bare `off` as false.
    return "off" if value is False else value


AXES = ("x", "y", "z")

Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")]
Words = tuple[Name, ...]
Indices = tuple[Index, ...]
Counts = tuple[Count, ...]
Axis = Literal["x", "y", "z"]
Precision = Literal["float32", "float64"]
Task = Literal["generate", "train", "evaluate"]
Side = Literal["legacy", "phiml", "shadow"]


@dataclass(frozen=True, config=_STRICT)
class General:
    experiment_name: Name
    mode: Literal["synthetic", "physical", "hybrid", "evaluate"]
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    checkpoint_dir: str
    run_dir: str
    seed: Index
    precision: Precision
    device: Literal["cpu", "cuda"]
    num_threads: Count | None
    tensorboard: bool
    trace: bool


@dataclass(frozen=True, config=_STRICT)
class FieldsScheme:
    """Which fields the model moves on, and which it only sees."""

    dynamic: Annotated[Words, Field(min_length=1)]
    static: Words


@dataclass(frozen=True, config=_STRICT)
class Data:
    data_dir: str
    fields: Annotated[Words, Field(min_length=1)]
    fields_scheme: FieldsScheme
    num_simulations: Count
    seed: Index
    trajectory_length: Annotated[int, Field(ge=2)]
    precision: Precision
    num_workers: Index
    overwrite: bool


@dataclass(frozen=True, config=_STRICT)
class Cache:
    """Where trajectories are cached, and how they are held.

    `dir` null caches nothing. `ttl` is in s. `backend` holds the port's batches,
    `worker_backend` puts its caches together.
    """

    dir: str | None
    open_simulations: Count
    ttl: Positive | None
    backend: Literal["torch", "numpy"]
    worker_backend: Literal["torch", "numpy"]


@dataclass(frozen=True, config=_STRICT)
class BurgersParams:
    """`viscosity` is an expression in m^2/s; speeds are in m/s."""

    viscosity: str | float
    diffusion_substeps: Count
    initial_speed: NotNegative
    initial_wavenumber: Count


@dataclass(frozen=True, config=_STRICT)
class AdvectionParams:
    """Speeds in m/s, densities in kg per m^rank; the factor has no unit."""

    speed: NotNegative
    velocity_factor: float
    speed_wavenumber: Count
    initial_density: Positive
    initial_wavenumber: Count


Domain = Annotated[dict[Axis, Positive], Field(min_length=1)]
Resolution = Annotated[dict[Axis, Annotated[int, Field(ge=2)]], Field(min_length=1)]


@dataclass(frozen=True, config=_STRICT)
class Burgers:
    """Domain sizes in m, resolution in cells, `dt` in s between two frames."""

    name: Literal["burgers"]
    domain: Domain
    resolution: Resolution
    dt: Positive
    pde_params: BurgersParams


@dataclass(frozen=True, config=_STRICT)
class Advection:
    """Domain sizes in m, resolution in cells, `dt` in s between two frames."""

    name: Literal["advection"]
    domain: Domain
    resolution: Resolution
    dt: Positive
    pde_params: AdvectionParams


@dataclass(frozen=True, config=_STRICT)
class Architecture:
    levels: Count | None
    filters: Count | Counts | None
    layers: Annotated[Counts, Field(min_length=1)] | None
    batch_norm: bool
    activation: Literal["ReLU", "Sigmoid", "tanh", "SiLU", "GeLU"]
    periodic: bool
    inputs: Literal["all", "dynamic"]


@dataclass(frozen=True, config=_STRICT)
class Synthetic:
    name: Literal["unet", "resnet", "convnet"]
    architecture: Architecture


@dataclass(frozen=True, config=_STRICT)
class Model:
    physical: Annotated[Burgers | Advection, Field(discriminator="name")]
    synthetic: Synthetic


@dataclass(frozen=True, config=_STRICT)
class SyntheticTraining:
    epochs: Count
    learning_rate: Positive
    weight_decay: NotNegative
    clip_norm: Positive | None
    schedule: Literal["cosine", "constant"]
    checkpoint_every: Index


@dataclass(frozen=True, config=_STRICT)
class LearnableParameter:
    """A parameter of the PDE that is learned from data.

    `initial_guess` is a number, or for a field an expression of the position. `bounds`
    are lower and upper; an upper null is the scheme's stability limit.
    """

    name: Name
    type: Literal["scalar", "field"]
    initial_guess: str | float
    bounds: tuple[float, float | None]


@dataclass(frozen=True, config=_STRICT)
class PhysicalTraining:
    """L-BFGS-B in rounds of some iterations; each round ends in a checkpoint."""

    learnable_parameters: Annotated[tuple[LearnableParameter, ...], Field(min_length=1)]
    windows: Count
    rounds: Count
    iterations: Count
    tolerance: Positive


@dataclass(frozen=True, config=_STRICT)
class HybridTraining:
    """A warm-up of the synthetic model, then cycles in which each teaches the other."""

    warm_up_epochs: Count
    cycles: Count
    epochs: Count
    rounds: Count
    alpha: Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True, config=_STRICT)
class Trainer:
    batch_size: Count
    rollout_steps: Count
    train_sim: Annotated[Indices, Field(min_length=1)]
    val_sim: Indices
    amp: Annotated[Literal["off", "bf16"], BeforeValidator(_amp_word)]
    resume: bool
    data_access: Literal["both", "real_only", "generated_only"]
    synthetic: SyntheticTraining
    physical: PhysicalTraining
    hybrid: HybridTraining


@dataclass(frozen=True, config=_STRICT)
class Evaluation:
    test_sim: Annotated[Indices, Field(min_length=1)]
    num_frames: Annotated[int, Field(ge=2)]
    checkpoint: Literal["last", "best"]
    output_dir: str | None


@dataclass(frozen=True, config=_STRICT)
class ModelSources:
    """Import paths `package.module:Class` that take the registry's place."""

    legacy: str | None
    phiml: str | None


@dataclass(frozen=True, config=_STRICT)
class Sources:
    model: ModelSources


@dataclass(frozen=True, config=_STRICT)
class Migration:
    """Which side runs each component."""

    model: Side
    trainer: Side
    data: Side
    physics: Side
    hybrid: Side
    phiml_backend: Literal["torch", "jax"]
    sources: Sources


@dataclass(frozen=True, config=_STRICT)
class Settings:
    """All settings of a run, checked."""

    general: General
    data: Data
    cache: Cache
    model: Model
    trainer: Trainer
    evaluation: Evaluation
    migration: Migration


@plain_dataclass(frozen=True)
class Switch:
    """A component of the migration and the step that brings it."""

    component: str
    step: str


COMPONENTS = (
    Switch("model", "step1"),
    Switch("trainer", "step2"),
    Switch("data", "step3"),
    Switch("physics", "physics"),
    Switch("hybrid", "hybrid"),
)
