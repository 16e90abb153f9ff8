"""The door of the measuring scripts: quiet libraries, pinned threads, one folder."""

import argparse
import logging
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

THREADS = 2


def measure_one(
    measurements: Mapping[str, Callable[[Path], None]], description: str | None
) -> None:
    """Runs the measurement that the command line names.

    Args:
        measurements: What can be measured, by name; each gets a folder that is removed
            afterwards.
        description: The script's own description, for `--help`.
    """
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    logging.getLogger("Φ-ML").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("what", choices=[*measurements])
    chosen = parser.parse_args()
    torch.set_num_threads(THREADS)
    print(f"torch {torch.__version__}, {THREADS} threads")
    with tempfile.TemporaryDirectory() as folder:
        measurements[chosen.what](Path(folder))
