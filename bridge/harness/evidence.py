"""Whether there is evidence enough: cards that are green, whole and fresh."""

from collections.abc import Mapping
from typing import Any

from bridge.harness import comparisons
from bridge.harness.cards import TESTED, fingerprints, installed_versions, read_card
from bridge.harness.errors import HarnessError
from bridge.harness.ladder import Verdict
from bridge.harness.project import Project


def promotion_blockers(project: Project, name: str) -> list[str]:
    """Why the evidence for a ladder is not enough, a sentence each."""
    path = project.evidence / f"{name}.json"
    command = f"run `python -m bridge verify {name}`"
    try:
        card = read_card(project, path, name)
    except FileNotFoundError:
        return [f"there is no evidence for {name}: {command}"]
    except HarnessError as error:
        return [str(error)]
    blockers = []
    red = [c["case"] for c in card["cases"] if not _is_green(c)]
    if card["exit_code"] != 0 or red or not card["cases"]:
        which = f": {', '.join(map(str, red[:3]))}" if red else ""
        blockers.append(
            f"the evidence for {name} is not green (exit code {card['exit_code']},"
            f" {len(card['cases'])} cases){which}"
        )
    wanted = (comparisons.kept(project, name) or {}).get("cases", [])
    gone = sorted(set(wanted) - {c["case"] for c in card["cases"]})
    if gone:
        blockers.append(f"the evidence for {name} lacks {', '.join(gone[:3])}")
    return blockers + _stale(project, card, name, command)


def selftest_blockers(project: Project, name: str) -> list[str]:
    """Why the self-test of a ladder is not enough, a sentence each."""
    path = project.evidence / f"{name}.selftest.json"
    command = f"run `python -m bridge selftest {name}`"
    try:
        card = read_card(project, path, name, TESTED)
    except FileNotFoundError:
        return [f"there is no self-test of {name}: {command}"]
    except HarnessError as error:
        return [str(error)]
    missed = [fault for fault in card["faults"] if fault.get("caught") is not True]
    blockers = []
    if missed or card["false alarms"] != 0:
        blockers.append(
            f"the self-test of {name} missed {len(missed)} faults and gave"
            f" {card['false alarms']} false alarms: {command}"
        )
    return blockers + _stale(project, card, name, command)


def _stale(
    project: Project, card: Mapping[str, Any], name: str, command: str
) -> list[str]:
    """What changed since a card was written."""
    blockers = []
    hashes, libraries = card["fingerprints"], card["versions"]
    stale = [n for n, h in fingerprints(project).items() if hashes.get(n) != h]
    if stale:
        blockers.append(
            f"{', '.join(stale)} changed since {name} was verified: {command}"
        )
    now = installed_versions(project)
    other = [n for n, value in now.items() if libraries.get(n) != value]
    if other:
        blockers.append(
            f"other versions of {', '.join(other)} were verified: {command}"
        )
    return blockers


def _is_green(case: Mapping[str, Any]) -> bool:
    passed = Verdict.PASSED.value
    rungs = case.get("rungs")
    if case.get("verdict") != passed or not isinstance(rungs, dict) or not rungs:
        return False
    return all(
        rung.get("verdict") == passed and rung.get("comparisons", 0) > 0
        for rung in rungs.values()
    )
