"""A project's table `[tool.bridge]`, and files that are written whole."""

from pathlib import Path

import pytest

from bridge.harness import HarnessError, Project, load_object, write_file
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
