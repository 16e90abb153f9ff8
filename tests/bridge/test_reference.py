"""`data.reference`: what the data are simulated by, on both sides."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from bridge.assemble import MixedParts
from experiment.data import generate, read_trajectory, reference_text, scene_path
from experiment.data.coarse import cell_means
from experiment.data.reference import refined_settings
from experiment.settings import Settings
from experiment.system import Progress, SceneError, SettingsError
from tests.helpers import relative_error, run_program, small

#: Smooth everywhere, so that every scheme converges.
_SMOOTH = (
    "model.physical.pde_params.viscosity='0.1 + 0.05 * sin(2*pi*x/size_x)'",
    *("data.num_simulations=4", "data.precision=float64", "general.precision=float64"),
    "model.physical.pde_params.initial_wavenumber=1",
    "model.physical.pde_params.initial_speed=0.3",
)


def _settings(path: Path, *words: str) -> Settings:
    return small(path, *_SMOOTH, *words)


def _simulated(settings: Settings) -> np.ndarray:
    generate(settings, MixedParts().build_simulator(settings), Progress())
    return read_trajectory(settings, 0)


def test_means_of_blocks() -> None:
    values = np.arange(4 * 6 * 2, dtype=np.float32).reshape(4, 6, 2)
    means = cell_means(values, 2)
    assert means.shape == (2, 3, 2) and means.dtype == np.float32
    assert np.array_equal(means[1, 2], values[2:4, 4:6].mean((0, 1)))


def test_a_finer_grid_keeps_courant_and_diffusion_number(tmp_path: Path) -> None:
    words = ("data.reference=fine", "data.reference_refinement=3")
    settings = _settings(tmp_path, *words)
    fine, coarse = refined_settings(settings).model.physical, settings.model.physical
    assert fine.resolution == {"x": 48, "y": 24} and fine.domain == coarse.domain
    assert fine.dt == pytest.approx(coarse.dt / 3)
    limits = [e.stability_limit("viscosity") for e in (fine, coarse)]
    # nu dt / (substeps dx^2) <= 1/2 with dt / 3, 3 substeps for one, dx / 3.
    assert limits[0] == pytest.approx(limits[1])
    assert refined_settings(settings).data.trajectory_length == 6 * 3 + 1


@pytest.mark.parametrize(
    "side", (pytest.param("legacy", marks=pytest.mark.long), "full")
)
def test_finer_grids_converge_to_the_spectral_solution(
    tmp_path: Path, side: str
) -> None:
    """Semi-Lagrangian steps with linear interpolation are of first order."""
    words = (f"migration={side}",)
    spectral = _simulated(_settings(tmp_path / "s", *words, "data.reference=spectral"))
    again = ("data.reference=spectral", "data.reference_refinement=3")
    finer = _simulated(_settings(tmp_path / "t", *words, *again))
    assert relative_error(spectral[-1], finer[-1]) < 1e-5
    errors = [
        relative_error(_simulated(_settings(tmp_path / "same", *words))[-1], finer[-1])
    ]
    for factor in (2, 4):
        own = ("data.reference=fine", f"data.reference_refinement={factor}")
        fine = _simulated(_settings(tmp_path / f"f{factor}", *words, *own))
        # Means of a cell and values at its centre differ by the square of its size.
        errors.append(relative_error(fine[-1], _means(finer[-1])))
    assert errors[1] < 0.65 * errors[0] and errors[2] < 0.65 * errors[1], errors


def _means(values: np.ndarray) -> np.ndarray:
    """Means over cells of a smooth field of which the centres' values are known."""
    for axis in (0, 1):
        size = values.shape[axis]
        shape = [1] * values.ndim
        shape[axis] = size
        factor = np.sinc(np.fft.fftfreq(size)).reshape(shape)
        values = np.fft.ifft(np.fft.fft(values, axis=axis) * factor, axis=axis).real
    return values


def test_both_sides_make_the_same_data(tmp_path: Path) -> None:
    words = ("data.reference=fine",)
    sides = [
        _simulated(_settings(tmp_path / side, *words, f"migration={side}"))
        for side in ("legacy", "full")
    ]
    assert relative_error(*sides) < 1e-12


@pytest.mark.parametrize("kind", ("fine", "spectral"))
def test_references_never_mix(tmp_path: Path, kind: str) -> None:
    """Data of another reference are refused, and made anew where that is asked for."""
    same = _simulated(_settings(tmp_path))
    other = _settings(tmp_path, f"data.reference={kind}")
    with pytest.raises(SceneError, match=f'reference: stored "<none>".*"{kind}"'):
        _simulated(other)
    overwritten = _settings(tmp_path, f"data.reference={kind}", "data.overwrite=true")
    values = _simulated(overwritten)
    assert 1e-6 < relative_error(values[-1], same[-1]) < 1
    described = json.loads((scene_path(other, 0) / "description.json").read_text())
    assert described["reference"] == {"kind": kind, "refinement": 2}
    with pytest.raises(SceneError, match="reference"):
        _simulated(_settings(tmp_path))
    with pytest.raises(SceneError, match="reference.refinement: stored 2, wanted 3"):
        _simulated(
            _settings(tmp_path, f"data.reference={kind}", "data.reference_refinement=3")
        )


def test_processes_simulate_the_same(tmp_path: Path) -> None:
    for kind in ("fine", "spectral"):
        values = [
            _simulated(
                _settings(
                    tmp_path / f"{kind}{n}",
                    f"data.reference={kind}",
                    f"data.num_workers={n}",
                )
            )
            for n in (0, 2)
        ]
        assert np.array_equal(values[0], values[1])


def test_an_unresolved_simulation_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    slow = "model.physical.pde_params.initial_speed=0.05"
    _simulated(_settings(tmp_path / "a", "data.reference=spectral", slow))
    assert "shortest waves" not in caplog.text
    fronts = "model.physical.pde_params.viscosity='0.001 + 0.3 * x / size_x'"
    _simulated(_settings(tmp_path / "b", "data.reference=spectral", fronts))
    assert "Raise `data.reference_refinement`" in caplog.text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("data.reference=exact",), '`data.reference` is "exact"; allowed'),
        (
            ("data.reference=fine", "data.reference_refinement=1"),
            "is 1, which is the model's own grid; expected at least 2",
        ),
        (
            ("data.reference_refinement=0",),
            "reference_refinement` is 0; expected",
        ),
        (("data.reference=fine", "data.source=x"), "nothing is simulated"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        _settings(tmp_path, *words)


def test_an_equation_without_spectral_rates_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiment.equations.burgers import Burgers

    monkeypatch.setattr(Burgers, "has_spectral", False)
    with pytest.raises(SettingsError, match="burgers doesn't have .*reference=fine"):
        _settings(tmp_path, "data.reference=spectral")


def test_tables_say_which_reference_was_used(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "data.reference=spectral")
    assert reference_text(settings) == "pseudo-spectral, RK4, 2 times as fine"
    done = run_program(
        *(tmp_path, "general.mode=physical", "trainer.physical.rounds=1"),
        *("trainer.physical.iterations=1", "data.reference=fine"),
    )
    assert done.returncode == 0, done.stderr
    words = "data by the model's scheme, 2 times as fine, cell averages"
    assert words in " ".join(done.stdout.split())
    folder = tmp_path / "runs" / "latest"
    for file in ("report.html", "log.txt"):
        assert "2 times as fine" in (folder / file).read_text()
