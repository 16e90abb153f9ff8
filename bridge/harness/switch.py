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
    """The preset that a run uses by default.

    Raises:
        HarnessError: The file can't be read, or has no list `defaults` that begins
            with a name.
    """
    return str(_chosen(project, _text(project)).value)


def _text(project: Project) -> str:
    try:
        return project.default_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"`{project.default_file}` can't be read: {error}") from None


def _chosen(project: Project, text: str) -> yaml.ScalarNode:
    """The first of `defaults`, with its place in the text."""
    try:
        tree = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise HarnessError(f"`{project.default_file}` is no YAML: {error}") from None
    pairs = tree.value if isinstance(tree, yaml.MappingNode) else []
    lists = [value for key, value in pairs if key.value == "defaults"]
    if len(lists) == 1 and isinstance(lists[0], yaml.SequenceNode):
        first = lists[0].value[:1]
        if first and isinstance(first[0], yaml.ScalarNode) and first[0].value:
            return first[0]
    raise HarnessError(
        f"`{project.default_file}` has no list `defaults` that begins with the name of"
        " a preset; expected `defaults:` and below it `- legacy`, for instance"
    )


def choose_preset(project: Project, preset: str) -> str:
    """Makes a preset the committed default.

    Returns:
        The file, and its lines that changed, as `-old` and `+new`; empty if none did.

    Raises:
        HarnessError: The default is a file of an installed package, or can't be read
            or changed.
    """
    path = project.default_file
    _refuse_installed(project, preset)
    before = _text(project)
    chosen = _chosen(project, before)
    if chosen.value == preset:
        return ""
    start, end = chosen.start_mark.index, chosen.end_mark.index
    after = before[:start] + preset + before[end:]
    if _chosen(project, after).value != preset:
        raise HarnessError(
            f"`{path}` was not changed: as it is written, `{preset}` would not be what"
            f" is read in place of `{chosen.value}`; write it by hand"
        )
    write_file(path, after)
    if default_preset(project) != preset:
        raise HarnessError(
            f"`{path}` was written, and reads `{default_preset(project)}` where"
            f" `{preset}` was asked for: somebody else changes it too"
        )
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    changed = [f"-{old}\n+{new}" for old, new in lines if old != new]
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

    Raises:
        HarnessError: The default is no preset, or its file can't be read or changed.
    """
    order, now = list(project.presets), default_preset(project)
    if now not in order:
        raise HarnessError(
            f"`{project.default_file}` names `{now}`, which is no preset: there are"
            f" {', '.join(order)}; write the one that you want by hand"
        )
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
