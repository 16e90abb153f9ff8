"""Both models teach each other, the same whichever sides run."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiment.data import channel_plan
from experiment.run import RunFolder
from experiment.system import Progress, TrainingError
from experiment.training import new_states
from tests.bridge.hybrid_runs import (
    EXPERIMENTS,
    SIDES,
    everything,
    last,
    near,
    switches,
    tiny,
    trained,
    training_of,
)
from tests.helpers import relative_error, run_program


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
        counts = learner.counts()
        held = [
            len(w) if side == "legacy" else w.shape.get_size("batch")
            for w in learner.windows.values()
        ]
        assert held == [n for n in (counts.real, counts.generated) if n]
        seen.append(("predicted", sum(held)))
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
