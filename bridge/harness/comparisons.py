"""The comparisons that a ladder must make: kept, so that none can vanish unseen."""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.harness.errors import HarnessError, write_file
from bridge.harness.ids import Judged, together
from bridge.harness.ladder import CaseResult
from bridge.harness.project import Project

#: How much looser a limit may be than it was: those that follow the control's own
#: rounding differ between machines.
LOOSER = 30.0


def file_of(project: Project, name: str) -> Path | None:
    """The file that keeps a ladder's comparisons; None if the project keeps none."""
    if "comparisons" not in project.table:
        return None
    return project.folder("comparisons") / f"{name}.json"


def tables_of(results: Sequence[CaseResult]) -> dict[str, dict[str, Judged]]:
    """What was compared, by rung and id."""
    rungs = dict.fromkeys(r.rung for result in results for r in result.rungs)
    return {
        rung: together(
            r.judged for result in results for r in result.rungs if r.rung == rung
        )
        for rung in rungs
    }


def keep(project: Project, name: str, results: Sequence[CaseResult]) -> Path:
    """Writes what was compared as what must be compared from now on.

    Raises:
        HarnessError: The project has no folder for it.
    """
    file = file_of(project, name)
    if file is None:
        raise HarnessError(
            "`comparisons` is missing in the table [tool.bridge]; give it the folder"
            " that the tables of comparisons are kept in"
        )
    rungs = {
        rung: {
            key: {"count": j.count, "proved": j.proved, "limit": _rounded(j.limit)}
            for key, j in sorted(table.items())
        }
        for rung, table in tables_of(results).items()
    }
    content = {"cases": {r.case: _of_case(r) for r in results}, "rungs": rungs}
    write_file(file, json.dumps(content, indent=1) + "\n")
    return file


def _of_case(result: CaseResult) -> dict[str, list[int]]:
    """By rung: how many comparisons a case made, and a checksum of their ids."""
    return {
        rung.rung: [
            rung.comparisons,
            zlib.crc32("\n".join(sorted(rung.judged)).encode()),
        ]
        for rung in result.rungs
    }


def _rounded(limit: float) -> float:
    return float(f"{limit:.2g}")


def kept(project: Project, name: str) -> dict[str, Any] | None:
    """What must be compared; None if nothing is kept.

    Raises:
        HarnessError: The file is damaged.
    """
    file = file_of(project, name)
    if file is None or not file.exists():
        return None
    try:
        content = json.loads(file.read_text())
        return {"cases": dict(content["cases"]), "rungs": dict(content["rungs"])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HarnessError(
            f"`{file}` can't be read ({error!r}); take it from the history of the"
            f" project, or write it anew: `python -m bridge verify {name} --keep`"
        ) from error


def defects(
    project: Project, name: str, results: Sequence[CaseResult]
) -> Iterator[str]:
    """What is compared less, or less strictly, than it must be; a sentence each."""
    content = kept(project, name)
    tables = tables_of(results)
    for result in results:
        yield from unproved(content, result)
    if content is None:
        return
    cases = [r.case for r in results]
    gone = [case for case in content["cases"] if case not in cases]
    if gone:
        yield f"{len(gone)} cases are gone: {', '.join(gone[:3])}"
    for result in results:
        yield from case_defects(content, result)
    for rung, table in content["rungs"].items():
        for key, stored in table.items():
            found = tables.get(rung, {}).get(key)
            yield from _less(f"{rung}: `{key}`", stored, found)


def case_defects(content: Mapping[str, Any], result: CaseResult) -> Iterator[str]:
    """What one case compares less than it must.

    Args:
        content: What is kept of its ladder.
        result: What the case gave; it passed.
    """
    made = _of_case(result)
    for rung, (count, ids) in content["cases"].get(result.case, {}).items():
        found = made.get(rung, [0, 0])
        if found[0] < count:
            yield f"{result.case}: {rung} makes {found[0]} comparisons, not {count}"
        elif found[1] != ids:
            yield f"{result.case}: {rung} compares other things than it did"


def unproved(content: Mapping[str, Any] | None, result: CaseResult) -> Iterator[str]:
    """Comparisons of one case that passed whatever they were given.

    Those that were kept as ones without a number are none: an identity, a structure.

    Args:
        content: What is kept of its ladder, if anything is.
        result: What the case gave; it passed.
    """
    rungs = (content or {}).get("rungs", {})
    for rung in result.rungs:
        for key, judged in rung.judged.items():
            stored = rungs.get(rung.rung, {}).get(key)
            known = stored is not None and stored["proved"] < stored["count"]
            if judged.proved < judged.count and not known:
                yield (
                    f"{rung.rung}: {judged.count - judged.proved} of {judged.count}"
                    f" comparisons of `{key}` pass whatever they are given"
                )


def _less(what: str, stored: dict[str, Any], found: Judged | None) -> Iterator[str]:
    if found is None:
        yield f"{what} is compared no more"
        return
    if found.count < stored["count"]:
        yield f"{what} is compared {found.count} times, not {stored['count']}"
    if found.limit > LOOSER * stored["limit"] and found.limit > 0:
        yield (
            f"{what} has the limit {found.limit:.1e}, looser than {stored['limit']:.1e}"
        )


def proved_text(results: Sequence[CaseResult]) -> str:
    """`M/M comparisons proved`."""
    every = [j for r in results for rung in r.rungs for j in rung.judged.values()]
    count, proved = sum(j.count for j in every), sum(j.proved for j in every)
    return f"{proved}/{count} comparisons proved"
