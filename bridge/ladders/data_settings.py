"""The settings of a loader, measured."""

from collections.abc import Iterator
from typing import Any

from bridge.harness import Row
from bridge.ladders.cases import EXPERIMENTS, CaseName
from bridge.ladders.data_cases import DataCase, batches_of, windows_of
from bridge.ladders.run_cases import RunCase
from bridge.ladders.settings_rows import rows


def settings_rows() -> Iterator[Row]:
    """Both loaders' settings for every experiment."""
    for experiment in EXPERIMENTS:
        name = CaseName(experiment, "convnet", "float64", batch_norm=False)
        yield from case_rows(name, f"data-{experiment}")


def case_rows(name: CaseName | RunCase, title: str) -> Iterator[Row]:
    """Both loaders' settings in a case, under a title."""
    case = DataCase(name)
    control = describe(case, case.control())
    candidate = describe(case, case.candidate())
    yield from rows(title, case.settings, "data", control, candidate)


def describe(case: DataCase, loader: Any) -> dict[str, str]:
    """What a loader of training windows gives, in words, by setting."""
    batches = batches_of(loader, 1)
    sizes = [len(batch) for batch in batches]
    numbers = {w.tobytes(): i for i, w in enumerate(windows_of(case.control()))}
    order = [numbers.get(window.tobytes(), -1) for b in batches for window in b]
    return {
        "batch size": str(max(sizes)),
        "batches an epoch": str(len(batches)),
        "windows an epoch": f"{sum(sizes)} of {len(numbers)}",
        "last batch": "kept" if sum(sizes) == len(numbers) else "dropped",
        "order of epoch 1": f"windows {', '.join(map(str, order[:8]))}, ...",
        "window (channels, frames, x, y)": str(batches[0].shape[1:]),
        "dtype": str(batches[0].dtype),
    }
