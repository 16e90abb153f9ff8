"""One thread, quiet PhiML, and data that many tests share."""

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.jit._state import _clear_class_state

from experiment.data import generate
from experiment.system import Progress
from tests.helpers import PACKAGES, small

torch.set_num_threads(1)
logging.getLogger("Φ-ML").setLevel(logging.WARNING)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, so that no process waits for another's at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def _what_is_logged_stays() -> Iterator[None]:
    """Commands called in this process set levels; later tests read what is logged."""
    loggers = [logging.getLogger(name) for name in PACKAGES]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


#: Bytes by which a test process grows before it lets go of what torch traced.
_GROWN = 2**30
_TRACED = {"JITFunction", "TopLevelTracedModule"}
_let_go_at = [_GROWN]


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


@pytest.fixture(autouse=True)
def _traces_are_let_go() -> Iterator[None]:
    """torch keeps what it traced until a process ends, tens of MB a physical model.

    Its registry is emptied only while nothing that was traced is in use. To look
    takes most of a second, so it is done once for each GiB that was added.
    """
    yield
    if _resident() < _let_go_at[0]:
        return
    gc.collect()
    if not any(type(one).__name__ in _TRACED for one in gc.get_objects()):
        torch._C._jit_clear_class_registry()
        _clear_class_state()
    _let_go_at[0] = _resident() + _GROWN


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
