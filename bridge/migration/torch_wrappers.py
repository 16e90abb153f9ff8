"""What is inside of a torch module, and modules of what is none."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from bridge.migration.arrays import as_tuple
from bridge.migration.sides import Function


def no_fallback() -> None:
    """A compiled module that can't be compiled again raises, rather than run eager.

    Each mode, size and precision is compiled anew; torch's own limit of 8 would end
    that without a word, and the plain module would be judged.
    """
    settings: Any = torch._dynamo.config
    settings.recompile_limit = max(settings.recompile_limit, 64)
    settings.accumulated_recompile_limit = 4096
    settings.fail_on_recompile_limit_hit = True


def unwrapped(module: nn.Module) -> nn.Module:
    """What is inside of `torch.compile` and of wrappers for several processes."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if inner is None and isinstance(
            module, nn.parallel.DistributedDataParallel | nn.DataParallel
        ):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def recast(module: nn.Module, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Changes the types of all tensors of a module, and of what wraps it.

    `DistributedDataParallel` hangs on the gradient of each parameter as it is when it
    wraps; of another type it would leave gradients alone, without a word.
    """
    types = [p.dtype for p in module.parameters()]
    module._apply(change)
    if types == [p.dtype for p in module.parameters()]:
        return
    for wrapper in list(module.modules()):
        if isinstance(wrapper, nn.parallel.DistributedDataParallel):
            hooks = list(wrapper._comm_hooks)
            settings = {name: getattr(wrapper, name) for name in _OF_PARALLEL}
            settings["bucket_cap_mb"] = wrapper.bucket_bytes_cap / 2**20
            buffers = wrapper.broadcast_buffers
            wrapper.__init__(wrapper.module, **settings)
            wrapper.broadcast_buffers = buffers
            for hook, state in hooks:
                wrapper.register_comm_hook(state, hook)


#: Settings of `DistributedDataParallel` by their names in its constructor.
_OF_PARALLEL = (
    "device_ids",
    "output_device",
    "dim",
    "process_group",
    "find_unused_parameters",
    "gradient_as_bucket_view",
    "static_graph",
)


def loose(module: nn.Module) -> dict[str, torch.Tensor]:
    return {n: v for n, v in vars(module).items() if isinstance(v, torch.Tensor)}


def module_of(function: Function) -> nn.Module:
    """A function on torch tensors as a module."""

    class _Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, value in function.leaves.items():
                _hold(self, name, value.detach().clone())

        def forward(self, *inputs: Any) -> Any:
            leaves = dict(self.named_parameters()) | dict(self.named_buffers())
            return function.apply(leaves, *inputs)

    return _Module()


def _hold(module: nn.Module, path: str, tensor: torch.Tensor) -> None:
    """Registers a tensor at its path, which is its name in the module then."""
    *above, name = path.split(".")
    for word in above:
        if word not in dict(module.named_children()):
            module.add_module(word, nn.Module())
        module = module.get_submodule(word)
    if tensor.is_floating_point() or tensor.is_complex():
        module.register_parameter(name, nn.Parameter(tensor))
    else:
        module.register_buffer(name, tensor)


def flatten_phiml(value: Any) -> dict[str, Any]:
    """PhiML tensors of a nest by their paths."""
    if isinstance(value, Mapping):
        return {str(k): v for k, v in value.items()}
    return {str(k): v for k, v in enumerate(as_tuple(value))}


class _Counting(TorchDispatchMode):
    """Counts the operations of torch that are run inside."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.operations += 1
        return func(*args, **kwargs or {})


def operations(call: Callable[..., Any], *inputs: Any) -> int:
    """Operations of torch in a row of one call, counted."""
    with torch.no_grad(), _Counting() as counting:
        call(*inputs)
    return max(counting.operations, 1)
