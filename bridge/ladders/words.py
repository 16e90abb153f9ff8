"""The ladders with the cases of a run's own words."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import legacy.assemble
import phiml_port.assemble
from bridge.configuration import composed
from bridge.harness import HarnessError, Ladder, Row
from bridge.harness.words import Words
from bridge.ladders import LADDERS
from bridge.ladders.run_cases import RunCase, of_words
from experiment.settings import Settings
from experiment.system import SettingsError


def ladder_of_words(ladder: Ladder, words: Words) -> Ladder:
    """A ladder whose cases are what `run.py` would run with the same words.

    Raises:
        SettingsError: As `run.py` would end with them, or there is nothing to compare a
            network of one's own with.
        HarnessError: The ladder isn't one of this project's.
    """
    if ladder.name not in LADDERS:
        raise HarnessError(
            f"the ladder `{ladder.name}` takes no settings; allowed:"
            f" {', '.join(LADDERS)}"
        )
    _require_pair(composed(words.config, words.overrides, words.folder))
    cases = of_words(words.config, words.overrides, words.folder, words.sizes)
    if ladder.name in ("physics", "hybrid", "run"):
        # Optimisers and cycles make of float32 whatever they like.
        cases = [case for case in cases if case.precision == "float64"]
    if ladder.name in ("hybrid", "run"):
        cases = [case for case in cases if not case.at_own_sizes]
    cases = [case for case in cases if any(r.applies(case) for r in ladder.rungs)]
    return replace(
        ladder,
        cases=cases,
        settings=lambda: _rows(ladder.name, cases),
        # In the first of them, small and in float64.
        faults=lambda: [replace(f, case=cases[0]) for f in ladder.faults() if cases],
    )


def _require_pair(settings: Settings) -> None:
    """Refuses a network of one's own that has no counterpart; checks both."""
    own = settings.migration.sources.model
    if own.legacy is not None and own.phiml is None:
        raise SettingsError(
            f"`migration.sources.model.legacy` is {own.legacy}, and"
            " `migration.sources.model.phiml` is null: there is no candidate to compare"
            " it with. Give both."
        )
    for side in (legacy.assemble, phiml_port.assemble):
        side.check(settings)


def _rows(name: str, cases: list[RunCase]) -> Iterator[Row]:
    from bridge.ladders import data_settings, models_settings, training_settings

    described: dict[str, Callable[[Any], Iterable[Row]]] = {
        "step1": models_settings.case_rows,
        "step2": training_settings.case_rows,
        "step3": lambda case: data_settings.case_rows(case, f"data-{case}"),
    }
    # The largest sizes, in the run's own precision.
    for case in cases[-1:] if name in described else ():
        yield from described[name](case)
