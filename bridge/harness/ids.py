"""Ids of comparisons: what was compared, whatever the number of the layer or batch."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.harness.compare import Finding
from bridge.harness.proving import Proofs

_NUMBER = re.compile(r"\d+")
_INDEX = re.compile(r"\[[\d,]*\]$")


@dataclass(frozen=True)
class Judged:
    """All comparisons with one id, in a rung.

    Attributes:
        count: How many there were.
        proved: How many failed when they had to (`bridge.harness.proving`).
        limit: The largest limit of a number; 0 where nothing is allowed.
        error: The largest error over its limit.
    """

    count: int
    proved: int
    limit: float
    error: float

    def with_(self, other: "Judged") -> "Judged":
        """Both together."""
        return Judged(
            self.count + other.count,
            self.proved + other.proved,
            max(self.limit, other.limit),
            max(self.error, other.error),
        )


def id_of(where: str) -> str:
    """The id of a comparison.

    Args:
        where: As `Finding.where` has it, with the index of the worst element.
    """
    return _NUMBER.sub("#", _INDEX.sub("", where))


def ids_of(findings: Sequence[Finding], proofs: Proofs) -> dict[str, Judged]:
    """What a rung compared, by id."""
    proved = dict(proofs.proved)
    found: dict[str, Judged] = {}
    for finding in findings:
        where = _INDEX.sub("", finding.where)
        was_proved = proved.get(where, 0) > 0
        if was_proved:
            proved[where] -= 1
        limit = finding.limit if math.isfinite(finding.limit) else 0.0
        margin = finding.margin if math.isfinite(finding.margin) else 0.0
        one = Judged(1, int(was_proved), limit, margin)
        name = id_of(finding.where)
        found[name] = found[name].with_(one) if name in found else one
    return found


def together(tables: Iterable[Mapping[str, Judged]]) -> dict[str, Judged]:
    """Several tables as one."""
    found: dict[str, Judged] = {}
    for table in tables:
        for name, judged in table.items():
            found[name] = found[name].with_(judged) if name in found else judged
    return found
