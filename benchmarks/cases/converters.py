"""Conversions between torch and PhiML, which copy nothing whatever the size."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.machine import device, finish
from bridge.harness.bench_case import Case, Profile, Subject

#: Cells of an edge with 8 samples of 2 components in float32, by the size it makes.
_EDGES: dict[str, tuple[int, Profile]] = {
    "1kB": (4, "fast"),
    "1MB": (128, "fast"),
    "100MB": (1250, "regular"),
}
_LAYOUT = "batch vector x y"
_TURNED = "batch x y vector"


def _tensor(edge: int) -> Any:
    import torch

    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 2, edge, edge, generator=generator).to(device())


def _subject(call: Any, back: Any, tensor: Any) -> Subject:
    def run() -> None:
        call()
        finish()

    return Subject(
        run,
        lambda: {"tensor": back(call()).cpu().numpy()},
        {"elements": tensor.numel(), "bytes": tensor.nbytes},
    )


def _to_phiml(edge: int, folder: Path) -> Subject:
    from bridge import to_phiml

    tensor = _tensor(edge)
    return _subject(
        lambda: to_phiml(tensor, _LAYOUT, components=("u", "v")),
        # PhiML's own way out, so that no second conversion can undo a wrong one.
        lambda named: named.native("batch,vector,x,y"),
        tensor,
    )


def _to_torch(edge: int, folder: Path) -> Subject:
    from phiml import math

    from bridge import to_torch

    tensor = _tensor(edge)
    named: Any = math.wrap(
        tensor, math.batch("batch"), math.channel(vector="u,v"), math.spatial("x,y")
    )
    return _subject(
        lambda: to_torch(named, _TURNED), lambda t: t.permute(0, 3, 1, 2), tensor
    )


def _bare(edge: int, folder: Path) -> Subject:
    """torch's own view: its outcome is the tensor itself, which all must give."""
    tensor = _tensor(edge)
    return _subject(
        lambda: tensor.permute(0, 2, 3, 1), lambda turned: _original(tensor), tensor
    )


def _original(tensor: Any) -> Any:
    return tensor.new_tensor(np.asarray(tensor.cpu()))


CASES = tuple(
    Case(
        f"converter-{size}",
        "converters",
        {"to_phiml": partial(_to_phiml, edge), "to_torch": partial(_to_torch, edge)},
        ("step1",),
        tolerance=0,
        profile=profile,
        calls=200,
        gated=False,
        references={"bare": partial(_bare, edge)},
    )
    for size, (edge, profile) in _EDGES.items()
)
