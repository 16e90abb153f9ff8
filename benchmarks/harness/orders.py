"""Orders of convergence, of a scheme and of a gradient, measured on a side's learner.

Data are an exact solution that is imported as anybody's data are; what rolls it out is
the side's `PhysicalLearner`.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases.settings import settings_of
from benchmarks.harness.exact import Exact

SIDES = ("legacy", "phiml")
#: Frames of the data, one window of two steps; the roll-out is as long as it must be.
_FRAMES = 3
#: Below this share of the loss, a remainder is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Solution:
    """An exact solution, and how it is approached.

    Attributes:
        words: What it is.
        experiment: The experiment of `conf/` with its equation.
        rank: Number of dims.
        exact: The solution.
        parameter: The parameter that the Taylor test differentiates by, a field.
        truth: Its value, a number or an expression.
        cells: Along each axis, ascending.
        end: Until when it is followed, in s.
        steps: Frames until then, by number of cells.
        order: What mathematics says.
        substeps: Of diffusion in a frame, by number of cells; None without diffusion.
        overrides: What else is set.
    """

    words: str
    experiment: str
    rank: int
    exact: Exact
    parameter: str
    truth: str | float
    cells: Sequence[int]
    end: float
    steps: Mapping[int, int]
    order: int
    substeps: Mapping[int, int] | None = None
    overrides: tuple[str, ...] = ()

    def settings(self, folder: Path, cells: int) -> Any:
        """Settings on a grid, with all files below `folder`."""
        axes = ("x", "y", "z")[: self.rank]
        physical, params = "model.physical", "model.physical.pde_params"
        tables = {
            table: ", ".join(f"{axis}: {value}" for axis in axes)
            for table, value in (("domain", 1.0), ("resolution", cells))
        }
        substeps = ()
        if self.substeps is not None:
            substeps = (f"{params}.diffusion_substeps={self.substeps[cells]}",)
        learned = f"{{name: {self.parameter}, type: field, bounds: [0.0, 2.0],"
        return settings_of(
            folder,
            *(f"~{physical}.{table}" for table in tables),
            *(f"+{physical}.{table}={{{text}}}" for table, text in tables.items()),
            *(f"{physical}.dt={self.end / self.steps[cells]}", *substeps),
            f"{params}.{self.parameter}='{self.truth}'",
            f"trainer.physical.learnable_parameters=[{learned} initial_guess: 1e-4}}]",
            *("model/synthetic=convnet", "general.mode=physical"),
            *("general.precision=float64", "data.precision=float64"),
            *(f"data.trajectory_length={_FRAMES}", "trainer.rollout_steps=2"),
            *("data.num_simulations=1", "trainer.train_sim=[0]", "trainer.val_sim=[]"),
            *("evaluation.test_sim=[0]", f"evaluation.num_frames={_FRAMES}"),
            *("general.tasks=[import]", f"data.source={folder}/exact"),
            *self.overrides,
            experiment=self.experiment,
        )

    def learner(self, folder: Path, cells: int, side: str) -> tuple[Any, Any]:
        """Settings, and a side's learner on the first frames of the solution."""
        from bridge import assemble
        from experiment.data import import_data
        from experiment.system import Progress

        settings = self.settings(folder, cells)
        equation = settings.model.physical
        source = folder / "exact"
        source.mkdir(exist_ok=True)
        frames = [self.exact(equation, i * equation.dt) for i in range(_FRAMES)]
        for name in settings.data.fields:
            np.save(source / f"{name}.npy", np.stack([f[name] for f in frames])[None])
        import_data(settings, Progress())
        return settings, assemble.side(side).build_physical_learner(settings)


def scheme_orders(solution: Solution, side: str) -> np.ndarray:
    """log2 of how the error at the end falls from each grid to the next."""
    errors = [_error(solution, cells, side) for cells in solution.cells]
    ratios = np.array(solution.cells[1:]) / np.array(solution.cells[:-1])
    return np.log(np.array(errors[:-1]) / errors[1:]) / np.log(ratios)


def _error(solution: Solution, cells: int, side: str) -> float:
    """Relative L2 error of the dynamic fields at the end."""
    with tempfile.TemporaryDirectory() as folder:
        settings, learner = solution.learner(Path(folder), cells, side)
        equation, data = settings.model.physical, settings.data
        shape = (*equation.resolution.values(), -1)

        def columns(time: float, names: Sequence[str]) -> np.ndarray:
            fields = solution.exact(equation, time)
            return np.concatenate([fields[n].reshape(shape) for n in names], -1)

        truth = {solution.parameter: equation.true_parameter(solution.parameter)}
        start = columns(0.0, data.fields)[None]
        last = learner.rollout(truth, start, solution.steps[cells] + 1)[0, -1]
        expected = columns(solution.end, data.fields_scheme.dynamic)
        # The dynamic fields come first in the experiments of these solutions.
        difference = last[..., : expected.shape[-1]] - expected
        return float(np.linalg.norm(difference) / np.linalg.norm(expected))


def gradient_orders(solution: Solution, side: str) -> np.ndarray:
    """Orders of `L(z + h d) - L(z) - h g.d` in h, which are 2 for the gradient g.

    Raises:
        ArithmeticError: The remainders are rounding, which proves nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        _, learner = solution.learner(Path(folder), min(solution.cells), side)
        name, shape = solution.parameter, (min(solution.cells),) * solution.rank
        point = _spread(shape)
        direction = np.random.default_rng(1).uniform(-1, 1, shape)
        slope = float((learner.gradient({name: point})[name] * direction).sum())
        at = learner.loss({name: point})
        # So small that no place that a value is taken from passes a cell's centre.
        steps = 2e-3 * 0.5 ** np.arange(4)
        values = [learner.loss({name: point + h * direction}) for h in steps]
    remainders = np.abs(np.array(values) - at - steps * slope)
    if remainders[-1] < _ROUNDING * at:
        raise ArithmeticError(
            f"the remainder {remainders[-1]:.1e} of a loss of {at:.1e} is rounding"
        )
    return np.log2(remainders[:-1] / remainders[1:])


def _spread(shape: tuple[int, ...]) -> np.ndarray:
    """Values of which no two neighbours are near each other.

    Steps of 5, 3 and 7 modulo 16 go up and down, so a cell is the smaller one at some
    of its faces and the larger one at others, whatever the direction.
    """
    indices = np.indices(shape)
    return 0.1 * (np.tensordot(np.array([5, 3, 7])[: len(shape)], indices, 1) % 16) - 5
