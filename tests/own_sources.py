"""Implementations of one's own, as `migration.sources` names them in a test."""

from typing import Any

import torch

import legacy.data.loader
import legacy.models.convnet
import legacy.physics.learner
import legacy.training.synthetic
import phiml_port.data.loader
import phiml_port.physics.learner
import phiml_port.training.synthetic
from experiment.training import HybridTraining

#: Names of what was built, in order.
BUILT: list[str] = []


def _noting(kind: Any, name: str) -> Any:
    def __init__(self: Any, *arguments: Any, **options: Any) -> None:
        BUILT.append(name)
        kind.__init__(self, *arguments, **options)

    return type(name, (kind,), {"__init__": __init__})


LegacyTrainer = _noting(legacy.training.synthetic.SyntheticLearner, "LegacyTrainer")
PhimlTrainer = _noting(phiml_port.training.synthetic.SyntheticLearner, "PhimlTrainer")
LegacyData = _noting(legacy.data.loader.WindowLoader, "LegacyData")
PhimlData = _noting(phiml_port.data.loader.WindowLoader, "PhimlData")
LegacyPhysics = _noting(legacy.physics.learner.PhysicalLearner, "LegacyPhysics")
PhimlPhysics = _noting(phiml_port.physics.learner.PhysicalLearner, "PhimlPhysics")
LegacyHybrid = _noting(HybridTraining, "LegacyHybrid")
PhimlHybrid = _noting(HybridTraining, "PhimlHybrid")


class DropoutNet(legacy.models.convnet.ConvNet):
    """A ConvNet whose training draws numbers from torch's global generator."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dropped = torch.nn.functional.dropout(self.layers(x), 0.3, self.training)
        return self.head(dropped)
