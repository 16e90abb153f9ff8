"""What another program wrote is never touched, and what is replaced is never lost."""

import json
import shutil
from pathlib import Path

import pytest

from experiment.data import generate, open_scene
from experiment.data.replacing import replace_scene
from experiment.system import Progress, SceneError, exchanging
from legacy.physics import SceneSimulator
from tests.helpers import small

CHANGED = ("model.physical.dt=0.1", "data.overwrite=true")


def generated(path: Path, *overrides: str) -> int:
    settings = small(path, *overrides)
    return generate(settings, SceneSimulator(settings), Progress())


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


@pytest.mark.parametrize(
    ("description", "what"),
    [
        (None, "has no `description.json`"),
        ('{"fo', "can't be read"),
        ("[1]", "is described by another program"),
        ('{"seed": 0, "solver": "mine"}', "is described by another program"),
        ('{"format": 1, "program": "other"}', "is described by another program"),
    ],
)
@pytest.mark.parametrize("overwrite", ("true", "false"))
def test_a_foreign_folder_is_kept_whatever_is_asked(
    burgers_folder: Path, description: str | None, what: str, overwrite: str
) -> None:
    scene = burgers_folder / "data" / "sim_000001"
    (scene / "description.json").unlink()
    if description is not None:
        (scene / "description.json").write_text(description)
    (scene / "notes.txt").write_text("three weeks of computing")
    before = contents(burgers_folder / "data")
    with pytest.raises(SceneError, match=what) as caught:
        generated(burgers_folder, "model.physical.dt=0.1", "data.overwrite=true")
    assert contents(burgers_folder / "data") == before
    message = str(caught.value)
    assert str(scene) in message and "is kept" in message
    assert "data.overwrite=true" not in message
    assert "another `data.data_dir`" in message and "[import]" in message
    with pytest.raises(SceneError, match=what):
        open_scene(small(burgers_folder, f"data.overwrite={overwrite}"), 1)


def test_a_scene_from_before_there_was_a_mark_is_ours(burgers_folder: Path) -> None:
    for file in burgers_folder.glob("data/*/description.json"):
        described = json.loads(file.read_text())
        assert described.pop("program") == "hyco-migration"
        file.write_text(json.dumps(described))
    assert generated(burgers_folder) == 0
    assert generated(burgers_folder, *CHANGED) == 4


def test_a_file_in_a_scene_s_place_is_kept(burgers_folder: Path) -> None:
    scene = burgers_folder / "data" / "sim_000001"
    shutil.rmtree(scene)
    scene.write_text("not a folder")
    with pytest.raises(SceneError, match="is kept"):
        generated(burgers_folder, "data.overwrite=true")
    assert scene.read_text() == "not a folder"


def test_files_of_others_in_a_replaced_scene_are_kept(
    burgers_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene = burgers_folder / "data" / "sim_000001"
    (scene / "notes.txt").write_text("mine")
    before = contents(scene)
    assert generated(burgers_folder, *CHANGED) == 4
    (kept,) = (burgers_folder / "data" / "replaced").iterdir()
    assert contents(kept) == before
    assert "`notes.txt`" in caplog.text and str(kept) in caplog.text
    assert not list((burgers_folder / "data").glob(".*"))


def test_a_replaced_scene_comes_back_on_an_error(
    burgers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = burgers_folder / "data/sim_000000", burgers_folder / "data/sim_000001"
    before, rename = contents(old), Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path == new:
            raise OSError("the disk is gone")
        return rename(path, target)

    # As where the system can't exchange two folders.
    monkeypatch.setattr(exchanging, "_exchanged_at_once", lambda new, old: False)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="the disk is gone"):
        replace_scene(new, old)
    assert contents(old) == before and new.exists()


def test_an_old_scene_of_a_killed_run_is_not_removed(burgers_folder: Path) -> None:
    """Killed between both renames, the old scene lies under a hidden name."""
    data = burgers_folder / "data"
    shutil.copytree(data / "sim_000000", data / ".sim_000000.old")
    before = contents(data / ".sim_000000.old")
    assert generated(burgers_folder, *CHANGED) == 4
    assert contents(data / ".sim_000000.old") == before
