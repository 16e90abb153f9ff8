"""What `python -m bridge bench` runs; `pyproject.toml` names `COMMAND`.

`COMMAND.add_arguments(parser)` adds all options to a parser, `COMMAND.run(options)`
measures, prints, and returns the exit code: 0; 1 if a judged side is slower than the
control; 2 if nothing could be compared or an argument doesn't fit. Both are described
in `bridge.harness.bench_command`. Importing this module imports no framework.
"""

import importlib
from collections.abc import Iterable, Mapping

from benchmarks.cases import CASES, build
from benchmarks.harness.installed import is_lack
from benchmarks.harness.machine import machine_facts, prepare
from bridge.harness.bench_case import Case
from bridge.harness.bench_command import BenchCommand, Report
from bridge.harness.words import Words

_REPORTS = {
    "promises": "the three promises of the plan: speed, compiling, lines of code",
    "explain": "where the time and the memory of a training batch go",
    "scaling": "how cost grows with data, grid and roll-out",
    "conversions": "what crosses each boundary in all eight combinations",
    "memory": "peak memory of a training with few and with many simulations",
    "roof": "what no training step beats: its convolutions alone",
    "bits": "loss and gradient of both sides: equal bits, or their distance",
    "recovery": "how well the viscosity is recovered from clean and noisy data",
    "teaching": "whether the models of a hybrid training teach each other",
    "sparse": "whether hybrid training helps with sparse data, over seeds",
    "equations": "orders of every scheme beside exact solutions, and of gradients",
    "physics": "physics of every equation against the control: roll-out and gradient",
    "code": "lines of code of both sides, with and without what they share",
}


def _of_words(words: Words) -> Mapping[str, Case]:
    from benchmarks.cases.words import cases_of_words

    return cases_of_words(words)


def _report(name: str, description: str) -> Report:
    def lines() -> Iterable[str]:
        return importlib.import_module(f"benchmarks.reports.{name}").lines()

    return Report(description, lines)


COMMAND = BenchCommand(
    CASES,
    prepare=prepare,
    facts=machine_facts,
    unproved=build.unproved,
    is_lack=is_lack,
    words=_of_words,
    reports={name: _report(name, text) for name, text in _REPORTS.items()},
)
