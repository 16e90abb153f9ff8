"""Roll-outs beside the truth, metrics, and recovered parameters."""

from experiment.evaluation.comparison import (
    ComparedModel,
    Comparison,
    compared_models,
    comparison_tables,
    guesses,
    spread_text,
)
from experiment.evaluation.exporting import check_export, export_evaluation
from experiment.evaluation.laplace import INFORMED
from experiment.evaluation.metrics import (
    correlation,
    correlation_time,
    energy,
    nrmse,
    nrmse_channels,
    rmse,
    spectrum,
    vrmse,
)
from experiment.evaluation.output import summary_table, write_evaluation
from experiment.evaluation.recovered import (
    ParameterError,
    RecoveredParameter,
    certainty_text,
    error_lines,
    parameter_table,
    value_text,
)
from experiment.evaluation.rollouts import (
    PERSISTENCE,
    EvaluationResult,
    Forecast,
    Rollout,
    evaluate,
    first_bad_frame,
    take_channels,
)

__all__ = [
    "ComparedModel",
    "Comparison",
    "EvaluationResult",
    "Forecast",
    "INFORMED",
    "PERSISTENCE",
    "ParameterError",
    "RecoveredParameter",
    "Rollout",
    "certainty_text",
    "check_export",
    "compared_models",
    "comparison_tables",
    "correlation",
    "correlation_time",
    "energy",
    "error_lines",
    "evaluate",
    "export_evaluation",
    "first_bad_frame",
    "guesses",
    "nrmse",
    "nrmse_channels",
    "parameter_table",
    "rmse",
    "spectrum",
    "spread_text",
    "summary_table",
    "take_channels",
    "value_text",
    "vrmse",
    "write_evaluation",
]
