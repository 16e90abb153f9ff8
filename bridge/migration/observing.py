"""What is looked at on a side, each quantity by name, in the order of execution."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from bridge.harness import rms
from bridge.migration.arrays import flatten, real, to_numpy
from bridge.migration.pair import Observe, Pair
from bridge.migration.seen import Seen, undone
from bridge.migration.sides import Symmetry
from bridge.migration.subject import Subject

#: A leaf whose gradient is this small beside all has the gradient 0 but for rounding.
_VANISHING = 1e-10


def looked(
    observe: Observe, pair: Pair, subject: Subject, view: Symmetry | None = None
) -> dict[str, np.ndarray]:
    """What is seen on a side, as it is without the symmetry that it is seen under."""
    return undone(observe(pair, subject, view), view)


def forward(pair: Pair, subject: Subject, view: Symmetry | None) -> dict[str, Seen]:
    """Outputs in evaluation and training mode, and buffers afterwards."""
    seen: dict[str, Seen] = {}
    size = max(pair.migration.sizes)
    for training in (False, True):
        mode = "training" if training else "evaluation"
        inputs, _ = pair.batch(size, view=view)
        pair.refill(subject, view)
        with _threads(view):
            output = flatten(subject.forward(inputs, training))
        for path, value in output.items():
            array = to_numpy(value)
            kind = "batch" if array.ndim and array.shape[0] == size else "number"
            seen[f"output{f' {path}' if path else ''}, {mode} mode"] = Seen(array, kind)
        trained = set(subject.trainable())
        after = {n: v for n, v in subject.leaves().items() if n not in trained}
        for name, value in pair.to_common(subject, after).items():
            seen[f"{name} after a call, {mode} mode"] = Seen(value, "leaf", name)
    return seen


@contextmanager
def _threads(view: Symmetry | None) -> Iterator[None]:
    """Another number of threads, if a symmetry asks for it."""
    torch = sys.modules.get("torch")
    if torch is None or view is None or view.threads is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(view.threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def losses(pair: Pair, subject: Subject, view: Symmetry | None) -> dict[str, Seen]:
    """The loss at each size of a batch, in training mode."""
    seen = {}
    for size in pair.migration.sizes:
        inputs, targets = pair.batch(size, view=view)
        pair.refill(subject, view)
        value = subject.loss(inputs, targets)
        seen[f"loss, batch {size}"] = Seen(_number(value, subject))
    return seen


def _number(value: float, subject: Subject) -> np.ndarray:
    return np.array([value], dtype=subject.precision)


def gradients(pair: Pair, subject: Subject, view: Symmetry | None) -> dict[str, Seen]:
    """The gradient of the loss by each leaf and each input."""
    inputs, targets = pair.batch(max(pair.migration.sizes), view=view)
    pair.refill(subject, view)
    found = subject.gradients(inputs, targets)
    leaves = {n: g for n, g in found.items() if not n.startswith("input ")}
    seen = {}
    own = {n: np.array(None) if g is None else g for n, g in leaves.items()}
    # Input gradients come last, so that a leaf that is off is named first.
    for name, value in pair.to_common(subject, own).items():
        seen[f"gradient of {name}"] = Seen(value, "leaf", name)
    for name, gradient in found.items():
        if name.startswith("input "):
            value = np.array(None) if gradient is None else gradient
            seen[f"gradient of {name}"] = Seen(value, "batch")
    return seen


def vanishing(pair: Pair) -> set[str]:
    """Leaves whose gradient is 0 but for rounding; a step of Adam makes noise of it."""
    if not pair.oracle.differentiates:
        return set()
    seen = gradients(pair, pair.oracle, None)
    sizes = {
        s.leaf: rms(real(s.value))
        for s in seen.values()
        if s.kind == "leaf" and s.value.dtype.kind in "fc"
    }
    largest = max(sizes.values(), default=0.0)
    eps = _VANISHING if pair.oracle.precision == "float64" else 1e-6
    return {n for n, size in sizes.items() if size < eps * largest}


def steps_of(*counts: int) -> Observe:
    """Losses, updates and moments after some numbers of training steps."""

    def observe(pair: Pair, subject: Subject, view: Symmetry | None) -> dict[str, Seen]:
        seen: dict[str, Seen] = {}
        subject = pair.fresh(subject)
        pair.refill(subject, view)
        subject.start()
        before = pair.to_common(subject, subject.leaves())
        noise = pair.noise
        history = []
        size = max(pair.migration.sizes)
        for number in range(1, max(counts) + 1):
            inputs, targets = pair.batch(size, number, view)
            history.append(subject.train_step(inputs, targets))
            if number not in counts:
                continue
            when = f"after {number} step{'s' if number > 1 else ''}"
            seen[f"losses {when}"] = Seen(np.array(history, subject.precision))
            for name, value in pair.to_common(subject, subject.leaves()).items():
                if name in noise or not pair.updates:
                    continue
                if value.dtype.kind in "fc":
                    # A moment may be made by the first step; it begins at zero.
                    value = value - before.get(name, 0)
                seen[f"update of {name} {when}"] = Seen(value, "leaf", name)
            for kind, values in subject.moments().items():
                for name, value in pair.to_common(subject, values).items():
                    if name not in noise:
                        seen[f"{kind} of {name} {when}"] = Seen(value, "number")
        return seen

    return observe
