"""Array files are whole or refused."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from experiment.system import (
    TornFile,
    UserError,
    load_arrays,
    read_facts,
    save_arrays,
    write_whole,
)

ARRAYS = {
    "a": np.arange(6.0).reshape(2, 3),
    "count": np.array(7, dtype=np.int64),
    "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "complex": np.array([[1 + 2j, -0.5j]]),
    "complex scalar": np.array(1 - 3j, dtype=np.complex64),
}
FACTS = {"epoch": 3, "loss": 0.1 + 0.2}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "file.safetensors"
    save_arrays(path, ARRAYS, FACTS)
    return path


def test_round_trip_is_bitwise(written: Path) -> None:
    content = load_arrays(written)
    assert content.facts == FACTS == read_facts(written)
    assert content.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert content.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(content.arrays[name], array)
        assert content.arrays[name].shape == array.shape


def test_facts_keep_their_order(tmp_path: Path) -> None:
    """Rows of a history become tables, whose columns must not move on a resume."""
    rows = [{"epoch": 1, "train_loss": 0.5, "seconds": 2, "learning_rate": 1}]
    save_arrays(tmp_path / "file", ARRAYS, {"state": {"history": rows}})
    (row,) = load_arrays(tmp_path / "file").facts["state"]["history"]
    assert list(row) == list(rows[0])


def test_a_file_cut_at_any_byte_is_torn(written: Path) -> None:
    whole = written.read_bytes()
    for length in range(len(whole)):
        written.write_bytes(whole[:length])
        with pytest.raises(TornFile, match="file.safetensors"):
            load_arrays(written)


def test_any_flipped_byte_is_found(written: Path) -> None:
    whole = bytearray(written.read_bytes())
    header = 8 + int.from_bytes(whole[:8], "little")
    # The header ends in blanks, which no reader looks at.
    blanks = header - len(whole[:header].rstrip(b" "))
    for place in range(len(whole)):
        if header - blanks <= place < header:
            continue
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        written.write_bytes(flipped)
        with pytest.raises(TornFile, match="file.safetensors"):
            load_arrays(written)


def test_a_reader_sees_one_age_while_the_file_is_replaced(written: Path) -> None:
    """Header and arrays of one file, never the header of one and arrays of the next."""
    done = threading.Event()

    def replace() -> None:
        for version in range(300):
            save_arrays(written, {"a": np.full(20000, version)}, {"version": version})
        done.set()

    save_arrays(written, {"a": np.full(20000, 0)}, {"version": 0})
    writer = threading.Thread(target=replace)
    writer.start()
    seen = set()
    while not done.is_set():
        content = load_arrays(written)
        assert (content.arrays["a"] == content.facts["version"]).all()
        seen.add(content.facts["version"])
    writer.join()
    assert len(seen) > 10


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "other.safetensors"
    save_file({"a": np.zeros(2)}, path)
    with pytest.raises(TornFile, match="not of this program"):
        load_arrays(path)
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(TornFile):
        load_arrays(path)


def test_a_failed_write_leaves_the_old_file_and_no_rest(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device.*Nothing was changed"):
        save_arrays(written, {"a": np.zeros(1000)}, {})
    assert written.read_bytes() == before
    assert [p.name for p in written.parent.iterdir()] == [written.name]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't write .*file/inner"):
        write_whole(tmp_path / "file" / "inner", "text")
