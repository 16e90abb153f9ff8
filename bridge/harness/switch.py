"""Components, the values of their switches, and presets of these in YAML files."""

from collections.abc import Sequence
from typing import Protocol

import yaml

from bridge.harness.errors import HarnessError, load_object, write_file
from bridge.harness.evidence import promotion_blockers, selftest_blockers
from bridge.harness.project import Project


class Component(Protocol):
    """A part of a pipeline that can be switched between its sides."""

    @property
    def name(self) -> str:
        """Its key in a preset."""
        ...

    @property
    def step(self) -> str:
        """The step of the migration that brings it."""
        ...


def components(project: Project) -> Sequence[Component]:
    """The components in the order of the migration."""
    return load_object(project.setting("components"))


def default_preset(project: Project) -> str:
    """The preset that a run uses by default."""
    content = yaml.safe_load(project.default_file.read_text())
    return str(content["defaults"][0])


def choose_preset(project: Project, preset: str) -> str:
    """Makes a preset the committed default.

    Returns:
        The file, and its lines that changed, as `-old` and `+new`; empty if none did.

    Raises:
        HarnessError: The default is a file of an installed package.
    """
    path = project.default_file
    _refuse_installed(project, preset)
    before = path.read_text()
    after = before.replace(f"- {default_preset(project)}\n", f"- {preset}\n")
    write_file(path, after)
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    changed = [f"-{old}\n+{new}" for old, new in lines if old != new]
    if not changed:
        return ""
    shown = (
        path.relative_to(project.root) if path.is_relative_to(project.root) else path
    )
    return "\n".join([f"changed {shown}", *changed])


def _refuse_installed(project: Project, preset: str) -> None:
    if project.installed_for is not None:
        raise HarnessError(
            f"`{project.default_file}` belongs to an installed package, which isn't"
            f" changed. Choose the preset {preset} for each run (as"
            f" `migration={preset}`), or change the default in a checkout."
        )


def promote(project: Project, preset: str) -> str:
    """Makes a preset the default, if every ladder up to it has fresh green evidence,
    and has found its own planted faults.

    Returns:
        The lines that changed, or that none had to.

    Raises:
        HarnessError: Says what is missing.
    """
    _refuse_installed(project, preset)
    order = list(project.presets)
    needed = [n for p in order[: order.index(preset) + 1] for n in project.presets[p]]
    blockers = [
        blocker
        for name in needed
        for look in (promotion_blockers, selftest_blockers)
        for blocker in look(project, name)
    ]
    if blockers:
        raise HarnessError(f"{preset} is not promoted:\n  " + "\n  ".join(blockers))
    changed = choose_preset(project, preset)
    return changed or f"{default_preset(project)} is the default already"


def rollback(project: Project, preset: str) -> str:
    """Makes the preset before one the default; asks for no evidence.

    Returns:
        The lines that changed, or that none had to.
    """
    order, now = list(project.presets), default_preset(project)
    if order.index(now) < order.index(preset):
        return f"{now} is the default; {preset} is not in use"
    return choose_preset(project, order[order.index(preset) - 1])


def switch_values(project: Project, preset: str) -> dict[str, str]:
    """The switch value of every component in a preset, its defaults included."""
    path = project.folder("switches") / f"{preset}.yaml"
    content = yaml.safe_load(path.read_text())
    values: dict[str, str] = {}
    for base in content.get("defaults", []):
        if base != "_self_":
            values |= switch_values(project, base)
    return values | {k: v for k, v in content.items() if isinstance(v, str)}
