"""The one place that says where measurements run: device, threads, quiet libraries.

`BENCHMARK_DEVICE` is `cpu` (default) or `cuda`, `BENCHMARK_THREADS` the threads of
torch (2 by default). JAX has a pool of its own, which only `taskset` limits.
"""

import logging
import os
import platform
import warnings
from contextlib import suppress
from pathlib import Path


def device() -> str:
    """The device of models and training, as `general.device` names it."""
    return os.environ.get("BENCHMARK_DEVICE", "cpu")


def threads() -> int:
    """Threads of torch."""
    return int(os.environ.get("BENCHMARK_THREADS", "2"))


def machine_facts() -> dict[str, str]:
    """What a time depends on besides the code; results of other facts don't compare."""
    import torch

    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "device": torch.cuda.get_device_name() if device() == "cuda" else "cpu",
        "threads": str(threads()),
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")]
    return names[0] if names else platform.machine()


def prepare() -> None:
    """Pins threads and quietens libraries; every entry point calls it once."""
    import torch

    # As a run does; older commits have no such function.
    with suppress(ImportError):
        from experiment.system import keep_freed_memory

        keep_freed_memory()

    torch.set_num_threads(threads())
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    # PhiML announces its backend at level INFO.
    logging.getLogger("Φ-ML").setLevel(logging.WARNING)


def process_environment() -> dict[str, str]:
    """The environment of a process that measures: as many threads from its start."""
    return os.environ | {"OMP_NUM_THREADS": str(threads())}


def finish() -> None:
    """Waits for the device, so that a clock sees the work and not its launch."""
    if device() == "cuda":
        import torch

        torch.cuda.synchronize()
