"""Runs a migration's comparisons, and its faults."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.harness import CaseResult, HarnessError, run_ladder
from bridge.harness.selftest import Caught, plant
from bridge.migration.proof import Proof, code_hashes, make_proof

if TYPE_CHECKING:
    from bridge.migration.migration import Migration


def verify(
    migration: "Migration",
    rungs: Sequence[str] | None,
    report: Callable[[str], object],
) -> Proof:
    """See `Migration.verify`."""
    ladder = migration.ladder
    names = [rung.name for rung in ladder.rungs]
    for name in rungs or ():
        if name not in names:
            raise HarnessError(
                f"rung `{name}`; `{migration.name}` has {', '.join(names)}"
            )
    kept = [r for r in ladder.rungs if rungs is None or r.name in (*rungs, "R1")]
    part = replace(ladder, rungs=kept)
    before = code_hashes()
    results: list[CaseResult] = []
    for case in ladder.cases:
        results.append(run_ladder(part, case))
        report(f"{migration.name}, {case}: {results[-1].verdict.value}")
        for rung in results[-1].rungs:
            report(rung.line())
    after = code_hashes()
    changed = [n for n, h in before.items() if after.get(n, h) != h]
    if changed:
        raise HarnessError(
            f"{', '.join(changed[:3])} changed while it was verified; nothing was"
            " written: verify again"
        )
    return make_proof(migration, results, complete=rungs is None)


def selftest(
    migration: "Migration",
    faults: Sequence[str] | None,
    report: Callable[[str], object],
) -> list[Caught]:
    """See `Migration.selftest`."""
    results = []
    for fault in migration.ladder.faults():
        if faults is not None and not any(f in fault.name for f in faults):
            continue
        results.append(plant(migration.ladder, fault))
        report(results[-1].lines())
    found = sum(r.caught for r in results)
    report(f"{found}/{len(results)} faults caught by name")
    return results
