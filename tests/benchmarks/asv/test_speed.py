"""The comparison of two commits."""

import math
import subprocess
from pathlib import Path

import pytest

from benchmarks.asv import groups, speed


def row(before: float, after: float, unit: str = groups.RATIO) -> speed.Row:
    """A row with names as long as they get."""
    return speed.Row(
        "asv.groups.Group.track_x", "n" * 40, "s" * 20, unit, before, after
    )


@pytest.mark.parametrize(
    ("before", "after", "word"),
    ((1.4, 1.5, "equal"), (1.4, 1.0, "slower"), (1.0, 1.4, "faster")),
)
def test_a_change_is_named(before: float, after: float, word: str) -> None:
    assert row(before, after).change().endswith(word)


def test_seconds_and_failures_are_not_judged() -> None:
    assert row(1.0, 9.0, "seconds").change() == ""
    assert row(math.nan, 1.0).change() == "-"
    assert row(1.0, math.inf).change() == "-"
    assert "failed" in speed.table([row(1.0, math.inf)], ["b" * 40, "a" * 40])


def test_the_table_is_no_wider_than_a_terminal() -> None:
    rows = [row(123456.0, 0.000123456, unit) for unit in ("seconds", groups.RATIO)]
    lines = speed.table(rows, ["b" * 40, "a" * 40]).splitlines()
    assert max(map(len, lines)) <= 80


def test_one_commit_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=m"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "One"]):
        subprocess.run(["git", *own, *command], check=True)
    with pytest.raises(SystemExit, match="has no two: commit what"):
        speed.last_two()
