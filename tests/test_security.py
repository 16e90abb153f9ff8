"""No data are run: what SECURITY.md promises of all code that is installed."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import PACKAGES, ROOT

_RUN_DATA = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
_NUMPY = ("np.load", "numpy.load")
_YAML = ("yaml.safe_load", "yaml.safe_load_all")


def defects(text: str) -> Iterator[str]:
    """Where code could run what it reads: a line and what is there."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call):
            names = []
            words = ast.unparse(node.func)
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}
            given = [ast.unparse(a) for a in node.args]
            safe = "SafeLoader" in " ".join([*given, *options.values()])
            loads = words.startswith("yaml.") and "load" in words
            if (
                words in ("eval", "exec", "compile", "__import__")
                or (words in _NUMPY and options.get("allow_pickle") != "False")
                or (words == "torch.load" and options.get("weights_only") != "True")
                or (loads and words not in _YAML and not safe)
                or (words in ("yaml.compose", "yaml.parse") and not safe)
                or options.get("shell") == "True"
            ):
                yield f"{node.lineno}: {words}"
        else:
            continue
        yield from (
            f"{node.lineno}: {n}" for n in names if n.partition(".")[0] in _RUN_DATA
        )


def test_nothing_that_is_installed_runs_data() -> None:
    files = [f for package in PACKAGES for f in (ROOT / package).rglob("*.py")]
    found = [
        f"{f.relative_to(ROOT)}:{d}" for f in files for d in defects(f.read_text())
    ]
    assert len(files) > 300
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        *("import pickle", "from dill import loads", "eval(text)", "exec(text)"),
        *("np.load(path)", "np.load(path, allow_pickle=True)", "torch.load(path)"),
        *("torch.load(path, weights_only=False)", "yaml.load(text, yaml.Loader)"),
        *("yaml.load_all(text)", "yaml.compose(text)", "run(words, shell=True)"),
        *("yaml.unsafe_load(text)[0]", "yaml.full_load(text)"),
    ],
)
def test_each_way_is_seen(text: str) -> None:
    assert [*defects(text)] != []


def test_what_security_says_is_tested_where_it_says() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = [
        word.strip("`,")
        for word in page.split()
        if word.startswith("`tests/") or word.startswith("`test_")
    ]
    every = {p.name for p in Path(ROOT / "tests").rglob("*.py")}
    assert named and {Path(n).name for n in named} <= every
