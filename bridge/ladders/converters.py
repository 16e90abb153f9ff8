"""The rung R0: torch to PhiML and back."""

from typing import cast

import torch

import bridge.convert.converters as converters
from bridge.convert.converters import window_layout
from bridge.harness import Findings, exact, failed, passed
from bridge.ladders.models_cases import ModelCase, array
from bridge.ladders.names import SWAPPED

#: Positions of x and y.
_SWAP = {3: 4, 4: 3}
CUT_CONVERTER = "gradient cut in the converter"


def converters_rung(case: ModelCase) -> Findings:
    """Round trips: bits, dims, dtype, device, strides, requires_grad, gradient."""
    base, layout = case.windows, window_layout(case.rank)
    other, order = _another_order(layout)
    turned = base.movedim(1, -1).contiguous().movedim(-1, 1)
    kinds = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    inputs = {f"{str(k).removeprefix('torch.')}": base.to(k) for k in kinds}
    inputs |= {
        "int64": (base * 100).long(),
        "bool": base > 0,
        "complex128": base.to(torch.complex128) * 1j,
        "channels innermost": turned,
        "every other cell": base[..., ::2],
    }
    for where, x in inputs.items():
        named = converters.to_phiml(x, layout, boundary="verify")
        back = converters.to_torch(named, layout, boundary="verify")
        for what, left, right in (
            ("dims", tuple(named.shape.sizes), tuple(x.shape)),
            ("names", tuple(named.shape.names), tuple(layout.split())),
            ("dtype", back.dtype, x.dtype),
            ("device", back.device, x.device),
            ("strides", back.stride(), x.stride()),
            ("memory", back.data_ptr(), x.data_ptr()),
        ):
            if left != right:
                yield failed(f"{where}: {what}", "exact", f"{left}, expected {right}")
        if not torch.equal(back, x):
            yield failed(where, "exact", "bits differ")
        moved = converters.to_torch(named, other, boundary="verify")
        if not torch.equal(moved, x.permute(order)):
            is_swapped = torch.equal(moved, x.permute([_SWAP.get(i, i) for i in order]))
            yield failed(where, "exact", SWAPPED if is_swapped else "dims permuted")
        yield passed(where)
    yield from _gradient_through_converters(base.detach().clone(), layout)


def _another_order(layout: str) -> tuple[str, list[int]]:
    """The dims in another order: the last axis after time, the others after batch."""
    names = layout.split()
    moved = ["time", names[-1], "batch", *names[3:-1], "vector"]
    return " ".join(moved), [names.index(name) for name in moved]


def _gradient_through_converters(base: torch.Tensor, layout: str) -> Findings:
    x = base.requires_grad_()
    named = converters.to_phiml(x, layout, boundary="verify")
    last = " ".join(["batch", *layout.split()[2:], "vector"])
    back = converters.to_torch(named, last, boundary="verify")
    if not back.requires_grad:
        yield failed("gradient", "exact", CUT_CONVERTER)
        return
    weight = torch.arange(back.numel(), dtype=base.dtype).reshape(back.shape)
    (back * weight).sum().backward()
    gradient = cast(torch.Tensor, x.grad)
    yield exact("gradient", array(gradient), array(weight.movedim(-1, 1)))
