"""Adam as the reference semantics have it, and what else PhiML has no word for.

No gradient, autocast, clipping, moments and random states are torch's, the one backend
of PhiML that this port trains on.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from phiml import nn
from torch.nn.utils import clip_grad_norm_

BETAS = (0.9, 0.999)
EPSILON = 1e-8


def adam(network: Any, *, learning_rate: float, weight_decay: float) -> Any:
    """`phiml.nn.adam` with eps 1e-8 (PhiML's default is 1e-7) and torch's decay.

    PhiML's function takes no weight decay. Its torch optimiser reads it from its
    groups at every step, where it is added to the gradient (L2, not decoupled).
    """
    optimiser: Any = nn.adam(network, learning_rate, betas=BETAS, epsilon=EPSILON)
    for group in optimiser.param_groups:
        group["weight_decay"] = weight_decay
        # One call for each leaf in place of ten; torch has none for complex leaves.
        group["fused"] = not any(leaf.is_complex() for leaf in group["params"])
    return optimiser


def before_each_step(optimiser: Any, act: Callable[[], None]) -> None:
    """Calls `act` between the gradient and the step of `phiml.nn.update_weights`.

    An exception in it leaves the weights as they are.
    """
    optimiser.register_step_pre_hook(lambda *_: act())


def clip_gradients(parameters: Mapping[str, Any], limit: float) -> None:
    """Scales all gradients so that their global norm is at most `limit`.

    PhiML has no clipping; torch's adds the leaves' norms in the order of `parameters`.
    """
    clip_grad_norm_(list(parameters.values()), limit)


def moments(
    optimiser: Any, parameters: Mapping[str, Any]
) -> dict[str, dict[str, np.ndarray]]:
    """Adam's moments and step counts of every parameter that has any, as copies."""
    copies: dict[str, dict[str, np.ndarray]] = {}
    for name, parameter in parameters.items():
        state = optimiser.state.get(parameter)
        if state:
            copies[name] = {
                kind: state[kind].detach().cpu().numpy().copy()
                for kind in ("exp_avg", "exp_avg_sq")
            }
            copies[name]["step"] = np.array(int(state["step"]), dtype=np.int64)
    return copies


def load_moments(
    optimiser: Any,
    parameters: Mapping[str, Any],
    stored: Mapping[str, Mapping[str, np.ndarray]],
) -> None:
    """Takes over what `moments` gave, in the memory order of the parameters."""
    for name, parameter in parameters.items():
        if name in stored:
            values = parameter.data
            # torch's Adam counts in a float32; the fused one beside the parameter.
            step = torch.tensor(float(stored[name]["step"]), dtype=torch.float32)
            optimiser.state[parameter] = {
                "step": step.to(values.device),
                **{
                    kind: values.clone().copy_(values.new_tensor(stored[name][kind]))
                    for kind in ("exp_avg", "exp_avg_sq")
                },
            }


def no_gradient() -> AbstractContextManager[Any]:
    """Nothing computed inside can be differentiated; saves its memory and time."""
    return torch.no_grad()


def autocast(device: str, enabled: bool) -> AbstractContextManager[Any]:
    """Convolutions inside run in bfloat16, if `enabled`."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=enabled)


def random_states(device: str) -> dict[str, np.ndarray]:
    """States of the backend's random generators by name."""
    states = {"torch": torch.get_rng_state().numpy().copy()}
    if device == "cuda":
        states["torch_cuda"] = torch.cuda.get_rng_state().numpy().copy()
    return states


def load_random_states(states: Mapping[str, np.ndarray], device: str) -> None:
    """Takes over what `random_states` gave."""
    if "torch" in states:
        torch.set_rng_state(torch.from_numpy(states["torch"]))
    if device == "cuda" and "torch_cuda" in states:
        torch.cuda.set_rng_state(torch.from_numpy(states["torch_cuda"]))


def seed_backend(seed: int) -> None:
    """Seeds the backend's generator; `math.seed` would seed NumPy's too."""
    torch.manual_seed(seed)


def cuda_is_available() -> bool:
    """Whether the backend can use a CUDA device."""
    return torch.cuda.is_available()
