"""Settings and simulated data of the cases."""

from pathlib import Path
from typing import Any

from benchmarks.harness.installed import installed_root
from benchmarks.harness.machine import device

#: One window's roll-out and two simulations: enough for a batch, little to simulate.
FEW = (
    *("data.num_simulations=2", "data.trajectory_length=13"),
    *("trainer.train_sim=[0]", "trainer.val_sim=[]", "evaluation.test_sim=[1]"),
    "evaluation.num_frames=13",
)


def grid_of(edge: int) -> tuple[str, ...]:
    """Overrides for a square grid of cells of 0.5 m, as the experiment has them."""
    return (
        f"model.physical.resolution={{x: {edge}, y: {edge}}}",
        f"model.physical.domain={{x: {edge / 2}, y: {edge / 2}}}",
    )


def settings_of(folder: Path, *overrides: str, experiment: str = "burgers") -> Any:
    """An experiment on the chosen device, all its files below `folder`."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from experiment.settings import check_settings

    files = (
        "general.mode=synthetic",
        f"general.device={device()}",
        f"general.checkpoint_dir={folder}/checkpoints",
        f"general.run_dir={folder}/runs",
        f"data.data_dir={folder}/data",
        f"cache.dir={folder}/cache",
    )
    with initialize_config_dir(str(installed_root() / "conf"), version_base="1.3"):
        config = compose(experiment, [*files, *overrides])
    values: Any = OmegaConf.to_container(config, resolve=True)
    return check_settings(values)


def simulated_settings(folder: Path, *overrides: str) -> Any:
    """The same, with all simulations on disk, made by the control's physics."""
    return simulated(settings_of(folder, *overrides))


def simulated(settings: Any) -> Any:
    """Generates what the settings ask for with the control's physics; the settings."""
    from benchmarks.cases.build import control_simulator
    from experiment.data import generate
    from experiment.system import Progress

    generate(settings, control_simulator(settings), Progress())
    return settings
