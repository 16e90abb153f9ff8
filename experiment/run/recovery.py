"""What a physical model learned, beside the truth."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiment.data import data_are_imported, on_data_grid
from experiment.evaluation import RecoveredParameter
from experiment.settings import Settings, parameter_ranges


def recovered_parameters(
    settings: Settings, learned: Mapping[str, np.ndarray]
) -> Sequence[RecoveredParameter]:
    """What was learned, beside the truth that the data were simulated with.

    Of data that were imported the truth is unknown.
    """
    rows, equation = [], settings.model.physical
    unknown = data_are_imported(settings)
    for name, numbers in parameter_ranges(settings).items():
        truth = equation.true_parameter(name)
        guess, value = (
            on_data_grid(settings, numbers, np.asarray(values))
            for values in (numbers.guess, learned[name])
        )
        # What has fewer axes than the truth is judged as the field that it stands for.
        shape = np.broadcast_shapes(truth.shape, guess.shape)
        truth, guess, value = (
            np.broadcast_to(side, shape) for side in (truth, guess, value)
        )
        rows.append(
            RecoveredParameter(
                name, numbers.unit, None if unknown else truth, guess, value
            )
        )
    return rows
