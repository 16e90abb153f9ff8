"""The surrogate: a network that moves the dynamic channels on by one frame."""

import torch
from torch import nn

from experiment.data import ChannelPlan, as_slice


class Surrogate(nn.Module):
    """`next = state + change`: the network gives the change of the dynamic channels.

    The network sees all channels, or the dynamic ones only (`ChannelPlan.inputs`);
    static channels pass through untouched.

    Args:
        network: Maps `(batch, seen channels, x, ...)` to
            `(batch, dynamic channels, x, ...)`.
        plan: The channels and their roles.
    """

    def __init__(self, network: nn.Module, plan: ChannelPlan) -> None:
        super().__init__()
        self.network = network
        self.plan = plan

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        """The state one frame later; `(batch, vector, x, ...)`, all channels."""
        change = self.network(take_channels(state, self.plan.network_inputs))
        if len(self.plan.runs) == 1:
            return state + change
        pieces, done = [], 0
        for is_dynamic, start, stop in self.plan.runs:
            piece = state[:, start:stop]
            if is_dynamic:
                piece = piece + change[:, done : done + stop - start]
                done += stop - start
            pieces.append(piece)
        return torch.cat(pieces, dim=1)


def take_channels(x: torch.Tensor, channels: tuple[int, ...]) -> torch.Tensor:
    """Channels of `(batch, vector, ...)`; a view where they are consecutive."""
    if len(channels) == x.shape[1]:
        return x
    run = as_slice(channels)
    return x[:, run] if run is not None else x[:, list(channels)]
