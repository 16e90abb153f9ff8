"""The pairs of a case as lines for a terminal."""

import textwrap
from collections.abc import Sequence

from bridge.harness.bench_case import Case
from bridge.harness.bench_pairs import Pair

#: Columns of a terminal that every table fits.
WIDTH = 80


def table(case: Case, pairs: Sequence[Pair]) -> list[str]:
    """The pairs of a case, a line each, no wider than 80 columns."""
    control = next((p.ratio.seconds[0] for p in pairs if p.ratio), None)
    rounds = next((p.ratio.rounds for p in pairs if p.ratio), 0)
    title = f"\n{case.name}: {case.baseline}"
    if control is not None:
        title += f" takes {_shown(control)}; {rounds} rounds"
    lines = [title]
    for pair in pairs:
        if pair.ratio is None:
            lines.append(f"  {pair.side:13} {pair.speed.value}:")
            for line in pair.reason.splitlines()[-3:]:
                lines += textwrap.wrap(f"    {line}", WIDTH, subsequent_indent="    ")
            continue
        r = pair.ratio
        interval = f"{r.median:.2f} [{r.low:.2f}, {r.high:.2f}]"
        word = pair.speed.value if pair.judged else f"({pair.speed.value})"
        lines.append(
            f"  {pair.side:13} {_shown(r.seconds[1]):>10}   x {interval:22} {word}"
        )
    return lines


def _shown(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
