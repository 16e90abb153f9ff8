"""What a reference of the data does not allow."""

from collections.abc import Iterator

from experiment.settings.schema import Settings


def impossible_reference(settings: Settings) -> Iterator[str]:
    """What `data.reference` and its settings do not allow, a sentence each."""
    data, equation = settings.data, settings.model.physical
    if data.reference == "same":
        return
    if data.reference == "fine" and data.reference_refinement == 1:
        yield (
            "`data.reference` is fine and `data.reference_refinement` is 1, which is"
            " the model's own grid; expected at least 2, or `data.reference=same`."
        )
    if data.reference == "spectral" and not equation.has_spectral:
        yield (
            f"`data.reference` is spectral, which {equation.name} doesn't have (no"
            " `spectral_rates` in its equation); use `data.reference=fine`."
        )
    if "import" in settings.general.tasks or data.source is not None:
        yield (
            f"`data.reference` is {data.reference} and the data are imported"
            " (`general.tasks` has import, or `data.source` is set), so nothing is"
            " simulated; set `data.reference=same`."
        )
