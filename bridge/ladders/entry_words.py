"""A run's own words as a whole run of both sides, at small sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bridge.configuration import composed
from bridge.ladders.covering.factors import SHIPPED, SIDE, STOPPED
from bridge.ladders.entry_runs import INSIDE
from bridge.ladders.run_cases import RunCase
from experiment.settings import COMPONENTS, Settings, check_settings, to_dict

#: Epochs, rounds and amounts at most.
_MOST = {
    "trainer.batch_size": 3,
    "trainer.synthetic.epochs": 2,
    "trainer.physical.windows": 6,
    "trainer.physical.rounds": 1,
    "trainer.physical.iterations": 2,
    "trainer.hybrid.warm_up_epochs": 1,
    "trainer.hybrid.cycles": 1,
    "trainer.hybrid.epochs": 1,
    "trainer.hybrid.rounds": 1,
}
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
        for key, most in _MOST.items():
            *path, last = key.split(".")
            group: Any = nested
            for part in path:
                group = group[part]
            group[last] = min(group[last], most)
        nested["general"] |= {
            "mode": self.mode,
            "run_dir": str(folder / "runs"),
            "checkpoint_dir": str(folder / "checkpoints"),
        }
        nested["data"]["data_dir"] = str(folder / "data")
        # In less, both sides' simulations round to other neighbours.
        nested["data"]["precision"] = self.case.precision
        if nested["cache"]["dir"] is not None:
            nested["cache"]["dir"] = str(folder / "cache")
        for component in COMPONENTS:
            side = self.values[f"{SIDE}{component.name}"]
            nested["migration"][component.name] = "legacy" if control else side
        return check_settings(nested)
