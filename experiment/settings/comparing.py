"""What a comparison of trainings does not allow."""

from collections.abc import Iterator

from experiment.settings.schema import Settings


def impossible_comparison(settings: Settings) -> Iterator[str]:
    """What `compare` and `general.mode=compare` do not allow, a sentence each."""
    seeds, tasks = settings.compare.seeds, settings.general.tasks
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        yield (
            f"`compare.seeds` names {', '.join(map(str, twice))} more than once; a seed"
            " that counts twice makes the spread look smaller. Expected different"
            " seeds, such as [0, 1, 2]."
        )
    if settings.general.mode != "compare":
        return
    if not {"train", "evaluate"} & set(tasks):
        yield (
            f"`general.mode` is compare and `general.tasks` is [{', '.join(tasks)}],"
            " which neither trains nor evaluates; expected train and evaluate among"
            " them (evaluate alone where every training of the comparison is there)."
        )
    if settings.compare.redraw_data and (
        "import" in tasks or settings.data.source is not None
    ):
        yield (
            "`compare.redraw_data` is true and the data are imported (`general.tasks`"
            " has import, or `data.source` is set), so there is nothing to draw again;"
            " set `compare.redraw_data=false`."
        )
