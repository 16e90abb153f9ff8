"""`recheck`: runs the verification of an evidence card again, here."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from bridge.cli.cards import add_card_argument, card_at, differences
from bridge.harness.apart import Apart, processes
from bridge.harness.cards import VERIFIED
from bridge.harness.errors import HarnessError
from bridge.harness.ladder import CaseResult, Verdict, exit_code
from bridge.harness.project import Project

HELP = "run an evidence card's verification here"
DETAILS = """\
Reads an evidence card, says what is different here (machine, versions, code),
runs its ladder again and compares verdicts and margins. A margin is the error
over its limit; one above 0.5 is too near, as another CPU adds rounding.

example:
  python -m bridge recheck evidence/step1.json

reads   the card, the code of both sides, conf/
writes  nothing
takes   what `verify` of its ladder takes
ends    0 if every verdict is the card's, 1 if one is another, 2 if the card
        can't be believed"""
#: The largest margin that leaves room for another machine's rounding.
_NEAR = 0.5


def add_arguments(parser: argparse.ArgumentParser, project: Project) -> None:
    """The card."""
    add_card_argument(parser, "card")


def run(options: argparse.Namespace, project: Project) -> int:
    """0 if every verdict is the card's."""
    card = card_at(project, options.card)
    if any(key not in card for key in VERIFIED):
        raise HarnessError(
            f"`{options.card}` is no card of a verification; give one that"
            " `python -m bridge verify` wrote"
        )
    name = card["step"]
    print(f"{name} was verified on {card['date']}: {' '.join(card['command'])}")
    for line in differences(project, card):
        print(f"  {line}")
    project.prepare()
    ladder = project.ladder(name)
    with Apart(project, processes=processes()) as apart:
        results = [*apart.run_all(name, cases=len(ladder.cases))]
    others = [*_others(card, results)]
    for line in others:
        print(f"  {line}")
    passes = sum(r.verdict is Verdict.PASSED for r in results)
    same = "the card's verdicts" if not others else "not the card's verdicts"
    print(f"{name}: {passes}/{len(results)} cases pass here; {same}")
    return 1 if others else exit_code(results)


def _others(card: Mapping[str, Any], results: list[CaseResult]) -> Iterator[str]:
    """Verdicts that are not the card's, and margins without room."""
    stored = {case["case"]: case for case in card["cases"]}
    found = {result.case: result for result in results}
    for case in stored.keys() - found.keys():
        yield f"{case}: on the card, not run here"
    for case, result in found.items():
        if case not in stored:
            yield f"{case}: run here, not on the card"
            continue
        for rung in result.rungs:
            before = stored[case]["rungs"].get(rung.rung, {"verdict": "not run"})
            if rung.verdict.value != before["verdict"]:
                yield (
                    f"{case} {rung.rung}: {rung.verdict.value} here,"
                    f" {before['verdict']} on the card"
                )
            margin = max((j.error for j in rung.judged.values()), default=0.0)
            if _NEAR < margin <= 1 and margin > 2 * before.get("margin", 0.0):
                print(f"  {case} {rung.rung}: margin {margin:.2f}, little room")
