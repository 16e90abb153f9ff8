"""The table of planted faults: all that there are, with the numbers of a run."""

import json
from pathlib import Path

from bridge.harness import Project
from docs.tools.faults_page import NUMBERS, markdown
from tests.helpers import ROOT

LADDERS = Project.find(ROOT).chosen("all")


def test_every_fault_has_a_row_of_its_ladder(tmp_path: Path) -> None:
    empty = tmp_path / "faults.json"
    empty.write_text("[]\n")
    page = markdown(empty)
    lines = [line for line in page.splitlines() if line.endswith("| not measured |")]
    assert len(lines) == sum(len(ladder.faults()) for ladder in LADDERS.values())
    for name, ladder in LADDERS.items():
        part = page.split(f"## {name}\n")[1].split("\n## ")[0]
        for fault in ladder.faults():
            assert f"| {fault.name}" in part and f"* {fault.rung}: " in part


def test_numbers_are_those_of_the_self_test(tmp_path: Path) -> None:
    fault = LADDERS["step2"].faults()[0]
    row = {
        "name": fault.name,
        "rung": fault.rung,
        "where": fault.where,
        "case": str(fault.case),
    }

    def shown(**measured: object) -> str:
        file = tmp_path / "faults.json"
        file.write_text(json.dumps([row | measured]))
        lines = [ln for ln in markdown(file).splitlines() if ln.startswith("| ")]
        (line,) = [ln for ln in lines if "not measured" not in ln and "rung" not in ln]
        return line.split(" | ")[-1].removesuffix(" |")

    assert shown(caught=True, margin=12345.0) == "12,000"
    assert shown(caught=True, margin=2.54) == "2.5"
    assert shown(caught=True, margin=None) == "no number"
    assert shown(caught=False, margin=3.0) == "missed"


def test_the_committed_numbers_are_of_faults_that_were_caught() -> None:
    rows = json.loads(NUMBERS.read_text())
    assert rows and all(row["caught"] for row in rows)
    assert all(row["margin"] is None or row["margin"] > 1 for row in rows)
