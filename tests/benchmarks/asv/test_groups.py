"""asv: what it discovers, and what is never timed."""

import ast
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asv_runner.discovery import disc_benchmarks

import benchmarks
from benchmarks.asv import groups
from benchmarks.cases import GROUPS, cases_of
from benchmarks.harness.installed import PACKAGES, check_code, is_lack
from bridge.harness.bench_case import Case, Subject
from bridge.harness.bench_verdicts import Verdict, verdicts_of
from experiment.run import RunFolder
from experiment.system import SettingsError
from tests.helpers import ROOT

MEASURED = ("time_", "peakmem_", "track_same_result", "track_ratio_")


@pytest.fixture(scope="module")
def listed() -> list[Any]:
    """What asv itself discovers in `benchmarks/`."""
    return list(disc_benchmarks(str(Path(benchmarks.__file__).parent)))


# Discovery


def test_asv_lists_four_figures_of_every_group(listed: list[Any]) -> None:
    names = [b.name.rsplit(".", 2) for b in listed]
    assert {module for module, *_ in names} == {"asv.groups"}
    methods: dict[str, list[str]] = {}
    for _, kind, method in names:
        methods.setdefault(kind, []).append(method)
    for measured in methods.values():
        assert len(measured) == len(MEASURED)
        assert all(any(m.startswith(what) for m in measured) for what in MEASURED)
    listed_groups = {getattr(groups, name).group for name in methods}
    assert listed_groups == {case.group for case in cases_of("fast").values()}


def test_every_group_has_a_class() -> None:
    assert groups._Sides.known == set(GROUPS)


def test_the_implementation_is_the_first_parameter(listed: list[Any]) -> None:
    assert all(b.param_names == ["implementation", "case"] for b in listed)
    assert all(len(b.params[0]) > 1 for b in listed)


def test_every_group_keeps_its_own_cache(listed: list[Any]) -> None:
    keys = {b.setup_cache_key for b in listed}
    assert len(keys) == len({b.name.split(".")[2] for b in listed})


# What is timed


def subject(values: list[float], calls: list[str] | None = None) -> Subject:
    """A side that notes its runs and gives `values`."""

    def run() -> None:
        if calls is not None:
            calls.append("run")

    return Subject(
        run, lambda: {"values": np.array(values, dtype=float)}, {"samples": 2}
    )


def a_case(**sides: Any) -> Case:
    """A case of these sides, which may differ by 1e-6."""
    return Case(
        "one", "group", {n: lambda _, s=s: s() for n, s in sides.items()}, (), 1e-6
    )


def raising(error: Exception) -> Any:
    """A side that can't be built."""

    def build() -> Subject:
        raise error

    return build


def test_the_difference_is_relative_to_the_control(tmp_path: Path) -> None:
    """Of (3, 4), off by 5e-7 in one value: 5e-7 / |(3, 4)| = 1e-7."""
    case = a_case(legacy=lambda: subject([3, 4]), port=lambda: subject([3, 4 + 5e-7]))
    verdicts = verdicts_of([case], tmp_path)["one"]
    assert verdicts["legacy"] == Verdict(0)
    assert not verdicts["port"].wrong
    assert verdicts["port"].difference == pytest.approx(1e-7, rel=1e-6)
    verdicts["port"].demand()


@pytest.mark.parametrize("values", ([3, 4.1], [3, math.nan], [3], [0, 0]))
def test_a_side_that_differs_is_failed(tmp_path: Path, values: list[float]) -> None:
    case = a_case(legacy=lambda: subject([3, 4]), port=lambda: subject(values))
    verdict = verdicts_of([case], tmp_path)["one"]["port"]
    assert math.isnan(verdict.difference)
    with pytest.raises(RuntimeError, match="one, port"):
        verdict.demand()


@pytest.mark.parametrize(
    "error",
    (
        ImportError("no module step9"),
        SettingsError("unknown preset step9"),
        AttributeError("no step9", obj=RunFolder, name="step9"),
    ),
)
def test_what_a_commit_lacks_is_skipped(tmp_path: Path, error: Exception) -> None:
    case = a_case(legacy=lambda: subject([3, 4]), port=raising(error))
    verdicts = verdicts_of([case], tmp_path, is_lack)["one"]
    verdicts["legacy"].demand()
    with pytest.raises(NotImplementedError, match="step9"):
        verdicts["port"].demand()


@pytest.mark.parametrize(
    "error", (ZeroDivisionError("no"), AttributeError("no", obj=np.zeros(1), name="no"))
)
def test_a_side_that_raises_is_failed(tmp_path: Path, error: Exception) -> None:
    case = a_case(legacy=lambda: subject([3, 4]), port=raising(error))
    with pytest.raises(RuntimeError, match=type(error).__name__):
        verdicts_of([case], tmp_path, is_lack)["one"]["port"].demand()


def test_without_a_control_nothing_is_timed(tmp_path: Path) -> None:
    case = a_case(legacy=raising(ImportError("old")), port=lambda: subject([3, 4]))
    with pytest.raises(NotImplementedError, match="old"):
        verdicts_of([case], tmp_path)["one"]["port"].demand()


def test_setup_builds_and_warms_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    case = a_case(legacy=lambda: subject([3, 4], calls))
    monkeypatch.setitem(groups.CASES, "one", case)
    monkeypatch.chdir(tmp_path)
    timed = groups.TrainingStep()
    verdicts = verdicts_of([case], tmp_path)
    for _ in range(3):
        timed.setup(verdicts, "legacy", "one")
    assert len(calls) == groups.WARM_UP
    timed.time_run(verdicts, "legacy", "one")
    assert len(calls) == groups.WARM_UP + 1
    with pytest.raises(NotImplementedError, match="no side step1"):
        timed.setup(verdicts, "step1", "one")


def test_code_from_elsewhere_is_not_measured(tmp_path: Path) -> None:
    check_code(ROOT)
    with pytest.raises(RuntimeError, match="`experiment` would be imported from"):
        check_code(tmp_path)


def judged_elsewhere(folder: Path, code: str) -> str:
    """What a process prints that has an empty project in front of ours.

    Args:
        folder: Gets the packages of a commit that has nothing that we need.
        code: What the process runs, with the benchmarks of this checkout.
    """
    for package in PACKAGES:
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text("")
    loaded = f"""
import sys
from importlib.util import module_from_spec, spec_from_file_location
place = {str(ROOT / "benchmarks")!r}
spec = spec_from_file_location(
    "benchmarks", place + "/__init__.py", submodule_search_locations=[place]
)
sys.modules["benchmarks"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["benchmarks"])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", loaded + code],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_older_commit_lacks_and_does_not_fail(tmp_path: Path) -> None:
    """Whatever it lacks skips the case; the engine is that of the benchmarks."""
    printed = judged_elsewhere(
        tmp_path,
        """
from pathlib import Path
from benchmarks.asv import groups
from bridge.harness import bench_verdicts
import experiment
print(Path(experiment.__file__).parents[1] == Path.cwd())
print(bench_verdicts.__file__)
for kind in (groups.TrainingStep, groups.Data, groups.PhysicsGradient, groups.Starting):
    for name, sides in kind()._judged().items():
        print(name, all(v.lacks and not v.wrong for v in sides.values()))
""".replace("groups.Starting", "groups.Generation"),
    )
    ours, engine, *judged = printed.split("\n")[:-1]
    assert ours == "True" and Path(engine).is_relative_to(ROOT)
    assert len(judged) > 4 and all(line.endswith(" True") for line in judged), printed


def test_the_engine_of_this_checkout_is_imported_as_it_lies() -> None:
    import bridge.harness.bench_case as engine

    assert Path(engine.__file__).is_relative_to(ROOT)
    assert not any(type(f).__name__ == "_EngineFinder" for f in sys.meta_path)


def test_no_module_needs_what_asv_environments_lack() -> None:
    """asv imports every module of the folder where only the project is installed."""
    folder = ROOT / "benchmarks"
    for file in folder.rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            names = [getattr(node, "module", None) or ""]
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert not {n.split(".")[0] for n in names} & {"pytest", "asv"}, file
