"""Pictures and the page of a run."""

from experiment.report.losses import draw_losses
from experiment.report.page import write_report
from experiment.report.pictures import draw_evaluation

__all__ = [
    "draw_evaluation",
    "draw_losses",
    "write_report",
]
