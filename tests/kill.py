"""`python -m tests.kill --times N`: kills runs at random moments and goes on with them.

A signal goes to all processes of a run, as `scancel` sends it. What the run made in the
end must be bitwise what a run that nobody stopped made; no file is left half, no
process behind, and no traceback is printed. Ends with status 1 if anything is amiss.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.helpers import ROOT, command
from tests.legacy.test_training import same

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
_AGAIN = ("general.run_name=job", "trainer.resume=auto", "general.checkpoint_dir=null")
_TRAIN = ("general.tasks=[generate,train]", *_AGAIN)
_HYBRID = (
    *("general.mode=hybrid", "trainer.hybrid.warm_up_epochs=10"),
    *("trainer.hybrid.cycles=3", "trainer.hybrid.epochs=10"),
    *("trainer.physical.windows=4", "trainer.physical.iterations=3"),
)
#: What is killed, by name: the words of a run.
RUNS: dict[str, tuple[str, ...]] = {
    "generate": (
        *("general.tasks=[generate]", "data.num_workers=2"),
        *("data.num_simulations=40", "data.trajectory_length=60"),
    ),
    "legacy with workers": (
        *(*_TRAIN, "migration=legacy", "data.num_workers=2"),
        "trainer.synthetic.epochs=100",
    ),
    "port": (*_TRAIN, "migration=step3", "trainer.synthetic.epochs=400"),
    "physical": (
        *(*_TRAIN, "general.mode=physical", "migration=full"),
        *("trainer.physical.windows=8", "trainer.physical.iterations=25"),
        "trainer.physical.rounds=8",
    ),
    "hybrid, legacy": (*_TRAIN, *_HYBRID, "migration=legacy"),
    "hybrid, port": (*_TRAIN, *_HYBRID, "migration=full"),
}


@dataclass(frozen=True)
class Ended:
    """How a process ended: its status as a shell reports it, and what it printed."""

    status: int
    printed: str
    orphans: tuple[int, ...]


def start(words: Sequence[str], path: Path) -> "subprocess.Popen[str]":
    """A run below a folder, in a session of its own."""
    with (path / "printed.txt").open("w") as printed:
        return subprocess.Popen(
            command(path, *words),
            cwd=ROOT,
            stdout=printed,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )


def ended(process: "subprocess.Popen[str]", path: Path) -> Ended:
    """Waits for a run, and for the processes that it started."""
    code = process.wait(300)
    until = time.monotonic() + 10
    while (left := tuple(_session(process.pid))) and time.monotonic() < until:
        time.sleep(0.05)
    for orphan in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(orphan, signal.SIGKILL)
    status = code if code >= 0 else 128 - code
    return Ended(status, (path / "printed.txt").read_text(), left)


def _session(leader: int) -> Iterator[int]:
    """Processes of a session that are alive."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # Behind the name: state, parent, group, session.
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                yield int(entry.parent.name)


def complaints(found: Ended, number: signal.Signals | None) -> Iterator[str]:
    """What is amiss in how a run ended."""
    expected = {0} if number is None else {0, 128 + number}
    if found.status not in expected:
        yield f"status {found.status}: {found.printed[-600:]}"
    if "Traceback" in found.printed:
        yield f"a traceback: {found.printed[-1500:]}"
    if found.orphans:
        yield f"processes {found.orphans} were left behind"


def differences(whole: Path, path: Path) -> Iterator[str]:
    """What a run that was killed made otherwise, or left behind."""
    for name in ("last.safetensors", "physical-last.safetensors"):
        one, other = (p / "runs" / "job" / "checkpoints" / name for p in (whole, path))
        if one.exists() != other.exists():
            yield f"`{name}` is there on one side only"
        elif one.exists():
            try:
                same(one, other)
            except AssertionError as error:
                yield f"`{name}`: {str(error)[:300]}"
    one, other = (_frames(p / "data") for p in (whole, path))
    yield from (f"`{name}` is there on one side only" for name in one.keys() ^ other)
    for name in one.keys() & other:
        with np.load(one[name]) as left, np.load(other[name]) as right:
            if not np.array_equal(left["data"], right["data"]):
                yield f"`{name}` differs"
    yield from (f"`{p.relative_to(path)}` was left" for p in path.rglob("*partial*"))


def _frames(folder: Path) -> dict[str, Path]:
    return {str(p.relative_to(folder)): p for p in folder.rglob("*.npz")}


def uninterrupted(words: Sequence[str], path: Path) -> float:
    """A run that nobody stops; the seconds that it took."""
    path.mkdir(parents=True)
    began = time.monotonic()
    wrong = [*complaints(ended(start(words, path), path), None)]
    if wrong:
        raise RuntimeError(f"without a kill: {wrong[0]}")
    return time.monotonic() - began


def killed(
    words: Sequence[str],
    path: Path,
    numbers: Sequence[signal.Signals],
    seconds: float,
    draw: random.Random,
) -> Iterator[tuple[signal.Signals | None, str]]:
    """Kills a run with each signal, then lets it end; how many came in time, and
    what was amiss."""
    path.mkdir(parents=True)
    for turn, number in enumerate(numbers, 1):
        process = start(words, path)
        # Of what is left; also while it is imported.
        time.sleep(draw.uniform(0.15, 0.9) * seconds / turn)
        alive = process.poll() is None
        if alive:
            os.killpg(process.pid, number)
        found = ended(process, path)
        wrong = [*complaints(found, number if alive else None)]
        yield number if found.status else None, "; ".join(wrong)
    found = ended(start(words, path), path)
    yield None, "; ".join(complaints(found, None))


def main(arguments: Sequence[str] | None = None) -> int:
    """Kills each run in turn until as many kills came in time as are asked for."""
    parser = argparse.ArgumentParser(prog="tests.kill", description=__doc__)
    parser.add_argument("--times", type=int, default=100, help="kills in all")
    parser.add_argument("--only", default="", help="part of the name of a run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args(arguments)
    chosen = {n: w for n, w in RUNS.items() if options.only in n}
    draw, counts, amiss = random.Random(options.seed), Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, words) in enumerate(chosen.items()):
            whole = Path(folder, f"{number}-whole")
            seconds = uninterrupted(words, whole)
            share = options.times // len(chosen) + (
                number < options.times % len(chosen)
            )
            done, turn = 0, 0
            while done < share:
                path = Path(folder, f"{number}-{turn}")
                some = [SIGNALS[(turn + i) % 4] for i in range(min(2, share - done))]
                wrong = []
                for hit, text in killed(words, path, some, seconds, draw):
                    if hit is not None:
                        done += 1
                        counts[hit.name] += 1
                    wrong += [text] * bool(text)
                wrong += differences(whole, path)
                amiss += bool(wrong)
                turn += 1
                for text in wrong:
                    print(f"{name}: {text}", flush=True)
            print(
                f"{name}: {done} kills, {turn} runs, {seconds:.0f} s each", flush=True
            )
    shown = ", ".join(f"{n} {c}" for n, c in sorted(counts.items()))
    print(f"{sum(counts.values())} kills ({shown}); {amiss} runs amiss")
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main())
