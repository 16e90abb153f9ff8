"""Roll-outs beside the truth, metrics, and recovered parameters."""

from experiment.evaluation.metrics import (
    correlation,
    correlation_time,
    energy,
    nrmse,
    rmse,
    spectrum,
)
from experiment.evaluation.output import summary_table, write_evaluation
from experiment.evaluation.recovered import (
    RecoveredParameter,
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
    "EvaluationResult",
    "Forecast",
    "PERSISTENCE",
    "RecoveredParameter",
    "Rollout",
    "correlation",
    "correlation_time",
    "energy",
    "evaluate",
    "first_bad_frame",
    "nrmse",
    "parameter_table",
    "rmse",
    "spectrum",
    "summary_table",
    "take_channels",
    "value_text",
    "write_evaluation",
]
