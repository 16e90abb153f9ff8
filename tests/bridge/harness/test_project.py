"""A project's table `[tool.bridge]`, and files that are written whole."""

from dataclasses import replace
from pathlib import Path

import pytest

from bridge.harness import HarnessError, Project, load_object, write_file
from bridge.harness.cards import write_evidence
from bridge.harness.errors import check_folder
from bridge.harness.switch import default_preset, promote, rollback
from tests.bridge.harness import toy

TABLE = """
[project]
dependencies = ["numpy==2.4.6"]
[tool.bridge]
ladders = "tests.bridge.harness.toy:LADDERS"
"""


def project(folder: Path, table: str = TABLE) -> Project:
    (folder / "pyproject.toml").write_text(table)
    return Project.find(folder)


def test_the_nearest_table_counts(tmp_path: Path) -> None:
    inner = tmp_path / "inner" / "deeper"
    inner.mkdir(parents=True)
    (tmp_path / "inner" / "pyproject.toml").write_text("[tool.ruff]\n")
    found = project(tmp_path)
    assert Project.find(inner) == found
    assert (found.root, list(found.pins)) == (tmp_path.resolve(), ["numpy==2.4.6"])
    assert found.ladder("toy") is toy.LADDER and found.chosen("all") == {
        "toy": toy.LADDER
    }


def test_elsewhere_it_is_this_projects() -> None:
    assert list(Project.find(Path("/")).ladders)[0] == "step1"


INSTALLED = (
    TABLE
    + """
evidence = "evidence"
switches = "conf"
bench = "tests.bridge.harness.toy:CASES"
[tool.bridge.presets]
old = []
new = ["toy"]
[tool.bridge.installed]
switches = "package/conf"
without = ["bench"]
"""
)


def test_an_installed_project_is_found_anywhere_and_never_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`site` is where packages are installed, `work` the user's folder."""
    site, work = tmp_path / "site", tmp_path / "work"
    for folder in (site / "bridge", site / "package" / "conf", work):
        folder.mkdir(parents=True)
    (site / "bridge" / "pyproject.toml").write_text(INSTALLED)
    default = site / "package" / "conf" / "current.yaml"
    default.write_text("defaults:\n  - old\n")
    monkeypatch.setattr("bridge.harness.project._CHECKOUT", site)
    shipped = site / "bridge" / "pyproject.toml"
    monkeypatch.setattr("bridge.harness.project._SHIPPED", shipped)
    found = Project.find(work)
    assert found.default_file == default and default_preset(found) == "old"
    path = write_evidence(replace(found, table={**found.table, "reads": []}), "toy", [])
    assert path == work / "evidence" / "toy.json" and path.is_file()
    with pytest.raises(HarnessError, match="not part of the installed package"):
        found.setting("bench")
    with pytest.raises(HarnessError, match="isn't changed. Choose the preset new"):
        promote(found, "new")
    default.write_text("defaults:\n  - new\n")
    with pytest.raises(HarnessError, match="isn't changed. Choose the preset old"):
        rollback(found, "new")
    assert default.read_text() == "defaults:\n  - new\n"
    # A project of the user's own goes first; in a checkout nothing is left out.
    assert project(work).installed_for is None
    assert project(tmp_path, INSTALLED).folder("switches") == tmp_path / "conf"
    assert "bench" in Project.find(tmp_path).table


def test_a_table_that_is_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"pyproject.toml` is no valid TOML.*repair"):
        project(tmp_path, "[tool.bridge")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "evidence")
    assert list((tmp_path / "new" / "evidence").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="can't write to the folder .*/file"):
        check_folder(tmp_path / "file")


def test_a_ladder_by_its_path(tmp_path: Path) -> None:
    found = project(tmp_path)
    fine = "tests.bridge.harness.toy:FINE"
    assert found.chosen(fine) == {fine: toy.FINE}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("step9", "there is no ladder `step9`; allowed: toy, or `module:object`"),
        ("nowhere:LADDER", "`nowhere` doesn't import.*installed"),
        ("tests.bridge.harness.toy:ladder", "has no `ladder`"),
        ("tests.bridge.harness.toy:FAULT", "is a Fault, not a Ladder"),
        ("tests.bridge.harness.toy:", "expected `package.module:object`"),
    ],
)
def test_a_ladder_that_is_not_there(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        project(tmp_path).ladder(name)


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"`evidence` is missing in the table"):
        project(tmp_path).folder("evidence")
    project(tmp_path).prepare()


def test_an_object_by_its_path() -> None:
    assert load_object("tests.bridge.harness.toy:LADDERS") is toy.LADDERS


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "file.json"
    write_file(path, "first")
    assert path.read_text() == "first" and path.stat().st_mode & 0o777 == 0o644

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HarnessError, match="can't write .*No space left"):
        write_file(path, "second")
    assert path.read_text() == "first" and list(path.parent.iterdir()) == [path]
