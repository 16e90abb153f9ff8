"""Settings as plain values, compared and counted."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from experiment.equations import ParameterRange, parameter_range
from experiment.settings.coarsening import physics_equation
from experiment.settings.schema import Settings

ADAPTER = TypeAdapter(Settings)


def to_dict(settings: Settings) -> dict[str, Any]:
    """Settings as nested dicts, lists and scalars (the inverse of `check_settings`)."""
    return json.loads(ADAPTER.dump_json(settings))


def settings_with_content(settings: Settings) -> dict[str, Any]:
    """`to_dict` with the content of files that they name, as it is now.

    `data.observations.space` gets `file_sha256` where it names a file. Checkpoints keep
    what it was when their training began.
    """
    values = to_dict(settings)
    space = values["data"]["observations"]["space"]
    if space["file"] is not None:
        content = Path(space["file"]).read_bytes()
        space["file_sha256"] = hashlib.sha256(content).hexdigest()
    return values


def differences(
    stored: Mapping[str, Any], wanted: Mapping[str, Any], above: str = ""
) -> list[tuple[str, Any, Any]]:
    """Keys whose values differ, with both values; a missing one is `<none>`."""
    unequal: list[tuple[str, Any, Any]] = []
    for name in [*wanted, *(k for k in stored if k not in wanted)]:
        left, right = stored.get(name, "<none>"), wanted.get(name, "<none>")
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            unequal += differences(left, right, f"{above}{name}.")
        elif left != right:
            unequal.append((f"{above}{name}", left, right))
    return unequal


def precision_bits(precision: str) -> int:
    """Bits of a floating point number: 32 of `float32`, 64 of `float64`."""
    return {"float32": 32, "float64": 64}[precision]


def parameter_ranges(settings: Settings) -> dict[str, ParameterRange]:
    """Every learnable parameter by name, on the grid that physics is solved on.

    Raises:
        SettingsError: One doesn't fit.
    """
    equation = physics_equation(settings)
    learnable = settings.trainer.physical.learnable_parameters
    return {p.name: parameter_range(equation, p) for p in learnable}
