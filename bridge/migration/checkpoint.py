"""A checkpoint under the control's names, that either side loads."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.harness import HarnessError
from bridge.migration.mapping import LeafMap, leaf_map
from bridge.migration.nests import replace_leaves
from bridge.migration.sides import Function
from bridge.migration.subject import Subject, Terms, make_subject

if TYPE_CHECKING:
    from bridge.migration.migration import Migration

_FORMAT = 1
_NOTE = "checkpoint.json"


def save(
    migration: "Migration", path: Path, built: Any, side: str, optimiser: Any
) -> Path:
    """Writes the arrays of an object and of its optimiser; see `Migration.save`.

    Raises:
        HarnessError: It can't be written, or leaves can't be mapped.
    """
    subject, mapping = _subject(migration, built, side, optimiser)
    arrays = {f"leaf/{n}": v for n, v in mapping.back(subject.leaves()).items()}
    if optimiser is not None:
        for kind, values in subject.moments().items():
            arrays |= {f"moment/{kind}/{n}": v for n, v in mapping.back(values).items()}
    names = {f"{number:05d}.npy": name for number, name in enumerate(arrays)}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        hashes = {}
        for file, name in names.items():
            with open(temporary / file, "wb") as stream:
                np.save(stream, arrays[name], allow_pickle=False)
                stream.flush()
                os.fsync(stream.fileno())
            hashes[file] = hashlib.sha256((temporary / file).read_bytes()).hexdigest()
        content = {
            "format": _FORMAT,
            "migration": migration.name,
            "written_by": side,
            "arrays": names,
            "hashes": hashes,
        }
        (temporary / _NOTE).write_text(json.dumps(content, indent=2) + "\n")
        old = None
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
            os.replace(path, old / "was")
        os.replace(temporary, path)
        if old is not None:
            shutil.rmtree(old)
    except OSError as error:
        raise HarnessError(
            f"can't write the checkpoint `{path}`: {error.strerror or error}; free some"
            " space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def load(
    migration: "Migration", path: Path, built: Any, side: str, optimiser: Any
) -> None:
    """Reads what `save` wrote; changes nothing unless all of it fits.

    Raises:
        HarnessError: It isn't there, is torn, of another migration, or doesn't fit.
    """
    content, arrays = _read(migration, path)
    subject, mapping = _subject(migration, built, side, optimiser)
    leaves = {n[5:]: v for n, v in arrays.items() if n.startswith("leaf/")}
    here = mapping.back(subject.leaves())
    wrong = [
        n
        for n in dict.fromkeys([*here, *leaves])
        if n not in here or n not in leaves or here[n].shape != leaves[n].shape
    ]
    if wrong:
        there = leaves[wrong[0]].shape if wrong[0] in leaves else "nothing"
        mine = here[wrong[0]].shape if wrong[0] in here else "nothing"
        raise HarnessError(
            f"`{path}` doesn't fit: `{wrong[0]}` has {there}, the {side} {mine};"
            f" {len(wrong)} leaves differ"
        )
    if not isinstance(built, Function) and hasattr(subject, "rebuild"):
        raise HarnessError(
            f"the {side} is a {type(built).__name__}, a pytree that can't be changed in"
            " place; build a `bridge.Function` of it and load into that"
        )
    subject.load(mapping.out(leaves))
    if isinstance(built, Function):
        replace_leaves(built, subject.leaves())
    if optimiser is None:
        return
    moments: dict[str, dict[str, np.ndarray]] = {}
    for name, value in arrays.items():
        if name.startswith("moment/"):
            _, kind, leaf = name.split("/", 2)
            moments.setdefault(kind, {})[leaf] = value
    if not moments:
        raise HarnessError(f"`{path}` has no moments; it was saved without `optimiser`")
    own = {k: mapping.out(v) for k, v in moments.items()}
    subject.load_moments(own)  # type: ignore[attr-defined]


def _read(
    migration: "Migration", path: Path
) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
    try:
        content = json.loads((path / _NOTE).read_text())
        if content["format"] != _FORMAT or content["migration"] != migration.name:
            raise HarnessError(
                f"`{path}` is of `{content['migration']}`, format {content['format']};"
                f" expected `{migration.name}`, format {_FORMAT}"
            )
        arrays = {}
        for file, name in content["arrays"].items():
            data = (path / Path(file).name).read_bytes()
            if hashlib.sha256(data).hexdigest() != content["hashes"][file]:
                raise HarnessError(f"`{path / file}` is damaged: its hash differs")
            arrays[name] = np.load(path / Path(file).name, allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HarnessError(
            f"`{path}` is no checkpoint that can be read:"
            f" {type(error).__name__}: {error}"
        ) from error
    return content, arrays


def _subject(
    migration: "Migration", built: Any, side: str, optimiser: Any
) -> tuple[Subject, LeafMap]:
    said = getattr(migration, side)
    # As it is: a checkpoint changes neither precision nor device.
    terms = Terms(migration.loss, migration.optimiser)
    subject = make_subject(said, built, terms, None)
    if optimiser is not None:
        if not hasattr(subject, "use_optimiser"):
            raise HarnessError("moments are kept for torch optimisers alone")
        subject.use_optimiser(optimiser)  # type: ignore[attr-defined]
    if side == "control":
        shapes = {n: v.shape for n, v in subject.leaves().items()}
        return subject, leaf_map(None, shapes, shapes)
    control = make_subject(migration.control, migration.control.build(), terms, None)
    shapes = {n: v.shape for n, v in control.leaves().items()}
    return subject, leaf_map(said.rename, shapes, subject.leaves())
