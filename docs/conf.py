"""How the site is built: `make docs`, or `python -m sphinx -W docs site`."""

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

project = "HYCO, from PyTorch to PhiML"
html_title = project
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb"]
exclude_patterns = ["architecture/*", "tools"]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
# Nothing is fetched from another host: furo has no fonts of its own, and the widgets
# that a notebook could show would bring scripts.
nb_ipywidgets_js: dict[str, object] = {}

myst_heading_anchors = 3

napoleon_use_rtype = False
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 72

# The notebook is run while the site is built, in its own folder.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True

#: What takes the place of a line of a page.
_GENERATED = {"<!-- settings -->": "settings_page", "<!-- faults -->": "faults_page"}


def _fill(app: Sphinx, page: str, source: list[str]) -> None:
    """Puts tables that are made from the program into a page."""
    for line, module in _GENERATED.items():
        if f"\n{line}\n" in source[0]:
            made = import_module(f"docs.tools.{module}")
            source[0] = source[0].replace(line, made.markdown())


#: `code` in a docstring, but not ``code`` or :role:`text`.
_BACKQUOTED = re.compile(r"(?<![`:])`([^`]+)`(?!`)")


def _as_code(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Marks what a docstring has between single backquotes as code."""
    text = _BACKQUOTED.sub(r"``\1``", "\n".join(lines))
    lines[:] = text.split("\n")


def _keep_inside(app: Sphinx) -> None:
    """Has myst-nb write below the doctrees, not beside the site."""
    folder = str(Path(app.doctreedir) / "jupyter_execute")
    # An attribute that myst-nb adds, which Sphinx's own types don't know.
    environment: Any = app.env
    environment.mystnb_config = environment.mystnb_config.copy(output_folder=folder)


def setup(app: Sphinx) -> None:
    """Connects the functions above."""
    app.connect("source-read", _fill)
    # After myst-nb's own, which has the usual priority of 500.
    app.connect("builder-inited", _keep_inside, priority=600)
    # Before napoleon, which takes a colon between single backquotes for a type.
    app.connect("autodoc-process-docstring", _as_code, priority=100)
