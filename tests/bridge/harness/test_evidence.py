"""Evidence, and that nothing is promoted without it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.harness import HarnessError, Project, run_ladder
from bridge.harness.cards import (
    checksum,
    fingerprints,
    installed_versions,
    write_evidence,
    write_selftest,
)
from bridge.harness.evidence import promotion_blockers, selftest_blockers
from bridge.harness.selftest import Caught, plant
from bridge.harness.switch import default_preset, promote, rollback, switch_values
from tests.bridge.harness import toy
from tests.helpers import PACKAGES

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


def resealed(path: Path, content: dict[str, Any]) -> None:
    """Writes a card with a checksum that fits, as somebody who knows how would."""
    path.write_text(json.dumps(content | {"checksum": checksum(content)}))


def self_tested(project: Project, name: str, *results: Caught, alarms: int = 0) -> Path:
    """The card of a self-test that found a fault."""
    found = results or (plant(toy.LADDER, toy.FAULT),)
    return write_selftest(project, name, found, alarms, 50, fingerprints(project))


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
    resealed(path, content)
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
    with pytest.raises(HarnessError, match="no self-test of one: run .*selftest one"):
        promote(project, "step2")
    for name in ("one", "two"):
        self_tested(project, name)
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
    with pytest.raises(HarnessError, match=r"`one.json` is torn or no JSON"):
        promote(project, "step1")


WRITTEN = {
    "no newline at the end": "defaults:\n  - step1",
    "quotes": 'defaults:\n  - "step1"\n  - _self_\n',
    "a comment": "# presets: step1\ndefaults:\n  - step1   # by promote\n",
    "a flow list": "defaults: [step1, _self_]\n",
    "other keys": "note: step1\ndefaults:\n- step1\nlater: step1\n",
    "windows": "defaults:\r\n  - step1\r\n",
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_however_the_default_is_written_it_is_rolled_back(
    project: Project, text: str
) -> None:
    """And nothing else of the file changes."""
    path = project.root / "conf" / "current.yaml"
    path.write_text(text)
    assert rollback(project, "step1").startswith(CHANGED)
    after = path.read_text()
    assert default_preset(project) == "old"
    assert yaml.safe_load(after)["defaults"][0] == "old"
    rest = [line for line in text.splitlines() if "step1" not in line]
    assert [line for line in after.splitlines() if line in rest] == rest
    assert after.count("step1") == text.count("step1") - 1
    assert after.count("#") == text.count("#")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no list `defaults`"),
        ("defaults: step1\n", "has no list `defaults`"),
        ("defaults: []\n", "has no list `defaults`"),
        ("defaults:\n  - model: step1\n", "has no list `defaults`"),
        ("defaults: [step1\n", "is no YAML"),
        ("defaults:\n  - mine\n", "`mine`, which is no preset: there are old, step1"),
        ("defaults:\n  - &x step1\n", "not changed: as it is written"),
        ("defaults:\n  - !!str step1\n", "not changed: as it is written"),
    ],
)
def test_a_default_that_can_not_be_changed_is_an_error(
    project: Project, text: str, message: str
) -> None:
    path = project.root / "conf" / "current.yaml"
    path.write_text(text)
    try:
        rollback(project, "step1")
    except HarnessError as error:
        assert message in str(error)
        assert path.read_text() == text
    else:
        assert yaml.safe_load(path.read_text())["defaults"][0] == "old"


def test_the_values_of_a_preset(project: Project) -> None:
    assert default_preset(project) == "old"
    assert switch_values(project, "step1") == {"model": "phiml", "physics": "legacy"}


def test_this_projects_evidence_reads_all_that_its_cases_read() -> None:
    found = Project.find(Path(__file__))
    hashes = fingerprints(found)
    assert {*PACKAGES, "conf", "run.py"} < {*hashes}
    for name in found.setting("reads"):
        assert (found.root / name).exists()
    for name in ("burgers.yaml", "base.yaml", "migration/current.yaml"):
        assert (found.root / "conf" / name).exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"exit_code": 1}, "was changed by hand"),
        ({"format": 1}, "has the format 1; this program reads 2"),
        ({"format": 99}, "has the format 99; this program reads 2"),
        ({"date": None}, "was changed by hand"),
    ],
)
def test_a_card_that_was_changed_is_refused(
    project: Project, change: dict[str, Any], message: str
) -> None:
    path = write_evidence(project, "one", GREEN)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    (blocker,) = promotion_blockers(project, "one")
    assert message in blocker and blocker.endswith("run `python -m bridge verify one`")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": "two"}, "is evidence for the step two, not one"),
        ({"project": "other"}, "is evidence for the project other, not "),
        ({"cases": []}, r"is not green (exit code 0, 0 cases)"),
        ({"exit_code": 1}, "is not green (exit code 1, 1 cases)"),
    ],
)
def test_a_card_of_something_else_is_refused_though_its_checksum_fits(
    project: Project, change: dict[str, Any], message: str
) -> None:
    path = write_evidence(project, "one", GREEN)
    resealed(path, json.loads(path.read_text()) | change)
    (blocker,) = promotion_blockers(project, "one")
    assert message in blocker


def test_a_failed_case_is_seen_beside_an_exit_code_of_0(project: Project) -> None:
    """Also a rung that compared nothing."""
    path = write_evidence(project, "one", GREEN)
    for change in ({"verdict": "FAIL"}, {"comparisons": 0}):
        content = json.loads(path.read_text())
        content["cases"][0]["rungs"]["F1"] |= change
        resealed(path, content)
        (blocker,) = promotion_blockers(project, "one")
        assert "is not green (exit code 0, 1 cases): 1" in blocker
        write_evidence(project, "one", GREEN)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "\ud800", "[" * 100_000, "{}"])
def test_what_is_no_card_is_refused(project: Project, text: str) -> None:
    path = write_evidence(project, "one", GREEN)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    (blocker,) = promotion_blockers(project, "one")
    assert blocker.startswith("`one.json` ")


def test_a_copy_of_another_ladders_card_is_refused(project: Project) -> None:
    path = write_evidence(project, "one", GREEN)
    path.with_name("two.json").write_bytes(path.read_bytes())
    (blocker,) = promotion_blockers(project, "two")
    assert "is evidence for the step one, not two" in blocker


def test_code_that_changes_while_it_is_verified_gives_no_evidence(
    project: Project,
) -> None:
    before = fingerprints(project)
    (project.root / "code" / "part.py").write_text("x = 2\n")
    with pytest.raises(HarnessError, match="code changed meanwhile"):
        write_evidence(project, "one", GREEN, before)
    assert not (project.root / "evidence").exists()


def test_a_selftest_that_missed_or_cried_wolf_is_not_enough(project: Project) -> None:
    missed = plant(toy.LADDER, replace(toy.FAULT, name="halved"))
    self_tested(project, "one", missed)
    (blocker,) = selftest_blockers(project, "one")
    assert "missed 1 faults and gave 0 false alarms" in blocker
    self_tested(project, "one", alarms=2)
    (blocker,) = selftest_blockers(project, "one")
    assert "missed 0 faults and gave 2 false alarms" in blocker
    self_tested(project, "one")
    assert selftest_blockers(project, "one") == []
    (project.root / "code" / "part.py").write_text("x = 2\n")
    (blocker,) = selftest_blockers(project, "one")
    assert blocker == (
        "code changed since one was verified: run `python -m bridge selftest one`"
    )


def test_a_card_says_how_where_and_with_what_margin(project: Project) -> None:
    result = run_ladder(toy.LADDER, 11)
    card = json.loads(write_evidence(project, "one", [result]).read_text())
    assert card["machine"]["cpu"] and card["machine"]["cores"] > 0
    assert card["command"][0] == "bridge" and card["date"].endswith("+00:00")
    assert card["comparisons"] == "2/2 comparisons proved"
    (case,) = card["cases"]
    assert 0 <= case["rungs"]["S1"]["margin"] <= 1
