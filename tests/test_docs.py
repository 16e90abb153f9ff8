"""The pages name nothing that isn't there."""

import argparse
import ast
import configparser
import re
import shlex
from pathlib import Path
from typing import Any, cast

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from benchmarks.cases import CASES
from benchmarks.cases.words import cases_of_words
from benchmarks.reports.command import COMMAND
from bridge.cli import COMMANDS, door
from bridge.cli.words import words_of
from bridge.configuration import composed
from bridge.harness.bench_case import of_profile
from bridge.harness.project import Project
from bridge.harness.words import Words
from experiment.settings import check_settings
from hyco.run import given_keys
from tests.pages import lines_of_code

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda p: p.as_posix()
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(#[^)]*)?\)")


def _commands(start: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for line in lines_of_code(page.read_text()):
            text = re.sub(r" # .*| \| .*", "", line)
            if text.startswith(start):
                found.append((page.name, text))
    assert found, f"no page names `{start}...`"
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, _ in _LINK.findall(" ".join(page.read_text().split())):
        target = target.replace(" ", "")
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_picture_is_shown_somewhere() -> None:
    text = "".join(page.read_text() for page in PAGES)
    for picture in (ROOT / "docs" / "images").iterdir():
        assert f"images/{picture.name}" in text, picture.name


def test_every_measuring_command_exists() -> None:
    for page, command in _commands("python -m benchmarks."):
        words = shlex.split(command)
        module = ROOT / (words[2].replace(".", "/") + ".py")
        assert module.exists(), f"{page}: {command}"
        known = {
            node.value
            for node in ast.walk(ast.parse(module.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for word in (w for words_ in words[3:4] for w in words_.split("|")):
            shown = word.startswith("-") or "<" in word or word == "..."
            assert shown or word in known, f"{page}: {command}"


def test_every_bridge_command_exists() -> None:
    for page, command in _commands("python -m bridge ") + _commands("bridge "):
        words = shlex.split(command.replace("python -m bridge", "bridge", 1))[1:]
        if words == ["--help"]:
            continue
        for word in words[0].split("|"):
            assert word in {**COMMANDS, **door.HELP}, f"{page}: {command}"
        # What `bench` takes is known to its own parser, below.
        if words[0] in ("verify", "settings", "selftest"):
            _parse(COMMANDS[words[0]], ["all" if "<" in w else w for w in words[1:]])


def _parse(module: Any, words: list[str]) -> None:
    """As the command line does; settings must compose."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser, Project.find(ROOT))
    options, others = parser.parse_known_args(words)
    options.command = "verify"
    given = words_of(options, others)
    if given:
        assert composed(given.config, given.overrides)


def test_every_bench_command_measures_something() -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    COMMAND.add_arguments(parser)
    for page, command in _commands("python -m bridge bench"):
        words = shlex.split(command)[4:]
        given = [w for w in words if "=" in w]
        options = parser.parse_args([w for w in words if w not in given])
        config = [w.partition("=")[2] for w in given if w.startswith("--config-name=")]
        settings = tuple(w for w in given if not w.startswith("-"))
        if given:
            names = cases_of_words(Words(config[0] if config else None, settings))
        else:
            names = of_profile(CASES, options.profile)
        assert any((options.only or "") in name for name in names), f"{page}: {command}"


def test_every_run_command_composes() -> None:
    installed = [c for c in _commands("hyco ") if "--config-dir" not in c[1]]
    for page, command in _commands("python run.py ") + installed:
        # What a shell puts in the place of a variable.
        filled = re.sub(r"\$[A-Z_]+", "4711", command)
        words = shlex.split(filled.replace("python run.py", "hyco", 1))[1:]
        names = [w.split("=")[1] for w in words if w.startswith("--config-name=")]
        given = [w for w in words if not w.startswith("-")]
        overrides = [_first_value(w) for w in given] if "--multirun" in words else given
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = compose(names[0] if names else "burgers", overrides)
        plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
        assert check_settings(plain, given_keys(overrides)), f"{page}: {command}"


def _first_value(override: str) -> str:
    """An override of a sweep with the first of its values."""
    (parsed,) = OverridesParser.create().parse_overrides([override])
    if not parsed.is_sweep_override():
        return override
    return f"{parsed.key_or_group}={next(parsed.sweep_string_iterator())}"


def test_every_tox_environment_exists() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "tox.ini")
    listed = {n.strip() for n in parser["tox"]["envlist"].split(",")}
    assert listed == {s.split(":")[1] for s in parser.sections() if ":" in s}
    for page, command in _commands("tox -e "):
        for name in command.split()[2].split("|"):
            assert name in listed, f"{page}: {command}"


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page, command in _commands("make "):
        assert f"\n{command.split()[1]}:" in makefile, f"{page}: {command}"
