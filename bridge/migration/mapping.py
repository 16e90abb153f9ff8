"""Maps the leaves of one side onto those of the other, forwards and back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from bridge.harness import HarnessError, write_file

#: Own names by the control's, a function from own to the control's, or a file.
Rename = Mapping[str, "str | Leaf"] | Callable[[str], str] | str | Path | None


@dataclass(frozen=True)
class Leaf:
    """Where a leaf of the control lies on the other side.

    Attributes:
        name: Its name there.
        axes: The order of the control's axes there; empty if the same.
        shape: Its shape there, if axes were merged or split after that.
    """

    name: str
    axes: Sequence[int] = ()
    shape: Sequence[int] = ()

    def out(self, value: np.ndarray) -> np.ndarray:
        """The control's array as it lies there."""
        moved = value.transpose(self.axes) if self.axes else value
        return moved.reshape(self.shape) if self.shape else moved

    def back(self, value: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """An array from there as the control has it."""
        if not self.axes:
            return value.reshape(shape) if self.shape else value
        moved = tuple(shape[a] for a in self.axes)
        inverse = np.argsort(self.axes)
        return value.reshape(moved).transpose(inverse)


@dataclass(frozen=True)
class LeafMap:
    """A leaf on the other side for each of the control's.

    Attributes:
        leaves: By the control's names.
        shapes: The control's shapes.
    """

    leaves: Mapping[str, Leaf]
    shapes: Mapping[str, Sequence[int]]

    def out(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The control's arrays under the other side's names."""
        return {
            self.leaves[n].name: v if self._counts(n, v) else self.leaves[n].out(v)
            for n, v in values.items()
            if n in self.leaves
        }

    def _counts(self, name: str, value: np.ndarray) -> bool:
        """Whether it is a number of a leaf, such as Adam's steps: it has no axes."""
        return not value.ndim and bool(self.shapes[name])

    def back(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The other side's arrays under the control's names; unmapped keep theirs."""
        names = {leaf.name: name for name, leaf in self.leaves.items()}
        result = {}
        for own, value in values.items():
            name = names.get(own)
            if name is None:
                result[own] = value
                continue
            leaf, shape = self.leaves[name], self.shapes[name]
            fits = value.size == int(np.prod(shape, dtype=int))
            moves = fits and not self._counts(name, value)
            result[name] = leaf.back(value, shape) if moves else value
        return result

    def check(self) -> None:
        """That it can be undone.

        Raises:
            HarnessError: Two leaves have one name, or a leaf's axes don't fit.
        """
        owners: dict[str, str] = {}
        for name, leaf in self.leaves.items():
            if leaf.name in owners:
                raise HarnessError(
                    f"the mapping gives `{leaf.name}` to both `{owners[leaf.name]}` and"
                    f" `{name}`; each leaf may be named once"
                )
            owners[leaf.name] = name
            shape = tuple(self.shapes[name])
            probe = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)
            try:
                same = np.array_equal(leaf.back(leaf.out(probe), shape), probe)
            except ValueError:
                same = False
            if not same:
                raise HarnessError(
                    f"the mapping of `{name}` can't be undone: shape {shape}, axes"
                    f" {tuple(leaf.axes)}, shape there {tuple(leaf.shape)}; axes must"
                    " be a permutation, and the shape have as many elements"
                )


def leaf_map(
    rename: Rename, shapes: Mapping[str, Sequence[int]], own: Iterable[str]
) -> LeafMap:
    """The map that a side asks for.

    Args:
        rename: As in `Side`.
        shapes: The control's shapes by name.
        own: The side's own names.

    Raises:
        HarnessError: It names a leaf that isn't there, or can't be undone.
    """
    own = list(own)
    if isinstance(rename, str | Path):
        rename = read_mapping(Path(rename))
    if callable(rename):
        given = {rename(name): Leaf(name) for name in own}
        leaves = {n: given[n] for n in shapes if n in given}
    else:
        wanted = dict(rename or {})
        unknown = sorted(wanted.keys() - shapes.keys())
        if unknown:
            raise HarnessError(
                f"the mapping names `{unknown[0]}`, which the control doesn't have; it"
                f" has {', '.join(shapes)}"
            )
        leaves = {}
        for name in shapes:
            entry = wanted.get(name, name)
            leaves[name] = Leaf(entry) if isinstance(entry, str) else entry
        absent = [w for w in wanted if leaves[w].name not in own]
        if absent:
            raise HarnessError(
                f"the mapping sends `{absent[0]}` to `{leaves[absent[0]].name}`, which"
                f" that side doesn't have; it has {', '.join(own)}"
            )
    result = LeafMap(leaves, {n: tuple(s) for n, s in shapes.items()})
    result.check()
    return result


def read_mapping(path: Path) -> dict[str, Leaf]:
    """A mapping file: `control's name: own name`, or `{name, axes, shape}`.

    Raises:
        HarnessError: It isn't there, or has another form.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise HarnessError(f"the mapping `{path}` can't be read: {error}") from error
    result = {}
    for name, entry in (
        (content or {}).items() if isinstance(content, dict) else [(0, 0)]
    ):
        if isinstance(entry, str):
            result[name] = Leaf(entry)
        elif isinstance(entry, dict) and "name" in entry and entry.keys() <= _KEYS:
            result[name] = Leaf(**entry)
        else:
            raise HarnessError(
                f"the mapping `{path}` has `{name}: {entry}`; expected"
                " `control's name: own name`, or a table of name, axes, shape"
            )
    return result


_KEYS = {"name", "axes", "shape"}


def write_mapping(path: Path, leaves: Mapping[str, Leaf], notes: Sequence[str]) -> None:
    """Writes a mapping file, notes on top as comments."""
    lines = [f"# {note}" for note in notes]
    for name, leaf in leaves.items():
        if not leaf.axes and not leaf.shape:
            lines.append(yaml.safe_dump({name: leaf.name}).strip())
            continue
        entry = {"name": leaf.name}
        entry |= {"axes": list(leaf.axes)} if leaf.axes else {}
        entry |= {"shape": list(leaf.shape)} if leaf.shape else {}
        lines.append(yaml.safe_dump({name: entry}, default_flow_style=None).strip())
    write_file(path, "\n".join(lines) + "\n")
