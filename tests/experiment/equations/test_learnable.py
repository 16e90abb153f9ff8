"""What can be learned of a PDE, between which bounds, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from experiment.data import chosen_windows
from experiment.equations import EQUATIONS, ParameterRange
from experiment.settings import parameter_ranges
from experiment.system import SettingsError
from tests.helpers import small

EXPERIMENTS = tuple(EQUATIONS)


def learn(*entries: str) -> str:
    return f"trainer.physical.learnable_parameters=[{','.join(entries)}]"


def viscosity(
    guess: str = "0.1", bounds: str = "[0.0,null]", kind: str = "field"
) -> str:
    return f"{{name:viscosity,type:{kind},initial_guess:{guess},bounds:{bounds}}}"


def factor(guess: str = "0.5", bounds: str = "[0.0,2.0]") -> str:
    return f"{{name:velocity_factor,type:scalar,initial_guess:{guess},bounds:{bounds}}}"


def test_the_stability_limit_by_hand(tmp_path: Path) -> None:
    """nu dt / 5 (1/dx^2 + 1/dy^2) = 1/2, dt = 0.2 s, cells of 0.5 m: 8 nu 0.04 = 1/2.

    A semi-Lagrangian step is stable at any velocity.
    """
    burgers = small(tmp_path).model.physical
    assert burgers.stability_limit("viscosity") == pytest.approx(1.5625, rel=1e-14)
    uneven = small(
        tmp_path,
        "model.physical.domain={x: 8.0, y: 8.0}",
        "model.physical.pde_params.diffusion_substeps=1",
        "model.physical.dt=0.1",
    ).model.physical
    # Cells of 0.5 m by 1 m: 0.1 nu (4 + 1) = 1/2.
    assert uneven.stability_limit("viscosity") == pytest.approx(1.0, rel=1e-14)
    advection = small(tmp_path, experiment="advection").model.physical
    assert advection.stability_limit("velocity_factor") == np.inf


def test_one_axis_has_its_own_limit(tmp_path: Path) -> None:
    line = small(
        tmp_path,
        "model.physical.domain={x: 8.0}",
        "model.physical.pde_params.viscosity=0.1",
        "~model.physical.domain.y",
        "~model.physical.resolution.y",
    ).model.physical
    # 0.2 / 5 nu 4 = 1/2.
    assert line.stability_limit("viscosity") == pytest.approx(3.125, rel=1e-14)


@pytest.mark.parametrize(
    ("bounds", "lower", "upper"),
    [
        ("[0.0,null]", 0.0, 1.5625),
        ("[0.05,0.3]", 0.05, 0.3),
        # What the scheme can't do is never tried.
        ("[0.0,100.0]", 0.0, 1.5625),
        ("[-0.5,0.3]", -0.5, 0.3),
    ],
)
def test_the_bounds_are_those_given_within_the_stability_limit(
    tmp_path: Path, bounds: str, lower: float, upper: float
) -> None:
    settings = small(tmp_path, learn(viscosity(bounds=bounds)))
    (held,) = parameter_ranges(settings).values()
    assert (held.lower, held.upper) == (lower, pytest.approx(upper, rel=1e-14))
    assert (held.name, held.unit) == ("viscosity", "m^2/s")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_unbounded_and_bounded_there_and_back(tmp_path: Path, experiment: str) -> None:
    """`start` is the inverse of `bounded`, and no number leaves the bounds."""
    settings = small(tmp_path, experiment=experiment)
    (held,) = parameter_ranges(settings).values()
    np.testing.assert_allclose(held.bounded(held.start), held.guess, rtol=1e-14)
    assert held.bounded(held.start).shape == held.guess.shape
    far = held.bounded(np.array([-700.0, -30.0, 0.0, 30.0, 700.0]))
    assert (np.diff(far) >= 0).all()
    assert far[0] >= held.lower and far[-1] <= held.upper
    # exp(0) = 1: the middle.
    assert far[2] == pytest.approx((held.lower + held.upper) / 2, rel=1e-14)


def test_a_field_begins_at_an_expression_and_a_scalar_at_a_number(
    tmp_path: Path,
) -> None:
    settings = small(tmp_path, learn(viscosity("'0.1 + 0.05 * x / size_x'")))
    x = np.asarray(settings.model.physical.positions["x"])
    (held,) = parameter_ranges(settings).values()
    np.testing.assert_allclose(held.guess, 0.1 + 0.05 * x / 8.0, rtol=1e-14)
    assert held.guess.shape == (16, 8)
    (held,) = parameter_ranges(small(tmp_path, experiment="advection")).values()
    assert held.guess.shape == () and float(held.guess) == 0.5
    scalar = small(tmp_path, learn(viscosity(kind="scalar")))
    assert parameter_ranges(scalar)["viscosity"].guess.shape == ()


def test_the_truth_is_what_the_data_are_simulated_with(tmp_path: Path) -> None:
    burgers = small(tmp_path).model.physical
    x, y = (np.asarray(burgers.positions[axis]) for axis in "xy")
    found = burgers.true_parameter(*burgers.parameters)
    np.testing.assert_allclose(found, 0.05 * (x / 8 + y / 4) ** 3, rtol=1e-14)
    advection = small(
        tmp_path,
        "model.physical.pde_params.velocity_factor=1.25",
        "model.physical.pde_params.velocity_modulation='1 + x/size_x * y/size_y'",
        experiment="advection",
    ).model.physical
    assert advection.parameters == ("velocity_factor", "velocity_modulation")
    assert advection.true_parameter("velocity_factor") == np.asarray(1.25)
    found = advection.true_parameter("velocity_modulation")
    np.testing.assert_allclose(found, 1 + x * y / 32, rtol=1e-14)
    # A number needs no field.
    plain = small(tmp_path, experiment="advection").model.physical
    assert plain.true_parameter("velocity_modulation").shape == ()


def test_the_windows_that_are_chosen_are_spread_evenly() -> None:
    assert chosen_windows(10, 3).tolist() == [0, 3, 6]
    assert chosen_windows(10, 10).tolist() == list(range(10))
    assert chosen_windows(3, 32).tolist() == [0, 1, 2]
    assert chosen_windows(1, 1).tolist() == [0]
    for count, wanted in ((1000, 32), (33, 32), (7, 5)):
        chosen = chosen_windows(count, wanted)
        assert len(set(chosen.tolist())) == wanted and chosen.max() < count
        steps = np.diff(chosen)
        assert steps.max() - steps.min() <= 1


@pytest.mark.parametrize(
    ("experiment", "override", "message"),
    [
        (
            "burgers",
            learn("{name:viscocity,type:field,initial_guess:0.1,bounds:[0.0,null]}"),
            r"has `viscocity`, which burgers doesn't have: did you mean `viscosity`\?",
        ),
        (
            "burgers",
            learn(factor()),
            r"has `velocity_factor`, which burgers doesn't have: .*viscosity",
        ),
        (
            "advection",
            learn(viscosity()),
            r"has `viscosity`, which advection doesn't have: .*velocity_factor",
        ),
        (
            "burgers",
            learn(viscosity("0.3", "[0.0,0.2]")),
            r"`.*viscosity\.initial_guess` reaches from 0\.3 to 0\.3 m\^2/s; .*above 0"
            r" and below 0\.2",
        ),
        # Beyond what is stable, although the bounds given hold it.
        ("burgers", learn(viscosity("2.0", "[0.0,9.0]")), r"2 m\^2/s.* below 1\.56"),
        # The bounds themselves are never reached.
        ("burgers", learn(viscosity("0.0")), r"reaches from 0 to 0 .*above 0"),
        (
            "burgers",
            learn(viscosity("'0.2 * x / size_x'", "[0.0,0.1]")),
            r"reaches from 0\.00625 to 0\.194 m\^2/s; .*below 0\.1",
        ),
        (
            "burgers",
            learn(viscosity(bounds="[0.3,0.1]")),
            r"`.*viscosity\.bounds` is \[0\.3, 0\.1\]; expected a lower below an upper",
        ),
        ("burgers", learn(viscosity(bounds="[0.1,0.1]")), r"bounds` is \[0\.1, 0\.1\]"),
        (
            "burgers",
            learn(viscosity(bounds="[5.0,null]")),
            r"bounds` is \[5, null\]; .*limit, here 1\.56",
        ),
        (
            "burgers",
            learn(viscosity("'0.1*x'", kind="scalar")),
            r"initial_guess` is an expression; a scalar needs a number",
        ),
        ("burgers", learn(viscosity("'0.1*q'")), r"`q` in `0\.1\*q` is not allowed"),
        (
            "advection",
            learn(factor(bounds="[0.0,null]")),
            r"velocity_factor\.bounds` is \[0, null\]; .*limit, here none",
        ),
        (
            "burgers",
            learn(viscosity(), viscosity("0.2")),
            r"learnable_parameters` names viscosity more than once",
        ),
        ("burgers", learn(viscosity("nan")), r"initial_guess.*(nan|not finite|NaN)"),
        ("advection", learn(factor("nan")), r"initial_guess.*(nan|not finite|NaN)"),
        (
            "advection",
            learn(factor(bounds="[0.0,inf]")),
            r"bounds\[1\]` is Infinity; expected a finite",
        ),
        (
            "advection",
            learn(factor(bounds="[-inf,1.0]")),
            r"bounds\[0\]` is -Infinity; expected a finite",
        ),
        (
            "advection",
            learn(factor(bounds="[nan,1.0]")),
            r"bounds\[0\]` is NaN; expected a finite",
        ),
        ("burgers", learn(), r"learnable_parameters` is \[\]; .*at least one entry"),
        (
            "burgers",
            learn(viscosity(kind="tensor")),
            r'learnable_parameters\[0\]\.type` is "tensor"; allowed: \'scalar\' or',
        ),
        (
            "burgers",
            learn("{name:viscosity,type:field,initial_guess:0.1,bound:[0.0,null]}"),
            r"learnable_parameters\[0\]\.bound` is no setting",
        ),
        ("burgers", learn(viscosity(bounds="[0.0]")), r"learnable_parameters\[0\]"),
        ("burgers", learn(viscosity(bounds="[null,1.0]")), r"bounds\[0\]` is null"),
        (
            "burgers",
            "trainer.hybrid.alpha=0",
            r"`trainer\.hybrid\.alpha` is 0; expected greater than 0",
        ),
        (
            "burgers",
            "trainer.hybrid.alpha=1.5",
            r"`trainer\.hybrid\.alpha` is 1\.5; expected less than or equal to 1",
        ),
        ("burgers", "trainer.hybrid.cycles=0", r"`trainer\.hybrid\.cycles` is 0"),
        ("burgers", "trainer.physical.windows=0", r"`trainer\.physical\.windows` is 0"),
        (
            "burgers",
            "trainer.physical.tolerance=0",
            r"`trainer\.physical\.tolerance` is 0; expected greater than 0",
        ),
        (
            "burgers",
            "trainer.data_access=all",
            r'`trainer\.data_access` is "all"; allowed: .*generated_only',
        ),
        (
            "burgers",
            "migration.phiml_backend=tensorflow",
            r"`migration\.phiml_backend` is \"tensorflow\"; allowed: 'torch' or 'jax'",
        ),
    ],
)
def test_what_cannot_be_learned_is_refused(
    tmp_path: Path, experiment: str, override: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        small(tmp_path, override, experiment=experiment)


def test_jax_beside_forked_loader_processes_is_refused(tmp_path: Path) -> None:
    own = ("migration.physics=phiml", "migration.phiml_backend=jax")
    small(tmp_path, *own)
    small(tmp_path, *own, "data.num_workers=2", "migration.data=phiml")
    with pytest.raises(SettingsError, match="locks up once JAX runs"):
        small(tmp_path, *own, "data.num_workers=2")


def test_an_array_over_some_axes_lies_along_them() -> None:
    """So that it broadcasts against a field `(x, y, z)` by axis, not by position."""
    ends = {"lower": 0.0, "upper": 1.0, "unit": "1", "name": "p"}
    values = np.arange(3.0)
    for axes, shape in ((("x",), (3, 1, 1)), (("y",), (1, 3, 1)), (("z",), (1, 1, 3))):
        numbers = ParameterRange(axes=axes, guess=values, **ends)
        assert numbers.on_grid(values, ("x", "y", "z")).shape == shape
    scalar = ParameterRange(axes=(), guess=np.asarray(0.5), **ends)
    assert scalar.on_grid(scalar.guess, ("x", "y", "z")).shape == ()
