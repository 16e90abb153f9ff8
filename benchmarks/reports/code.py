"""Lines of code: comments, docstrings and blank lines left out.

Three comparisons, as each leaves something out that another counts: port against
legacy; both with the part of `experiment` that they need; and what is left when
`legacy/` is deleted.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from benchmarks.harness.process import BENCHMARKS
from benchmarks.harness.source import Sources

SIDES = ("legacy", "phiml_port")
SOURCES = Sources(BENCHMARKS.parent, ("experiment", *SIDES, "bridge"))
#: Lines of code at commit 18add21, when each side had loops of its own.
BEFORE = {"legacy": 1068, "phiml_port": 1972, "experiment": 3264, "bridge": 3238}
#: What both sides shared of their loops then: physical training, hybrid settings, log.
_LOOPS_BEFORE = 383
#: The ladders and their faults, of the bridge then.
_LADDERS_BEFORE = 2102
#: What both sides run of each other's former code: the loops of the trainings.
LOOPS = tuple(
    f"experiment.training.{name}"
    for name in ("learners", "synthetic", "physical", "hybrid", "schedule", "stop")
)
_LOG = "experiment.training.log"
STORE = ("experiment.data.store", "experiment.data.store_files")


def code_size(package: str) -> int:
    """Lines of code of a package."""
    return SOURCES.size(SOURCES.modules(package))


def lines() -> Iterator[str]:
    """All comparisons, no wider than 80 columns."""
    yield from _side_by_side()
    yield ""
    yield from _with_core()
    yield ""
    yield from _without_legacy()
    yield ""
    yield from _bridge()


def _side_by_side() -> Iterator[str]:
    yield _row("1. port against legacy", "legacy", "phiml_port", "ratio")
    sizes = [_by_room(side) for side in SIDES]
    files = [_by_file(side) for side in SIDES]
    for room in sorted(sizes[0].keys() | sizes[1].keys()):
        yield _row(room, *(s[room] for s in sizes), _ratio(*(s[room] for s in sizes)))
        for name in sorted(files[0].keys() | files[1].keys()):
            if name.split("/")[0] == room and "/" in name:
                pair = [f.get(name, "-") for f in files]
                yield _row(f"  {name.split('/', 1)[1]}", *pair)
    totals = [sum(s.values()) for s in sizes]
    yield _row("all", *totals, _ratio(*totals))
    before = [BEFORE[side] for side in SIDES]
    yield _row("  at 18add21", *before, _ratio(*before))


def _by_room(side: str) -> Counter[str]:
    counter: Counter[str] = Counter()
    for name, size in _by_file(side).items():
        counter[name.split("/")[0]] += size
    return counter


def _by_file(side: str) -> dict[str, int]:
    """Sizes by path below the side, `room/file`; those above the rooms by name."""
    sizes = {}
    for module in SOURCES.modules(side):
        parts = module.split(".")[1:]
        if SOURCES.is_package(module):
            parts.append("__init__")
        sizes["/".join(parts)] = SOURCES.size([module])
    return sizes


def _with_core() -> Iterator[str]:
    yield _row("2. with the core they need", "legacy", "phiml_port", "ratio")
    loops = existing(LOOPS)
    needed = [
        SOURCES.needed([*SOURCES.modules(side), *loops], "experiment") | {*loops}
        for side in SIDES
    ]
    sides = [code_size(side) for side in SIDES]
    yield _row("the side", *sides, _ratio(*sides))
    for room in sorted({m.split(".")[1] for modules in needed for m in modules}):
        pair = [_size_in(modules, f"experiment.{room}") for modules in needed]
        yield _row(f"  experiment/{room}", *pair)
    totals = [s + SOURCES.size(m) for s, m in zip(sides, needed, strict=True)]
    yield _row("all", *totals, _ratio(*totals))
    for title, modules in (("loops", LOOPS), ("store", STORE)):
        pair = [_size_in(m, *modules) for m in needed]
        yield _row(f"  of it shared {title}", *pair)


def _without_legacy() -> Iterator[str]:
    shared = existing((*LOOPS, *STORE))
    port, legacy = code_size("phiml_port"), code_size("legacy")
    loops, store = SOURCES.size(existing(LOOPS)), SOURCES.size(existing(STORE))
    log = SOURCES.size(existing((_LOG,)))
    both = SOURCES.size(shared)
    yield "3. what is left when legacy/ is deleted"
    yield _line("phiml_port", port)
    yield _line("shared loops and store", both)
    for module in shared:
        yield _line(f"  {module.replace('.', '/')}.py", SOURCES.size([module]))
    yield _line("  loops with their log", loops + log)
    yield _line("    of it shared already at 18add21", _LOOPS_BEFORE)
    yield _line("port, shared loops and store", port + both, BEFORE["legacy"])
    yield "  (before: legacy with loops of its own, which this replaces)"
    together = BEFORE["legacy"] + BEFORE["phiml_port"]
    new = loops + log - _LOOPS_BEFORE + store
    yield _line("port, legacy, shared loops and store", port + legacy + both, together)
    yield _line("  counting what became shared since", port + legacy + new, together)
    experiment = code_size("experiment")
    whole = experiment + port
    yield _line("experiment", experiment, BEFORE["experiment"])
    was = BEFORE["experiment"] + BEFORE["phiml_port"]
    yield _line("experiment and phiml_port, which run alone", whole, was)


def _bridge() -> Iterator[str]:
    modules = SOURCES.modules("bridge")
    proofs = [
        m for m in modules if m.split(".")[1:2] in (["ladders"], ["faults"], ["verify"])
    ]
    everything, proving = SOURCES.size(modules), SOURCES.size(proofs)
    bench = [m for m in modules if m.startswith("bridge.harness.bench_")]
    yield "The bridge"
    before = BEFORE["bridge"] - _LADDERS_BEFORE
    yield _line("without ladders and faults", everything - proving, before)
    yield _line("  of it timing and verdicts of bench", SOURCES.size(bench))
    yield _line("ladders and faults", proving, _LADDERS_BEFORE)


def existing(modules: Sequence[str]) -> list[str]:
    """Those that there are."""
    return [module for module in modules if SOURCES.exists(module)]


def _size_in(modules: set[str], *prefixes: str) -> int:
    chosen = [m for m in modules if any(f"{m}.".startswith(f"{p}.") for p in prefixes)]
    return SOURCES.size(chosen)


def _ratio(legacy: int, port: int) -> str:
    return f"{port / legacy:.2f}" if legacy else "-"


def _row(name: str, *cells: object) -> str:
    widths = 10, 14, 10
    text = (f"{cell!s:>{w}}" for cell, w in zip(cells, widths, strict=False))
    return f"{name:30}{''.join(text)}".rstrip()


def _line(name: str, now: int, before: int | None = None) -> str:
    text = f"{name:44}{now:>8}"
    if before is None:
        return text
    return f"{text}   before {before:>5}, {now / before:.2f}"
