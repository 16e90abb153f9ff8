"""Which run goes on, and which is evaluated."""

import logging
from pathlib import Path

import pytest

from bridge.assemble import build_components
from experiment.run import run_tasks
from experiment.run.former import former_runs
from experiment.settings import Settings
from experiment.system import CheckpointError, Progress, SettingsError, UserError
from experiment.training import LAST, load_checkpoint
from tests.helpers import small

OWN = "general.checkpoint_dir=null"
TRAIN = (OWN, "general.tasks=[train]", "trainer.synthetic.epochs=1")
EVALUATE = (OWN, "general.tasks=[evaluate]")


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiment.report.draw_evaluation", lambda *a: [])


def run(settings: Settings) -> Path:
    return run_tasks(settings, build_components(settings), Progress())


def epochs(folder: Path) -> int:
    return load_checkpoint(folder / "checkpoints" / LAST).state.epoch


def latest(folder: Path) -> Path:
    return (folder.parent / "latest").resolve()


def test_the_last_run_goes_on_or_one_by_name(burgers_folder: Path) -> None:
    first = run(small(burgers_folder, *TRAIN))
    second = run(small(burgers_folder, *TRAIN))
    assert first != second and latest(first) == second.resolve()
    more = (*TRAIN[:2], "trainer.synthetic.epochs=2", "trainer.extend=true")
    assert run(small(burgers_folder, *more, "trainer.resume=last")) == second
    named = f"trainer.resume={first.name}"
    assert run(small(burgers_folder, *more, named)) == first
    assert (epochs(first), epochs(second)) == (2, 2)
    # Gone on with last, so it is the last one now.
    assert latest(first) == first.resolve()
    more = (*TRAIN[:2], "trainer.synthetic.epochs=3", "trainer.extend=true")
    assert run(small(burgers_folder, *more, "trainer.resume=true")) == first
    path = f"trainer.resume={second}"
    assert run(small(burgers_folder, *more, path)) == second
    linked = "trainer.resume=latest"
    assert run(small(burgers_folder, *more, linked)) == second


def test_a_run_that_writes_late_does_not_take_the_link(burgers_folder: Path) -> None:
    from experiment.run import RunFolder

    settings = small(burgers_folder, OWN)
    first, second = RunFolder(settings), RunFolder(settings)
    second.mark_latest()
    first.mark_latest()
    assert latest(first.path) == second.path.resolve()


def test_an_evaluation_says_which_run_it_took(
    burgers_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "experiment")
    with pytest.raises(CheckpointError, match="there is no checkpoint of"):
        run(small(burgers_folder, *EVALUATE))
    first = run(small(burgers_folder, *TRAIN))
    second = run(small(burgers_folder, *TRAIN, "general.seed=3"))
    with pytest.raises(CheckpointError, match="`general.seed=3`; this run has"):
        run(small(burgers_folder, *EVALUATE))
    run(small(burgers_folder, *EVALUATE, "general.seed=3"))
    assert f"of the run `{second}` (the last one)" in caplog.text
    # What only evaluated is no run that trained; it says whose checkpoints it took.
    folder = run(small(burgers_folder, *EVALUATE, f"evaluation.run={first.name}"))
    assert f"of the run `{first}` (as named)" in caplog.text
    assert f"run `{first}`" in (folder / "log.txt").read_text()
    assert f"{first}/checkpoints/{LAST}" in (folder / "report.html").read_text()
    names = [f.path for f in former_runs(small(burgers_folder, OWN))]
    assert names == [second, first]
    with pytest.raises(CheckpointError, match="no checkpoints of its own"):
        run(small(burgers_folder, *EVALUATE, f"evaluation.run={folder.name}"))


def test_a_run_without_a_checkpoint_is_not_passed_over(burgers_folder: Path) -> None:
    """Who was killed in the first epoch doesn't go on with an older training."""
    run(small(burgers_folder, *TRAIN))
    killed = run(small(burgers_folder, *TRAIN))
    (killed / "checkpoints" / LAST).unlink()
    with pytest.raises(CheckpointError, match=f"{killed.name}.*has no checkpoint"):
        run(small(burgers_folder, *TRAIN, "trainer.resume=true"))
    named = small(burgers_folder, *TRAIN, "general.run_name=job")
    (run(named) / "checkpoints" / LAST).unlink()
    again = (*TRAIN, "general.run_name=job", "trainer.resume=auto")
    assert epochs(run(small(burgers_folder, *again))) == 1
    # Killed before it wrote its settings.
    early = burgers_folder / "runs" / "early"
    early.mkdir()
    again = (*TRAIN, "general.run_name=early", "trainer.resume=auto")
    assert run(small(burgers_folder, *again)) == early and epochs(early) == 1


def test_names_that_are_taken_or_unknown(burgers_folder: Path) -> None:
    named = (*TRAIN, "general.run_name=job")
    folder = run(small(burgers_folder, *named))
    before = sorted(folder.parent.iterdir())
    with pytest.raises(UserError, match="is there already.*trainer.resume=auto"):
        run(small(burgers_folder, *named))
    with pytest.raises(CheckpointError, match="no such run .*did you mean `job`"):
        run(small(burgers_folder, *TRAIN, "trainer.resume=jo"))
    with pytest.raises(CheckpointError, match="`evaluation.run` is x, and there is no"):
        run(small(burgers_folder, *EVALUATE, "evaluation.run=x"))
    assert sorted(folder.parent.iterdir()) == before, "nothing is left of a refusal"


def test_a_folder_of_ones_own_choice(burgers_folder: Path) -> None:
    """Shared by runs, one after the other, as it is said."""
    own = (*TRAIN[1:], f"general.checkpoint_dir={burgers_folder}/shared")
    first = run(small(burgers_folder, *own))
    more = (*own[:1], own[-1], "trainer.synthetic.epochs=2", "trainer.extend=true")
    second = run(small(burgers_folder, *more, "trainer.resume=auto"))
    assert first != second and not (second / "checkpoints").exists()
    assert load_checkpoint(burgers_folder / "shared" / LAST).state.epoch == 2
    with pytest.raises(CheckpointError, match=f"was `{burgers_folder}/shared`"):
        run(small(burgers_folder, *TRAIN, f"trainer.resume={first.name}"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("trainer.resume=true", "general.tasks=[evaluate]"), "this run doesn't train"),
        (("trainer.resume=true", "general.mode=evaluate"), "this run doesn't train"),
        (("evaluation.run=x",), "it evaluates what it trained itself"),
        (("trainer.resume=auto",), "nothing says where that would be"),
        (("trainer.resume=x", "general.run_name=y"), "two places to go on in"),
        (("trainer.resume=x", "general.checkpoint_dir=y"), "two places to go on in"),
        (
            (*EVALUATE[1:], "evaluation.run=x", "general.checkpoint_dir=y"),
            "two places to take checkpoints from",
        ),
        (("general.run_name=latest",), "none of last, auto, latest"),
        (("general.run_name=a/b",), "`general.run_name` is .*a/b"),
        (("trainer.extend=true",), "no training to extend"),
        (("trainer.resume=[1]",), "the name or folder of a run"),
        (("trainer.resume=''",), "the name or folder of a run"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        small(tmp_path, OWN, *overrides)
