"""Pictures and the page of a run."""

from experiment.report.comparison import draw_comparison
from experiment.report.comparison_page import write_comparison_page
from experiment.report.losses import draw_losses
from experiment.report.page import write_report
from experiment.report.pictures import draw_evaluation
from experiment.report.spread import draw_spreads

__all__ = [
    "draw_spreads",
    "draw_comparison",
    "draw_evaluation",
    "draw_losses",
    "write_comparison_page",
    "write_report",
]
