"""The comparisons that a ladder must make: kept, so that none can vanish unseen."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
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
    content = {"cases": [r.case for r in results], "rungs": rungs}
    write_file(file, json.dumps(content, indent=1) + "\n")
    return file


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
        return {"cases": list(content["cases"]), "rungs": dict(content["rungs"])}
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
    for rung, table in tables.items():
        for key, judged in table.items():
            if judged.proved < judged.count and not _is_known(
                content, rung, key, judged
            ):
                yield (
                    f"{rung}: {judged.count - judged.proved} of {judged.count}"
                    f" comparisons of `{key}` pass whatever they are given"
                )
    if content is None:
        return
    cases = [r.case for r in results]
    gone = [case for case in content["cases"] if case not in cases]
    if gone:
        yield f"{len(gone)} cases are gone: {', '.join(gone[:3])}"
    for rung, table in content["rungs"].items():
        for key, stored in table.items():
            found = tables.get(rung, {}).get(key)
            yield from _less(f"{rung}: `{key}`", stored, found)


def _is_known(content: Any, rung: str, key: str, judged: Judged) -> bool:
    """Whether it was kept as one without a number: structure, or an identity."""
    stored = (content or {}).get("rungs", {}).get(rung, {}).get(key)
    return stored is not None and judged.count - judged.proved <= (
        stored["count"] - stored["proved"]
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
    every = [j for t in tables_of(results).values() for j in t.values()]
    count, proved = sum(j.count for j in every), sum(j.proved for j in every)
    return f"{proved}/{count} comparisons proved"


def to_rows(results: Sequence[CaseResult]) -> dict[str, dict[str, dict[str, Any]]]:
    """The same for an evidence card."""
    return {
        rung: {key: asdict(judged) for key, judged in table.items()}
        for rung, table in tables_of(results).items()
    }
