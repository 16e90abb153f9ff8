"""`Migration`: the public door. A pair of one's own, proved, measured, switched."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bridge.harness import (
    Fault,
    HarnessError,
    Ladder,
    Row,
)
from bridge.harness.selftest import Caught
from bridge.migration import choice
from bridge.migration.choice import SideName
from bridge.migration.defects import Defect, catalogue, of_any
from bridge.migration.faults import Case, OwnFault
from bridge.migration.mapping import Leaf
from bridge.migration.pair import Pair
from bridge.migration.proof import Proof
from bridge.migration.rungs import rungs_of
from bridge.migration.seen import best
from bridge.migration.sides import SYMMETRIES, Side, Symmetry


@dataclass(frozen=True)
class Migration:
    """A pair of implementations, and how they are compared.

    Attributes:
        name: What files and the environment call it: letters, digits, `-`, `_`.
        control: What is trusted.
        candidate: What should replace it.
        batch: `batch(rng, size)` makes (inputs, targets) with NumPy, each an array or a
            tuple of arrays, the batch first. Without it, the control's `batches`.
        loss: `loss(output, *targets)` gives one number, on the arrays of either side.
        optimiser: `optimiser(parameters)` makes a new optimiser; without it, no side is
            trained and R6 and R9 are left out.
        sizes: Batch sizes; the largest is used where one is enough.
        precisions: In which both are compared; `float64` judges the formulas.
        steps: Training steps of the trajectory.
        epochs: Epochs whose learning rates are compared.
        own_symmetries: Changes of the inputs that the control's outputs follow.
        symmetries: Such changes that are tried, and left out where they don't hold.
        faults: Faults of one's own.
        folder: Where the choice and the proof are kept.

    Raises:
        HarnessError: A field has a value that can't be.
    """

    name: str
    control: Side
    candidate: Side
    batch: Callable[..., Any] | None = None
    loss: Callable[..., Any] | None = None
    optimiser: Callable[..., Any] | None = None
    sizes: Sequence[int] = (1, 2, 3)
    precisions: Sequence[str] = ("float64", "float32")
    steps: int = 100
    epochs: int = 5
    own_symmetries: Sequence[Symmetry] = ()
    symmetries: Sequence[Symmetry] = SYMMETRIES
    faults: Sequence[OwnFault] = ()
    folder: Path = field(default_factory=lambda: Path(".bridge"))

    def __post_init__(self) -> None:
        if not self.name.replace("-", "").replace("_", "").isalnum():
            raise HarnessError(
                f"a migration's name is `{self.name}`; allowed: letters, digits, -, _"
            )
        if self.batch is None and self.control.batches is None:
            raise HarnessError(
                f"`{self.name}` has no data: give `batch(rng, size)`, which returns"
                " (inputs, targets), or `batches` of both sides"
            )
        for text in ("step", "batches", "rate", "state"):
            given = [getattr(side, text) is not None for side in self._both]
            if any(given) and not all(given):
                raise HarnessError(
                    f"one side of `{self.name}` has `{text}` and the other doesn't;"
                    " give it for both"
                )
        if not self.sizes or min(self.sizes) < 1 or self.steps < 1:
            raise HarnessError(
                f"sizes {tuple(self.sizes)}, steps {self.steps}; both must be positive"
            )
        merged = (*self.own_symmetries, *self.symmetries)
        object.__setattr__(self, "symmetries", tuple(dict.fromkeys(merged)))

    @property
    def _both(self) -> tuple[Side, Side]:
        return self.control, self.candidate

    def applies(self, rung: str) -> bool:
        """Whether there is what a rung compares."""
        trainer = self.control.step is not None
        trained = trainer or all(s.optimiser or self.optimiser for s in self._both)
        losses = all(s.loss or self.loss for s in self._both)
        return {
            "R1": True,
            "R2": not trainer and self._same_names,
            "R3": not trainer and self.batch is not None,
            "R4": not trainer and losses,
            "R5": not trainer and losses,
            "R6": trained and (trainer or losses),
            "R7": self.control.rate is not None,
            "R8": self.control.batches is not None,
            "R9": trained and (trainer or losses),
        }[rung]

    @property
    def _same_names(self) -> bool:
        return not any(s.layout or s.leaves for s in self._both)

    @cached_property
    def ladder(self) -> Ladder:
        """The comparisons as the harness runs them."""
        return Ladder(
            self.name,
            [Case(p, p == best(self.precisions)) for p in self.precisions],
            self._pair,
            rungs_of(self.applies),
            self.settings,
            self._faults,
            self._control_twice,
        )

    def _pair(self, case: Case) -> Pair:
        return Pair(self, case.precision, self._planted.get("fault"))

    @cached_property
    def _planted(self) -> dict[str, Defect]:
        return {}

    def _faults(self) -> Sequence[Fault]:
        """Every fault that changes the control's numbers, to plant."""
        from bridge.migration.planting import that_matter

        pair = Pair(self, best(self.precisions))
        pair.build()
        # Settings of torch's operations are none that another framework has.
        torch = hasattr(pair.candidate, "plain")
        chosen = that_matter(pair, catalogue(pair) if torch else of_any(pair))
        return [
            Fault(d.name, "", Case(best(self.precisions)), self._planter(d))
            for d in chosen
        ]

    def _planter(self, defect: Defect) -> Callable[[], Any]:
        @contextmanager
        def plant() -> Iterator[None]:
            self._planted["fault"] = defect
            try:
                yield
            finally:
                del self._planted["fault"]

        return plant

    @contextmanager
    def _control_twice(self) -> Iterator[None]:
        """The control as its own candidate, to count false alarms."""
        candidate = self.candidate
        object.__setattr__(self, "candidate", self.control)
        try:
            yield
        finally:
            object.__setattr__(self, "candidate", candidate)

    def verify(
        self,
        rungs: Sequence[str] | None = None,
        report: Callable[[str], object] = print,
    ) -> Proof:
        """Runs the comparisons.

        Args:
            rungs: Such as `("R3", "R5")`, beside R1; all that there are by default.
            report: Gets each line.

        Returns:
            The results; all rungs are needed to promote the candidate.

        Raises:
            HarnessError: A rung of this name isn't there.
        """
        from bridge.migration.running import verify

        return verify(self, rungs, report)

    def selftest(
        self,
        faults: Sequence[str] | None = None,
        report: Callable[[str], object] = print,
    ) -> list[Caught]:
        """Plants faults into the candidate, and sees them found by name.

        Args:
            faults: Their names, or parts of these; all that matter by default.
            report: Gets each line.
        """
        from bridge.migration.running import selftest

        return selftest(self, faults, report)

    def settings(self) -> list[Row]:
        """Both sides' settings beside each other, read off the built objects."""
        from bridge.migration.settings import rows

        pair = Pair(self, best(self.precisions))
        pair.build()
        return rows(self.name, pair)

    def explain(self) -> str:
        """What is compared here, and what isn't and why."""
        from bridge.migration.explaining import explain

        return explain(self)

    def bench(
        self, rounds: int = 15, report: Callable[[str], object] = print
    ) -> dict[str, Any]:
        """Times forward, gradient and step of both sides, in turn.

        Returns:
            The control's time over the candidate's with its interval, by what was run.
        """
        from bridge.migration.timing import bench

        return bench(self, rounds, report)

    def current(self, side: SideName | None = None) -> SideName:
        """The side in use: the argument, else `BRIDGE_<NAME>`, else the stored choice.

        Raises:
            HarnessError: It is none of `control` and `candidate`.
        """
        return choice.current(self.name, self.folder, side)

    def build(self, side: SideName | None = None) -> Any:
        """Builds the side in use."""
        chosen: Side = getattr(self, self.current(side))
        return chosen.build()

    def promote(self, proof: Proof | None = None) -> Path:
        """Makes the candidate the stored choice, on a complete, fresh, green proof.

        Args:
            proof: From `verify`; the stored one by default.

        Returns:
            The file that was written.

        Raises:
            HarnessError: The proof doesn't suffice; says why.
        """
        return choice.promote(self, proof)

    def unproved(self) -> list[str]:
        """Why the stored proof wouldn't allow to promote; nothing if it would."""
        from bridge.migration.proof import blockers, read_proof

        try:
            return blockers(self, read_proof(self))
        except HarnessError as error:
            return [str(error)]

    def rollback(self) -> Path:
        """Makes the control the stored choice; asks for nothing."""
        return choice.store(self.name, self.folder, "control")

    def report(self, path: Path | str, proof: Proof | None = None) -> Path:
        """Writes a page with what was compared and how it came out."""
        from bridge.migration.page import write_page

        return write_page(self, Path(path), proof)

    def suggest_mapping(self, path: Path | str | None = None) -> dict[str, Leaf]:
        """Which of the candidate's leaves is which of the control's, as far as is seen.

        By name, shape and order, then by the values of a probe. Written as a file that
        `Side(rename=...)` reads, where a path is given; what is left over is listed in
        it.
        """
        from bridge.migration.suggesting import suggest

        return suggest(self, None if path is None else Path(path))

    def save(self, path: Path | str, built: Any, side: SideName, optimiser: Any = None):
        """Writes weights, buffers and moments under the control's names.

        Args:
            path: A folder, written whole or not at all.
            built: The side's object.
            side: Which side it is.
            optimiser: Its torch optimiser, if its moments shall be kept.
        """
        from bridge.migration.checkpoint import save

        return save(self, Path(path), built, side, optimiser)

    def load(self, path: Path | str, built: Any, side: SideName, optimiser: Any = None):
        """Reads what `save` wrote into an object of either side.

        Raises:
            HarnessError: It is of another migration, torn, or doesn't fit.
        """
        from bridge.migration.checkpoint import load

        return load(self, Path(path), built, side, optimiser)

    @property
    def variable(self) -> str:
        """The environment variable that chooses a side."""
        return choice.variable(self.name)
