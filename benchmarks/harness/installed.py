"""The code that is installed: where it comes from, and what it lacks."""

from importlib.util import find_spec
from pathlib import Path

#: What a commit brings.
PACKAGES = ("experiment", "legacy", "phiml_port", "bridge")


def installed_root() -> Path:
    """The checkout that is installed; its `conf/` and `run.py` belong to its code.

    Raises:
        ImportError: No code of the project is installed.
    """
    spec = find_spec("bridge")
    if spec is None or spec.origin is None:
        raise ImportError("`bridge` is not installed; run `pip install -e .`")
    return Path(spec.origin).parents[1]


def check_code(environment: Path) -> None:
    """Makes sure that the code of the commit is measured and not the working tree's.

    Args:
        environment: Where asv installs commits.

    Raises:
        RuntimeError: A package would be imported from elsewhere.
    """
    for package in PACKAGES:
        spec = find_spec(package)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or not origin.is_relative_to(environment.resolve()):
            raise RuntimeError(
                f"`{package}` would be imported from {origin}, expected a path in"
                f" {environment}; unset ASV_PYTHONPATH and run asv anew"
            )


def is_lack(error: Exception) -> bool:
    """Whether the installed commit lacks something: a module, a preset, a setting.

    Or an attribute of one of its own objects. On the commit of the benchmarks that is a
    mistake, which the tests of the cases find.
    """
    if isinstance(error, ImportError):
        return True
    if isinstance(error, AttributeError):
        owner = error.obj if isinstance(error.obj, type) else type(error.obj)
        return owner.__module__.split(".")[0] in PACKAGES
    return isinstance(error, _errors_of_settings())


def _errors_of_settings() -> tuple[type[Exception], ...]:
    from hydra.errors import HydraException

    try:
        from experiment.system import SettingsError
    except ImportError:
        return (HydraException,)
    return (HydraException, SettingsError)
