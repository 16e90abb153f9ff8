"""The site: built without a warning, read without a network, on a phone too."""

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from docs.tools.settings_page import sections
from tests.helpers import ROOT

#: Rooms whose docstrings are the reference, with the page that has them.
ROOMS = {
    "bridge.convert": "api/bridge",
    "bridge.harness": "api/bridge",
    "experiment.settings": "api/settings",
    "experiment.equations": "api/equations",
}
#: What a browser fetches by itself, in HTML and in CSS.
_FETCHED = re.compile(
    r"<(?:script|img|iframe|source|video|audio)[^>]*\ssrc=[\"']([^\"']+)"
    r"|<link[^>]*\shref=[\"']([^\"']+)"
    r"|url\([\"']?([^)\"']+)|@import\s+[\"']([^\"']+)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, its notebook executed; a warning ends the build."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E"]
        + ["-d", str(folder / "doctrees"), "docs", str(folder / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


def _pages(site: Path) -> Iterator[tuple[str, str]]:
    for page in site.rglob("*.html"):
        yield page.relative_to(site).as_posix(), page.read_text(encoding="utf-8")


def fetched(text: str) -> list[str]:
    """Addresses that a browser fetches from another host."""
    found = [next(filter(None, m.groups())) for m in _FETCHED.finditer(text)]
    return [a for a in found if re.match(r"(?:https?:)?//", a)]


def test_what_is_fetched_elsewhere_is_seen() -> None:
    assert fetched('<script async src="https://cdn.example/x.js">') != []
    assert fetched("<link rel='stylesheet' href='//fonts.example/f'>") != []
    assert fetched("@font-face { src: url(https://fonts.example/f.woff2) }") != []
    assert fetched('<img src="a.png"><a href="https://example.org">there</a>') == []


@pytest.mark.slow
def test_nothing_is_fetched_from_another_host(site: Path) -> None:
    pages = dict(_pages(site))
    styles = {p.name: p.read_text() for p in site.rglob("*.css")}
    assert len(pages) > 15 and styles
    for name, text in (pages | styles).items():
        assert fetched(text) == [], name


@pytest.mark.slow
def test_pages_fit_a_phone(site: Path) -> None:
    for name, text in _pages(site):
        assert '<meta name="viewport" content="width=device-width' in text, name
        tables = text.count('<table class="docutils')
        assert text.count('class="table-wrapper') >= tables, name
    assert (site / "settings.html").read_text().count("<table") == len(sections())
    styles = (site / "_static" / "site.css").read_text()
    assert ".table-wrapper { overflow-x: auto; }" in styles


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_in_the_reference(site: Path, room: str) -> None:
    page = (site / f"{ROOMS[room]}.html").read_text()
    module = import_module(room)
    # The name of a union or of a table is no class and has no docstring of its own.
    public = [n for n in module.__all__ if _has_docstring(getattr(module, n))]
    assert len(public) > 3
    assert not [name for name in public if f'id="{room}.{name}"' not in page]


def _has_docstring(thing: object) -> bool:
    return inspect.isclass(thing) or inspect.isfunction(thing)


@pytest.mark.slow
def test_tables_of_the_program_are_filled_in(site: Path) -> None:
    settings = (site / "settings.html").read_text()
    faults = (site / "faults.html").read_text()
    assert "trainer.hybrid.keep_best" in settings and "Adam eps 1e-7" in faults
    assert "<!-- settings -->" not in settings and "<!-- faults -->" not in faults


@pytest.mark.slow
def test_the_notebook_drew_its_curve(site: Path) -> None:
    notebook = json.loads((ROOT / "docs/notebooks/first_run.ipynb").read_text())
    for cell in notebook["cells"]:
        # Outputs are made when the site is built; committed ones would grow old.
        assert not cell.get("outputs"), "clear the outputs of the notebook"
    page = (site / "notebooks" / "first_run.html").read_text()
    shown = re.search(r'<img[^>]*src="(\.\./_images/[^"]+\.png)"', page)
    assert shown is not None
    picture = (site / "notebooks" / shown[1]).resolve()
    assert picture.stat().st_size > 5000
