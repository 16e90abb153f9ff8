"""The lock on a folder of checkpoints: one training at a time writes into it."""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from experiment.system import CheckpointError

#: The lock's file, in the folder that it is for.
LOCK = "lock.json"


@dataclass(frozen=True)
class Owner:
    """Who trains into a folder.

    Attributes:
        host: The machine's name.
        machine: Its number (`/etc/machine-id`); empty where it has none.
        boot: What the kernel calls this start of the machine; empty where it says
            nothing.
        namespace: Of process numbers: those of another container mean others.
        pid: The process.
        began: When it began, in the kernel's ticks since the machine's start, so that a
            number that was given again is not taken for it; None where unknown.
        run: The run folder.
        since: When it took the lock, ISO 8601.
    """

    host: str
    machine: str
    boot: str
    namespace: str
    pid: int
    began: int | None
    run: str
    since: str

    @classmethod
    def here(cls, run: Path) -> "Owner":
        """This process."""
        pid, since = os.getpid(), datetime.now(UTC).astimezone()
        return cls(
            socket.gethostname(),
            _machine(),
            _boot(),
            _namespace(),
            pid,
            _began(pid),
            str(run),
            since.isoformat(timespec="seconds"),
        )

    @property
    def text(self) -> str:
        """The owner in words."""
        return (
            f"process {self.pid} on {self.host}, run `{self.run}`, since {self.since}"
        )

    @property
    def can_be_asked(self) -> bool:
        """Whether this process can know if that one still runs."""
        if self.host != socket.gethostname():
            return False
        if self.boot == _boot():
            return self.namespace == _namespace()
        # After a new start of this machine; others may share its name.
        return bool(self.machine) and self.machine == _machine()

    @property
    def runs(self) -> bool:
        """Whether it still runs, if it can be asked."""
        if self.boot != _boot():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        # One that ended and that nobody waited for has a number, and no beginning.
        return _began(self.pid) == self.began


@dataclass(frozen=True)
class Lock:
    """A lock that is held.

    Attributes:
        folder: The folder that it is for.
        owner: This process.
        before: Whose lock was taken over, in words; None where there was none.
    """

    folder: Path
    owner: Owner
    before: str | None

    def require_held(self) -> None:
        """Refuses to go on in a folder that another training took meanwhile.

        Raises:
            CheckpointError: The lock is another's, or gone.
        """
        found = _read(self.folder / LOCK)
        if found != self.owner:
            other = "gone" if found is None else f"that of {found.text}"
            raise CheckpointError(
                f"the lock `{self.folder / LOCK}` of this run is {other}, so the"
                " checkpoints there may be of another training; they are not evaluated."
                " Evaluate them with `general.tasks=[evaluate]` if they are meant."
            )


@contextlib.contextmanager
def locked(folder: Path, run: Path, *, take_over: bool = False) -> Iterator[Lock]:
    """Holds the lock of a folder of checkpoints; the lock of who is gone is taken over.

    Args:
        folder: The folder; it is made.
        run: The run folder of the training.
        take_over: Takes a lock over whose owner can't be asked, on another machine.

    Raises:
        CheckpointError: Another training holds it; names it, and what to do.
    """
    owner, path = Owner.here(run), folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            before = _take(path, owner, take_over)
    except OSError as error:
        raise CheckpointError(
            f"can't lock the folder of checkpoints `{folder}`:"
            f" {error.strerror or error}. Choose a folder that can be written"
            " (`general.checkpoint_dir`, `general.run_dir`)."
        ) from error
    try:
        yield Lock(folder, owner, before)
    finally:
        with contextlib.suppress(CheckpointError, OSError), _alone(folder):
            if _read(path) == owner:
                path.unlink()


def owner_of(folder: Path) -> Owner | None:
    """Who trains into a folder; None where nobody does, or nobody that still runs."""
    try:
        owner = _read(folder / LOCK)
    except CheckpointError:
        return None
    gone = owner is None or (owner.can_be_asked and not owner.runs)
    return None if gone else owner


def _take(path: Path, owner: Owner, take_over: bool) -> str | None:
    """Takes the lock; returns whose it was, in words."""
    found = _read(path)
    if found is not None:
        _refuse_owner(path, found, take_over)
        path.unlink()
    part = path.with_name(f".{LOCK}-{owner.pid}")
    part.write_text(json.dumps(asdict(owner), indent=2) + "\n")
    try:
        # In one step, whole, and only where no lock is.
        os.link(part, path)
    except FileExistsError:
        other = _read(path)
        if other is not None:
            raise CheckpointError(_in_use(path, other)) from None
        raise
    finally:
        part.unlink()
    return None if found is None else found.text


def _refuse_owner(path: Path, found: Owner, take_over: bool) -> None:
    if not found.can_be_asked:
        if take_over:
            return
        raise CheckpointError(
            f"`{path.parent}` is locked by {found.text}; from {socket.gethostname()}"
            " nobody can tell whether it still runs. If it does not, go on with"
            f" `general.take_over=true`, or remove `{path}`, that one file alone."
        )
    if found.runs:
        raise CheckpointError(_in_use(path, found))


def _in_use(path: Path, owner: Owner) -> str:
    return (
        f"`{path.parent}` is in use: {owner.text}, trains into it. Wait for its end, or"
        " train into another folder: a new run has its own, or choose one with"
        " `general.checkpoint_dir`."
    )


def _read(path: Path) -> Owner | None:
    """What a lock says; None where none is."""
    try:
        return Owner(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise CheckpointError(
            f"`{path}` is no lock of this program ({error}). If no training writes into"
            f" `{path.parent}`, remove that one file alone, and run again."
        ) from error


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two processes of a machine that look at a lock do so one after the other."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # A network's file system may have no locks on folders.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _machine() -> str:
    return _first_line("/etc/machine-id")


def _boot() -> str:
    return _first_line("/proc/sys/kernel/random/boot_id")


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _began(pid: int) -> int | None:
    # Behind the name, which may hold anything, in parentheses: state, ..., 22nd: begin.
    words = _first_line(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if not words or words[0] in "ZX":
        return None
    return int(words[19])


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
