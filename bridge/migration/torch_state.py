"""What a torch module holds beside tensors: counters, flags, extra state."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from torch import nn

from bridge.migration.arrays import is_array, to_numpy

#: Attributes of these types are set back; `train` sets the mode.
_PLAIN = (bool, int, float, complex, str)
_MODE = "training"


class OtherState:
    """A copy of what a module's state is beside its tensors.

    A module that counts its calls would otherwise compute something else whenever it is
    looked at.

    Args:
        module: The module, as it shall be again.
    """

    def __init__(self, module: nn.Module) -> None:
        self._modules = list(module.modules())
        self._plain = [_attributes(m) for m in self._modules]
        self._extra = [
            deepcopy(m.get_extra_state()) if _has_extra(m) else None
            for m in self._modules
        ]

    def set_back(self) -> None:
        """Gives the module this state again."""
        for module, plain, extra in zip(
            self._modules, self._plain, self._extra, strict=True
        ):
            for name, value in plain.items():
                if vars(module).get(name) != value:
                    setattr(module, name, value)
            if _has_extra(module):
                module.set_extra_state(deepcopy(extra))


def _attributes(module: nn.Module) -> dict[str, Any]:
    return {
        n: v
        for n, v in vars(module).items()
        if type(v) in _PLAIN and n != _MODE and not n.startswith("_")
    }


def _has_extra(module: nn.Module) -> bool:
    kind = type(module)
    return kind.get_extra_state is not nn.Module.get_extra_state and (
        kind.set_extra_state is not nn.Module.set_extra_state
    )


def in_words(value: Any) -> str:
    """A value as text that is the same for equal values; arrays with all elements."""
    if is_array(value):
        array = to_numpy(value)
        return f"{array.dtype} {array.tolist()}"
    if isinstance(value, Mapping):
        entries = (f"{k}: {in_words(v)}" for k, v in value.items())
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(in_words, value)) + "]"
    if type(value).__repr__ is object.__repr__:
        # Its own words are its place in memory.
        return f"{type(value).__name__} {in_words(getattr(value, '__dict__', {}))}"
    return repr(value)
