"""Simulations that the hybrid tests share."""

import shutil
from pathlib import Path

import pytest

from experiment.data import generate
from experiment.system import Progress
from legacy.physics import SceneSimulator
from tests.bridge.hybrid_runs import EXPERIMENTS, tiny


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `burgers` and `advection` with four simulations; not to be changed."""
    path = tmp_path_factory.mktemp("hybrid")
    for experiment in EXPERIMENTS:
        settings = tiny(path / experiment, experiment)
        generate(settings, SceneSimulator(settings), Progress())
    return path


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of `made` that the test may change."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path
