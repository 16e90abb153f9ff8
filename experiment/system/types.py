"""What checked settings are made of: strict dataclasses and ranges of numbers."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

#: Unknown keys, other types and numbers that are not finite are refused.
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")]


def one_of(choices: Iterable[str]) -> AfterValidator:
    """A word that must be one of `choices`, for `Annotated[str, one_of(...)]`."""
    allowed = tuple(choices)

    def check(value: str) -> str:
        if value not in allowed:
            *most, last = [repr(choice) for choice in allowed]
            raise ValueError(f"{', '.join(most)} or {last}" if most else last)
        return value

    return AfterValidator(check)
