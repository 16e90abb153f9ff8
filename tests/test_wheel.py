"""What `pip install .` gives: see `tests/wheel.py`."""

import zipfile
from pathlib import Path

import pytest

from tests.helpers import PACKAGES, ROOT
from tests.wheel import borrowing_environment, build_wheel, call, check


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.mark.slow
def test_the_wheel_has_all_settings_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    python = {p.relative_to(ROOT) for n in PACKAGES for p in (ROOT / n).rglob("*.py")}
    expected = {p.as_posix() for p in python} | {f"{n}/py.typed" for n in PACKAGES}
    conf = [p.relative_to(ROOT) for p in (ROOT / "conf").rglob("*.yaml")]
    expected |= {f"experiment/{p.as_posix()}" for p in conf}
    kept = (ROOT / "bridge" / "ladders").rglob("*.json")
    expected |= {p.relative_to(ROOT).as_posix() for p in kept}
    expected |= {"bridge/pyproject.toml", "experiment/docs/known_differences.md"}
    assert {n for n in names if ".dist-info/" not in n} == expected


@pytest.mark.slow
def test_it_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    programs = borrowing_environment(tmp_path / "environment", wheel)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    check(programs, folder)
    # Evidence goes to the user's folder, and a folder that has none is named at once.
    (folder / "evidence").write_text("")
    done = call(programs, folder, "bridge", "verify", "step1")
    assert done.returncode == 2 and "can't write to the folder" in done.stderr
    assert done.stdout == ""
