"""The three promises of the plan: training speed, gain by compiling, less code."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.cases.build import unproved
from benchmarks.harness.installed import is_lack
from benchmarks.reports.code import BEFORE, code_size
from bridge.harness.bench_pairs import Pair, pairs_of

ROUNDS = 9
#: The case and the side that each promise is measured on.
_STEP = ("step-unet-16", "step3")
_COMPILED = ("rollout-batch-1-eager", "phiml")
_EAGER = "eager"


def lines() -> Iterator[str]:
    """A line for each promise, with the figure of the plan in front."""
    step = _pair(*_STEP)
    yield f"training 15 to 20 % faster: {_told(step, 'the control')}"
    case, side = _COMPILED
    eager, compiled = _pair(case, _EAGER), _pair(case, side)
    if eager.ratio is None or compiled.ratio is None:
        yield f"10x to 100x by compiling: {eager.reason or compiled.reason}"
    else:
        over_eager = compiled.ratio.median / eager.ratio.median
        yield (
            f"10x to 100x by compiling: {over_eager:.0f} times as fast as PhiFlow"
            f" eager, {_told(compiled, 'the control, compiled')}"
        )
    port, legacy = code_size("phiml_port"), code_size("legacy")
    yield (
        f"about 30 % less code: {port / legacy:.2f} ({port} lines against {legacy};"
        f" before {BEFORE['phiml_port']} against {BEFORE['legacy']}); see --code"
    )


def _pair(name: str, side: str) -> Pair:
    with tempfile.TemporaryDirectory() as folder:
        pairs = pairs_of(CASES[name], Path(folder), ROUNDS, unproved, is_lack=is_lack)
    return next(pair for pair in pairs if pair.side == side)


def _told(pair: Pair, control: str) -> str:
    if pair.ratio is None:
        return f"{pair.speed.value}: {pair.reason}"
    r = pair.ratio
    return f"{r.median:.2f} [{r.low:.2f}, {r.high:.2f}] times as fast as {control}"
