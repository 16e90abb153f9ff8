"""Both models teach each other, the same whichever sides run."""

import itertools
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.assemble import MixedParts
from experiment.data import channel_plan, generate
from experiment.run import RunFolder, build_hybrid_training
from experiment.settings import Settings
from experiment.system import CheckpointError, Progress, TrainingError
from experiment.training import (
    LAST,
    PHYSICAL,
    PHYSICAL_LAST,
    Checkpoint,
    HybridTraining,
    load_checkpoint,
    new_states,
)
from legacy.physics import SceneSimulator
from tests.bridge import test_physics as physics
from tests.bridge.test_step1 import DOUBLE, losses
from tests.helpers import relative_error, run_program, small
from tests.legacy import test_training as synthetic

EXPERIMENTS = ("burgers", "advection")
SIDES = ("legacy", "phiml")
TINY = (
    "model/synthetic=convnet",
    "model.synthetic.architecture.layers=[4,4]",
    "model.physical.resolution={x: 11, y: 13}",
    "general.mode=hybrid",
    DOUBLE,
    "trainer.physical.windows=6",
    "trainer.physical.iterations=3",
    "trainer.hybrid.warm_up_epochs=1",
    "trainer.hybrid.cycles=2",
    "trainer.hybrid.epochs=1",
    "trainer.hybrid.rounds=1",
)
#: Stable with one substep, which compiles sooner.
PDE = {
    "burgers": (
        "model.physical.pde_params.diffusion_substeps=1",
        "model.physical.pde_params.viscosity='0.02 * (x/size_x + y/size_y)**3'",
    ),
    "advection": (),
}
#: Losses and parameters of both sides agree to this, relative.
NEAR = 1e-6


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `burgers` and `advection` with four simulations; not to be changed."""
    path = tmp_path_factory.mktemp("hybrid")
    for experiment in EXPERIMENTS:
        settings = tiny(path / experiment, experiment)
        generate(settings, SceneSimulator(settings), Progress())
    return path


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of `made` that the test may change."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def tiny(path: Path, experiment: str, *overrides: str) -> Settings:
    return small(path, *TINY, *PDE[experiment], *overrides, experiment=experiment)


def switches(hybrid: str, physics: str, others: str) -> tuple[str, ...]:
    rest = (f"migration.{name}={others}" for name in ("model", "trainer", "data"))
    return (f"migration.hybrid={hybrid}", f"migration.physics={physics}", *rest)


def everything(side: str) -> tuple[str, ...]:
    return switches(side, side, side)


def training_of(settings: Settings) -> HybridTraining:
    """The training of both models, of the sides that are on."""
    return build_hybrid_training(settings, MixedParts())


def trained(
    path: Path, name: str, experiment: str, *overrides: str
) -> tuple[Checkpoint, Checkpoint]:
    """Trains; returns the last checkpoints of the synthetic and the physical model."""
    checkpoints = f"general.checkpoint_dir={path}/{name}"
    settings = tiny(path / experiment, experiment, *overrides, checkpoints)
    training_of(settings).train(RunFolder(settings), Progress())
    return last(path / name)


def last(path: Path) -> tuple[Checkpoint, Checkpoint]:
    return load_checkpoint(path / LAST), load_checkpoint(path / PHYSICAL_LAST, PHYSICAL)


def near(found: tuple[Checkpoint, Checkpoint], control: Any) -> None:
    """Loss curves, weights and parameters, relative."""
    np.testing.assert_allclose(losses(found[0]), losses(control[0]), rtol=NEAR)
    for name, leaf in control[0].weights.items():
        assert relative_error(found[0].weights[name], leaf) < NEAR, name
    physics.near(found[1], control[1], NEAR)


@pytest.mark.parametrize(
    "experiment", [pytest.param("burgers", marks=pytest.mark.slow), "advection"]
)
def test_every_combination_of_sides_trains_the_same(
    folder: Path, experiment: str
) -> None:
    control = trained(folder, "control", experiment, *everything("legacy"))
    assert (control[0].state.epoch, control[1].state.epoch) == (3, 2)
    rows = control[1].state.history
    assert rows[-1]["real_loss"] < rows[0]["loss_before"]
    for sides in itertools.product(SIDES, repeat=3):
        if sides != ("legacy",) * 3:
            found = trained(folder, "-".join(sides), experiment, *switches(*sides))
            near(found, control)


@pytest.mark.parametrize(("trainer", "data"), [SIDES, SIDES[::-1]])
def test_generated_windows_cross_between_trainer_and_data(
    folder: Path, trainer: str, data: str
) -> None:
    """The presets step1 and step2 have a trainer and data of different sides."""
    control = trained(folder, "control", "advection", *everything("legacy"))
    mixed = (f"migration.trainer={trainer}", f"migration.data={data}")
    near(trained(folder, "mixed", "advection", *mixed), control)


def interrupted(
    path: Path, experiment: str, place: str, *overrides: str
) -> tuple[int, int]:
    """Trains until killed at a place; epochs and rounds in the checkpoints."""
    checkpoints = f"general.checkpoint_dir={path}/apart"
    settings = tiny(path / experiment, experiment, *overrides, checkpoints)
    training = training_of(settings)
    learner, physical = training.synthetic.learner, training.physical.learner
    step, minimise = learner.step, physical.minimise
    steps, rounds = [0], [0]
    # 10 real windows and 5 generated ones in batches of 3: 4 steps an epoch, then 5.
    stop_at = {"first cycle": 6, "second cycle": 11, "signal": 11}.get(place, 0)

    def stepping(*arguments: Any) -> float:
        steps[0] += 1
        if steps[0] == stop_at:
            if place != "signal":
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGTERM)
        return step(*arguments)

    def minimising(*arguments: Any) -> Any:
        rounds[0] += 1
        if place == "signal in a round":
            os.kill(os.getpid(), signal.SIGTERM)
        if rounds[0] == {"first half": 1, "second half": 2}.get(place):
            raise KeyboardInterrupt
        return minimise(*arguments)

    setattr(learner, "step", stepping)  # noqa: B010
    setattr(physical, "minimise", minimising)  # noqa: B010
    with pytest.raises((KeyboardInterrupt, TrainingError)):
        training.train(RunFolder(settings), Progress())
    path = path / "apart"
    epochs = load_checkpoint(path / LAST).state.epoch
    if not (path / PHYSICAL_LAST).exists():
        return epochs, 0
    return epochs, load_checkpoint(path / PHYSICAL_LAST, PHYSICAL).state.epoch


@pytest.mark.parametrize("side", SIDES)
def test_a_killed_training_goes_on_bitwise_from_any_place(
    folder: Path, side: str
) -> None:
    """Inside an epoch, stopped after a batch, and between the halves of a cycle."""
    sides = everything(side)
    whole = trained(folder, "whole", "advection", *sides)
    for place, reached in {
        "first cycle": (1, 0),
        "first half": (2, 0),
        "signal in a round": (2, 1),
        "second cycle": (2, 1),
        "signal": (2, 1),
        "second half": (3, 1),
    }.items():
        assert interrupted(folder, "advection", place, *sides) == reached, place
        found = trained(folder, "apart", "advection", *sides, "trainer.resume=true")
        synthetic.same(folder / "apart" / LAST, folder / "whole" / LAST)
        physics.same(found[1], whole[1])
        shutil.rmtree(folder / "apart")


@pytest.mark.parametrize("side", SIDES)
def test_a_checkpoint_that_must_be_there_is_missed(folder: Path, side: str) -> None:
    """Behind the first cycle the physical model has one."""
    sides = everything(side)
    assert interrupted(folder, "advection", "second half", *sides) == (3, 1)
    (folder / "apart" / PHYSICAL_LAST).unlink()
    with pytest.raises(CheckpointError, match="there is no checkpoint .*physical-last"):
        trained(folder, "apart", "advection", *sides, "trainer.resume=true")


def test_the_other_side_goes_on_inside_a_cycle(folder: Path) -> None:
    whole = trained(folder, "whole", "burgers", *everything("legacy"))
    interrupted(folder, "burgers", "second cycle", *everything("legacy"))
    resume = (*everything("phiml"), "trainer.resume=true")
    near(trained(folder, "apart", "burgers", *resume), whole)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("access", "windows", "predicted"),
    [
        # 2 simulations of 7 - 2 windows; half as many generated ones, each a window of
        # the synthetic model's prediction.
        ("real_only", 10, 10),
        ("both", 15, 11),
        ("generated_only", 5, 1),
    ],
)
def test_what_each_model_may_see(
    folder: Path, side: str, access: str, windows: int, predicted: int
) -> None:
    settings = tiny(
        folder / "advection",
        "advection",
        *everything(side),
        f"trainer.data_access={access}",
        "trainer.physical.windows=99",
    )
    training = training_of(settings)
    loader: Any = training.synthetic.train_loader
    learner: Any = training.physical.learner
    seen: list[Any] = []
    teach, minimise = training.synthetic.train, learner.minimise

    def teaching(*arguments: Any, **options: Any) -> Any:
        seen.append(("windows", len(loader.dataset)))
        return teach(*arguments, **options)

    def minimising(*arguments: Any) -> Any:
        held = learner.windows
        count = len(held) if side == "legacy" else held.shape.get_size("batch")
        seen.append(("predicted", count))
        return minimise(*arguments)

    setattr(training.synthetic, "train", teaching)  # noqa: B010
    setattr(learner, "minimise", minimising)  # noqa: B010
    training.train(RunFolder(settings), Progress())
    cycle = [("windows", windows), ("predicted", predicted)]
    assert seen == [("windows", 10), *cycle, *cycle]
    # The last batch of an epoch may be smaller: 4 steps of the warm-up, then 2 epochs.
    (state, _) = last(folder / "advection" / "checkpoints")
    assert state.state.iteration == 4 + 2 * -(-windows // 3)
    assert len(loader.dataset) == 10


@pytest.mark.parametrize(("alpha", "count"), [(0.5, 1), (1.0, 2), (0.01, 1)])
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_generated_states_are_new_in_every_cycle(
    tmp_path: Path, experiment: str, alpha: float, count: int
) -> None:
    settings = tiny(tmp_path, experiment, f"trainer.hybrid.alpha={alpha}")
    plan = channel_plan(settings)
    every = []
    for number in range(settings.data.num_simulations):
        fields = settings.model.physical.initial_state(settings.data.seed, number)
        every.append(
            np.concatenate([fields[n].reshape(11, 13, -1) for n in plan.fields], -1)
        )
    for cycle in (0, 1, 2):
        states = new_states(settings, cycle)
        assert states.shape == (count, 11, 13, len(plan.names))
        assert states.dtype == np.float64
        every.extend(states)
        np.testing.assert_array_equal(states, new_states(settings, cycle))
    for left, right in itertools.combinations(every, 2):
        assert relative_error(left, right) > 0.1


@pytest.mark.parametrize("side", SIDES)
def test_a_trajectory_that_is_not_finite_is_not_handed_over(
    folder: Path, side: str
) -> None:
    settings = tiny(folder / "advection", "advection", *everything(side))
    for owner, method, message in (
        (
            "learner",
            "rollout",
            r"the physical model's roll-out in cycle 1 is not finit",
        ),
        ("synthetic", "predict", r"the synthetic model's prediction in cycle 1 is not"),
    ):
        training = training_of(settings)
        physical: Any = training.physical.learner
        giver: Any = training.synthetic.learner if owner == "synthetic" else physical
        original = getattr(giver, method)

        def poisoned(*arguments: Any, original: Any = original) -> np.ndarray:
            values = original(*arguments).copy()
            values[0, -1, 3, 4, 0] = np.nan
            return values

        setattr(giver, method, poisoned)
        taken: list[Any] = []
        loader = training.synthetic.train_loader
        taker = physical if owner == "synthetic" else loader
        setattr(taker, "augment", lambda *a, taken=taken: taken.append(a))  # noqa: B010
        with pytest.raises(TrainingError, match=message) as caught:
            training.train(RunFolder(settings), Progress())
        assert "trainer.hybrid.warm_up_epochs" in str(caught.value)
        assert taken == []


@pytest.mark.slow
def test_hybrid_end_to_end_on_phiml(tmp_path: Path) -> None:
    done = run_program(
        tmp_path,
        "--config-name=burgers.yaml",
        *("general.mode=hybrid", "migration=full"),
        *("trainer.hybrid.warm_up_epochs=1", "trainer.hybrid.epochs=1"),
        *("trainer.physical.windows=6", "trainer.physical.iterations=3"),
    )
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.split())
    for words in (
        "model: phiml (phiml_port.models",
        "trainer: phiml (phiml_port.training.synthetic:SyntheticLearner), by the",
        "data: phiml (phiml_port.data",
        "physics: phiml (phiml_port.physics.learner:PhysicalLearner), by the preset",
        "hybrid: phiml (experiment.training:HybridTraining), by the preset full",
        "conversions between torch and PhiML: none",
        "physical round 2/2",
        "epoch 3/3",
    ):
        assert words in shown, words
    # The table of both models beside persistence, and that of the parameters.
    lines = [line for line in done.stdout.splitlines() if "│" in line]
    assert [any(word in line for line in lines) for word in ("synthetic", "physical")]
    assert sum("viscosity" in line for line in lines) == 1
    for name in ("metrics.csv", "physical_metrics.csv", "report.html"):
        assert (tmp_path / "runs" / "latest" / name).exists()
    assert "Warning" not in done.stderr
