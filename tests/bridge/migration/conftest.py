"""What the tests of the public door share."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs are written to the current folder."""
    monkeypatch.chdir(tmp_path)
