"""Publishes asv's results: `python -m benchmarks.reports.pages [--picture FILE]`.

Opens a graph in a headless Chromium and lists the lines that its legend names. asv's
pages load their scripts from public hosts; where npm is there, they are fetched by it
instead, so that a browser without a way out shows the pages too.
"""

import argparse
import contextlib
import functools
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).parents[2]
BENCHMARK = "asv.groups.TrainingStep.track_ratio_to_baseline"
#: What is chosen of the benchmark, by parameter.
SHOWN = {"case": ["step-unet-16"], "implementation": ["legacy", "step3"]}
_TAG = re.compile(
    r'(?:<script src|<link rel="stylesheet" href)="(https://[^"]+)".*?>(?:</script>)?'
)
#: Package and version, as the addresses of the hosts have them.
_PACKAGE = re.compile(
    r"(?:ajax/libs/(?P<lib>[\w-]+)/|npm/(?P<npm>[\w-]+)@|com/(?P<own>jquery)-)"
    r"(?P<version>\d+\.\d+\.\d+)"
)


class PagesError(Exception):
    """Why the pages can't be shown, and what to do."""


def publish(folder: Path) -> Path:
    """Makes the pages of the committed results.

    Args:
        folder: Gets a folder `html`.

    Returns:
        That folder.

    Raises:
        PagesError: asv can't make them.
    """
    html = folder / "html"
    asv = [sys.executable, "-m", "asv", "publish", "--no-pull", "-o", str(html)]
    answer = subprocess.run(asv, cwd=ROOT, capture_output=True, text=True)
    if answer.returncode:
        raise PagesError(f"`asv publish` failed:\n{answer.stdout}{answer.stderr}")
    return html


def with_own_scripts(html: Path, folder: Path) -> None:
    """Puts the scripts of other hosts beside the pages, by npm.

    stupidtable, which npm hasn't got, is left out: it sorts tables, and a graph has
    none.

    Raises:
        PagesError: npm can't fetch them.
    """
    index = html / "index.html"
    page = index.read_text(encoding="utf-8")
    found = [_PACKAGE.search(address) for address in _TAG.findall(page)]
    packages = {f"{_name(m)}@{m['version']}" for m in found if m}
    asked = sorted(p for p in packages if not p.startswith("stupidtable@"))
    quiet = ["--silent", "--no-save", "--no-audit", "--no-fund"]
    answer = subprocess.run(
        ["npm", "install", *quiet, "--prefix", str(folder), *asked],
        capture_output=True,
        text=True,
    )
    if answer.returncode:
        raise PagesError(f"npm can't fetch {', '.join(asked)}: {answer.stderr}")
    modules = folder / "node_modules"
    index.write_text(
        _TAG.sub(lambda tag: _own_tag(tag, modules, html), page), encoding="utf-8"
    )


def _name(package: re.Match[str]) -> str:
    return package["lib"] or package["npm"] or package["own"]


def _own_tag(tag: re.Match[str], modules: Path, html: Path) -> str:
    package = _PACKAGE.search(tag[1])
    if not package:
        return tag[0]
    name = _name(package)
    file = tag[1].rsplit("/")[-1].replace("jquery-" + package["version"], "jquery")
    for wanted in (file, file.replace(".min", "")):
        for path in sorted((modules / name).rglob(wanted)):
            shutil.copy(path, html / wanted)
            if wanted.endswith(".css"):
                return f'<link rel="stylesheet" href="{wanted}">'
            return f'<script src="{wanted}"></script>'
    return ""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing of each request."""


@contextlib.contextmanager
def served(html: Path) -> Iterator[str]:
    """Serves the pages on this machine while inside; gives their address."""
    handler = functools.partial(_Quiet, directory=str(html))
    with ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()


def graph_address(pages: str) -> str:
    """Where the graph is that is looked at."""
    chosen = [
        f"p-{name}={quote(repr(value))}"
        for name, values in SHOWN.items()
        for value in values
    ]
    return f"{pages}/#{BENCHMARK}?{'&'.join(chosen)}"


def browse(address: str, *options: str) -> str:
    """Opens an address in Chromium, lets its scripts run, and gives what it prints.

    Raises:
        PagesError: There is no Chromium, or it fails.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise PagesError("`chromium` isn't on the PATH; install it (Debian: chromium)")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,760"]
    patience = "--virtual-time-budget=20000"
    answer = subprocess.run(
        [chromium, *flags, patience, *options, address],
        capture_output=True,
        text=True,
        timeout=180,
    )
    if answer.returncode:
        raise PagesError(f"Chromium failed: {answer.stderr[-2000:]}")
    return answer.stdout


def legend(dom: str) -> list[str]:
    """The lines that the legend of a rendered graph names."""
    labels = re.findall(r'<td class="legendLabel">(.*?)</td>', dom, re.DOTALL)
    return [unescape(re.sub(r"<.*?>", " ", label)).strip() for label in labels]


def seen(picture: Path | None = None) -> list[str]:
    """Publishes, opens the graph and gives the lines of its legend.

    Args:
        picture: Where to put a PNG of the graph; none is made by default.

    Raises:
        PagesError: The pages can't be made or shown.
    """
    with tempfile.TemporaryDirectory() as name:
        html = publish(Path(name))
        if shutil.which("npm"):
            with_own_scripts(html, Path(name))
        with served(html) as pages:
            address = graph_address(pages)
            if picture:
                browse(address, f"--screenshot={picture.resolve()}")
            return legend(browse(address, "--dump-dom"))


def main() -> int:
    """Prints the lines; returns the exit code, 1 if a side has no line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="PNG of the graph, to be written")
    try:
        lines = seen(parser.parse_args().picture)
    except PagesError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{BENCHMARK}: {len(lines)} lines")
    print("\n".join(f"  {line}" for line in lines))
    return 0 if len(lines) == len(SHOWN["implementation"]) else 1


if __name__ == "__main__":
    sys.exit(main())
