"""A run that can't fit into the memory is said before any work."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiment.settings import Settings, check_settings
from experiment.settings.memory import Need, memory_needs, memory_problems
from experiment.system import SettingsError, memory_limit
from tests.helpers import ROOT, composed, folders, run_program

GIB = 2**30


def settings_3d(*overrides: str) -> Settings:
    return check_settings(composed("burgers_3d", *overrides))


def needs(settings: Settings) -> dict[str, Need]:
    return {need.what: need for need in memory_needs(settings)}


def grid(edge: int) -> tuple[str, ...]:
    return tuple(f"model.physical.resolution.{axis}={edge}" for axis in "xyz")


def test_what_is_counted() -> None:
    """By hand, for 16^3 cells of 3 components in 32 bits, 8 training simulations.

    The U-Net has four convolutions of 16 channels at each of the three upper levels and
    two at the lowest; each has an input and an output, and 3^3 weights for each pair of
    channels, with gradient and two moments. A step of the physics keeps the
    8 corners of a cell, and a difference and a flux along 3 axes in 5 substeps.
    """
    cells, number = 16**3, 4
    widths = 4 * 16 * (1 + 1 / 8 + 1 / 64) + 2 * 16 / 512
    frame = cells * 3 * number
    weights = 3**3 * (3 * 16 + 13 * 16 * 16)
    made = 0.5 * 8 * 41 * frame
    expected = {
        "a simulation": 8 * cells * 6,
        "training the synthetic model": (
            2 * number * 8 * 4 * cells * widths
            + 8 * 5 * frame
            + made
            + 4 * number * weights
        ),
        "training the physical model": (
            32 * 4 * (8 + 5 * 6) * frame + 32 * 5 * frame + made
        ),
        "an evaluation": 3 * 41 * frame,
    }
    found = needs(settings_3d())
    assert {what: need.size for what, need in found.items()} == expected


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        (("general.tasks=[generate]",), []),
        (
            ("general.mode=synthetic", "general.tasks=[train]"),
            ["training the synthetic model"],
        ),
        (
            ("general.mode=physical", "general.tasks=[train]"),
            ["training the physical model"],
        ),
        (("general.mode=evaluate",), ["an evaluation"]),
    ],
)
def test_only_what_runs_is_counted(overrides: tuple[str, ...], part: list[str]) -> None:
    assert [*needs(settings_3d(*overrides))] == ["a simulation", *part]


def test_each_part_is_refused_above_the_limit_and_not_at_it() -> None:
    settings = settings_3d()
    for need in memory_needs(settings):
        said = [*memory_problems(settings, need.size - 1)]
        assert any(text.startswith(f"{need.what} needs at least") for text in said)
        said = [*memory_problems(settings, need.size)]
        assert not any(text.startswith(f"{need.what} needs") for text in said)


def test_the_message_has_the_numbers_and_what_to_lower() -> None:
    (said, *_) = [
        text for text in memory_problems(settings_3d(), GIB // 8) if "physical" in text
    ]
    assert "needs at least 0.237 GiB of memory (32 windows of 4 steps" in said
    assert "there are 0.125 GiB. Lower `trainer.physical.windows`," in said


def test_a_grid_that_cannot_be_held_is_refused_before_it_is_looked_at() -> None:
    """2^42 cells: their positions alone would take 96 TiB."""
    with pytest.raises(SettingsError, match="a simulation needs at least") as caught:
        settings_3d(*grid(2**14))
    assert "model.physical.resolution" in str(caught.value)


def test_a_run_ends_before_any_work(tmp_path: Path) -> None:
    done = run_program(
        *(tmp_path, "--config-name=burgers_3d.yaml", "general.mode=hybrid"),
        *(*grid(2048), "model.physical.domain.z=8.0"),
    )
    assert done.returncode == 2
    assert "training the physical model needs at least" in done.stderr
    assert done.stderr.count("error:") == 1 and "Traceback" not in done.stderr
    assert not [*tmp_path.iterdir()]


def test_the_limit_is_that_of_the_control_group(tmp_path: Path) -> None:
    """The smallest of its own and of those above it, in both versions."""
    machine = memory_limit(tmp_path / "none", tmp_path / "none")
    assert machine > 0
    own = tmp_path / "own"
    own.write_text("4:memory:/jobs/mine\n0::/jobs/mine\n")
    (tmp_path / "jobs/mine").mkdir(parents=True)
    (tmp_path / "memory/jobs/mine").mkdir(parents=True)
    assert memory_limit(tmp_path, own) == machine
    (tmp_path / "jobs/mine/memory.max").write_text("max\n")
    assert memory_limit(tmp_path, own) == machine
    (tmp_path / "jobs/memory.max").write_text("3000000\n")
    assert memory_limit(tmp_path, own) == 3000000
    file = tmp_path / "memory/jobs/mine/memory.limit_in_bytes"
    file.write_text("2000000\n")
    assert memory_limit(tmp_path, own) == 2000000


_MEASURE = """
import sys
from pathlib import Path
from bridge.assemble import MixedParts
from experiment.data import generate
from experiment.run import (
    RunFolder, build_physical_training, build_synthetic_training
)
from experiment.settings import check_settings
from experiment.system import Progress
from tests.helpers import composed

def resident(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(x for x in lines if x.startswith(key)).split()[1])

settings, parts = check_settings(composed("burgers_3d", *sys.argv[1:])), MixedParts()
generate(settings, parts.build_simulator(settings), Progress())
synthetic = settings.general.mode == "synthetic"
build = build_synthetic_training if synthetic else build_physical_training
training = build(settings, parts)
Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
training.train(RunFolder(settings), Progress())
print(resident("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("preset", "mode"),
    [
        ("legacy", "physical"),
        ("full", "synthetic"),
        pytest.param("legacy", "synthetic", marks=pytest.mark.long),
        pytest.param("full", "physical", marks=pytest.mark.long),
    ],
)
def test_the_estimate_is_a_lower_bound_of_what_is_taken(
    tmp_path: Path, preset: str, mode: str
) -> None:
    """And of its order: what is taken is at most three times as much."""
    overrides = (
        *(*folders(tmp_path), *grid(32), f"general.mode={mode}"),
        *("data.num_simulations=2", "data.trajectory_length=9"),
        *("trainer.train_sim=[0]", "trainer.val_sim=[]", "evaluation.test_sim=[1]"),
        *("evaluation.num_frames=9", "trainer.synthetic.epochs=1"),
        *("trainer.physical.rounds=1", "trainer.physical.iterations=2"),
        f"migration={preset}",
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _MEASURE, *overrides],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    estimate = needs(settings_3d(*overrides))[f"training the {mode} model"].size
    taken = int(done.stdout.splitlines()[-1])
    assert estimate < taken < 3 * estimate
