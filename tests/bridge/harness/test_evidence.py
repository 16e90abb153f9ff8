"""Evidence, and that nothing is promoted without it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.harness import HarnessError, Project, run_ladder
from bridge.harness.evidence import (
    fingerprints,
    installed_versions,
    promotion_blockers,
    write_evidence,
)
from bridge.harness.switch import default_preset, promote, rollback, switch_values
from tests.bridge.harness import toy

TABLE = {
    "evidence": "evidence",
    "switches": "conf",
    "reads": ["code", "conf", "run.py"],
    "presets": {"old": [], "step1": ["one"], "step2": ["two"], "full": ["three"]},
}
GREEN = [run_ladder(toy.FINE, 1)]
RED = [run_ladder(toy.BROKEN, 1)]

#: What a promotion says first.
CHANGED = "changed conf/current.yaml\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with some code, a script and four presets."""
    for name, text in {
        "code/part.py": "x = 1\n",
        "code/notes.txt": "no code\n",
        "run.py": "print()\n",
        "conf/current.yaml": "# The default.\ndefaults:\n  - old\n",
        "conf/old.yaml": "model: legacy\nphysics: legacy\n",
        "conf/step1.yaml": "defaults:\n  - old\n  - _self_\n\nmodel: phiml\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return Project(tmp_path, TABLE, ["numpy==2.4.6", "nosuchlibrary>=1"])


def test_whatever_is_read_is_hashed(project: Project) -> None:
    """A changed setting, script or pin makes evidence stale; a note doesn't."""
    write_evidence(project, "one", GREEN)
    assert promotion_blockers(project, "one") == []
    (project.root / "code" / "notes.txt").write_text("other")
    assert promotion_blockers(project, "one") == []
    for name in ("code/part.py", "code/new.py", "conf/step1.yaml", "run.py"):
        path = project.root / name
        before = path.read_text() if path.exists() else None
        path.write_text((before or "") + "# changed\n")
        (blocker,) = promotion_blockers(project, "one")
        assert blocker == (
            f"{name.split('/')[0]} changed since one was verified: run"
            " `python -m bridge verify one`"
        )
        path.write_text(before) if before is not None else path.unlink()
    pinned = replace(project, pins=["numpy==2.4.7", "nosuchlibrary>=1"])
    (blocker,) = promotion_blockers(pinned, "one")
    assert blocker.startswith("versions in pyproject.toml changed")


def test_versions_of_what_is_pinned(project: Project) -> None:
    found = installed_versions(project)
    assert found["nosuchlibrary"] == "not installed" and found["numpy"][0].isdigit()


def test_other_versions_block(project: Project) -> None:
    path = write_evidence(project, "one", GREEN)
    content = json.loads(path.read_text())
    content["versions"]["numpy"] = "1.0"
    path.write_text(json.dumps(content))
    (blocker,) = promotion_blockers(project, "one")
    assert blocker.startswith("other versions of numpy were verified")


def test_promote_needs_fresh_green_evidence_and_rollback_none(project: Project) -> None:
    current = project.root / "conf" / "current.yaml"
    before = current.read_text()
    with pytest.raises(HarnessError, match="there is no evidence for one") as caught:
        promote(project, "step2")
    assert "there is no evidence for two" in str(caught.value)
    write_evidence(project, "one", GREEN)
    write_evidence(project, "two", RED)
    with pytest.raises(HarnessError, match="two is not green"):
        promote(project, "step2")
    # What can't be judged and nothing at all are not green either.
    write_evidence(project, "two", [])
    with pytest.raises(HarnessError, match="two is not green"):
        promote(project, "step2")
    write_evidence(project, "two", GREEN)
    assert promote(project, "step2") == f"{CHANGED}-  - old\n+  - step2"
    assert promote(project, "step2") == "step2 is the default already"
    with pytest.raises(HarnessError, match="no evidence for three"):
        promote(project, "full")
    # What a promotion writes makes no evidence stale; code does. Going back needs none.
    (project.root / "code" / "part.py").write_text("x = 2\n")
    with pytest.raises(HarnessError, match="code changed since one was verified"):
        promote(project, "step2")
    assert rollback(project, "full") == "step2 is the default; full is not in use"
    assert rollback(project, "step2") == f"{CHANGED}-  - step2\n+  - step1"
    assert rollback(project, "step1") == f"{CHANGED}-  - step1\n+  - old"
    assert current.read_text() == before
    (project.root / "evidence" / "one.json").write_text("{")
    with pytest.raises(HarnessError, match=r"`evidence/one.json` can't be read"):
        promote(project, "step1")


def test_the_values_of_a_preset(project: Project) -> None:
    assert default_preset(project) == "old"
    assert switch_values(project, "step1") == {"model": "phiml", "physics": "legacy"}


def test_this_projects_evidence_reads_all_that_its_cases_read() -> None:
    found = Project.find(Path(__file__))
    hashes = fingerprints(found)
    rooms = {"experiment", "legacy", "phiml_port", "bridge", "hyco"}
    assert rooms | {"conf", "run.py"} < {*hashes}
    for name in found.setting("reads"):
        assert (found.root / name).exists()
    for name in ("burgers.yaml", "base.yaml", "migration/current.yaml"):
        assert (found.root / "conf" / name).exists()
