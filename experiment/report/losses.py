"""A picture of the trainings: the loss of each model as it learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from experiment.report.drawing import save_figure
from experiment.training import PHYSICAL, SYNTHETIC

History = Sequence[Mapping[str, Any]]


def draw_losses(histories: Mapping[str, History], folder: Path) -> list[str]:
    """Draws one panel per model that has a history.

    Args:
        histories: Rows by `SYNTHETIC` (epoch, train_loss, val_loss, learning_rate)
            and `PHYSICAL` (round, iterations, real_loss), each with the terms
            real_loss and interaction_loss; either may be empty or missing.
        folder: The folder of the file.

    Returns:
        The file names: `losses.png`, or none without any history.

    Raises:
        ValueError: A history is of an unknown model.
    """
    draw = {SYNTHETIC: _synthetic, PHYSICAL: _physical}
    if not set(histories) <= set(draw):
        raise ValueError(
            f"`histories` has the names {list(histories)}; expected {list(draw)}"
        )
    shown = [name for name in draw if histories.get(name)]
    if not shown:
        return []
    # The second axis of one panel keeps its distance from the next panel.
    layout = ConstrainedLayoutEngine(w_pad=0.12)
    figure = Figure(figsize=(6.4 if len(shown) == 1 else 11, 4.0), layout=layout)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, name in zip(panels, shown, strict=True):
        draw[name](axes, histories[name])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    save_figure(figure, folder / "losses.png")
    return ["losses.png"]


def _synthetic(axes: Axes, history: History) -> None:
    epochs = [row["epoch"] for row in history]
    axes.semilogy(
        epochs, [r["train_loss"] for r in history], "C0o-", ms=3, label="training"
    )
    taught = [row for row in history if row.get("interaction_loss") is not None]
    for key, style, label in (
        ("real_loss", "C2^:", "real windows"),
        ("interaction_loss", "C1v:", "generated windows"),
    ):
        rows = [row for row in taught if row[key] is not None]
        if rows:
            x, y = [row["epoch"] for row in rows], [row[key] for row in rows]
            axes.semilogy(x, y, style, ms=3, label=label)
    if history[0]["val_loss"] is not None:
        axes.semilogy(
            epochs, [r["val_loss"] for r in history], "C3o-", ms=3, label="validation"
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean squared error of the dynamic channels")
    rates = axes.twinx()
    rates.plot(epochs, [r["learning_rate"] for r in history], "0.6", ls=":", marker=".")
    rates.set_ylabel("learning rate (dotted)")
    rates.set_ylim(bottom=0)
    axes.set_title("Loss of the synthetic model by epoch")
    axes.legend()


def _physical(axes: Axes, history: History) -> None:
    rounds = [row["round"] for row in history]
    # On real windows, as what the other model predicts differs between cycles.
    real = [row["real_loss"] for row in history]
    axes.semilogy(rounds, real, "C2o-", ms=3, label="real windows")
    taught = [row for row in history if row.get("interaction_loss") is not None]
    if taught:
        x = [row["round"] for row in taught]
        made = [row["interaction_loss"] for row in taught]
        axes.semilogy(x, made, "C1v:", ms=3, label="predicted windows")
        axes.legend()
    axes.set_xlabel("round")
    axes.set_ylabel("mean squared error of the dynamic channels")
    axes.set_title("Loss of the physical model by round")
