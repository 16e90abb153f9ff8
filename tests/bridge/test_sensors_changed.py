"""A file of sensors that changed between a training and its resumption is noticed."""

from pathlib import Path
from typing import Any

import pytest

from bridge.assemble import MixedParts
from experiment.run import (
    RunFolder,
    build_physical_training,
    build_synthetic_training,
)
from experiment.system import CheckpointError, Progress
from experiment.training import LAST, PHYSICAL_LAST, load_checkpoint
from experiment.training.checkpoints import save_checkpoint
from tests.bridge.hybrid_runs import everything, tiny

BUILD = {"synthetic": build_synthetic_training, "physical": build_physical_training}


@pytest.mark.parametrize(
    ("mode", "name"), (("synthetic", LAST), ("physical", PHYSICAL_LAST))
)
def test_a_changed_file_of_sensors_is_refused_on_resume(
    folder: Path, mode: str, name: str
) -> None:
    file = folder / "sensors.csv"
    file.write_text("0.3,0.4\n2.1,1.7\n5.0,3.0\n")

    def train(*more: str) -> None:
        settings = tiny(
            *(folder / "burgers", "burgers", f"general.mode={mode}"),
            *everything("legacy"),
            f"data.observations.space={{kind: sensors, file: {file}}}",
            *more,
        )
        training: Any = BUILD[mode](settings, MixedParts())
        if more:
            training.begin(*([RunFolder(settings)] if mode == "synthetic" else []))
            return
        # What counts is the file as it was read when the training began.
        before = file.read_text()
        file.write_text("1.0,1.0\n")
        training.train(RunFolder(settings), Progress())
        file.write_text(before)

    train()
    train("trainer.resume=true")
    before = file.read_text()
    file.write_text(before + "7.0,3.5\n")
    message = (
        r"can't be resumed: the file `.*sensors\.csv` \(`data\.observations\.space"
        r"\.file`\) has changed since its run began"
    )
    with pytest.raises(CheckpointError, match=message):
        train("trainer.resume=true")
    with pytest.raises(CheckpointError, match="other settings") as caught:
        train("trainer.resume=true", "trainer.rollout_steps=1")
    assert "sha256" not in str(caught.value)
    # A checkpoint that says nothing of the content is taken, as it was before.
    path = folder / "burgers" / "checkpoints" / name
    checkpoint = load_checkpoint(path, mode)
    space = checkpoint.settings["data"]["observations"]["space"]
    assert len(space.pop("file_sha256")) == 64
    save_checkpoint(path, checkpoint)
    train("trainer.resume=true")
