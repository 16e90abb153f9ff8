"""What a migration's verification compares, and what it leaves out and why."""

from typing import TYPE_CHECKING

from bridge.migration.pair import Pair, SideError
from bridge.migration.rungs import rungs_of
from bridge.migration.seen import best

if TYPE_CHECKING:
    from bridge.migration.migration import Migration

_REASONS = {
    "R2": "the sides are trainers, or a layout or `leaves` hides their layers",
    "R3": "the sides are trainers, or there is no `batch`",
    "R4": "there is no `loss`",
    "R5": "there is no `loss`",
    "R6": "there is no `optimiser`, and no `step`",
    "R7": "the sides have no `rate`",
    "R8": "the sides have no `batches`",
    "R9": "there is no `optimiser`, and no `step`",
}


def explain(migration: "Migration") -> str:
    """Text of some lines: rungs, precisions, symmetries, leaves."""
    lines = [f"{migration.name}: control against candidate"]
    lines += [f"  {rung.name}  {rung.compares}" for rung in rungs_of(migration.applies)]
    left_out = [name for name in _REASONS if not migration.applies(name)]
    lines += [f"  {name}  not compared: {_REASONS[name]}" for name in left_out]
    if len(migration.precisions) > 1:
        lines.append(
            f"in {', '.join(migration.precisions)}; updates and trajectories in"
            f" {best(migration.precisions)} alone, as an optimiser that divides by a"
            " gradient's size amplifies rounding"
        )
    pair = Pair(migration, best(migration.precisions))
    try:
        pair.build()
    except SideError as error:
        return "\n".join([*lines, f"not built: {error}"])
    names = ", ".join(s.name for s in pair.symmetries) or "none"
    lines.append(f"the control's own rounding is measured by: {names}")
    lines.append(f"{len(pair.shapes)} leaves, {pair.depth:.0f} operations in a forward")
    if not pair.control_is_trainer and pair.noise:
        lines.append(
            "gradient 0 but for rounding, so updates aren't judged: "
            + ", ".join(sorted(pair.noise))
        )
    lines += [f"note: {note}" for note in pair.notes]
    return "\n".join(lines)
