"""What the reports print, and the options that they are."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases.settings import FEW, grid_of, simulated_settings
from benchmarks.harness.source import Sources, code_lines
from benchmarks.reports import code
from benchmarks.reports.bits import distances
from benchmarks.reports.command import COMMAND
from benchmarks.reports.conversions import conversions_of
from benchmarks.reports.explain import PARTS, Instrumented
from benchmarks.reports.recovery import add_noise
from benchmarks.reports.scaling import SERIES, fitted_exponent
from tests.helpers import ROOT

TINY = (
    *(*FEW, *grid_of(16), "model/synthetic=convnet"),
    "model.synthetic.architecture.layers=[4]",
)


def test_every_report_is_an_option_and_a_module() -> None:
    parser = argparse.ArgumentParser()
    COMMAND.add_arguments(parser)
    for name in COMMAND.reports:
        assert parser.parse_args([f"--{name}"]).report == name
        module = (ROOT / "benchmarks" / "reports" / f"{name}.py").read_text()
        assert "\ndef lines()" in module


@pytest.mark.parametrize("preset", ["legacy", "step1", "step3"])
def test_the_parts_of_a_step_are_its_whole(preset: str, tmp_path: Path) -> None:
    from benchmarks.cases import build

    settings = simulated_settings(tmp_path, f"migration={preset}", *TINY)
    measured = Instrumented(build.learner(settings), build.loader(settings))
    measured.epoch()
    times = measured.clock.times
    assert set(times) == set(PARTS) and measured.batches == 2
    assert all(times[part] > 0 for part in PARTS if part != "conversion")
    assert (times["conversion"] > 0) == (preset == "step1")


def test_both_sides_have_equal_bits_in_the_same_kernels(tmp_path: Path) -> None:
    """A convolutional network with a zero boundary runs the same kernels."""
    zero = "model.synthetic.architecture.periodic=false"
    (_, equal, far), (_, _, other) = distances(tmp_path, *TINY, zero)
    assert equal and far == 0
    assert other < 1e-5


def test_noise_is_a_share_of_the_size(tmp_path: Path) -> None:
    from benchmarks.cases import build

    settings = simulated_settings(tmp_path, *TINY, "trainer.train_sim=[0]")
    clean = build.trajectories(settings)
    add_noise(settings, 0.01)
    noise = build.trajectories(settings) - clean
    sizes = np.sqrt((noise**2).mean((0, 2, 3, 4)) / (clean**2).mean((0, 2, 3, 4)))
    assert sizes == pytest.approx(0.01, rel=0.2)


# Lines of code


def test_code_lines_leave_out_what_is_no_code() -> None:
    source = '"""Module.\n\nText.\n"""\n\nimport os  # why\n\n# comment\n'
    source += 'def f():\n    """Doc."""\n    return [\n        os,\n    ]\n'
    assert code_lines(source) == 5


def _files(root: Path, **texts: str) -> Sources:
    for name, text in texts.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for folder in [p for p in root.rglob("*") if p.is_dir()]:
        init = folder / "__init__.py"
        init.write_text(init.read_text() if init.exists() else "")
    return Sources(root, ("core", "side"))


def test_what_a_side_needs_is_followed_through_re_exports(tmp_path: Path) -> None:
    """side -> Store (re-exported) -> files; not the loops beside it."""
    sources = _files(
        tmp_path,
        core__data__store="from core.system import write\nclass Store: ...\n",
        core__data__loops="from core.system.progress import Bar\n",
        core__system__files="def write(): ...\n",
        core__system__progress="class Bar: ...\n",
        core__run__tasks="def run(): ...\n",
        side__loader="from core.data import Store\nimport os\n",
        side__other="def f():\n    from core import run\n    run.run()\n",
    )
    (tmp_path / "core/data/__init__.py").write_text(
        "from core.data.loops import Loop\nfrom core.data.store import Store\n"
    )
    (tmp_path / "core/system/__init__.py").write_text(
        "from core.system.files import write\n"
    )
    (tmp_path / "core/run/__init__.py").write_text("from core.run.tasks import run\n")
    needed = sources.needed(sources.modules("side"), "core")
    assert needed == {"core.data.store", "core.system.files", "core.run.tasks"}
    assert sources.size(["core.data.store"]) == 2


def test_the_code_report_has_its_comparisons() -> None:
    lines = list(code.lines())
    assert all(len(line) <= 80 for line in lines)
    text = "\n".join(lines)
    for title in ("1. port against legacy", "2. with the core", "3. what is left"):
        assert title in text
    assert "1068          1972      1.85" in text and "before  3040" in text
    assert "without ladders and faults" in text
    sizes = code.code_size("legacy"), code.code_size("phiml_port")
    assert f"{sizes[0]:>10}{sizes[1]:>14}" in text
    assert code.SOURCES.size(code.existing(code.LOOPS)) > 0


# Conversions and scaling


def test_what_crosses_in_a_batch(tmp_path: Path) -> None:
    """Nothing where all sides are one; a state in and out each step at a model."""
    assert conversions_of("legacy", "legacy", "legacy", tmp_path) == []
    assert conversions_of("phiml", "phiml", "phiml", tmp_path) == []
    crossings = conversions_of("phiml", "legacy", "legacy", tmp_path)
    assert [c.boundary for c in crossings] == ["model: in", "model: out"]
    # 4 steps of 8 samples of 2 components on 64x64 cells in float32.
    assert {(c.count, c.bytes, c.copies) for c in crossings} == {
        (4, 4 * 8 * 2 * 64**2 * 4, 0)
    }


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_a_known_power_is_recovered(power: float) -> None:
    sizes = [1, 2, 4, 8, 16]
    exact = fitted_exponent(sizes, [3e-3 * s**power for s in sizes])
    assert exact.value == pytest.approx(power, abs=1e-12)
    assert exact.error == pytest.approx(0, abs=1e-7)


def test_the_standard_error_is_that_of_least_squares() -> None:
    """log y = 0, 1, 1 at x = -1, 0, 1: slope 1/2, residuals 1/6, -1/3, 1/6 (signs
    apart), so their squares sum to 1/6 and the error is sqrt(1/6 / 1 / 2)."""
    fitted = fitted_exponent(np.exp([-1, 0, 1]).tolist(), np.exp([0, 1, 1]).tolist())
    assert fitted.value == pytest.approx(0.5)
    assert fitted.error == pytest.approx(np.sqrt(1 / 12))


def test_a_power_needs_three_positive_points() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        fitted_exponent([1, 2], [1, 2])
    with pytest.raises(ValueError, match="expected positive"):
        fitted_exponent([1, 2, 3], [1, 0, 1])
    with pytest.raises(ValueError, match="sizes that differ"):
        fitted_exponent([2, 2, 2], [1, 1, 1])


def test_every_series_can_be_fitted() -> None:
    for series in SERIES.values():
        assert 3 <= len(set(series.sizes)) <= 5
        assert list(series.sizes) == sorted(series.sizes)
