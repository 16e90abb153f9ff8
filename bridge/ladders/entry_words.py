"""A run's own words as a whole run of both sides, at small sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bridge.configuration import composed
from bridge.ladders.covering.factors import SHIPPED, SIDE, STOPPED
from bridge.ladders.covering.rows import COUNTS, sides_of
from bridge.ladders.entry_runs import INSIDE
from bridge.ladders.nested import put, settle
from bridge.ladders.run_cases import RunCase
from experiment.settings import COMPONENTS, Settings, check_settings, leaves, to_dict

#: Epochs, rounds and amounts at most.
_MOST = {**COUNTS, "trainer.physical.windows": 6}
_MODES = ("synthetic", "physical", "hybrid")


@dataclass(frozen=True)
class WordsRow:
    """What a row of the covering array is, of a run's own words.

    It is stopped inside an epoch or a round, and every component is the port's.
    """

    case: RunCase
    changes: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def mode(self) -> str:
        """The run's own; hybrid where it is several runs, or none."""
        words = self.case
        own = composed(words.config, words.words, words.folder).general.mode
        return own if own in _MODES else "hybrid"

    @property
    def values(self) -> Mapping[str, Any]:
        """What decides how it is run."""
        return {
            SHIPPED: self.case.config or "the default configuration",
            STOPPED: INSIDE,
            "general.mode": self.mode,
            "data.reference": self.case.settings.data.reference,
            **{f"{SIDE}{component.name}": "phiml" for component in COMPONENTS},
            **self.changes,
        }

    def changed(self, changes: Mapping[str, Any]) -> "WordsRow":
        """The same run with other sides."""
        return replace(self, changes={**self.changes, **changes})

    def read(self, settings: Settings) -> dict[str, Any]:
        """Nothing varies."""
        return {}

    def settings(self, folder: Path, *, control: bool = False) -> Settings:
        """See `Row.settings`."""
        nested = to_dict(self.case.settings)
        own = dict(leaves(nested))
        for key, most in _MOST.items():
            put(nested, key, min(own[key], most))
        put(nested, "general.mode", self.mode)
        # In less, both sides' simulations round to other neighbours.
        put(nested, "data.precision", self.case.precision)
        settle(nested, folder, sides_of(self.values, control=control))
        return check_settings(nested)
