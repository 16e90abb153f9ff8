"""Measurements in processes of their own, and their memory."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases.settings import FEW, grid_of, simulated_settings
from benchmarks.harness.process import measure_apart, run_python
from benchmarks.reports import memory
from tests.helpers import ROOT

TINY = (
    *(*FEW, *grid_of(16), "model/synthetic=convnet", "general.mode=hybrid"),
    "model.synthetic.architecture.layers=[4]",
)
_PEAK = """
import numpy as np
from benchmarks.harness.memory import peak_anonymous
print(peak_anonymous(lambda: [np.ones({}).sum() for _ in range({})]))
"""


def test_a_process_runs_where_the_measured_code_lies() -> None:
    code = "import pathlib, bridge; print(pathlib.Path(bridge.__file__).parents[1])"
    assert Path(run_python("-c", code).strip()) == ROOT
    with pytest.raises(RuntimeError, match="ended with 3"):
        run_python("-c", "raise SystemExit(3)")


def test_a_part_is_measured_apart(tmp_path: Path) -> None:
    simulated_settings(tmp_path, *TINY)
    arguments = ("step", str(tmp_path), "legacy", *TINY)
    measured = measure_apart("benchmarks.cases.first_batch", *arguments)
    assert measured["samples"] == 8 and measured["steps"] == 4
    assert np.isfinite(measured["loss"])


def test_the_peak_is_that_of_the_work() -> None:
    """64 MB more than without; in a process that has no freed memory to give."""
    without = float(run_python("-c", _PEAK.format(1, 1)))
    peak = float(run_python("-c", _PEAK.format(2**23, 20)))
    assert 50 < peak - without < 150


def test_simulations_are_copies_of_one(tmp_path: Path) -> None:
    keys = ("step3", "4", "45", *grid_of(16))
    settings = memory._settings(tmp_path, *keys)
    memory._copies_of_one(settings)
    assert settings.trainer.train_sim == (0, 1, 2)
    assert memory.train(str(tmp_path), *keys) > 0
    # 3 simulations to train, one to validate, of 45 frames of 16x16 cells in float32.
    assert memory._cache_bytes(tmp_path) >= 4 * 45 * 16 * 16 * 2 * 4
