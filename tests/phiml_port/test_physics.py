"""The candidate's physics: exact solutions, gradients, backends, scenes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phiml import math
from phiml.math import Tensor, channel, spatial

from experiment.data import channel_plan, generate, open_scene
from experiment.equations.burgers import Burgers
from experiment.settings import Settings, parameter_ranges
from experiment.system import Progress, SceneError
from experiment.training import new_states
from legacy import physics as legacy_physics
from phiml_port.data import PhiMLDataset, read_scene
from phiml_port.physics import PhysicalLearner, PhysicalModel, SceneSimulator
from phiml_port.physics.advection import AdvectionModel
from phiml_port.physics.burgers import BurgersModel
from phiml_port.physics.model import physics_backend
from tests.helpers import relative_error, small
from tests.physics_cases import (
    DOUBLE,
    EXPERIMENTS,
    LAPLACIAN,
    OTHER_PARAMETERS,
    burgers,
    cole_hopf,
    model_class,
    simulate,
    truth,
)

BACKENDS = ("torch", "jax")
#: Few cells, more along one axis, and edges that differ.
UNEVEN = (
    "model/synthetic=convnet",
    "model.physical.resolution={x: 11, y: 13}",
    "model.physical.domain={x: 8.0, y: 4.0}",
)


@pytest.fixture(autouse=True)
def _torch() -> None:
    math.use("torch")


def named(values: np.ndarray) -> Tensor:
    """`(x, y)` or `(x, y, vector)` as a tensor."""
    dims: list[Any] = [spatial("x,y")]
    if values.ndim > 2:
        dims.append(channel(vector="x,y"))
    result: Any = math.tensor(values, *dims)
    return result


def as_array(tensor: Any) -> np.ndarray:
    return tensor.numpy([d for d in ("x", "y", "vector") if d in tensor.shape])


def cole_hopf_error(path: Path, cells: int) -> float:
    """Relative error at t = 0.2 with dt in proportion to dx."""
    viscosity, end, steps = 0.1, 0.2, cells // 2
    equation = burgers(path, cells, end / steps, 5 * cells // 16)
    x = np.asarray(equation.positions["x"])
    model = PhysicalModel(equation)
    with math.precision(64):
        initial = {"velocity": named(np.stack([cole_hopf(x, 0, viscosity), 0 * x], -1))}
        parameters = {"viscosity": named(np.full_like(x, viscosity))}
        *_, last = model.rollout(initial, parameters, steps, chunk=4)
        found = as_array(last["velocity"])
    np.testing.assert_array_equal(found[..., 1], 0)
    return relative_error(found[..., 0], cole_hopf(x, end, viscosity))


def stepped(equation: Any, velocity: np.ndarray, viscosity: Any) -> np.ndarray:
    """The velocity after one step that is not compiled."""
    state = {"velocity": named(velocity)}
    model = BurgersModel(equation)
    return as_array(model.step(state, {"viscosity": viscosity})["velocity"])


@pytest.mark.long
def test_burgers_converges_to_cole_hopf_at_first_order(tmp_path: Path) -> None:
    """Semi-Lagrangian with dt ~ dx and splitting: the error halves with dx."""
    errors = [cole_hopf_error(tmp_path, cells) for cells in (32, 64, 128)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert errors[-1] < 0.03
    assert (orders > 0.9).all() and (orders < 1.3).all(), (errors, orders)


def test_a_heat_mode_decays_at_the_rate_of_the_scheme(tmp_path: Path) -> None:
    """Without velocity to carry it, one mode shrinks by (1 - nu dt' k'^2) a substep.

    k'^2 = (2 - 2 cos(k dx)) / dx^2 is the central Laplacian's eigenvalue, and close to
    k^2, so the decay is close to exp(-nu k^2 t).
    """
    viscosity, dt = 0.05, 0.01
    equation = burgers(tmp_path, 64, dt, 5)
    phase = np.asarray(equation.positions["x"]) * 2 * np.pi
    start = np.stack([0 * phase, 1e-9 * np.sin(phase)], -1)
    with math.precision(64):
        after = stepped(equation, start, named(np.full_like(phase, viscosity)))
        # A number is as good as a field of it.
        same = stepped(equation, start, math.tensor(np.asarray(viscosity)))
    eigenvalue = (2 - 2 * np.cos(2 * np.pi / 64)) * 64**2
    factor = (1 - viscosity * dt / 5 * eigenvalue) ** 5
    assert relative_error(after[..., 1], factor * start[..., 1]) < 1e-9
    assert factor == pytest.approx(np.exp(-viscosity * (2 * np.pi) ** 2 * dt), rel=1e-3)
    assert relative_error(same, after) < 1e-14


def test_a_viscosity_that_varies_multiplies_the_laplacian(tmp_path: Path) -> None:
    """One substep from a small field: u + dt nu(x) lap u, by NumPy."""
    dt = 0.05
    equation = burgers(tmp_path, 16, dt, 1, LAPLACIAN)
    generator = np.random.default_rng(0)
    start = 1e-12 * generator.standard_normal((16, 8, 2))
    nu = generator.uniform(0, 1e-2, (16, 8))
    laplacian = sum(
        (np.roll(start, 1, a) - 2 * start + np.roll(start, -1, a)) * n**2
        for a, n in ((0, 16), (1, 8))
    )
    with math.precision(64):
        after = stepped(equation, start, named(nu))
    assert relative_error(after, start + dt * nu[..., None] * laplacian) < 1e-9


def test_advection_by_whole_cells_is_a_shift(tmp_path: Path) -> None:
    equation: Any = small(
        tmp_path, "model.physical.dt=2.0", experiment="advection"
    ).model.physical
    model = AdvectionModel(equation)
    density = np.random.default_rng(0).standard_normal((16, 8))

    def moved(density: Any, factor: float) -> Any:
        velocity = named(np.tile([1.0, -0.5], (16, 8, 1)))
        state = {"density": density, "velocity": velocity}
        numbers = {"velocity_factor": factor / 2, "velocity_modulation": 2.0}
        parameters = {name: math.tensor(value) for name, value in numbers.items()}
        return model.step(state, parameters)["density"]

    with math.precision(64):
        once, twice = moved(named(density), 1.0), moved(named(density), 2.0)
        # Read in here: outside, PhiML casts to 32 bits.
        found = [as_array(density) for density in (once, twice, moved(once, -1.0))]
    # Cells are 0.5 m wide: 2 m and -1 m are 4 and -2 cells.
    for values, shift in zip(found, ((4, -2), (8, -4), (0, 0)), strict=True):
        assert relative_error(values, np.roll(density, shift, (0, 1))) < 1e-13


def learner_for(
    path: Path, experiment: str, *overrides: str
) -> tuple[Settings, PhysicalLearner]:
    simulate(path, experiment)
    settings = small(path, DOUBLE, *overrides, experiment=experiment)
    return settings, PhysicalLearner(settings, PhiMLDataset(settings, [0, 1]))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_both_backends_give_the_same_roll_out(tmp_path: Path, experiment: str) -> None:
    simulate(tmp_path, experiment)
    found, losses = {}, {}
    for backend in BACKENDS:
        settings = small(
            tmp_path,
            *(DOUBLE, f"migration.phiml_backend={backend}"),
            experiment=experiment,
        )
        learner = PhysicalLearner(settings, PhiMLDataset(settings, [0, 1]))
        start = {n: r.start for n, r in parameter_ranges(settings).items()}
        found[backend] = learner.rollout(truth(settings), new_states(settings, 0), 5)
        losses[backend] = learner.loss(start)
    assert found["jax"].dtype == np.float64
    assert relative_error(found["jax"], found["torch"]) < 1e-12
    assert losses["jax"] == pytest.approx(losses["torch"], rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_gradient_against_finite_differences(
    tmp_path: Path, experiment: str, backend: str
) -> None:
    """Central differences of step h: the error is of order h^2 and of rounding over h.

    Away from the guess, so that no term vanishes. The slope by a cell whose coefficient
    is larger than its neighbours' is 0.
    """
    settings, learner = learner_for(
        *(tmp_path, experiment, f"migration.phiml_backend={backend}"),
        # JAX takes long to compile.
        *(("trainer.rollout_steps=1",) if backend == "jax" else ()),
    )
    (held,) = parameter_ranges(settings).values()
    generator, step = np.random.default_rng(0), 1e-4
    point = held.start + 0.3 * generator.standard_normal(held.start.shape)
    slopes = learner.gradient({held.name: point})[held.name]
    assert slopes.shape == point.shape and slopes.dtype == np.float64
    cells: list[Any] = [()]
    if point.ndim:
        order = generator.permutation(point.size)[:6]
        cells = [np.unravel_index(int(i), point.shape) for i in order]
    seen = 0
    for cell in cells:
        values = []
        for sign in (1, -1):
            moved = np.array(point)
            moved[cell] += sign * step
            values.append(learner.loss({held.name: moved}))
        slope = (values[0] - values[1]) / (2 * step)
        assert slopes[cell] == pytest.approx(slope, rel=1e-5, abs=0), (cell, slope)
        seen += slope != 0
    assert seen > len(cells) / 2


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_many_simulations_at_once_are_those_of_each(
    tmp_path: Path, experiment: str
) -> None:
    settings, learner = learner_for(tmp_path, experiment, "trainer.hybrid.alpha=1.0")
    states = np.concatenate([new_states(settings, cycle) for cycle in (0, 1)])
    assert len(states) == 4
    together = learner.rollout(truth(settings), states, 6)
    assert together.shape == (4, 6, *states.shape[1:])
    np.testing.assert_array_equal(together[:, 0], states)
    for i in range(4):
        alone = learner.rollout(truth(settings), states[i : i + 1], 6)
        assert relative_error(alone[0], together[i]) < 1e-14


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_what_is_compiled_is_what_is_written(tmp_path: Path, experiment: str) -> None:
    """Tracing must not bake anything in: other states and parameters, same compiled."""
    settings, learner = learner_for(tmp_path, experiment)
    model, plan = PhysicalModel(settings.model.physical), channel_plan(settings)
    eager = model_class("phiml", settings.model.physical)(settings.model.physical)
    for number, scale in ((7, 1.0), (8, 0.5)):
        fields = settings.model.physical.initial_state(0, number)
        parameters = {n: scale * p for n, p in truth(settings).items()}
        states = np.concatenate(
            [fields[n].reshape(16, 8, -1) for n in plan.fields], -1
        )[None]
        found = learner.rollout(parameters, states, 4)[0]
        with math.precision(64):
            state: dict[str, Any] = {n: named(fields[n]) for n in plan.fields}
            some = {n: model.tensor(p) for n, p in parameters.items()}
            known = model.parameters(some)
            for frame in range(1, 4):
                state |= eager.step(state, known)
                expected = np.concatenate(
                    [as_array(state[n]).reshape(16, 8, -1) for n in plan.fields], -1
                )
                assert relative_error(found[frame], expected) < 1e-14
    with math.precision(64):
        windows = learner.windows["real"].numpy(["batch", "time", "x", "y", "vector"])
    for shift in (0.0, 0.4):
        ranges = parameter_ranges(settings)
        point = {n: r.start + shift for n, r in ranges.items()}
        known = {n: ranges[n].bounded(z) for n, z in point.items()}
        later = learner.rollout(known, windows[:, 0], windows.shape[1])
        errors = (later - windows)[:, 1:][..., list(plan.dynamic)]
        expected = (errors**2).mean((0, 2, 3, 4)).mean()
        assert learner.loss(point) == pytest.approx(expected, rel=1e-13)


def written(path: Path, side: str, experiment: str, *overrides: str) -> Settings:
    settings = small(
        path, f"data.data_dir={path}/{side}", *overrides, experiment=experiment
    )
    simulators: dict[str, Any] = {
        "legacy": legacy_physics.SceneSimulator,
        "phiml": SceneSimulator,
    }
    done = generate(settings, simulators[side](settings), Progress())
    assert done == settings.data.num_simulations
    return settings


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize(
    ("precision", "bound"), [("float32", 2e-6), ("float64", 1e-13)]
)
def test_scenes_are_those_of_the_control(
    tmp_path: Path, experiment: str, precision: str, bound: float
) -> None:
    """More frames than one compiled call moves on, on a grid of uneven cells."""
    overrides = (
        *UNEVEN,
        DOUBLE,
        f"data.precision={precision}",
        "data.trajectory_length=11",
        OTHER_PARAMETERS[experiment],
    )
    control = written(tmp_path, "legacy", experiment, *overrides)
    candidate = written(tmp_path, "phiml", experiment, *overrides)
    for number in range(4):
        assert open_scene(candidate, number).settings is candidate
        left, right = read_scene(candidate, number), read_scene(control, number)
        assert left.shape == (11, 11, 13, left.shape[-1])
        # Every frame, as the last ones alone would hide a shift in time.
        for frame in range(11):
            assert relative_error(left[frame], right[frame]) < bound
    # What is there is found again.
    assert generate(candidate, SceneSimulator(candidate), Progress()) == 0


def test_scenes_of_the_other_backend_are_the_same(tmp_path: Path) -> None:
    double = (DOUBLE, "data.precision=float64")
    settings = written(tmp_path, "phiml", "burgers", *double)
    arrays = [read_scene(settings, i) for i in range(4)]
    other = small(
        tmp_path, *double, "migration.phiml_backend=jax", f"data.data_dir={tmp_path}/j"
    )
    generate(other, SceneSimulator(other), Progress())
    for number, values in enumerate(arrays):
        assert relative_error(read_scene(other, number), values) < 1e-12


def test_a_simulation_that_diverges_is_not_kept(tmp_path: Path) -> None:
    """Explicit diffusion at 20 times its stability limit, as the control says it."""
    settings = small(
        tmp_path,
        "model.physical.pde_params.viscosity=30.0",
        "data.trajectory_length=20",
    )
    assert isinstance(settings.model.physical, Burgers)
    with pytest.raises(SceneError) as caught:
        generate(settings, SceneSimulator(settings), Progress())
    with pytest.raises(SceneError) as expected:
        generate(settings, legacy_physics.SceneSimulator(settings), Progress())
    assert str(caught.value) == str(expected.value)
    assert "simulation 0 is diverging at step" in str(caught.value)
    assert not list(Path(settings.data.data_dir).glob("sim_*"))


def test_the_backends_by_name() -> None:
    assert [physics_backend(name).name for name in BACKENDS] == list(BACKENDS)
