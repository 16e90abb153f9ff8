"""All benchmark cases, one literal table; importing it imports neither framework."""

from collections.abc import Iterable

from benchmarks._case import PROFILES, Case, Profile
from benchmarks.cases import (
    compiling,
    converters,
    data,
    models,
    physics,
    runs,
    starting,
    training,
)


def by_name(cases: Iterable[Case]) -> dict[str, Case]:
    """The cases by name.

    Raises:
        ValueError: Two have one name.
    """
    table: dict[str, Case] = {}
    for case in cases:
        if case.name in table:
            raise ValueError(f"two cases are named `{case.name}`; rename one")
        table[case.name] = case
    return table


CASES: dict[str, Case] = by_name(
    [
        *converters.CASES,
        *models.CASES,
        *training.CASES,
        *data.CASES,
        *physics.CASES,
        *compiling.CASES,
        *runs.CASES,
        *starting.CASES,
    ]
)
#: What is measured, in the order to be shown.
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(c.group for c in CASES.values()))


def cases_of(profile: Profile) -> dict[str, Case]:
    """The cases that a profile runs; `fast` within `regular` within `large`.

    Raises:
        ValueError: There is no such profile.
    """
    if profile not in PROFILES:
        raise ValueError(
            f"`profile` is {profile!r}; allowed: {', '.join(PROFILES)}"
            " (environment variable BENCHMARK_PROFILE)"
        )
    allowed = PROFILES[: PROFILES.index(profile) + 1]
    return {name: case for name, case in CASES.items() if case.profile in allowed}
