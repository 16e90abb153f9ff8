"""What the tasks of a run are put together from."""

from collections.abc import Sequence
from typing import Any, Protocol

from experiment.data import Simulator
from experiment.settings import Settings
from experiment.system import Progress
from experiment.training import PhysicalLearner, SyntheticLearner


class Parts(Protocol):
    """What a side, or a mix of two, builds; `assemble.py` of each side has these."""

    def seed(self, settings: Settings) -> None: ...

    def build_model(self, settings: Settings) -> Any: ...

    def build_loader(
        self,
        settings: Settings,
        simulations: Sequence[int],
        *,
        shuffle: bool,
        progress: Progress | None = None,
    ) -> Any: ...

    def build_synthetic_learner(
        self, settings: Settings, model: Any
    ) -> SyntheticLearner: ...

    def build_simulator(self, settings: Settings) -> Simulator: ...

    def build_physical_learner(
        self, settings: Settings, progress: Progress | None = None
    ) -> PhysicalLearner: ...
