"""The rung R0: torch to PhiML and back."""

from typing import cast

import torch

import bridge.convert.converters as converters
from bridge.harness import Findings, exact, failed, passed
from bridge.ladders.models_cases import ModelCase, array
from bridge.ladders.names import SWAPPED

CUT_CONVERTER = "gradient cut in the converter"
_LAYOUT = "batch vector time x y"


def converters_rung(case: ModelCase) -> Findings:
    """Round trips: bits, dims, dtype, device, strides, requires_grad, gradient."""
    base = case.windows
    turned = base.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)
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
        named = converters.to_phiml(x, _LAYOUT, boundary="verify")
        back = converters.to_torch(named, _LAYOUT, boundary="verify")
        for what, left, right in (
            ("dims", tuple(named.shape.sizes), tuple(x.shape)),
            ("names", tuple(named.shape.names), tuple(_LAYOUT.split())),
            ("dtype", back.dtype, x.dtype),
            ("device", back.device, x.device),
            ("strides", back.stride(), x.stride()),
            ("memory", back.data_ptr(), x.data_ptr()),
        ):
            if left != right:
                yield failed(f"{where}: {what}", "exact", f"{left}, expected {right}")
        if not torch.equal(back, x):
            yield failed(where, "exact", "bits differ")
        other = converters.to_torch(named, "time y batch x vector", boundary="verify")
        if not torch.equal(other, x.permute(2, 4, 0, 3, 1)):
            is_swapped = torch.equal(other, x.permute(2, 3, 0, 4, 1))
            yield failed(where, "exact", SWAPPED if is_swapped else "dims permuted")
        yield passed(where)
    yield from _gradient_through_converters(base.detach().clone())


def _gradient_through_converters(base: torch.Tensor) -> Findings:
    x = base.requires_grad_()
    named = converters.to_phiml(x, _LAYOUT, boundary="verify")
    back = converters.to_torch(named, "batch time x y vector", boundary="verify")
    if not back.requires_grad:
        yield failed("gradient", "exact", CUT_CONVERTER)
        return
    weight = torch.arange(back.numel(), dtype=base.dtype).reshape(back.shape)
    (back * weight).sum().backward()
    gradient = cast(torch.Tensor, x.grad)
    yield exact("gradient", array(gradient), array(weight.permute(0, 4, 1, 2, 3)))
