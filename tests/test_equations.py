"""Every equation of the registry on both sides, and one that is added to it."""

import copy
import inspect
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic.dataclasses import dataclass

from experiment.data import generate, open_scene
from experiment.equations import EQUATIONS, KINDS, Equation, Kind, LearnableParameter
from experiment.settings import SIDES, Settings, parameter_ranges
from experiment.system import STRICT, Progress
from tests.helpers import relative_error, small
from tests.physics_cases import DOUBLE, EXPERIMENTS, model_class, simulate


def simulator(side: str, settings: Settings) -> Any:
    from legacy.physics import SceneSimulator as Control
    from phiml_port.physics import SceneSimulator as Candidate

    return {"legacy": Control, "phiml": Candidate}[side](settings)


def learner(side: str, settings: Settings) -> Any:
    from legacy.assemble import build_physical_learner as control
    from phiml_port.assemble import build_physical_learner as candidate

    return {"legacy": control, "phiml": candidate}[side](settings)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", EQUATIONS)
def test_the_model_of_an_equation_has_the_one_interface(name: str, side: str) -> None:
    kind = model_class(side, EQUATIONS[name])
    assert kind.__module__.startswith(f"{SIDES[side]}.physics.")
    assert list(inspect.signature(kind).parameters) == ["equation"]
    step = inspect.signature(kind.step).parameters
    assert list(step) == ["self", "state", "parameters"]


@pytest.mark.parametrize("name", EQUATIONS)
def test_the_two_docstrings_state_the_same_equation(name: str) -> None:
    """The second paragraph is the equation, with what it is solved by in words."""
    stated = {
        inspect.cleandoc(model_class(side, EQUATIONS[name]).__doc__ or "").split(
            "\n\n"
        )[1]
        for side in SIDES
    }
    assert len(stated) == 1 and "/dt" in stated.pop()


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_both_sides_give_the_same_loss_gradient_and_roll_out(
    tmp_path: Path, experiment: str
) -> None:
    simulate(tmp_path, experiment)
    settings = small(tmp_path, DOUBLE, "general.mode=physical", experiment=experiment)
    ranges = parameter_ranges(settings)
    start = {n: r.start + 0.1 for n, r in ranges.items()}
    bounded = {n: ranges[n].bounded(z) for n, z in start.items()}
    fields = settings.model.physical.initial_state(settings.data.seed, 0)
    columns = [fields[n].reshape(1, 16, 8, -1) for n in settings.data.fields]
    states = np.concatenate(columns, -1)
    control, candidate = (learner(side, settings) for side in SIDES)
    assert control.loss(start) == pytest.approx(candidate.loss(start), rel=1e-12)
    expected, actual = (side.gradient(start) for side in (control, candidate))
    assert expected.keys() == actual.keys() == start.keys()
    for name, slope in expected.items():
        assert slope.shape == start[name].shape and slope.dtype == np.float64
        assert relative_error(actual[name], slope) < 1e-11
    rolled = [side.rollout(bounded, states, 4) for side in (control, candidate)]
    assert relative_error(rolled[1], rolled[0]) < 1e-13


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_gradient_does_not_depend_on_what_was_asked_before(
    tmp_path: Path, experiment: str, side: str
) -> None:
    """torch specialises what it traced by its first call; that may ask for anything."""
    simulate(tmp_path, experiment)
    settings = small(tmp_path, DOUBLE, "general.mode=physical", experiment=experiment)
    start = {n: r.start + 0.1 for n, r in parameter_ranges(settings).items()}
    first, second = learner(side, settings), learner(side, settings)
    second.loss(start)
    for _ in range(3):
        slopes, expected = first.gradient(start), second.gradient(start)
        for name, slope in slopes.items():
            assert relative_error(slope, expected[name]) < 1e-13
    found = learner(side, settings).minimise(start, 1.0).unbounded
    for name, values in second.minimise(start, 1.0).unbounded.items():
        assert relative_error(found[name], values) < 1e-9


@dataclass(frozen=True, config=STRICT)
class DecayParams:
    """The rate in 1/s."""

    rate: float


@dataclass(frozen=True, config=STRICT)
class Decay(Equation):
    """du/dt = -r u, so u is exp(-r dt) times itself a frame later."""

    name: Literal["decay"]
    pde_params: DecayParams

    source = "physics.decay:DecayModel"
    units: ClassVar = {"u": "1", "rate": "1/s"}
    parameters = ("rate",)
    constant_fields = ()
    growth_limit = 1.0
    remedy = "Take a positive rate."

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        return {"u": ()}

    def initial_state(self, seed: int, simulation: int) -> dict[str, np.ndarray]:
        generator = np.random.default_rng([seed, simulation])
        return {"u": generator.standard_normal(tuple(self.resolution.values()))}

    def true_parameter(self, name: str) -> np.ndarray:
        return np.asarray(self.pde_params.rate, np.float64)

    def stability_limit(self, name: str) -> float:
        return float("inf")

    def stability_warnings(self, initial: Sequence[Any]) -> list[str]:
        return []


class DecayModel:
    """The same on either side, as it needs no more than arithmetic."""

    def __init__(self, equation: Decay) -> None:
        self._dt = equation.dt

    def step(self, state: Any, parameters: Any) -> dict[str, Any]:
        from phiml import math

        return {"u": state["u"] * math.exp(-self._dt * parameters["rate"])}


@pytest.fixture
def decay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an equation that is in the registry, and nowhere else by name."""
    monkeypatch.setitem(EQUATIONS, "decay", Decay)
    for package in SIDES.values():
        module = ModuleType(f"{package}.physics.decay")
        setattr(module, "DecayModel", DecayModel)  # noqa: B010
        monkeypatch.setitem(sys.modules, module.__name__, module)
    base = small(tmp_path, DOUBLE, "general.mode=physical", "data.precision=float64")
    physical = base.model.physical
    equation = Decay(
        name="decay",
        domain=physical.domain,
        resolution=physical.resolution,
        dt=physical.dt,
        pde_params=DecayParams(0.7),
    )
    # The schema was made of the registry as it was when it was imported.
    model = copy.copy(base.model)
    object.__setattr__(model, "physical", equation)
    settings = copy.copy(base)
    scheme = replace(base.data.fields_scheme, dynamic=("u",), static=())
    rate = LearnableParameter("rate", "scalar", 0.2, (0.0, 2.0))
    training = replace(
        base.trainer.physical, learnable_parameters=(rate,), iterations=20
    )
    for key, value in {
        "model": model,
        "data": replace(base.data, fields=("u",), fields_scheme=scheme),
        "trainer": replace(base.trainer, physical=training),
    }.items():
        object.__setattr__(settings, key, value)
    return settings


# The schema's serialiser, too, was made of the registry as it was.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
@pytest.mark.parametrize("side", SIDES)
def test_an_entry_in_the_registry_is_enough(decay: Settings, side: str) -> None:
    """It is simulated, rolled out, and its parameter is learned."""
    assert generate(decay, simulator(side, decay), Progress()) == 4
    scene, equation = open_scene(decay, 0), decay.model.physical
    factor = np.exp(-0.7 * equation.dt)
    start = equation.initial_state(decay.data.seed, 0)["u"]
    for frame in range(decay.data.trajectory_length):
        stored = scene.read("u", frame).reshape(start.shape)
        assert relative_error(stored, factor**frame * start) < 1e-13
    learning = learner(side, decay)
    (bounds,) = parameter_ranges(decay).values()
    guess = {"rate": bounds.start}
    found = learning.minimise(guess, learning.loss(guess))
    assert bounds.bounded(found.unbounded["rate"]) == pytest.approx(0.7, abs=1e-4)
    rolled = learning.rollout({}, start[None, ..., None], 6)
    assert relative_error(rolled[0, 5, ..., 0], factor**5 * start) < 1e-13


def _profile(equation: Equation, guess: Any, key: str) -> np.ndarray:
    return np.full(equation.resolution["x"], float(guess))


@pytest.mark.parametrize("side", SIDES)
def test_a_kind_of_parameter_over_some_axes_is_learned(
    tmp_path: Path, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the field that is constant along the other axes, with the chain rule's sum.

    An entry in `KINDS` is enough, as the sides go by its axes; here it takes the place
    of another, since the schema has read their names.
    """
    simulate(tmp_path, "heat")
    learners, points = {}, {}
    monkeypatch.setitem(KINDS, "scalar", Kind(lambda axes: axes[:1], _profile))
    for kind, shape in (("scalar", (16,)), ("field", (16, 8))):
        entry = f"{{name:diffusivity,type:{kind},initial_guess:0.1,bounds:[0.0,null]}}"
        settings = small(
            tmp_path,
            *(DOUBLE, "general.mode=physical"),
            f"trainer.physical.learnable_parameters=[{entry}]",
            experiment="heat",
        )
        (numbers,) = parameter_ranges(settings).values()
        assert numbers.start.shape == shape
        learners[kind] = learner(side, settings)
        points[kind] = numbers.start
    profile = points["scalar"] + np.linspace(-0.3, 0.3, 16)
    slope = learners["scalar"].gradient({"diffusivity": profile})["diffusivity"]
    field = {"diffusivity": np.repeat(profile[:, None], 8, 1)}
    expected = learners["field"].gradient(field)["diffusivity"].sum(1)
    assert relative_error(slope, expected) < 1e-12
    loss = learners["scalar"].loss({"diffusivity": profile})
    assert loss == pytest.approx(learners["field"].loss(field), rel=1e-13)
    found = learners["scalar"].minimise({"diffusivity": profile}, loss)
    assert found.unbounded["diffusivity"].shape == (16,)
    # The truth varies along y too, so this can't reach it.
    assert learners["scalar"].loss(found.unbounded) < 0.25 * loss
