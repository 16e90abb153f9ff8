"""How the site is built: `make docs`, or `python -m sphinx -W docs site`."""

import re
import sys
from pathlib import Path

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
autodoc_default_options = {"members": True, "show-inheritance": False}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
maximum_signature_line_length = 72

# The notebook is run while the site is built, in the folder of the program.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

#: What takes the place of a line of a page.
_GENERATED = {"<!-- settings -->": "settings_page", "<!-- faults -->": "faults_page"}


def _fill(app: Sphinx, page: str, source: list[str]) -> None:
    for line, module in _GENERATED.items():
        if f"\n{line}\n" in source[0]:
            made = __import__(f"docs.tools.{module}", fromlist=["markdown"])
            source[0] = source[0].replace(line, made.markdown())


#: `code` in a docstring, but not ``code`` or :role:`text`.
_BACKQUOTED = re.compile(r"(?<![`:])`([^`]+)`(?!`)")


def _as_code(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    text = _BACKQUOTED.sub(r"``\1``", "\n".join(lines))
    lines[:] = text.split("\n")


def setup(app: Sphinx) -> None:
    """Fills in tables made from the program, and takes backquotes as code."""
    app.connect("source-read", _fill)
    # Before napoleon, which takes a colon between single backquotes for a type.
    app.connect("autodoc-process-docstring", _as_code, priority=100)
