"""What is built, and what a run uses by default."""

from pathlib import Path

import yaml
from rich.table import Table

from experiment.settings import COMPONENTS, SIDES
from experiment.system import write_whole

_CONF = Path(__file__).parents[1] / "conf" / "migration"


#: The presets, in the order of the migration.
PRESETS = ("legacy", "step1", "step2", "step3", "full")


def default_preset() -> str:
    """The preset in `conf/migration/current.yaml`."""
    chosen = yaml.safe_load((_CONF / "current.yaml").read_text())
    return str(chosen["defaults"][0])


def choose_preset(preset: str) -> str:
    """Makes a preset the committed default.

    Returns:
        The lines that changed, as `-old` and `+new`; empty if none did.
    """
    path = _CONF / "current.yaml"
    before = path.read_text()
    after = before.replace(f"- {default_preset()}\n", f"- {preset}\n")
    write_whole(path, after)
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    return "\n".join(f"-{old}\n+{new}" for old, new in lines if old != new)


def below(step: str) -> str:
    """The preset before a step."""
    return PRESETS[PRESETS.index(step) - 1]


def status_table() -> Table:
    """A row per component: its step, the sides that are built, the default side."""
    preset = default_preset()
    values = _resolved(preset)
    table = Table(title=f"migration; a run's default is the preset {preset}")
    for heading in ("component", "step", "sides that are built", "default"):
        table.add_column(heading)
    for switch in COMPONENTS:
        table.add_row(
            switch.name,
            switch.step,
            ", ".join(SIDES),
            values[switch.name],
        )
    return table


def _resolved(preset: str) -> dict[str, str]:
    """The switch values of a preset, its defaults included."""
    content = yaml.safe_load((_CONF / f"{preset}.yaml").read_text())
    values: dict[str, str] = {}
    for base in content.get("defaults", []):
        if base != "_self_":
            values |= _resolved(base)
    values |= {k: v for k, v in content.items() if isinstance(v, str)}
    return values
