"""What a machine computes with: what another machine may round otherwise."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

_SETS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "amx_bf16", "asimd", "sve")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def machine() -> dict[str, Any]:
    """CPU, instruction sets, cores, threads, BLAS, Python and device."""
    model, flags = _cpu()
    torch = sys.modules.get("torch")
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return {
        "cpu": model,
        "instruction sets": [name for name in _SETS if name in flags],
        "cores": os.cpu_count(),
        "threads": {k: os.environ[k] for k in _THREADS if k in os.environ},
        "torch threads": torch.get_num_threads() if torch else None,
        "blas": f"{blas.get('name', '?')} {blas.get('version', '?')}",
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": "cpu",
    }


def _cpu() -> tuple[str, set[str]]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown", set()
    rows = [line.partition(":") for line in text.splitlines()]
    facts = {key.strip(): value.strip() for key, _, value in rows}
    flags = facts.get("flags", facts.get("Features", "")).split()
    return facts.get("model name", platform.machine()), set(flags)
