"""What checked settings are made of: strict dataclasses and ranges of numbers.

Every range has two ends, so that no number that is only a slip of the finger begins
work that never ends, or leaves the range of `float32`.
"""

import os
from collections.abc import Callable, Iterable
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

#: Unknown keys, other types and numbers that are not finite are refused.
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

_MOST = 10**7
_SMALL, _LARGE = 1e-30, 1e30


def _above(least: float) -> Callable[[float], float]:
    def check(value: float) -> float:
        if value < least:
            raise ValueError(f"{least:g} and more")
        return value

    return check


Count = Annotated[int, Field(ge=1, le=_MOST)]
Index = Annotated[int, Field(ge=0, le=_MOST)]
#: What random generators take.
Seed = Annotated[int, Field(ge=0, le=2**64 - 1)]
Positive = Annotated[float, Field(gt=0, le=_LARGE), AfterValidator(_above(_SMALL))]
NotNegative = Annotated[float, Field(ge=0, le=_LARGE)]
Number = Annotated[float, Field(ge=-_LARGE, le=_LARGE)]
#: A length in m or a time in s: its square, and one over it, are numbers of float32.
Extent = Annotated[float, Field(gt=0, le=1e15), AfterValidator(_above(1e-15))]


def _name(value: str) -> str:
    if set(value) <= {"."}:
        raise ValueError("a word of letters, digits, _, . and -, not only dots")
    return value


def _path(value: str) -> str:
    try:
        parts = [os.fsencode(part) for part in value.split("/")]
    except UnicodeError:
        parts = [b"\0"]
    longest, whole = max(map(len, parts)), sum(map(len, parts)) + len(parts)
    if not value.strip() or b"\0" in b"".join(parts):
        raise ValueError("the path of a file or folder, in UTF-8, with no NUL in it")
    if longest > 255 or whole > _LONGEST_PATH:
        raise ValueError(
            "a path whose names have at most 255 bytes each, and at most"
            f" {_LONGEST_PATH} together; these have {longest} and {whole}"
        )
    return value


#: Of the 4095 bytes that Linux takes, less what is put behind a folder.
_LONGEST_PATH = 3500

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100),
    AfterValidator(_name),
]
PathText = Annotated[str, AfterValidator(_path)]


def one_of(choices: Iterable[str]) -> AfterValidator:
    """A word that must be one of `choices`, for `Annotated[str, one_of(...)]`."""
    allowed = tuple(choices)

    def check(value: str) -> str:
        if value not in allowed:
            *most, last = [repr(choice) for choice in allowed]
            raise ValueError(f"{', '.join(most)} or {last}" if most else last)
        return value

    return AfterValidator(check)
