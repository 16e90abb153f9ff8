"""One thread, quiet PhiML, and data that many tests share."""

import logging
from pathlib import Path

import pytest
import torch

from experiment.data import generate
from experiment.system import Progress
from tests.helpers import small

torch.set_num_threads(1)
logging.getLogger("Φ-ML").setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the four small Burgers simulations; not to be changed."""
    from legacy.physics import SceneSimulator

    path = tmp_path_factory.mktemp("simulated")
    settings = small(path)
    generate(settings, SceneSimulator(settings), Progress())
    return path


@pytest.fixture
def burgers_folder(simulated: Path, tmp_path: Path) -> Path:
    """A copy of `simulated` that the test may change."""
    import shutil

    shutil.copytree(simulated / "data", tmp_path / "data")
    return tmp_path
