"""The settings that a learner trains with, read off its optimiser and its loader."""

from collections.abc import Iterator
from typing import Any

from bridge.harness import Row
from bridge.ladders.cases import EXPERIMENTS, CaseName
from bridge.ladders.run_cases import RunCase
from bridge.ladders.settings_rows import rows
from bridge.ladders.training_cases import TrainingCase


def settings_rows() -> Iterator[Row]:
    """Both learners' settings for every experiment."""
    for experiment in EXPERIMENTS:
        yield from case_rows(CaseName(experiment, "unet", "float64"))


def case_rows(name: CaseName | RunCase) -> Iterator[Row]:
    """Both learners' settings in a case."""
    case = TrainingCase(name)
    control, candidate = describe(case, "control"), describe(case, "candidate")
    yield from rows(f"trainer-{name}", case.settings, "trainer", control, candidate)


def describe(case: TrainingCase, side: str) -> dict[str, str]:
    """What a side trains with, in words, by setting."""
    learner: Any = case.learner(side)
    (group,) = learner.optimiser.param_groups
    decoupled = group.get("decoupled_weight_decay", False)
    training = case.settings.trainer
    return {
        "optimiser": type(learner.optimiser).__name__,
        "learning rate": str(learner.learning_rate),
        "betas": str(tuple(group["betas"])),
        "eps": str(group["eps"]),
        "weight decay": str(group["weight_decay"]),
        "decay kind": "decoupled" if decoupled else "added to the gradient",
        "amsgrad": str(group["amsgrad"]),
        "trained leaves": str(len(group["params"])),
        "schedule": training.synthetic.schedule,
        "clipping": str(training.synthetic.clip_norm),
        "autocast": training.amp,
        "batch size": str(training.batch_size),
        "batches an epoch": str(len(case.loader(side))),
    }
