"""A ladder of comparisons: rungs in order, each run only if those below pass."""

import json
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.harness.compare import Finding, Verdict, failed, not_judged
from bridge.harness.ids import Judged, ids_of
from bridge.harness.inputs import checksums, unchanged
from bridge.harness.proving import proving

Findings = Iterable[Finding]
#: Columns of a line.
_WIDTH = 80


def _always(case: Any) -> bool:
    return True


def _nothing() -> tuple[Any, ...]:
    return ()


@dataclass(frozen=True)
class Rung:
    """One kind of comparison.

    Attributes:
        name: Such as `R3`.
        compares: What is compared, in words.
        run: Yields the result of every comparison in a built case.
        applies: Whether a case, as `Ladder.cases` names it, has this rung.
    """

    name: str
    compares: str
    run: Callable[[Any], Findings]
    applies: Callable[[Any], bool] = _always


@dataclass(frozen=True)
class Row:
    """One setting of both sides, in words; `mark` says whether it is equal."""

    case: str
    setting: str
    control: str
    candidate: str
    mark: str
    source: str = ""

    @property
    def unequal(self) -> bool:
        """Whether it differs without a known reason."""
        return self.mark == "UNEQUAL"


@dataclass(frozen=True)
class Fault:
    """A deliberate fault, to see that a ladder reports it.

    Attributes:
        name: The name that the ladder must give it.
        rung: The rung that must report it; any if empty.
        case: The case that it is planted in.
        plant: A context with the fault in it.
        where: What `Finding.where` of the worst comparison must contain.
    """

    name: str
    rung: str
    case: Any
    plant: Callable[[], AbstractContextManager[object]]
    where: str = ""


@dataclass(frozen=True)
class Ladder:
    """A pair of implementations, and how they are compared.

    Attributes:
        name: What the command line and the evidence call it.
        cases: The cases by name, each with a `str`.
        build: Builds both sides of a case.
        rungs: The comparisons, in order.
        settings: Rows of both sides' settings, read off their objects.
        faults: Deliberate faults that it must report by name.
        control_twice: A context in which a copy of the control is the candidate, to
            count false alarms; None if there is no such thing.
    """

    name: str
    cases: Sequence[Any]
    build: Callable[[Any], Any]
    rungs: Sequence[Rung]
    settings: Callable[[], Iterable[Row]] = _nothing
    faults: Callable[[], Sequence[Fault]] = _nothing
    control_twice: Callable[[], AbstractContextManager[object]] | None = None


@dataclass(frozen=True)
class RungResult:
    """The result of a rung in one case.

    Attributes:
        rung: Its name.
        compares: What it compares, in words.
        verdict: Its verdict.
        comparisons: How many there were.
        worst: The worst of them; None if the rung was not run.
        judged: What was compared, by id (`ids_of`).
    """

    rung: str
    compares: str
    verdict: Verdict
    comparisons: int
    worst: Finding | None
    judged: Mapping[str, Judged] = field(default_factory=dict)

    def line(self) -> str:
        """Verdict, what was compared [rung], worst error, its limit, where, hint.

        Wrapped at 80 columns.
        """
        head = f"{self.verdict.value:<4}  {self.compares} [{self.rung}]: "
        if self.worst is None:
            return _wrapped(f"{head}a rung below did not pass")
        worst = self.worst
        hint = f" <- {worst.hint}" if worst.hint else ""
        if worst.rule == "exact" and worst.verdict is Verdict.PASSED:
            return _wrapped(f"{head}equal bit by bit")
        numbers = "" if math.isnan(worst.error) else f"{_size(worst)}, "
        return _wrapped(f"{head}{numbers}{worst.where}{hint}")


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent="  ",
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _size(worst: Finding) -> str:
    if worst.limit == 0:
        return "not equal" if math.isinf(worst.error) else f"{worst.error:.1e} of 0"
    rule = "floor" if worst.rule.startswith("8 eps") else worst.rule
    return f"{worst.error:.1e} of {worst.limit:.1e} ({rule})"


@dataclass(frozen=True)
class CaseResult:
    """The results of a ladder's rungs in one case."""

    ladder: str
    case: str
    rungs: Sequence[RungResult]

    @property
    def verdict(self) -> Verdict:
        """The first verdict that is no pass, or pass."""
        failure = self.first_failure
        return Verdict.PASSED if failure is None else failure.verdict

    @property
    def first_failure(self) -> RungResult | None:
        """The first rung that did not pass."""
        return next((r for r in self.rungs if r.verdict is not Verdict.PASSED), None)


def run_ladder(ladder: Ladder, case: Any) -> CaseResult:
    """Runs the rungs of a case in order, up to the first that does not pass.

    Args:
        ladder: The ladder.
        case: One of `ladder.cases`.
    """
    built = ladder.build(case)
    results: list[RungResult] = []
    stopped = False
    for rung in ladder.rungs:
        if not rung.applies(case):
            continue
        if stopped:
            results.append(
                RungResult(rung.name, rung.compares, Verdict.NOT_RUN, 0, None)
            )
            continue
        before = checksums(built)
        with proving() as proofs:
            try:
                findings = list(rung.run(built))
            except Exception as error:  # the candidate's errors are findings
                hint = f"raised {type(error).__name__}: {error}"
                findings = [failed(rung.name, "no exception", hint)]
        inputs = unchanged(built, before)
        if inputs.verdict is not Verdict.PASSED:
            findings = [*findings, inputs]
        result = replace(_judged(rung, findings), judged=ids_of(findings, proofs))
        results.append(result)
        stopped = result.verdict is not Verdict.PASSED
    return CaseResult(ladder.name, str(case), results)


def _judged(rung: Rung, findings: list[Finding]) -> RungResult:
    """The rung's verdict; nothing compared is no pass."""
    findings = findings or [not_judged("nothing was compared", "")]
    for verdict in (Verdict.NOT_JUDGED, Verdict.FAILED):
        bad = [f for f in findings if f.verdict is verdict]
        if bad:
            # A fault with a name says more than the largest error.
            worst = max(bad, key=lambda f: (bool(f.hint), _margin(f)))
            return RungResult(rung.name, rung.compares, verdict, len(findings), worst)
    worst = max(findings, key=_margin)
    return RungResult(rung.name, rung.compares, Verdict.PASSED, len(findings), worst)


def _margin(finding: Finding) -> float:
    return 0.0 if math.isnan(finding.error) else finding.margin


def exit_code(results: Sequence[CaseResult]) -> int:
    """0 all pass, 1 a numeric failure, 2 could not be judged or nothing was run."""
    verdicts = {r.verdict for r in results}
    if Verdict.FAILED in verdicts:
        return 1
    return 0 if verdicts == {Verdict.PASSED} else 2


def to_rows(results: Sequence[CaseResult]) -> list[dict[str, Any]]:
    """The same facts as the lines, for JSON."""
    return [
        {
            "ladder": result.ladder,
            "case": result.case,
            "verdict": result.verdict.value,
            "rungs": [
                {
                    "rung": r.rung,
                    "compares": r.compares,
                    "verdict": r.verdict.value,
                    "comparisons": r.comparisons,
                    "worst": _to_row(r.worst),
                }
                for r in result.rungs
            ],
        }
        for result in results
    ]


def _to_row(worst: Finding | None) -> dict[str, Any] | None:
    if worst is None:
        return None
    return {
        "error": worst.error if math.isfinite(worst.error) else None,
        "limit": worst.limit if math.isfinite(worst.limit) else None,
        "where": worst.where,
        "rule": worst.rule,
        "hint": worst.hint,
    }


def to_json(results: Sequence[CaseResult]) -> str:
    """`to_rows` as text."""
    return json.dumps(to_rows(results), indent=2) + "\n"
