"""torch modules as subjects: compiled, wrapped, complex, or a PhiML network's."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from bridge.harness import HarnessError
from bridge.migration.arrays import to_numpy
from bridge.migration.sides import Side
from bridge.migration.subject import Changes, Terms, scalar
from bridge.migration.torch_state import OtherState, in_words
from bridge.migration.torch_wrappers import (
    flatten_phiml,
    loose,
    no_fallback,
    recast,
    unwrapped,
)

_TYPES = {
    "float64": (torch.float64, torch.complex128),
    "float32": (torch.float32, torch.complex64),
}


class TorchSubject:
    """See `Subject`.

    Args:
        side: What the user said of it.
        built: The module.
        terms: Loss and optimiser.
        precision: Its floating-point and complex leaves are cast to it.
    """

    differentiates = True

    def __init__(
        self, side: Side, built: nn.Module, terms: Terms, precision: str | None
    ):
        self.side, self.object, self.precision = side, built, precision
        self.changes = Changes()
        self.plain = unwrapped(built)
        self.compiled = hasattr(built, "_orig_mod")
        if self.compiled:
            no_fallback()
        self._loss = side.loss or terms.loss
        self._factory = side.optimiser or terms.optimiser
        self._optimiser: Any = None
        self._other_state: OtherState | None = None
        self.trains = self._factory is not None and self._loss is not None
        if precision is not None:
            self._real, self._complex = _TYPES[precision]
            recast(built, self._cast)
            for module in self.plain.modules():
                for name, value in loose(module).items():
                    setattr(module, name, self._cast(value))
        tensors = [*self.plain.parameters(), *self.plain.buffers()]
        self.device = torch.device(
            side.device or (tensors[0].device if tensors else "cpu")
        )

    def _cast(self, tensor: torch.Tensor) -> torch.Tensor:
        if self.precision is None:
            return tensor
        if tensor.is_complex():
            return tensor.to(self._complex)
        return tensor.to(self._real) if tensor.is_floating_point() else tensor

    def tensors(self) -> dict[str, torch.Tensor]:
        """Parameters, buffers, and tensors that a module holds without saying so."""
        found = dict(self.plain.named_parameters(remove_duplicate=False))
        found |= dict(self.plain.named_buffers(remove_duplicate=False))
        for path, module in self.plain.named_modules():
            for name, value in loose(module).items():
                found[f"{path}.{name}" if path else name] = value
        return cast(dict[str, torch.Tensor], found)

    def leaves(self) -> dict[str, np.ndarray]:
        """See `Subject`."""
        if self.side.leaves is not None:
            return {n: to_numpy(v) for n, v in self.side.leaves(self.object).items()}
        return {n: to_numpy(t) for n, t in self.tensors().items()}

    def extra_state(self) -> dict[str, str]:
        """State of modules that is no tensor, in words."""
        return {
            n: in_words(v)
            for n, v in self.plain.state_dict().items()
            if not isinstance(v, torch.Tensor)
        }

    def trainable(self) -> list[str]:
        """See `Subject`."""
        return [n for n, p in self.plain.named_parameters() if p.requires_grad]

    def memory(self) -> dict[str, int]:
        """See `Subject`."""
        return {n: t.data_ptr() for n, t in self.tensors().items() if t.numel()}

    def load(self, leaves: Mapping[str, np.ndarray]) -> None:
        """See `Subject`."""
        if self._other_state is None:
            # As it is after building, a planted fault included.
            self._other_state = OtherState(self.plain)
        self._other_state.set_back()
        leaves = {n: self.changes.load(n, v) for n, v in leaves.items()}
        if self.side.load is not None:
            self.side.load(self.object, leaves)
            return
        tensors = self.tensors()
        with torch.no_grad():
            for name, value in leaves.items():
                tensor = tensors[name]
                if tuple(tensor.shape) == value.shape:
                    tensor.copy_(torch.from_numpy(value.copy()))

    def tensor(self, value: np.ndarray) -> torch.Tensor:
        """An input in the precision under test, on the side's device."""
        return self._cast(torch.from_numpy(value.copy())).to(self.device)

    def forward(self, inputs: Sequence[np.ndarray], training: bool) -> Any:
        """See `Subject`."""
        with torch.no_grad():
            return self._call([self.tensor(v) for v in inputs], training)

    def _call(self, inputs: list[Any], training: bool) -> Any:
        mode = self.changes.training(training)
        self.object.train(mode)
        self.plain.train(mode)
        given = self.changes.inputs(inputs)
        with self.changes.context():
            output = self._plain_call(given)
        return self.changes.output(inputs, output)

    def _plain_call(self, inputs: list[Any]) -> Any:
        with self._precision_of_phiml():
            if self.side.layout:
                return self._phiml_call(inputs)
            call = self.side.call
            return call(self.object, *inputs) if call else self.object(*inputs)

    def _precision_of_phiml(self) -> AbstractContextManager[Any]:
        """PhiML casts what its networks are given to a precision of its own."""
        if "phiml" not in sys.modules or self.precision is None:
            return nullcontext()
        from phiml import math

        return math.precision(64 if self.precision == "float64" else 32)

    def _phiml_call(self, inputs: list[Any]) -> Any:
        from phiml import math

        from bridge.convert import to_phiml, to_torch

        given = [to_phiml(t, self.side.layout, boundary="migration") for t in inputs]
        output = (self.side.call or math.native_call)(self.object, *given)
        layout = self.side.output_layout or self.side.layout
        if isinstance(output, math.Tensor):
            return to_torch(output, layout, boundary="migration")
        return {
            name: to_torch(value, layout, boundary="migration")
            for name, value in flatten_phiml(output).items()
        }

    def _loss_of(self, inputs: list[Any], targets: Sequence[np.ndarray]) -> Any:
        if self._loss is None:
            raise HarnessError("the migration has no `loss`")
        output = self._call(inputs, True)
        loss = scalar(self._loss(output, *(self.tensor(t) for t in targets)))
        return self.changes.loss(loss, output)

    def loss(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> float:
        """See `Subject`."""
        with torch.no_grad():
            return float(self._loss_of([self.tensor(v) for v in inputs], targets))

    def gradients(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> dict[str, np.ndarray | None]:
        """See `Subject`."""
        self.plain.zero_grad()
        given = [self.tensor(v) for v in inputs]
        for tensor in given:
            if tensor.is_floating_point() or tensor.is_complex():
                tensor.requires_grad_()
        self._loss_of(given, targets).backward()
        self._change_gradients()
        found: dict[str, Any] = {}
        for name, parameter in self.plain.named_parameters():
            if parameter.requires_grad:
                found[name] = parameter.grad
        for number, tensor in enumerate(given):
            if tensor.requires_grad:
                found[f"input {number}"] = tensor.grad
        return {n: None if g is None else to_numpy(g) for n, g in found.items()}

    def _change_gradients(self) -> None:
        if self.changes.gradient is None:
            return
        parameters = dict(self.plain.named_parameters())
        found = {n: p.grad for n, p in parameters.items() if p.grad is not None}
        for name, gradient in self.changes.gradient(found).items():
            parameters[name].grad = gradient

    def start(self) -> None:
        """See `Subject`."""
        assert self._factory is not None
        parameters = [p for p in self.plain.parameters() if p.requires_grad]
        self.plain.zero_grad()
        self._optimiser = self.changes.optimiser(self._factory(parameters))
        if not hasattr(self._optimiser, "step") or not hasattr(
            self._optimiser, "zero_grad"
        ):
            raise HarnessError(
                f"`optimiser` returned a {type(self._optimiser).__name__}; expected a"
                " torch optimiser of the parameters that it is given"
            )

    def optimiser(self) -> Any:
        """The optimiser, made if there is none."""
        if self._optimiser is None:
            self.start()
        return self._optimiser

    def use_optimiser(self, optimiser: Any) -> None:
        """Takes an optimiser that there is, with its moments."""
        self._optimiser = optimiser

    def train_step(
        self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> float:
        """See `Subject`."""
        optimiser = self.optimiser()
        if not self.changes.accumulates:
            optimiser.zero_grad()
        loss = self._loss_of([self.tensor(v) for v in inputs], targets)
        loss.backward()
        self._change_gradients()
        optimiser.step()
        return float(loss.detach())

    def moments(self) -> dict[str, dict[str, np.ndarray]]:
        """See `Subject`."""
        names = {id(p): n for n, p in self.plain.named_parameters()}
        found: dict[str, dict[str, np.ndarray]] = {}
        for parameter, state in getattr(self.optimiser(), "state", {}).items():
            for kind, value in state.items():
                if isinstance(value, torch.Tensor) and id(parameter) in names:
                    found.setdefault(kind, {})[names[id(parameter)]] = to_numpy(value)
        return found

    def load_moments(self, moments: Mapping[str, Mapping[str, np.ndarray]]) -> None:
        """Sets the optimiser's arrays by kind, then own leaf name."""
        optimiser = self.optimiser()
        parameters = dict(self.plain.named_parameters())
        for kind, values in moments.items():
            for name, value in values.items():
                parameter = parameters[name]
                tensor = torch.from_numpy(value.copy())
                if value.shape == tuple(parameter.shape):
                    tensor = tensor.to(parameter.device)
                optimiser.state[parameter][kind] = tensor
