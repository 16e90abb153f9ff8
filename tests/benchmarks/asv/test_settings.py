"""asv's settings, the committed results, and the pages made of them."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from asv.config import Config

from benchmarks.asv import speed
from benchmarks.reports import pages
from tests.helpers import ROOT

RESULTS = ROOT / "benchmarks" / "asv" / "results"


def test_the_settings_name_paths_that_exist() -> None:
    config: Any = Config.load(str(ROOT / "asv.conf.json"))
    assert config.project == "hyco-migration"
    assert (ROOT / config.benchmark_dir / "__init__.py").is_file()
    assert (ROOT / config.results_dir / "benchmarks.json").is_file()
    scripts = re.findall(r"\{conf_dir\}/(\S+)", " ".join(config.install_command))
    assert scripts and all((ROOT / script).is_file() for script in scripts)


def test_environments_and_pages_are_ignored_by_git() -> None:
    config: Any = Config.load(str(ROOT / "asv.conf.json"))
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
    for folder in (config.env_dir, config.html_dir, speed.KEPT / "speed"):
        assert Path(folder).parts[0] in ignored


def test_only_pyproject_pins_versions() -> None:
    config: Any = Config.load(str(ROOT / "asv.conf.json"))
    assert set(config.matrix) <= {"env_nobuild"}


def test_committed_results_name_no_path_and_no_host() -> None:
    files = sorted(RESULTS.rglob("reference-2core/*.json"))
    files.append(RESULTS / "benchmarks.json")
    for file in files:
        text = file.read_text()
        assert not re.search(r'"/\w|/home/|/tmp/|https?://', text), file.name
        assert file.stat().st_size < 200_000, file.name


def test_three_commits_have_results() -> None:
    folder = RESULTS / "reference-2core"
    results = [json.loads(p.read_text()) for p in folder.glob("*-virtualenv-*.json")]
    assert len({r["commit_hash"] for r in results}) >= 3
    assert all(pages.BENCHMARK in r["results"] for r in results)


@pytest.mark.slow
def test_the_pages_show_both_sides() -> None:
    if not (shutil.which("chromium") or shutil.which("chromium-browser")):
        pytest.skip("no Chromium on the PATH to open the pages with")
    if not shutil.which("npm"):
        pytest.skip("no npm on the PATH to fetch the scripts of the pages with")
    assert pages.seen() == ["implementation-legacy", "implementation-step3"]
