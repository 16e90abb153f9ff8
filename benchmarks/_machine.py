"""The one place that says where measurements run: device, threads, quiet libraries.

`BENCHMARK_DEVICE` is `cpu` (default) or `cuda`, `BENCHMARK_THREADS` the threads of
torch (2 by default). JAX has a pool of its own, which only `taskset` limits.
"""

import logging
import os
import warnings


def device() -> str:
    """The device of models and training, as `general.device` names it."""
    return os.environ.get("BENCHMARK_DEVICE", "cpu")


def threads() -> int:
    """Threads of torch."""
    return int(os.environ.get("BENCHMARK_THREADS", "2"))


def prepare() -> None:
    """Pins threads and quietens libraries; every front end calls it once."""
    import torch

    torch.set_num_threads(threads())
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    logging.getLogger("Φ-ML").setLevel(logging.WARNING)


def finish() -> None:
    """Waits for the device, so that a clock sees the work and not its launch."""
    if device() == "cuda":
        import torch

        torch.cuda.synchronize()
