"""asv: its settings, what it finds, what it installs, and what is never timed."""

import ast
import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asv.config import Config
from asv_runner.discovery import disc_benchmarks

import benchmarks
from benchmarks import asv_cases, pages, speed
from benchmarks._case import Case, Subject
from benchmarks._install import InstallError, requests, torch_pin
from benchmarks._verdicts import Verdict, verdicts_of
from benchmarks.cases import GROUPS, cases_of
from experiment.run import RunFolder
from experiment.system import SettingsError

ROOT = Path(__file__).parents[2]
MEASURED = ("time_", "peakmem_", "track_same_result", "track_ratio_")


@pytest.fixture(scope="module")
def listed() -> list[Any]:
    """What asv itself discovers in `benchmarks/`."""
    return list(disc_benchmarks(str(Path(benchmarks.__file__).parent)))


def project(text: str, folder: Path) -> Path:
    """A checkout with nothing but a `pyproject.toml`."""
    (folder / "pyproject.toml").write_text(text)
    return folder


# Settings


def test_the_settings_name_places_that_exist() -> None:
    config: Any = Config.load(str(ROOT / "asv.conf.json"))
    assert config.project == "hyco-migration"
    assert (ROOT / config.benchmark_dir / "__init__.py").is_file()
    assert (ROOT / config.results_dir / "benchmarks.json").is_file()
    scripts = re.findall(r"\{conf_dir\}/(\S+)", " ".join(config.install_command))
    assert scripts and all((ROOT / script).is_file() for script in scripts)


def test_environments_and_pages_are_ignored_by_git() -> None:
    config: Any = Config.load(str(ROOT / "asv.conf.json"))
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
    for place in (config.env_dir, config.html_dir, speed.KEPT / "speed"):
        assert Path(place).parts[0] in ignored


def test_only_pyproject_pins_versions() -> None:
    config: Any = Config.load(str(ROOT / "asv.conf.json"))
    assert set(config.matrix) <= {"env_nobuild"}


def test_committed_results_name_no_path_and_no_host() -> None:
    files = sorted((ROOT / "benchmarks" / "results").rglob("reference-2core/*.json"))
    files.append(ROOT / "benchmarks" / "results" / "benchmarks.json")
    for file in files:
        text = file.read_text()
        assert not re.search(r'"/\w|/home/|/tmp/|https?://', text), file.name
        assert file.stat().st_size < 200_000, file.name


def test_three_commits_have_results() -> None:
    folder = ROOT / "benchmarks" / "results" / "reference-2core"
    results = [json.loads(p.read_text()) for p in folder.glob("*-virtualenv-*.json")]
    assert len({r["commit_hash"] for r in results}) >= 3
    assert all(pages.BENCHMARK in r["results"] for r in results)


# Discovery


def test_asv_lists_four_figures_of_every_group(listed: list[Any]) -> None:
    names = [b.name.split(".") for b in listed]
    assert {module for module, *_ in names} == {"asv_cases"}
    found = {
        c: [name for _, own, name in names if own == c] for c in {n[1] for n in names}
    }
    for methods in found.values():
        assert len(methods) == len(MEASURED)
        assert all(any(m.startswith(what) for m in methods) for what in MEASURED)
    groups = {getattr(asv_cases, name).group for name in found}
    assert groups == {case.group for case in cases_of("fast").values()}


def test_every_group_has_a_class() -> None:
    assert asv_cases._Sides.known == set(GROUPS)


def test_the_implementation_is_the_first_parameter(listed: list[Any]) -> None:
    assert all(b.param_names == ["implementation", "case"] for b in listed)
    assert all(len(b.params[0]) > 1 for b in listed)


def test_every_group_keeps_its_own_cache(listed: list[Any]) -> None:
    keys = {b.setup_cache_key for b in listed}
    assert len(keys) == len({b.name.split(".")[1] for b in listed})


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
    verdicts = verdicts_of([case], tmp_path)["one"]
    verdicts["legacy"].demand()
    with pytest.raises(NotImplementedError, match="step9"):
        verdicts["port"].demand()


@pytest.mark.parametrize(
    "error", (ZeroDivisionError("no"), AttributeError("no", obj=np.zeros(1), name="no"))
)
def test_a_side_that_raises_is_failed(tmp_path: Path, error: Exception) -> None:
    case = a_case(legacy=lambda: subject([3, 4]), port=raising(error))
    with pytest.raises(RuntimeError, match=type(error).__name__):
        verdicts_of([case], tmp_path)["one"]["port"].demand()


def test_without_a_control_nothing_is_timed(tmp_path: Path) -> None:
    case = a_case(legacy=raising(ImportError("old")), port=lambda: subject([3, 4]))
    with pytest.raises(NotImplementedError, match="old"):
        verdicts_of([case], tmp_path)["one"]["port"].demand()


def test_setup_builds_and_warms_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    case = a_case(legacy=lambda: subject([3, 4], calls))
    monkeypatch.setitem(asv_cases.CASES, "one", case)
    monkeypatch.chdir(tmp_path)
    timed = asv_cases.TrainingStep()
    verdicts = verdicts_of([case], tmp_path)
    for _ in range(3):
        timed.setup(verdicts, "legacy", "one")
    assert len(calls) == asv_cases.WARM_UP
    timed.time_run(verdicts, "legacy", "one")
    assert len(calls) == asv_cases.WARM_UP + 1
    with pytest.raises(NotImplementedError, match="no side step1"):
        timed.setup(verdicts, "step1", "one")


def test_code_from_elsewhere_is_not_measured(tmp_path: Path) -> None:
    asv_cases.check_code(ROOT)
    with pytest.raises(RuntimeError, match="`experiment` would be imported from"):
        asv_cases.check_code(tmp_path)


# Installing


def test_torch_goes_in_first_alone_and_exact() -> None:
    torch, commit = requests(ROOT)
    assert len(torch) == 1 and re.fullmatch(r"torch==\d+\.\d+\.\d+", torch[0])
    assert commit == ["--editable", f"{ROOT}[jax]"]


def test_a_commit_without_the_extra_goes_in_without(tmp_path: Path) -> None:
    checkout = project('[project]\ndependencies = ["torch == 1.2.3"]\n', tmp_path)
    assert requests(checkout) == [["torch==1.2.3"], ["--editable", str(checkout)]]


@pytest.mark.parametrize(
    "asked",
    (
        [],
        ["numpy==1.0"],
        ["torchvision==0.1"],
        ["torch-geometric==1"],
        ["torch"],
        ["torch>=2"],
        ["torch==2.*"],
        ["torch==1.0", "torch==2.0"],
        ["torch==1.0; sys_platform == 'linux'"],
    ),
)
def test_any_other_request_for_torch_is_refused(asked: list[str]) -> None:
    with pytest.raises(InstallError, match="expected one exact version.*pin it"):
        torch_pin({"dependencies": asked})


@pytest.mark.parametrize(
    ("text", "message"),
    (
        (None, "is missing.*give the root of a checkout"),
        ("[project", "no valid TOML.*repair it"),
        ("[tool]\n", r"no table `\[project\]`.*repair it"),
    ),
)
def test_a_broken_pyproject_is_explained(
    tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        project(text, tmp_path)
    with pytest.raises(InstallError, match=message):
        requests(tmp_path)


def test_the_install_script_needs_no_package(tmp_path: Path) -> None:
    """Isolated and without site-packages: the standard library has to be enough."""
    script = ROOT / "benchmarks" / "_install.py"
    answer = subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 2
    assert "`pyproject.toml` is missing" in answer.stderr


# The comparison of two commits


def row(before: float, after: float, unit: str = asv_cases.RATIO) -> speed.Row:
    """A row with names as long as they get."""
    return speed.Row("asv_cases.Group.track_x", "n" * 40, "s" * 20, unit, before, after)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    ((1.4, 1.5, "equal"), (1.4, 1.0, "slower"), (1.0, 1.4, "faster")),
)
def test_a_change_is_named(before: float, after: float, word: str) -> None:
    assert row(before, after).change().endswith(word)


def test_seconds_and_failures_are_not_judged() -> None:
    assert row(1.0, 9.0, "seconds").change() == ""
    assert row(math.nan, 1.0).change() == "-"
    assert row(1.0, math.inf).change() == "-"
    assert "failed" in speed.table([row(1.0, math.inf)], ["b" * 40, "a" * 40])


def test_the_table_is_no_wider_than_a_terminal() -> None:
    rows = [row(123456.0, 0.000123456, unit) for unit in ("seconds", asv_cases.RATIO)]
    lines = speed.table(rows, ["b" * 40, "a" * 40]).splitlines()
    assert max(map(len, lines)) <= 80


def test_one_commit_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=m"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "One"]):
        subprocess.run(["git", *own, *command], check=True)
    with pytest.raises(SystemExit, match="has no two: commit what"):
        speed.last_two()


# The pages


@pytest.mark.slow
def test_the_pages_show_both_sides() -> None:
    if not (shutil.which("chromium") or shutil.which("chromium-browser")):
        pytest.skip("no Chromium on the PATH to open the pages with")
    if not shutil.which("npm"):
        pytest.skip("no npm on the PATH to fetch the scripts of the pages with")
    assert pages.seen() == ["implementation-legacy", "implementation-step3"]


def test_no_module_needs_what_asv_environments_lack() -> None:
    """asv imports every module of the folder where only the project is installed."""
    folder = Path(__file__).parents[2] / "benchmarks"
    for file in folder.rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            names = [getattr(node, "module", None) or ""]
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert not {n.split(".")[0] for n in names} & {"pytest", "asv"}, file
