"""All benchmark cases, one literal table; importing it imports neither framework."""

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
from bridge.harness.bench_case import Case, Profile, by_name, of_profile

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
    return of_profile(CASES, profile)
