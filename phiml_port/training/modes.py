"""Two modes that PhiML has no word for: no gradient, and bfloat16 autocast.

Both are torch's, the one backend of PhiML that this port trains on.
"""

from contextlib import AbstractContextManager
from typing import Any

import torch


def no_gradient() -> AbstractContextManager[Any]:
    """Nothing computed inside can be differentiated; saves its memory and time."""
    return torch.no_grad()


def autocast(device: str, enabled: bool) -> AbstractContextManager[Any]:
    """Convolutions inside run in bfloat16, if `enabled`."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=enabled)


def random_states(device: str) -> dict[str, Any]:
    """States of the backend's random generators, as NumPy arrays by name."""
    states = {"torch": torch.get_rng_state().numpy().copy()}
    if device == "cuda":
        states["torch_cuda"] = torch.cuda.get_rng_state().numpy().copy()
    return states


def restore_random_states(states: Any, device: str) -> None:
    """Takes over what `random_states` gave."""
    if "torch" in states:
        torch.set_rng_state(torch.from_numpy(states["torch"]))
    if device == "cuda" and "torch_cuda" in states:
        torch.cuda.set_rng_state(torch.from_numpy(states["torch_cuda"]))
