"""Both sides of a migration, built from the same seed and given the same weights."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.harness import CEILINGS, HarnessError, error_of, rms
from bridge.migration.arrays import as_tuple, cast, flatten, real, to_numpy
from bridge.migration.seen import SEED, Seen, best, seed, varied
from bridge.migration.sides import Side, Symmetry
from bridge.migration.subject import Subject, Terms, make_subject, mapping_of

if TYPE_CHECKING:
    from bridge.migration.defects import Defect
    from bridge.migration.migration import Migration

#: What is looked at on a side, by name, in the order in which it is computed.
Observe = Callable[["Pair", Subject, Symmetry | None], Mapping[str, Seen]]


class SideError(Exception):
    """A side can't be judged, or is wrong before a number was compared."""

    def __init__(self, side: str, message: str, lacking: bool = False) -> None:
        super().__init__(message)
        self.side, self.lacking = side, lacking


class Pair:
    """A migration in one precision, built when it is first needed.

    Args:
        migration: What the user said.
        precision: `float64` or `float32`.
        planted: A fault to put into the candidate.
    """

    def __init__(
        self, migration: "Migration", precision: str, planted: "Defect | None" = None
    ) -> None:
        self.migration, self.precision, self.planted = migration, precision, planted
        self.terms = Terms(migration.loss, migration.optimiser)
        self.built = False
        self.notes: list[str] = []
        self._altered: tuple[Subject, Defect] | None = None

    def build(self) -> None:
        """Builds control, candidate and oracle.

        Raises:
            SideError: A side raises, or builds something that nothing is known of.
        """
        if self.built:
            return
        self.control = self.one("control", self.precision)
        self.candidate = self.one("candidate", self.precision)
        leaves = self.control.leaves()
        self.shapes = {n: v.shape for n, v in leaves.items()}
        try:
            self.map = mapping_of(self.candidate, self.shapes)
        except HarnessError as error:
            raise SideError("candidate", str(error)) from error
        self.put_fault(self.candidate)
        drawn = varied(leaves, set(self.control.trainable()), self.loadable)
        self.weights = {n: cast(v, self.precision) for n, v in drawn.items()}
        self.oracle = self._oracle()
        self.built = True
        # Before the first call, so that a side knows the state it starts from.
        self.refill(self.control)
        self.depth = self._depth()
        self.symmetries = self._symmetries()
        if self.control_is_trainer:
            # A trainer that made a step may have moments that it didn't start with.
            self.control = self.one("control", self.precision)
            self.refill(self.control)

    @property
    def loadable(self) -> bool:
        """Whether weights can be set on both sides; trainers may start as built."""
        sides = (self.migration.control, self.migration.candidate)
        return all(s.step is None or s.load is not None for s in sides)

    @property
    def updates(self) -> bool:
        """Whether updates are judged, beside moments and losses.

        Adam divides a gradient by its own size, so that rounding of a small one has no
        limit; float64 judges them, float32 only where there is no float64.
        """
        return self.precision == best(self.migration.precisions)

    @cached_property
    def noise(self) -> set[str]:
        """Leaves whose gradient is 0 but for rounding; their updates aren't judged."""
        from bridge.migration.observing import vanishing

        return vanishing(self)

    def side(self, name: str) -> Side:
        """What the user said of a side."""
        found: Side = getattr(self.migration, name)
        return found

    def one(self, name: str, precision: str | None) -> Subject:
        """Builds a side.

        Raises:
            SideError: It raises, or builds something that nothing is known of.
        """
        seed()
        try:
            built = self.side(name).build()
        except Exception as error:
            text = f"`build` of the {name} raised {type(error).__name__}: {error}"
            lacking = _lacks_device(error)
            if lacking:
                text += "; it needs a CUDA device, and there is none here"
            raise SideError(name, text, lacking) from error
        try:
            return make_subject(self.side(name), built, self.terms, precision)
        except Exception as error:
            raise SideError(name, f"the {name}: {error}") from error

    def _oracle(self) -> Subject:
        """The control in float64; in float32 where it can't compute in float64."""
        if self.precision == "float64" or self.control_is_trainer:
            return self.one("control", self.precision)
        oracle = self.one("control", "float64")
        try:
            self.refill(oracle)
            outputs = flatten(oracle.forward(self.batch(2)[0], False))
            wide = all(
                to_numpy(v).dtype not in (np.float32, np.complex64)
                for v in outputs.values()
            )
        except Exception:
            wide = False
        if wide:
            return oracle
        self.notes.append("the control can't compute in float64; it is its own oracle")
        return self.one("control", self.precision)

    @property
    def control_is_trainer(self) -> bool:
        """Whether only steps are judged."""
        return self.migration.control.step is not None

    def _depth(self) -> float:
        """Operations in a row, for the smallest limit: counted where torch can."""
        depth = max(1, len(self.weights))
        if hasattr(self.control, "plain") and not self.migration.control.layout:
            from bridge.migration.torch_modules import TorchSubject
            from bridge.migration.torch_wrappers import operations

            assert isinstance(self.control, TorchSubject)
            try:
                call, plain = self.control.side.call, self.control.plain
                given = [self.control.tensor(v) for v in self.batch(1)[0]]
                depth = operations(partial(call, plain) if call else plain, *given)
            except Exception as error:
                self.notes.append(f"operations were not counted: {error}")
        return float(depth)

    def _symmetries(self) -> list[Symmetry]:
        """Those that hold for the control; one of the user's own must."""
        if self.control_is_trainer and self.migration.batch is None:
            return []
        kept = []
        for symmetry in self.migration.symmetries:
            try:
                off = self._off(symmetry)
            except Exception as error:
                off = np.inf
                self.notes.append(f"`{symmetry.name}`: {error}")
            if off <= CEILINGS[self.precision]:
                kept.append(symmetry)
            elif symmetry in self.migration.own_symmetries:
                raise SideError(
                    "control",
                    f"`{symmetry.name}` is no symmetry of the control: its output"
                    f" changes by {off:.1e} of itself",
                )
            else:
                self.notes.append(f"left out, as the control lacks it: {symmetry.name}")
        return kept

    def _off(self, symmetry: Symmetry) -> float:
        """How far the control's outputs move; of a trainer, its first loss."""
        from bridge.migration.observing import forward, looked, steps_of

        trainer = self.control_is_trainer
        observe, kind = (steps_of(1), "number") if trainer else (forward, "batch")
        plain = observe(self, self.control, None)
        changed = looked(observe, self, self.control, symmetry)
        return max(
            (
                error_of(real(changed[n]), real(s.value), rms(real(s.value)) or 1.0)
                for n, s in plain.items()
                if s.value.dtype.kind in "fc"
                and s.kind == kind
                and (not trainer or n.startswith("losses"))
            ),
            default=0.0,
        )

    def batch(
        self, size: int, number: int = 0, view: Symmetry | None = None
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Inputs and targets of a batch, the same for every side.

        Raises:
            HarnessError: `batch` returns something else than inputs and targets.
        """
        made = self._made(size, number)
        if not isinstance(made, tuple) or len(made) != 2:
            raise HarnessError(
                f"`batch` returned a {type(made).__name__}; expected (inputs, targets),"
                " each an array or a tuple of arrays"
            )
        parts = [[np.asarray(to_numpy(v)) for v in as_tuple(part)] for part in made]
        count = len(parts[0])
        every = [cast(v, self.precision) for part in parts for v in part]
        if view is not None:
            every = [np.ascontiguousarray(v) for v in view.inputs(every)]
        return every[:count], every[count:]

    def _made(self, size: int, number: int) -> Any:
        if self.migration.batch is not None:
            return self.migration.batch(np.random.default_rng([SEED, number]), size)
        side = self.migration.control
        assert side.batches is not None
        seed()
        every = list(side.batches(self.control.object, 0))
        batch = every[number % len(every)]
        return tuple(batch) if isinstance(batch, list) else batch

    def refill(self, subject: Subject, view: Symmetry | None = None) -> None:
        """Gives a side its weights and buffers again, and seeds what it draws."""
        if self.loadable:
            weights = self.weights
            if view is not None:
                narrow = {n: cast(v, subject.precision) for n, v in weights.items()}
                weights = {n: view.leaves(n, v) for n, v in narrow.items()}
            subject.load(self.to_own(subject, weights))
        seed()

    def to_own(
        self, subject: Subject, values: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Arrays under the control's names as a side has them."""
        return self.map.out(values) if subject is self.candidate else dict(values)

    def to_common(
        self, subject: Subject, values: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """A side's arrays under the control's names."""
        return self.map.back(values) if subject is self.candidate else dict(values)

    def fresh(self, subject: Subject) -> Subject:
        """The side built anew, for a trainer that can't be set back."""
        if self.loadable:
            return subject
        if self._altered is not None and subject is self._altered[0]:
            return self.altered(self._altered[1])
        name = "candidate" if subject is self.candidate else "control"
        again = self.one(name, subject.precision)
        if name == "candidate":
            self.put_fault(again)
            self.candidate = again
        elif subject is self.control:
            self.control = again
        else:
            self.oracle = again
        return again

    def put_fault(self, candidate: Subject) -> None:
        """Puts the planted fault into a candidate; faults know the control's names."""
        if self.planted is None:
            return
        self.planted.plant(candidate)
        names = {leaf.name: n for n, leaf in self.map.leaves.items()}
        load, change = candidate.changes.load, candidate.changes.gradient

        def gradient(found: dict[str, Any]) -> dict[str, Any]:
            assert change is not None
            own = {names.get(n, n): n for n in found}
            changed = change({n: found[o] for n, o in own.items()})
            return {own[n]: g for n, g in changed.items()}

        def load_own(own: str, value: np.ndarray) -> np.ndarray:
            return load(names.get(own, own), value)

        candidate.changes = replace(
            candidate.changes,
            load=load_own,
            gradient=None if change is None else gradient,
        )

    def altered(self, defect: "Defect") -> Subject:
        """The oracle with a fault."""
        subject = self.one("control", self.oracle.precision)
        defect.plant(subject)
        self._altered = subject, defect
        return subject


def _lacks_device(error: Exception) -> bool:
    """Whether a side failed for want of a device."""
    torch = sys.modules.get("torch")
    none = torch is not None and not torch.cuda.is_available()
    return none and any(word in str(error) for word in ("CUDA", "cuda", "NVIDIA"))
