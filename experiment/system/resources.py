"""Files of the program that are no Python: where they are."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def resource(path: str) -> Path:
    """A file or folder that belongs to the program.

    Args:
        path: Where it is in the checkout, such as `conf`.

    Returns:
        Its path inside this package where the program was installed from a wheel, else
        beside this package, in the checkout.
    """
    inside = _PACKAGE / path
    return inside if inside.exists() else _PACKAGE.parent / path
