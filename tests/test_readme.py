"""The commands of the README, run one after the other in a fresh copy.

`<!-- ci: small -->` above a block appends the small sizes below to its runs;
`<!-- ci: skip, as ... -->` leaves a block out, and says why.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from experiment.settings import why_unread
from tests.helpers import ROOT
from tests.pages import MARKERS, Block, shell_blocks

BLOCKS = tuple(shell_blocks((ROOT / "README.md").read_text(encoding="utf-8")))
#: Cells along each axis; three levels of a U-Net halve them twice.
_CELLS = {"x": 16, "y": 8, "z": 4}
_SMALL = (
    "data.num_simulations=4",
    "data.trajectory_length=6",
    "trainer.train_sim=[0,1]",
    "trainer.val_sim=[2]",
    "trainer.rollout_steps=2",
    "trainer.synthetic.epochs=1",
    "trainer.physical.windows=2",
    "trainer.physical.iterations=2",
    "trainer.hybrid.warm_up_epochs=1",
    "trainer.hybrid.cycles=1",
    "trainer.hybrid.epochs=1",
    "evaluation.test_sim=[3]",
    "evaluation.num_frames=4",
    "compare.seeds=[0]",
)
_SMALL_NETS = {
    "unet": ("levels=2", "filters=4"),
    "resnet": ("layers=[4]",),
    "convnet": ("layers=[4]",),
}


def small(words: list[str]) -> list[str]:
    """The overrides that make a run of these words small, of what its mode reads."""
    (name,) = (w.split("=")[1] for w in words if w.startswith("--config-name="))
    given = [w for w in words if "=" in w and not w.startswith("-")]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose(name, given)
    model, mode = config.model, config.general.mode
    cells = [
        f"model.physical.{key}.{axis}={_CELLS[axis] * size}"
        for axis in model.physical.domain
        for key, size in (("resolution", 1), ("domain", 0.5))
    ]
    nets = [
        f"model.synthetic.architecture.{net}"
        for net in _SMALL_NETS[model.synthetic.name]
    ]
    every = [*_SMALL, *cells, *nets]
    return [w for w in every if why_unread(mode, w.split("=")[0]) is None]


def in_ci(line: str) -> str:
    """A line of a small block as CI runs it."""
    words = shlex.split(line)
    if words[:2] == ["python", "run.py"]:
        return shlex.join([*words, *small(words)])
    if words == ["make", "run"]:
        added = shlex.join(small(["--config-name=burgers.yaml"]))
        # Everything is installed; the copy has no environment of its own to renew.
        return f"make -o .venv/.run run {shlex.quote(f'ARGS={added}')}"
    return line


def fresh_copy(folder: Path) -> Path:
    """What git knows of the checkout, as it is now, with the environment linked."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    return folder


def run_blocks(blocks: tuple[Block, ...], folder: Path) -> str:
    """Runs blocks in one shell, up to the first line that fails.

    Returns:
        The line that failed with the end of what was printed, or nothing.
    """
    script = ["set -e"]
    for block in blocks:
        for line in block.lines if block.marker != "skip" else ():
            run = in_ci(line) if block.marker == "small" else line
            script += [f"echo {shlex.quote(f'>>> {line}')}", run]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
    )
    if done.returncode == 0:
        return ""
    last = done.stdout[done.stdout.rfind(">>> ") :]
    return f"status {done.returncode}: {last[:300]}\n...\n{last[-3000:]}"


def test_every_block_says_how_ci_runs_it() -> None:
    assert BLOCKS
    for block in BLOCKS:
        assert block.marker in ("", *MARKERS), block


def test_a_copy_installs_nothing(tmp_path: Path) -> None:
    """Else `make run` would point the environment at the copy."""
    copy = fresh_copy(tmp_path)
    shown = subprocess.run(
        ["bash", "-c", in_ci("make run").replace("make ", "make -n ", 1)],
        cwd=copy,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "run.py" in shown.stdout and "pip" not in shown.stdout, shown.stdout


@pytest.mark.slow
def test_the_commands_run_one_after_the_other(tmp_path: Path) -> None:
    assert (failed := run_blocks(BLOCKS, fresh_copy(tmp_path))) == "", failed


def test_a_line_that_fails_is_shown(tmp_path: Path) -> None:
    """A data folder that an earlier line filled otherwise is what this is for."""
    blocks = (
        Block("", ("touch made",)),
        Block("skip", ("false",)),
        Block("", ("test -e made", "test -e missing", "touch never")),
    )
    failed = run_blocks(blocks, tmp_path)
    assert failed.startswith("status 1: >>> test -e missing")
    assert not (tmp_path / "never").exists()
