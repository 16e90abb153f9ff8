"""Parts whose models begin with the same weights, whatever draws them."""

from typing import Any

import torch

import legacy.assemble
from bridge.assemble import MixedParts
from bridge.convert import TorchModel
from bridge.ladders.cases import CANDIDATE, CONTROL, switched
from bridge.ladders.networks import nudge_leaves
from bridge.ladders.run_cases import is_own
from bridge.ladders.training_cases import fill_unruled
from experiment.settings import Settings
from legacy import models


class StartedParts(MixedParts):
    """The mix of both sides; a network of one's own starts as the control does.

    Args:
        nudge: Whether the control's weights are a unit in the last place off (A/A).
    """

    def __init__(self, *, nudge: bool = False) -> None:
        self._nudge = nudge

    def build_model(self, settings: Settings) -> Any:
        """See `MixedParts.build_model`."""
        torch.manual_seed(settings.general.seed)
        model = super().build_model(settings)
        if self._nudge:
            nudge_leaves(model.network)
        if is_own(settings) and settings.migration.model == CANDIDATE:
            torch.manual_seed(settings.general.seed)
            control = legacy.assemble.build_model(switched(settings, CONTROL))
            inner = model.model if isinstance(model, TorchModel) else model
            fill_unruled(inner.network, models.export_weights(control.network))
        return model
