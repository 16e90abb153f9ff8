"""Both forms of diffusion: against PhiFlow's operator, and what mathematics says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phi.field import CenteredGrid
from phi.geom import Box
from phi.physics import diffuse
from phiml import math
from phiml.math import batch, channel, extrapolation, spatial

from experiment.settings import SIDES, Settings, parameter_ranges
from legacy.assemble import build_physical_learner as control_learner
from phiml_port.assemble import build_physical_learner as candidate_learner
from phiml_port.physics.model import physics_backend
from phiml_port.physics.stencils import explicit_diffusion
from tests.helpers import relative_error, small
from tests.physics_cases import DOUBLE, simulate

LEARNERS = {"legacy": control_learner, "phiml": candidate_learner}
FORMS = ("divergence", "laplacian")
#: Sizes in m and cells, by rank; edges of cells differ, and one axis is shorter than
#: the halo.
GRIDS = {
    1: ({"x": 2.0}, {"x": 11}),
    2: ({"x": 2.0, "y": 3.0}, {"x": 11, "y": 7}),
    3: ({"x": 2.0, "y": 3.0, "z": 1.0}, {"x": 6, "y": 7, "z": 3}),
}


@pytest.fixture(autouse=True)
def _torch() -> None:
    math.use("torch")


def drawn(rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Two vector fields `(batch, x, ..., vector)`, and a positive coefficient."""
    generator = np.random.default_rng(rank)
    cells = tuple(GRIDS[rank][1].values())
    values = generator.standard_normal((2, *cells, rank))
    return values, generator.uniform(0.1, 1.0, cells)


def by_phiflow(values: np.ndarray, amount: np.ndarray, steps: int) -> np.ndarray:
    """PhiFlow's own operator on each simulation and each component alone.

    In 1D it raises for a coefficient that varies; there it gets a second axis of one
    cell, which adds nothing to a field that is constant along it.
    """
    rank = amount.ndim
    axes = tuple(GRIDS[rank][0])
    sizes: Any = dict(GRIDS[rank][0])
    if rank == 1:
        axes, sizes = ("x", "y"), {**sizes, "y": 1.0}

    def grid(array: np.ndarray) -> Any:
        array = array[:, None] if rank == 1 else array
        tensor = math.tensor(array, spatial(*axes))
        return CenteredGrid(tensor, extrapolation.PERIODIC, bounds=Box(**sizes))

    result = np.empty_like(values)
    nu = grid(amount)
    for i, j in np.ndindex(len(values), values.shape[-1]):
        component = grid(values[i, ..., j])
        diffused: Any = diffuse.explicit(component, nu, float(steps), steps)
        result[i, ..., j] = diffused.values.numpy(axes).reshape(amount.shape)
    return result


def by_the_port(
    values: np.ndarray, amount: Any, steps: int, form: Any, rank: int
) -> np.ndarray:
    """The candidate's stencil on all simulations and components at once."""
    sizes, cells = GRIDS[rank]
    axes = tuple(sizes)
    edges = {a: sizes[a] / cells[a] for a in axes}
    tensor = math.tensor(values, batch("batch"), spatial(*axes), channel("vector"))
    coefficient = math.tensor(amount, spatial(*axes[: np.ndim(amount)]))
    after = explicit_diffusion(tensor, coefficient, edges, steps, form)
    return after.numpy(["batch", *axes, "vector"])


def stable(amount: np.ndarray, rank: int) -> np.ndarray:
    """A coefficient whose largest value is 0.8 of the stability limit."""
    sizes, cells = GRIDS[rank]
    inverse = sum((cells[a] / sizes[a]) ** 2 for a in sizes)
    return amount * (0.8 * 0.5 / inverse / amount.max())


# PhiFlow compares with the limit of one axis alone, and says so.
@pytest.mark.filterwarnings("ignore:CFL condition violated:RuntimeWarning")
@pytest.mark.parametrize("backend", ("torch", "jax"))
@pytest.mark.parametrize("steps", (1, 4, 7))
@pytest.mark.parametrize("rank", GRIDS)
def test_the_divergence_is_phiflows_operator_for_each_component(
    rank: int, steps: int, backend: str
) -> None:
    """7 steps take more than one halo; an axis of 3 cells has a smaller one."""
    values, amount = drawn(rank)
    amount = stable(amount, rank)
    with physics_backend(backend), math.precision(64):
        found = by_the_port(values, amount, steps, "divergence", rank)
        expected = by_phiflow(values, amount, steps)
        other = by_the_port(values, amount, steps, "laplacian", rank)
    change = expected - values
    assert relative_error(found - values, change) < 1e-13
    assert relative_error(other - values, change) > 0.1


@pytest.mark.parametrize("steps", (1, 7))
@pytest.mark.parametrize("rank", GRIDS)
def test_the_divergence_keeps_the_sum(rank: int, steps: int) -> None:
    """What leaves a cell enters its neighbour; the Laplacian times nu doesn't do so."""
    values, amount = drawn(rank)
    amount = stable(amount, rank)
    axes = tuple(range(1, rank + 1))
    before = values.sum(axes)
    with math.precision(64):
        after = by_the_port(values, amount, steps, "divergence", rank).sum(axes)
        other = by_the_port(values, amount, steps, "laplacian", rank).sum(axes)
    rounding = 1e-14 * np.abs(values).sum(axes)
    assert (np.abs(after - before) < rounding).all()
    assert (np.abs(other - before) > 1e6 * rounding).all()


@pytest.mark.parametrize("rank", GRIDS)
def test_a_constant_coefficient_makes_both_forms_equal(rank: int) -> None:
    values, amount = drawn(rank)
    constant = stable(np.ones_like(amount), rank)
    with math.precision(64):
        fields = [by_the_port(values, constant, 6, form, rank) for form in FORMS]
        number = by_the_port(values, constant.max(), 6, "divergence", rank)
    assert relative_error(fields[0], fields[1]) < 1e-14
    assert relative_error(number, fields[1]) < 1e-14


def settings_of(path: Path, experiment: str, *overrides: str) -> Settings:
    """Small settings in float64 whose simulations exist."""
    simulate(path, experiment, *overrides)
    more = (DOUBLE, "general.mode=physical", *overrides)
    return small(path, *more, experiment=experiment)


def form_of(form: str) -> str:
    return f"model.physical.pde_params.diffusion={form}"


@pytest.mark.parametrize("side", SIDES)
def test_a_roll_out_of_heat_keeps_the_sum(tmp_path: Path, side: str) -> None:
    """In every frame, whatever the diffusivity; the other form loses it."""
    start = np.random.default_rng(0).standard_normal((2, 16, 8, 1))
    changes = {}
    for form in FORMS:
        settings = settings_of(tmp_path / form, "heat", form_of(form))
        learner = LEARNERS[side](settings)
        truth = settings.model.physical.true_parameter("diffusivity")
        rolled = learner.rollout({"diffusivity": truth}, start, 6)
        sums = rolled.sum((2, 3, 4))
        changes[form] = np.abs(sums - sums[:, :1])[:, 1:].min()
        if form == "divergence":
            assert np.abs(sums - sums[:, :1]).max() < 1e-13 * np.abs(start).sum()
    assert changes["laplacian"] > 1e-3


def _spread(shape: tuple[int, ...]) -> np.ndarray:
    """Values of which no two neighbours are near each other: by at least 0.3.

    Steps of 5 and 3 modulo 16 go up and down, so a cell is the smaller one at some of
    its faces and the larger one at others.
    """
    steps = np.array([5, 3, 7])[: len(shape)]
    indices = np.indices(shape)
    values = 0.1 * (np.tensordot(steps, indices, 1) % 16)
    for axis in range(len(shape)):
        assert np.abs(values - np.roll(values, 1, axis)).min() > 0.29
    return values


def taylor_orders(learner: Any, name: str, point: np.ndarray) -> np.ndarray:
    """Orders of `L(z + h d) - L(z) - h g.d` in h, which are 2 for the gradient g."""
    direction = np.random.default_rng(1).uniform(-1, 1, point.shape)
    slope = float((learner.gradient({name: point})[name] * direction).sum())
    at = learner.loss({name: point})
    # Steps of at most 0.08 keep the order of neighbours, so no face changes its cell.
    steps = 0.08 * 0.5 ** np.arange(4)
    remainders = [
        abs(learner.loss({name: point + h * direction}) - at - h * slope) for h in steps
    ]
    assert remainders[-1] > 1e-12 * at, "rounding alone proves nothing"
    return np.log2(np.array(remainders[:-1]) / remainders[1:])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("experiment", ("burgers", "heat"))
@pytest.mark.parametrize("side", SIDES)
def test_the_gradient_by_the_coefficient_passes_the_taylor_test(
    tmp_path: Path, side: str, experiment: str, form: str
) -> None:
    settings = settings_of(tmp_path, experiment, form_of(form))
    (numbers,) = parameter_ranges(settings).values()
    point = numbers.start - 0.8 + _spread(numbers.start.shape)
    orders = taylor_orders(LEARNERS[side](settings), numbers.name, point)
    assert (orders >= 1.95).all(), orders


@pytest.mark.parametrize("experiment", ("burgers", "heat"))
def test_both_sides_share_a_tie_in_the_same_way(
    tmp_path: Path, experiment: str
) -> None:
    """The guess is constant, so both cells are the smaller one at every face.

    Each gets half the gradient of the face, which is what a central difference gives.
    What torch has compiled and differentiates gives 0 for `torch.minimum`, from the
    second call on.
    """
    settings = settings_of(tmp_path, experiment)
    (numbers,) = parameter_ranges(settings).values()
    assert np.ptp(numbers.guess) == 0
    control, candidate = (LEARNERS[side](settings) for side in SIDES)
    point = {numbers.name: numbers.start}
    expected = control.gradient(point)[numbers.name]
    assert np.abs(expected).min() > 0
    for learner in (control, candidate, control, candidate, control, candidate):
        slope = learner.gradient(point)[numbers.name]
        assert relative_error(slope, expected) < 1e-11
    cell = (3, 2)
    moved = np.zeros_like(numbers.start)
    moved[cell] = 1e-5
    up, down = (
        candidate.loss({numbers.name: numbers.start + s * moved}) for s in (1, -1)
    )
    assert expected[cell] == pytest.approx((up - down) / 2e-5, rel=1e-3)
