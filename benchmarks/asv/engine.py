"""Takes the engine that measures along to the commits that are measured.

asv installs another commit and runs these benchmarks on it. `bridge.harness.bench_*`
measures and isn't measured: it has to be that of the benchmarks, or figures of two
commits would come from two engines, and commits from before it from none.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PACKAGE = "bridge.harness"
_FOLDER = ROOT / "bridge" / "harness"


class _EngineFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: object = None
    ) -> ModuleSpec | None:
        if fullname == _PACKAGE:
            if any((Path(p) / "harness" / "__init__.py").exists() for p in path or ()):
                return None
            file = _FOLDER / "__init__.py"
            places = [str(_FOLDER)]
            return spec_from_file_location(
                fullname, file, submodule_search_locations=places
            )
        package, _, module = fullname.rpartition(".")
        if package == _PACKAGE and module.startswith("bench_"):
            return spec_from_file_location(fullname, _FOLDER / f"{module}.py")
        return None


def use_engine_of_this_checkout() -> None:
    """Does nothing where `bridge` is that of the checkout of the benchmarks."""
    bridge = find_spec("bridge")
    if bridge is None or bridge.origin is None:
        return
    if not Path(bridge.origin).resolve().is_relative_to(ROOT.resolve()):
        sys.meta_path.insert(0, _EngineFinder())
