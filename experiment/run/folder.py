"""A folder of its own for each run: settings, versions, log, metrics, pictures."""

import json
import logging
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from experiment.run.former import SETTINGS, VERSIONS, began
from experiment.settings import Settings, to_dict
from experiment.system import UserError, csv_text, versions, write_whole


class RunFolder:
    """One run's folder, `<general.run_dir>/<general.run_name or start>`; `latest`
    points to the newest that has trained an epoch or come to its end.

    It gets `settings.yaml` (resolved), `versions.json` (libraries, Python, machine,
    commit, seed, command line) and `log.txt` at once, `metrics.csv` and
    `metrics.jsonl` while training, `evaluation/` and `report.html` afterwards. In a run
    that is gone on with, the log is continued, and the settings and versions of before
    go to `earlier/`.

    Args:
        settings: The settings of the run.
        above: The run that this one is a part of; it is in `<above>/<name>` then, and
            `latest` points to the whole.
        name: The name of a part.
        path: The folder, if it is there already.

    Raises:
        UserError: The folder can't be made or written.
    """

    def __init__(
        self,
        settings: Settings,
        above: "RunFolder | None" = None,
        name: str = "",
        path: Path | None = None,
    ) -> None:
        self.settings = settings
        self._above = above
        if above is not None:
            self.path = above.path / name
        elif path is not None:
            self.path = path
            _move_aside(path)
        else:
            general = settings.general
            self.path = new_folder(Path(general.run_dir), general.run_name)
        write_whole(
            self.path / SETTINGS, yaml.safe_dump(to_dict(settings), sort_keys=False)
        )
        facts = {
            "began": datetime.now(UTC).isoformat(timespec="microseconds"),
            **versions(),
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "commit": _commit(),
            "seed": settings.general.seed,
            "command": sys.argv,
        }
        write_whole(self.path / VERSIONS, json.dumps(facts, indent=2) + "\n")
        self._scalars = None
        if settings.general.tensorboard:
            from tensorboardX import SummaryWriter

            self._scalars = SummaryWriter(str(self.path / "tensorboard"))

    def log_to_file(self, *names: str) -> logging.Handler:
        """Sends the loggers `names` (all by default) to `log.txt`, and returns how."""
        handler = logging.FileHandler(self.path / "log.txt")
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        )
        for name in names or ("",):
            logging.getLogger(name).addHandler(handler)
        return handler

    def write_history(
        self, history: Sequence[Mapping[str, Any]], model: str = "synthetic"
    ) -> None:
        """Writes the training metrics so far: `metrics.csv` and `metrics.jsonl`.

        Those of the physical model are `physical_metrics.csv` and `.jsonl`.
        """
        if not history:
            return
        self.mark_latest()
        name = "metrics" if model == "synthetic" else f"{model}_metrics"
        write_whole(self.path / f"{name}.csv", csv_text(history))
        lines = "".join(json.dumps(dict(row)) + "\n" for row in history)
        write_whole(self.path / f"{name}.jsonl", lines)

    def scalars(self, row: Mapping[str, float | int | None]) -> None:
        """Sends one epoch's numbers to TensorBoard, if it was asked for."""
        if self._scalars is None:
            return
        for name, value in row.items():
            if value is not None and name != "epoch":
                self._scalars.add_scalar(name, value, int(row["epoch"] or 0))
        self._scalars.flush()

    def mark_latest(self) -> None:
        """Makes `latest` point here, once there is something to see."""
        if self._above is not None:
            self._above.mark_latest()
            return
        try:
            _point_latest(self.path.parent, self.path)
        except OSError as error:
            raise UserError(
                f"can't point `latest` to `{self.path}`: {error}"
            ) from error

    def close(self) -> None:
        """Ends what is open."""
        if self._scalars is not None:
            self._scalars.close()


def console() -> Console:
    """The console of this program; 80 columns wide where output is no terminal."""
    shown = Console(highlight=False, soft_wrap=False)
    return shown if shown.is_terminal else Console(highlight=False, width=80)


def _commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def new_folder(parent: Path, name: str | None = None) -> Path:
    """Makes a run's folder, by default named after the time.

    Raises:
        UserError: It can't be made, or another run has the name.
    """
    start = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if name is not None:
            (parent / name).mkdir()
            return parent / name
        path = parent / start
        for attempt in range(1, 10_000):
            try:
                path.mkdir()
                break
            except FileExistsError:
                path = parent / f"{start}_{attempt}"
    except FileExistsError as error:
        raise UserError(
            f"`general.run_name` is {name}, and `{parent / str(name)}` is there"
            " already. Go on with that run (`trainer.resume=auto`), or choose another"
            " name."
        ) from error
    except OSError as error:
        raise UserError(
            f"can't make a run folder in `general.run_dir` = `{parent}`:"
            f" {error.strerror or error}. Choose a folder that can be written."
        ) from error
    return path


def _move_aside(path: Path) -> None:
    """Keeps what an earlier process wrote once, for what this one writes."""
    there = [path / name for name in (SETTINGS, VERSIONS) if (path / name).exists()]
    if there:
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
        aside = path / "earlier" / stamp
        aside.mkdir(parents=True)
        for file in there:
            # Copied, so that a run has settings at any moment.
            shutil.copy2(file, aside / file.name)


def _point_latest(parent: Path, path: Path) -> None:
    # Of two runs at a time, the one that began later, not the one that wrote last.
    if began(parent / "latest") > began(path):
        return
    link = parent / f".latest-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(path.name)
    link.replace(parent / "latest")
