"""A recording is the same twice, and a planted change is seen by its name."""

from pathlib import Path

from tests.recording.entries import read_recording, write_recording
from tests.recording.recorder import differences, every_case, record, table

TINY = ("synthetic/legacy-phiml-legacy/float32/", "batches/advection/legacy-for-legacy")


def test_a_recording_repeats_and_a_change_is_named(tmp_path: Path) -> None:
    first, failed = record(TINY)
    assert not failed
    write_recording(tmp_path / "first.json", first)
    stored = read_recording(tmp_path / "first.json")
    again, _ = record(TINY)
    assert differences(stored, again) == []
    changed, _ = record(TINY, ("trainer.synthetic.learning_rate=2.0001e-3",))
    rows = differences(stored, changed)
    names = {row[0].removeprefix(TINY[0]) for row in rows}
    assert "metrics.csv" in names
    assert any(name.startswith("last/weights/") for name in names)
    assert any(name.startswith("last/optimiser/") for name in names)
    assert not any(name.startswith("batches/") for name in names)
    assert f"{TINY[0]}metrics.csv" in table(rows)


def test_entries_that_came_or_went_and_memory_orders_are_seen() -> None:
    stored, _ = record(["batches/burgers/phiml-for-legacy/float32/unaugmented/"])
    assert {entry["memory"] for entry in stored.values()} == {
        "batch time x y vector",
        "time x y vector",
    }
    found = dict(stored)
    name = min(found)
    found["more"] = found.pop(name)
    other = max(found.keys() - {"more"})
    found[other] = {**found[other], "memory": "batch vector time x y"}
    kinds = {(row[0], row[1]) for row in differences(stored, found)}
    assert kinds == {(name, "missing"), ("more", "extra"), (other, "memory")}


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in every_case()]
    assert len(names) == len(set(names))
