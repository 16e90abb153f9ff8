"""The surrogate: a network that moves the dynamic channels on by one frame."""

from typing import Any, cast

from phiml import math
from phiml.math import Tensor, channel

from experiment.data import ChannelPlan, as_slice
from phiml_port.models.network import Network


class Surrogate:
    """`next = state + change`: the network gives the change of the dynamic channels.

    The network sees all channels, or the dynamic ones only (`ChannelPlan.inputs`);
    static channels pass through untouched.

    Args:
        network: Maps `(batch..., x, ..., vector)` of the seen channels to the change
            of the dynamic channels.
        plan: The channels and their roles.
    """

    def __init__(self, network: Network, plan: ChannelPlan) -> None:
        self.network = network
        self.plan = plan
        self._dynamic = channel(vector=plan.dynamic_names)

    def __call__(self, state: Tensor) -> Tensor:
        """The state one frame later.

        Args:
            state: `(batch..., x, ..., vector)`, the components of `vector` named as in
                the plan.

        Returns:
            The same dims, sizes and component names.

        Raises:
            ValueError: `vector` is missing, or its components are others or come in
                another order.
        """
        names = state.shape.get_labels("vector") if "vector" in state.shape else None
        if names != self.plan.names:
            raise ValueError(
                f"the model got a state with the components {names} of `vector`;"
                f" expected {self.plan.names} in this order"
            )
        change = self.network(
            take_channels(state, self.plan.network_inputs), self._dynamic
        )
        if len(self.plan.runs) == 1:
            return state + change
        pieces, done = [], 0
        for is_dynamic, start, stop in self.plan.runs:
            piece: Any = state.vector[start:stop]
            if is_dynamic:
                piece = piece + cast(Any, change.vector[done : done + stop - start])
                done += stop - start
            pieces.append(piece)
        return cast(Tensor, math.concat(pieces, "vector"))

    @property
    def native(self) -> Any:
        """The framework object that holds the weights, for `phiml.nn`."""
        return self.network.native

    def parameters(self) -> dict[str, Any]:
        """The framework's own leaves by canonical name."""
        return self.network.parameters()

    def set_training(self, training: bool) -> None:
        """Training or evaluation mode."""
        self.network.set_training(training)


def take_channels(x: Tensor, channels: tuple[int, ...]) -> Tensor:
    """Components of `vector`; a view where they are consecutive."""
    if len(channels) == x.shape.get_size("vector"):
        return x
    run = as_slice(channels)
    if run is not None:
        return cast(Tensor, x.vector[run])
    parts = [x.vector[i : i + 1] for i in channels]
    return cast(Tensor, math.concat(parts, "vector"))
