"""Numbers, paths and sources far from anything that is meant: one message, no work."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiment.settings import check_settings, check_sources
from experiment.settings.disk import disk_problems
from experiment.system import SettingsError
from tests.helpers import ROOT, composed, small


def changed(key: str, value: object) -> dict:
    """The settings of Burgers with one value replaced."""
    values = composed("burgers")
    *above, last = key.split(".")
    table = values
    for name in above:
        table = table[name]
    table[last] = value
    return values


PHYSICAL = "model.physical"
PARAMS = "model.physical.pde_params"
NET = "model.synthetic.architecture"
SYNTHETIC = "trainer.synthetic"


EXTREMES: list[tuple[str, object, str]] = [
    (
        f"{PHYSICAL}.resolution",
        {"x": 10**9, "y": 64},
        "resolution.x` is 1000",
    ),
    (f"{PHYSICAL}.resolution", {"x": 10**7, "y": 10**7}, "needs at least .* GiB"),
    (f"{NET}.levels", 10**9, "levels` is 1000000000; .*less than or equal to 20"),
    (f"{NET}.filters", 10**9, "filters` is 1000000000; .*less than or equal to"),
    (f"{NET}.filters", 10**6, "weights with gradients and moments.* GiB"),
    (f"{PARAMS}.diffusion_substeps", 10**9, "substeps` is 1000000000; .* 1000"),
    (f"{PARAMS}.initial_wavenumber", 10**6, "a sum of 4e.12 waves at 4096 cells"),
    (f"{PARAMS}.initial_wavenumber", 10**9, "less than or equal to 10000000"),
    ("data.num_workers", 10**9, "num_workers` is 1000000000; .*equal to 1024"),
    ("general.num_threads", 10**9, "num_threads` is 1000000000; .*equal to 1024"),
    ("data.num_simulations", 10**7, "data_dir`.*GiB on the disk.*GiB free"),
    ("data.trajectory_length", 10**7, "GiB"),
    (f"{PHYSICAL}.domain", {"x": 1e200, "y": 1.0}, "domain.x` is 1e.200; .*10+"),
    (f"{PHYSICAL}.domain", {"x": 1e-200, "y": 1.0}, "domain.x` is 1e-200"),
    (
        f"{PHYSICAL}.dt",
        5e-324,
        "dt` is 5e-324; allowed: 1e-15 and more",
    ),
    (
        f"{PARAMS}.viscosity",
        " + ".join(["x"] * 500),
        "500 operations inside",
    ),
    (f"{PARAMS}.viscosity", "1" * 400, "a number of 400 digits"),
    (f"{PARAMS}.viscosity", 10**400, "a number of about 400 digits"),
    (f"{SYNTHETIC}.epochs", 10**5000, "a number of about 5000 digits"),
    ("general.seed", 2**64, "seed` is 18446744073709551616; .*less than"),
    ("data.seed", -1, "seed` is -1"),
    (f"{SYNTHETIC}.weight_decay", 1e308, "weight_decay` is 1e.308; .*less than"),
    (f"{SYNTHETIC}.learning_rate", 1e308, "learning_rate` is 1e.308"),
    ("data.data_dir", "a" * 256, "names have at most 255 bytes.* 256"),
    ("general.run_dir", "é" * 128, "names have at most 255 bytes.* 256"),
    ("general.checkpoint_dir", "a/" * 2000, "3500 together"),
    ("cache.dir", "a\0b", "cache.dir` .*no NUL"),
    ("data.export", "\ud800", "data.export` .*no text in UTF-8"),
    ("general.experiment_name", "..", "experiment_name` .*not only dots"),
    ("general.experiment_name", "a" * 300, "experiment_name` .*too long"),
    ("trainer.train_sim", [[[]]] * 3, "train_sim"),
    ("trainer.train_sim", {1, 2}, "train_sim` is of type set"),
]


# Without the values, as the names of tests can't hold all of them.
@pytest.mark.parametrize("number", range(len(EXTREMES)))
def test_a_value_far_from_any_that_is_meant(number: int) -> None:
    key, value, message = EXTREMES[number]
    values, started = changed(key, value), time.monotonic()
    with pytest.raises(SettingsError, match=message) as caught:
        check_settings(values)
    assert len(str(caught.value)) < 2000
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("seed", (0, 2**63, 2**64 - 1))
def test_every_seed_that_is_allowed_can_be_used(tmp_path: Path, seed: int) -> None:
    import numpy as np

    from legacy import assemble

    settings = small(tmp_path, f"general.seed={seed}")
    assemble.seed(settings)
    np.random.default_rng([settings.general.seed, 1])
    assert assemble.build_model(settings) is not None


def test_no_space_is_asked_for_what_is_there_already(burgers_folder: Path) -> None:
    free = shutil.disk_usage(burgers_folder).free
    # 4 simulations of 7 frames, 2 channels of 128 cells, 4 bytes each, compressed.
    many = int(free / (7 * 2 * 128 * 4 * 0.1)) + 5
    settings = small(burgers_folder)
    assert not [*disk_problems(settings)]
    if many <= 10**7:
        with pytest.raises(SettingsError, match="simulations of 7 frames needs at"):
            small(burgers_folder, f"data.num_simulations={many}")


SOURCES = {
    "raising": ("raise RuntimeError('no')", "raised RuntimeError: no .line 1 of"),
    "ending": ("import sys; sys.exit(3)", "raised SystemExit: 3"),
    "wrong": ("def broken(:", "raised SyntaxError"),
    "empty": ("", "has no class `UNet`"),
    "other": (
        "from torch import nn\nclass UNet(nn.Module):\n"
        "    def __init__(self, channels): ...\n"
        "    def forward(self, x): return x",
        r"can't be built with \(in_channels, out_channels, rank, architecture\)",
    ),
    "late": (
        "from torch import nn\nclass UNet(nn.Module):\n"
        "    def __init__(self, *all): raise ValueError('never')\n"
        "    def forward(self, x): return x",
        "raised ValueError: never .line 3 of",
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_that_is_no_good_is_named(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bridge.assemble import build_components

    text, message = SOURCES[name]
    (tmp_path / f"own_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    source = f"migration.sources.model.legacy=own_{name}:UNet"
    settings = small(tmp_path, "migration=legacy", source)
    with pytest.raises(SettingsError, match=message) as caught:
        build_components(settings)
    assert "migration.sources.model.legacy" in str(caught.value)


@pytest.mark.parametrize("path", (".nets:UNet", "..nets:UNet", "a..b:C", "nets:", ":C"))
def test_a_relative_source_is_refused(tmp_path: Path, path: str) -> None:
    source = f"migration.sources.model.legacy='{path}'"
    settings = small(tmp_path, "migration=legacy", source)
    with pytest.raises(SettingsError, match="expected `package.module:Class`"):
        check_sources(settings)


FILES = {
    "syntax": (b"general: [1\n", "no YAML"),
    "tab": (b"general:\n\tseed: 1\n", "no YAML"),
    "encoding": (b"\xff\xfe\xfa general: 1\n", "no YAML"),
    "latin": ("general: {experiment_name: é}".encode("latin-1"), "no YAML"),
    "nested": (b"a: " + b"[" * 5000, "no YAML|put together"),
    "list": (b"- 1\n- 2\n", "."),
    "object": (b"a: !!python/object:os.system x\n", "no YAML"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_yaml_ends_in_one_message(tmp_path: Path, name: str) -> None:
    content, message = FILES[name]
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "conf" / "mine.yaml").write_bytes(content)
    done = subprocess.run(
        [
            *(sys.executable, "run.py", "--config-name=mine"),
            f"--config-dir={tmp_path / 'conf'}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
    import re

    assert re.search(message, done.stderr), done.stderr
