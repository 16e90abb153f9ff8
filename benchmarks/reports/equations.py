"""Every equation beside an exact solution: orders of its scheme and its gradients."""

from collections.abc import Iterator

from benchmarks.harness import exact
from benchmarks.harness.orders import SIDES, Solution, gradient_orders, scheme_orders

_LAPLACIAN = ("model.physical.pde_params.diffusion=laplacian",)
_FINE, _MIDDLE, _COARSE = (32, 64, 128), (16, 32, 64), (8, 16, 32)
#: By number of dims.
_GRIDS = {1: _FINE, 2: _MIDDLE, 3: _COARSE}
#: Of diffusion in a frame of heat; a frame is compiled as a whole.
_SUBSTEPS = 4


def _burgers(rank: int) -> Solution:
    """dt in proportion to dx, as both errors are then of first order."""
    cells = {1: _FINE, 2: _MIDDLE, 3: _MIDDLE}[rank]
    return Solution(
        *("Cole-Hopf", {1: "burgers_1d", 2: "burgers", 3: "burgers_3d"}[rank], rank),
        *(exact.cole_hopf, "viscosity", exact.COEFFICIENT, cells, 0.1),
        steps={n: n // 4 for n in cells},
        order=1,
        substeps={n: n // 4 for n in cells},
    )


def _heat(
    rank: int,
    words: str = "a Fourier mode",
    solution: exact.Exact = exact.fourier_mode,
    diffusivity: str | float = exact.COEFFICIENT,
    order: int = 2,
    overrides: tuple[str, ...] = (),
) -> Solution:
    """A step in proportion to dx^2, so that space and time are of second order."""
    cells = _GRIDS[rank]
    return Solution(
        *(words, "heat", rank, solution, "diffusivity", diffusivity, cells, 0.1),
        steps={n: rank * n**2 // 32 for n in cells},
        order=order,
        substeps=dict.fromkeys(cells, _SUBSTEPS),
        overrides=overrides,
    )


def _advection(
    rank: int, words: str, solution: exact.Exact, m: str | float
) -> Solution:
    # Shorter in 3D, as first order shows where little is smeared away.
    cells, steps = {2: (_FINE, 8), 3: (_MIDDLE, 2)}[rank]
    end = 0.0125 * steps
    return Solution(
        *(words, "advection", rank, solution, "velocity_modulation", m, cells, end),
        steps={n: steps * n // min(cells) for n in cells},
        order=1,
    )


SOLUTIONS = (
    *(_burgers(rank) for rank in (1, 2, 3)),
    *(_heat(rank) for rank in (1, 2, 3)),
    _heat(
        *(1, "kappa varies", exact.varying_divergence, exact.DIVERGENCE_COEFFICIENT),
        # kappa at a face is the smaller of both cells', half a cell's change too small.
        order=1,
    ),
    _heat(
        *(1, "kappa varies", exact.varying_laplacian, exact.LAPLACIAN_COEFFICIENT),
        overrides=_LAPLACIAN,
    ),
    *(_advection(rank, "a shift", exact.shifted, 1.0) for rank in (2, 3)),
    *(
        _advection(rank, "modulated", exact.modulated, exact.MODULATION)
        for rank in (2, 3)
    ),
)


def lines() -> Iterator[str]:
    """A row for each solution, with the last order of the scheme and the worst of the
    gradient, of each side."""
    from bridge.ladders import prepare

    # An import says what it takes for granted, for each of these solutions.
    prepare()
    yield "order: of the scheme; expected, and log2 of the errors' ratio on the two"
    yield "finest grids. Taylor: the lowest order of the loss's remainder, 2 for its"
    yield "gradient."
    heads = "".join(f"{head:>8}" for head in ("legacy", "phiml", "legacy", "phiml"))
    yield f"{'':41}{'order':>7}{'order':>16}{'Taylor':>16}"
    yield f"{'':41}{'':>7}{heads}"
    for solution in SOLUTIONS:
        orders = [scheme_orders(solution, side)[-1] for side in SIDES]
        taylor = [gradient_orders(solution, side).min() for side in SIDES]
        yield row(solution, [*orders, *taylor])


def row(solution: Solution, numbers: list[float]) -> str:
    """A line of the table."""
    form = "laplacian" if solution.overrides else ""
    what = f"{solution.experiment.split('_')[0]} {form}".strip()
    name = f"{what}, {solution.rank}D, {solution.words}, {max(solution.cells)} cells"
    shown = "".join(f"{number:8.2f}" for number in numbers)
    return f"{name:41}{solution.order:7}{shown}"
