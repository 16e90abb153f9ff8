"""What each term counts in a model's loss, and which windows it is taken over.

In a cycle of hybrid training a model learns from two kinds of windows: real ones, and
those that the other model made. Its loss is `real * (mean over real windows) +
interaction * (mean over the others)`, with `trainer.hybrid.weights`; with
`trainer.hybrid.proportional` each weight is multiplied by the share of its kind, so
that weights of 1 give one mean over all windows. Where there are windows of one kind
only (the warm-up, `trainer.data_access`, a weight of 0) the loss is their plain mean.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiment.data import WindowCounts
from experiment.settings import Settings

#: The terms of a loss.
REAL, INTERACTION = "real", "interaction"


def access_of(settings: Settings, model: str) -> str:
    """Which windows a model is given: `trainer.data_access` without what weighs 0.

    Args:
        settings: The settings of the run.
        model: `synthetic` or `physical`.
    """
    access = settings.trainer.data_access
    weights = getattr(settings.trainer.hybrid.weights, model)
    if access == "both" and not weights.interaction:
        return "real_only"
    if access == "both" and not weights.real:
        return "generated_only"
    return access


def term_weights(
    settings: Settings, model: str, counts: WindowCounts
) -> dict[str, float]:
    """What the mean over the windows of each kind counts in a model's loss.

    Args:
        settings: The settings of the run.
        model: `synthetic` or `physical`.
        counts: Windows of each kind.

    Returns:
        The factor by `REAL` and `INTERACTION`; a kind without windows has none.
    """
    if not counts.generated:
        return {REAL: 1.0}
    if not counts.real:
        return {INTERACTION: 1.0}
    hybrid = settings.trainer.hybrid
    weights = getattr(hybrid.weights, model)
    factors = {REAL: weights.real, INTERACTION: weights.interaction}
    if hybrid.proportional:
        total = counts.real + counts.generated
        factors[REAL] *= counts.real / total
        factors[INTERACTION] *= counts.generated / total
    return factors


def window_weights(
    factors: dict[str, float], counts: WindowCounts, generated: np.ndarray
) -> np.ndarray:
    """What each window of an epoch counts in the mean over its batch.

    Batches are of one size and mix both kinds. A window's weight is its term's factor
    over the share of its kind, so the epoch's loss is the sum of both terms, each a
    mean over its own windows, however a batch is made up.

    Args:
        factors: What `term_weights` gave for both kinds.
        counts: Windows of each kind in the epoch.
        generated: Whether each window is generated.

    Returns:
        float64 in the shape of `generated`.
    """
    total = counts.real + counts.generated
    return np.where(
        generated,
        factors[INTERACTION] * total / counts.generated,
        factors[REAL] * total / counts.real,
    )


def terms_text(
    factors: dict[str, float],
    counts: WindowCounts,
    made: str,
    losses: tuple[float | None, float | None] | None = None,
) -> str:
    """The terms of a loss in words, such as `1 x 2.0e-03 (32 real windows)`.

    Args:
        factors: What `term_weights` gave.
        counts: Windows of each kind.
        made: What windows of the other model's making are called.
        losses: Their means, if they are known.
    """
    real, generated = losses or (None, None)
    parts = []
    for kind, number, loss, name in (
        (REAL, counts.real, real, "real"),
        (INTERACTION, counts.generated, generated, made),
    ):
        if kind in factors:
            value = "" if loss is None else f"{loss:.3e} "
            parts.append(f"{factors[kind]:.3g} x {value}({number} {name} windows)")
    return " + ".join(parts)


def terms_of_row(
    settings: Settings, model: str, row: Mapping[str, Any], made: str
) -> str:
    """The terms of a row of a history in words, if others than real windows entered.

    Args:
        settings: The settings of the run.
        model: `synthetic` or `physical`.
        row: Has the windows and the mean loss of each term.
        made: What windows of the other model's making are called.
    """
    counts = WindowCounts(row["real_windows"], row["interaction_windows"])
    if not counts.generated:
        return ""
    factors = term_weights(settings, model, counts)
    losses = row["real_loss"], row["interaction_loss"]
    return f" = {terms_text(factors, counts, made, losses)}"
