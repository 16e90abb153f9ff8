"""Settings that a run would not read: refused where the command line gives them.

A file of `conf/` may have values for every mode; who types one for a mode that doesn't
read it means something that would not happen.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from experiment.settings.schema import Settings

#: Epochs and rounds of a hybrid training.
_CYCLES = (
    "the synthetic model trains `trainer.hybrid.warm_up_epochs` epochs, and"
    " `trainer.hybrid.epochs` in each of `trainer.hybrid.cycles`"
)
_ROUNDS = (
    "the physical model trains `trainer.hybrid.rounds` rounds in each of"
    " `trainer.hybrid.cycles`"
)
_BUDGET = (
    "each model alone gets the budget of the hybrid training, which `trainer.hybrid`"
    " says"
)
_NOTHING_TRAINED = "nothing is trained"
_ALONE = "there is one training"

#: What each mode doesn't read, and why. A key that ends with a dot is all below it.
UNREAD: dict[str, dict[str, str]] = {
    "synthetic": {
        "trainer.physical.": "there is no physical model",
        "trainer.hybrid.": "there is no physical model",
        "trainer.data_access": "there are no generated windows",
        "evaluation.laplace_rank": "there is no physical model",
        "compare.": _ALONE,
    },
    "physical": {
        "model.synthetic.": "there is no synthetic model",
        "trainer.batch_size": "each loss is over `trainer.physical.windows` at once",
        "trainer.amp": "there is no synthetic model",
        "trainer.data_access": "there are no predicted windows",
        "trainer.synthetic.": "there is no synthetic model",
        "trainer.hybrid.": "there is no synthetic model",
        "compare.": _ALONE,
    },
    "hybrid": {
        "trainer.synthetic.epochs": _CYCLES,
        "trainer.physical.rounds": _ROUNDS,
        "compare.": _ALONE,
    },
    "compare": {
        "general.seed": "its seeds are `compare.seeds`",
        "trainer.synthetic.epochs": _BUDGET,
        "trainer.physical.rounds": _BUDGET,
        "evaluation.export": "each of its trainings has forecasts of its own",
    },
    "evaluate": {
        "general.take_over": _NOTHING_TRAINED,
        "trainer.batch_size": _NOTHING_TRAINED,
        "trainer.rollout_schedule": _NOTHING_TRAINED,
        "trainer.rollout_start": _NOTHING_TRAINED,
        "trainer.data_access": _NOTHING_TRAINED,
        "trainer.synthetic.": _NOTHING_TRAINED,
        "trainer.physical.rounds": _NOTHING_TRAINED,
        "trainer.physical.iterations": _NOTHING_TRAINED,
        "trainer.physical.tolerance": _NOTHING_TRAINED,
        "trainer.physical.regularisation": _NOTHING_TRAINED,
        "trainer.physical.regularisation_weight": _NOTHING_TRAINED,
        "trainer.hybrid.": _NOTHING_TRAINED,
        "compare.": _NOTHING_TRAINED,
    },
}


@dataclass(frozen=True)
class _Condition:
    """A key that is read only where another has some value.

    Attributes:
        key: The key.
        read: Whether it is.
        why: Where it would be read.
    """

    key: str
    read: Callable[[Settings], bool]
    why: str


def _decays(settings: Settings) -> bool:
    return settings.trainer.synthetic.schedule in ("step", "exponential")


_CONDITIONS = (
    *(
        _Condition(
            f"trainer.synthetic.{name}",
            _decays,
            "`trainer.synthetic.schedule=step` or `exponential`",
        )
        for name in ("decay", "decay_epochs")
    ),
    _Condition(
        "trainer.rollout_start",
        lambda s: s.trainer.rollout_schedule != "constant",
        "`trainer.rollout_schedule=linear` or `exponential`",
    ),
    _Condition(
        "trainer.physical.regularisation_weight",
        lambda s: s.trainer.physical.regularisation is not None,
        "`trainer.physical.regularisation=l2` or `tv`",
    ),
    _Condition(
        "trainer.hybrid.alpha",
        lambda s: s.trainer.hybrid.trajectories is None,
        "`trainer.hybrid.trajectories=null`",
    ),
    _Condition(
        "evaluation.export",
        lambda s: s.general.mode == "evaluate" or "evaluate" in s.general.tasks,
        "evaluate in `general.tasks`, the task that writes it",
    ),
    _Condition(
        "general.tasks",
        lambda s: s.general.mode != "evaluate" or s.general.tasks == ("evaluate",),
        "any `general.mode` but evaluate, which does that task alone",
    ),
)


def why_unread(mode: str, key: str) -> str | None:
    """Why a mode doesn't read a key; None where it does.

    Args:
        mode: A `general.mode`.
        key: A key, or a group of them.
    """
    for unread, why in UNREAD[mode].items():
        if key == unread or (unread.endswith(".") and f"{key}.".startswith(unread)):
            return why
    return None


def given_in_vain(settings: Settings, given: Collection[str]) -> Iterator[str]:
    """What the command line gives and this run doesn't read, a sentence each.

    Args:
        settings: The settings of the run.
        given: Keys, or groups, that the command line gives.
    """
    mode = settings.general.mode
    for key in dict.fromkeys(given):
        why = why_unread(mode, key)
        if why is not None:
            readers = [m for m in UNREAD if why_unread(m, key) is None]
            yield (
                f"`{key}` is given on the command line, and `general.mode={mode}`"
                f" doesn't read it: {why}. Leave it out, or choose a mode that reads it"
                f" ({', '.join(readers)})."
            )
    for condition in _CONDITIONS:
        if condition.key in given and not condition.read(settings):
            yield (
                f"`{condition.key}` is given on the command line and wouldn't be read;"
                f" it is with {condition.why}. Leave it out, or give that too."
            )
