"""Faults of a physical model's migration, reported by P1 to P4."""

from dataclasses import replace
from typing import Any

from phiml import math
from phiml.math import extrapolation

import phiml_port.physics.advection
import phiml_port.physics.burgers
import phiml_port.physics.heat
import phiml_port.physics.learner
import phiml_port.physics.stencils
from bridge.harness import Fault
from bridge.ladders import physics_counterfactuals as names
from bridge.ladders.cases import CaseName
from bridge.ladders.coarse import EVERY_SECOND
from bridge.ladders.faults import coarse
from bridge.ladders.faults.observed import OF_THE_PHYSICS, SHARED
from bridge.ladders.faults.planting import wrapped
from bridge.ladders.names import BOUNDARY
from bridge.ladders.observed import IGNORED
from bridge.ladders.physics_cases import (
    COARSE,
    CURRICULUM,
    DIVERGENCE,
    LAPLACIAN,
    SMOOTH,
)
from phiml_port.physics import PhysicalLearner, PhysicalModel
from phiml_port.physics.advection import AdvectionModel
from phiml_port.physics.burgers import BurgersModel

_BURGERS = CaseName("burgers", "convnet", "float64", batch_norm=False)
_BURGERS_LAPLACIAN = replace(_BURGERS, diffusion=LAPLACIAN)
_OBSERVED = replace(_BURGERS, observed="known")
_HEAT = CaseName("heat", "convnet", "float64", batch_norm=False)
_LINE = CaseName("burgers_1d", "convnet", "float64", batch_norm=False)
_CUBE = CaseName("burgers_3d", "convnet", "float64", batch_norm=False)
_ADVECTION = CaseName("advection", "convnet", "float64", batch_norm=False)
_MODULATED = CaseName("advection_modulation", "convnet", "float64", batch_norm=False)


def _walled(_: Any) -> Any:
    def faulty(values: Any, velocity: Any, dt: float, cells: Any) -> Any:
        steps = math.wrap(
            [dt / size for size in cells.values()], velocity.shape.channel
        )
        sizes: Any = {axis: values.shape.get_size(axis) for axis in cells}
        points = math.meshgrid(**sizes) - velocity * steps
        return math.grid_sample(values, points, extrapolation.ZERO)

    return faulty


def _other_substeps(make: Any) -> Any:
    def faulty(self: Any, equation: Any) -> None:
        params = equation.pde_params
        fewer = replace(params, diffusion_substeps=params.diffusion_substeps - 2)
        make(self, replace(equation, pde_params=fewer))

    return faulty


def _of_form(form: str) -> Any:
    def wrap(diffuse: Any) -> Any:
        return lambda values, amount, cells, steps, _: diffuse(
            values, amount, cells, steps, form
        )

    return wrap


def _mean(_: Any) -> Any:
    return lambda lower, upper: (lower + upper) / 2


def _half_advection(advect: Any) -> Any:
    return lambda values, velocity, dt, cells: advect(values, velocity, dt / 2, cells)


def _no_penalty(penalty: Any) -> Any:
    return lambda values, cells, kind: 0 * penalty(values, cells, kind)


def _other_penalty(penalty: Any) -> Any:
    other = {"l2": "tv", "tv": "l2"}
    return lambda values, cells, kind: penalty(values, cells, other[kind])


def _cut(step: Any) -> Any:
    def faulty(self: Any, state: Any, parameters: Any) -> Any:
        state = {n: math.stop_gradient(v) for n, v in state.items()}
        return step(self, state, parameters)

    return faulty


def _without_an_axis(make: Any) -> Any:
    def faulty(self: Any, equation: Any) -> None:
        last = equation.axes[-1]
        make(self, replace(equation, domain={**equation.domain, last: 1e12}))

    return faulty


def _without_modulation(step: Any) -> Any:
    def faulty(self: Any, state: Any, parameters: Any) -> Any:
        return step(self, state, {**parameters, "velocity_modulation": math.ones()})

    return faulty


def _fault(
    name: str, rung: str, case: CaseName, owner: Any, attribute: str, faulty: Any
) -> Fault:
    return Fault(name, rung, case, wrapped(owner, attribute, faulty))


FAULTS = (
    _fault(
        BOUNDARY,
        "P1",
        _ADVECTION,
        phiml_port.physics.advection,
        "semi_lagrangian",
        _walled,
    ),
    _fault(names.SUBSTEPS, "P1", _BURGERS, BurgersModel, "__init__", _other_substeps),
    *(
        _fault(
            names.DT,
            "P1",
            case,
            phiml_port.physics.burgers,
            "semi_lagrangian",
            _half_advection,
        )
        for case in (_BURGERS, _CUBE)
    ),
    *(
        _fault(name, "P1", case, module, "explicit_diffusion", _of_form(form))
        for name, case, module, form in (
            (
                names.LAPLACIAN_FOR_DIVERGENCE,
                _BURGERS,
                phiml_port.physics.burgers,
                LAPLACIAN,
            ),
            (
                names.DIVERGENCE_FOR_LAPLACIAN,
                _BURGERS_LAPLACIAN,
                phiml_port.physics.burgers,
                DIVERGENCE,
            ),
            (names.LAPLACIAN_FOR_DIVERGENCE, _HEAT, phiml_port.physics.heat, LAPLACIAN),
        )
    ),
    *(
        _fault(names.MEAN, "P1", case, phiml_port.physics.stencils, "face_value", _mean)
        for case in (_BURGERS, _HEAT, _LINE)
    ),
    _fault(names.AXIS, "P1", _CUBE, BurgersModel, "__init__", _without_an_axis),
    _fault(
        names.IGNORED, "P1", _MODULATED, AdvectionModel, "step", _without_modulation
    ),
    *(Fault(name, "P3", _OBSERVED, plant) for name, plant in OF_THE_PHYSICS.items()),
    Fault(IGNORED, "P3", _OBSERVED, SHARED[IGNORED], "beside the reference"),
    Fault(EVERY_SECOND, "P1", COARSE[0], coarse.of_the_candidate),
    *(
        Fault(name, "P1", case, plant, "beside the reference")
        for case in COARSE
        for name, plant in coarse.SHARED.items()
    ),
    _fault(
        names.WHOLE,
        "P3",
        _HEAT,
        PhysicalLearner,
        "_frames",
        lambda _: property(lambda self: None),
    ),
    *(
        _fault(name, "P3", case, phiml_port.physics.learner, "gradient_penalty", faulty)
        for case, kind in ((CURRICULUM, "tv"), (SMOOTH, "l2"))
        for name, faulty in (
            (
                names.NO_REGULARISATION,
                _no_penalty,
            ),
            (names.OTHER_REGULARISATION[kind], _other_penalty),
        )
    ),
    _fault(names.TRUNCATED, "P3", _BURGERS, PhysicalModel, "step", _cut),
)
