"""The wheel in an environment of its own, used from a folder outside the checkout.

`python -m tests.wheel` installs it with all that it depends on, in the versions of
requirements.lock; `tests/test_wheel.py` borrows the libraries that are there already.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tests.helpers import ROOT, SMALL, SMALL_UNET

#: A configuration of one's own that names groups that are shipped.
MINE = """\
defaults:
  - burgers
  - override /model/synthetic: convnet
  - _self_

general:
  experiment_name: mine
"""


def build_wheel(folder: Path) -> Path:
    """Builds the wheel of this checkout with the backend that it names."""
    _call(sys.executable, "-m", "build", "--wheel", "-o", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return wheel


def borrowing_environment(folder: Path, wheel: Path) -> Path:
    """An environment with the wheel, that borrows all other packages from this one.

    A `.pth` of an editable install is not read there: packages of this project come
    from the wheel alone.

    Returns:
        Its folder of programs.
    """
    _call(sys.executable, "-m", "venv", str(folder))
    _call(str(folder / "bin" / "pip"), "install", "-q", "--no-deps", str(wheel))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    borrowed = folder / "lib" / version / "site-packages" / "borrowed.pth"
    borrowed.write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def full_environment(folder: Path, wheel: Path) -> Path:
    """An environment with the wheel and all that it depends on, torch first.

    Returns:
        Its folder of programs.
    """
    lock = ROOT / "requirements.lock"
    (torch,) = [x for x in lock.read_text().split() if x.startswith("torch==")][-1:]
    _call(sys.executable, "-m", "venv", str(folder))
    for request in (torch, str(wheel)):
        _call(str(folder / "bin" / "pip"), "install", "-q", "-c", str(lock), request)
    return folder / "bin"


def call(
    programs: Path, folder: Path, name: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Runs an installed program in a folder, with nothing on its path but what it has.

    Args:
        programs: The environment's folder of programs.
        folder: Where it is started.
        name: Such as `hyco`, `bridge`, `python`.
        arguments: Its arguments.
    """
    hidden = ("PYTHONPATH", "PYTHONHOME")
    return subprocess.run(
        [str(programs / name), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env={k: v for k, v in os.environ.items() if k not in hidden}
        | {"OMP_NUM_THREADS": "1"},
    )


def check(programs: Path, folder: Path) -> None:
    """Uses all that is installed, from a folder outside the checkout.

    Raises:
        AssertionError: Says which program failed, and how.
    """
    (folder / "mine.yaml").write_text(MINE)

    def done(*words: str, status: int = 0) -> str:
        found = call(programs, folder, *words)
        assert found.returncode == status, (words, found.stdout, found.stderr)
        return found.stdout if status == 0 else found.stderr

    shown = (
        "import bridge, experiment, hyco, legacy, phiml_port, importlib.util as u\n"
        "rooms = bridge, experiment, hyco, legacy, phiml_port\n"
        "print(*(room.__file__ for room in rooms), sep='\\n')\n"
        "assert u.find_spec('benchmarks') is u.find_spec('tests') is None"
    )
    environment = programs.resolve().parent
    for file in done("python", "-c", shown).splitlines():
        assert Path(file).resolve().is_relative_to(environment), file
        assert (Path(file).parent / "py.typed").is_file(), file
    assert "model/synthetic: convnet, resnet, unet" in done("hyco", "--help")
    run = ("hyco", "--config-dir=.", "--config-name=mine.yaml", "migration=full")
    small = (*SMALL, "model.synthetic.architecture.layers=[4]")
    assert "persistence" in done(*run, *small)
    assert (folder / "runs" / "mine" / "latest" / "report.html").is_file()
    again = ("hyco", "--config-path=.", "--config-name=mine.yaml", *small)
    assert "persistence" in done(*again, "general.tasks=[evaluate]", "migration=full")
    done("hyco", *SMALL, *SMALL_UNET, "general.tasks=[generate]")
    assert (folder / "data" / "burgers" / "sim_000000").is_dir()

    assert "promote" in done("bridge", "--help")
    assert "preset legacy" in done("bridge", "status")
    assert "0 unequal without a known reason" in done("bridge", "settings", "step1")
    done("bridge", "verify", "tests:NOTHING", status=2)
    assert "which isn't changed" in done("bridge", "promote", "step1", status=2)
    for words in ((), ("--explain",)):
        assert "in a checkout" in done("bridge", "bench", *words, status=2)


def _call(*words: str) -> None:
    found = subprocess.run(words, capture_output=True, text=True)
    assert found.returncode == 0, (words, found.stdout, found.stderr)


def main() -> None:
    """Installs everything, and uses it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = build_wheel(folder / "dist")
        programs = full_environment(folder / "environment", wheel)
        print(f"{wheel.name} is installed, {wheel.stat().st_size / 1e3:.0f} kB")
        (folder / "elsewhere").mkdir()
        check(programs, folder / "elsewhere")
        print("hyco and bridge work outside the checkout")


if __name__ == "__main__":
    main()
