"""Settings and data for measurements."""

from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import bridge
from experiment.data import generate
from experiment.settings import Settings, check_settings
from experiment.system import Progress

#: The checkout that is installed: asv takes the benchmarks of one commit to others,
#: whose settings are their own.
ROOT = Path(bridge.__file__).parents[1]


def experiment_settings(path: Path, name: str, *overrides: str) -> Settings:
    """An experiment of `conf/` with all its files below `path`."""
    own = (
        "general.mode=synthetic",
        f"general.checkpoint_dir={path}/checkpoints",
        f"general.run_dir={path}/runs",
        f"data.data_dir={path}/data",
        f"cache.dir={path}/cache",
    )
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose(name, [*own, *overrides])
    return check_settings(
        cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    )


def simulated(settings: Settings) -> Settings:
    """Generates what the settings ask for, and returns them."""
    from legacy.physics import SceneSimulator

    generate(settings, SceneSimulator(settings), Progress())
    return settings
