"""Counts the conversions between torch and PhiML by boundary."""

import logging
from dataclasses import dataclass

import torch
from rich.table import Table

log = logging.getLogger(__name__)


@dataclass
class Boundary:
    """What crossed one boundary between the two frameworks."""

    count: int = 0
    bytes: int = 0
    copies: int = 0
    seconds: float = 0.0

    @property
    def views(self) -> int:
        """Conversions without a copy."""
        return self.count - self.copies


class Conversions:
    """Conversions by boundary, since the last `reset`.

    With `trace` each boundary's first crossing is logged: dims, dtype, device,
    strides, range, and whether it was copied.
    """

    def __init__(self) -> None:
        self.boundaries: dict[str, Boundary] = {}
        self.trace = False

    def reset(self, trace: bool = False) -> None:
        """Sets all counts to zero.

        Args:
            trace: Whether each boundary's first crossing is logged.
        """
        self.boundaries = {}
        self.trace = trace

    def record(
        self,
        boundary: str,
        tensor: torch.Tensor,
        names: tuple[str, ...],
        *,
        copied: bool,
        seconds: float,
    ) -> None:
        """Counts one conversion."""
        counts = self.boundaries.get(boundary)
        if counts is None:
            counts = self.boundaries[boundary] = Boundary()
            if self.trace:
                log.info("%s", describe(boundary, tensor, names, copied))
        counts.count += 1
        counts.bytes += tensor.nbytes
        counts.copies += copied
        counts.seconds += seconds

    def table(self, batches: int) -> Table:
        """The counts as a table that fits 80 columns.

        Args:
            batches: Batches of the run, to state conversions per batch.
        """
        table = Table(title=f"conversions between torch and PhiML, {batches} batches")
        table.add_column("boundary")
        for heading in ("count", "a batch", "MB", "copies", "views", "us each"):
            table.add_column(heading, justify="right")
        for name, counts in self.boundaries.items():
            table.add_row(
                name,
                str(counts.count),
                f"{counts.count / batches:.1f}" if batches else "-",
                f"{counts.bytes / 1e6:.1f}",
                str(counts.copies),
                str(counts.views),
                f"{1e6 * counts.seconds / counts.count:.0f}",
            )
        return table


#: The counter of this process.
CONVERSIONS = Conversions()


def describe(
    boundary: str, tensor: torch.Tensor, names: tuple[str, ...], copied: bool
) -> str:
    """A conversion in words: dims, dtype, device, strides, range, copy or view."""
    dims = ", ".join(f"{n}={s}" for n, s in zip(names, tensor.shape, strict=True))
    values = tensor.detach()
    if values.numel() and not values.is_complex():
        wide = values.double()
        span = f"{wide.min().item():.3g} to {wide.max().item():.3g}"
    else:
        span = "no range"
    kind = "copied" if copied else "view"
    dtype = str(tensor.dtype).removeprefix("torch.")
    return (
        f"{boundary}: ({dims}) {dtype} on {tensor.device}, strides"
        f" {tensor.stride()}, {span}, {kind}"
    )
