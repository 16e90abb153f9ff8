"""What a mode doesn't read is refused on the command line: the table, and its truth."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.assemble import build_components
from experiment.run import run_tasks
from experiment.run.subruns import sub_runs
from experiment.settings import UNREAD, Settings, check_settings, leaves, why_unread
from experiment.settings.values import to_dict
from experiment.system import Progress, SettingsError
from experiment.training import checkpoint_folder, load_checkpoint
from hyco.run import given_keys
from tests.helpers import SMALL, SMALL_UNET, composed, folders, run_program, small

#: Rooms whose keys a mode must read, or refuse.
ROOMS = ("trainer.", "model.", "evaluation.", "compare.")
#: So that whatever is read under some condition is read.
FULL = (
    *("trainer.synthetic.schedule=step", "trainer.synthetic.decay_epochs=1"),
    *("trainer.rollout_schedule=linear", "trainer.synthetic.checkpoint_every=1"),
    *("trainer.physical.regularisation=tv", "evaluation.laplace_rank=2"),
    *("trainer.physical.windows=4", "trainer.physical.iterations=2"),
    *("trainer.hybrid.warm_up_epochs=1", "trainer.hybrid.cycles=1"),
    *("trainer.hybrid.epochs=1", "trainer.hybrid.keep_best=true"),
    *("trainer.physical.rounds=1", "compare.seeds=[0]", "migration=full"),
)
#: Read by a run of any mode, but not in every one: whose tasks and names need it.
OCCASIONAL = {
    "trainer.resume": "names what is gone on with; refused where nothing is trained",
    "trainer.extend": "with `trainer.resume` alone; refused without",
    "evaluation.run": "where nothing is trained; refused elsewhere",
    "model.physical.name": "chooses the equation, as the schema is made",
    "model.synthetic.architecture.layers": "refused by networks that don't read it",
    "model.physical.pde_params.viscosity": "simulates",
    "model.physical.pde_params.diffusion": "simulates",
    "model.physical.pde_params.diffusion_substeps": "simulates",
    "model.physical.pde_params.initial_speed": "simulates",
    "model.physical.pde_params.initial_wavenumber": "simulates",
}
#: Another value for every key that some mode doesn't read.
OTHER: dict[str, Any] = {
    "general.seed": 7,
    "general.take_over": True,
    "trainer.batch_size": 2,
    "trainer.amp": "bf16",
    "trainer.rollout_schedule": "exponential",
    "trainer.rollout_start": 2,
    "trainer.data_access": "real_only",
    "trainer.synthetic.epochs": 7,
    "trainer.synthetic.learning_rate": 0.5,
    "trainer.synthetic.weight_decay": 0.5,
    "trainer.synthetic.clip_norm": 0.001,
    "trainer.synthetic.schedule": "exponential",
    "trainer.synthetic.decay": 0.1,
    "trainer.synthetic.decay_epochs": 3,
    "trainer.synthetic.input_noise": 0.5,
    "trainer.synthetic.checkpoint_every": 3,
    "trainer.physical.learnable_parameters": [
        {
            "name": "viscosity",
            "type": "scalar",
            "initial_guess": 0.3,
            "bounds": [0.0, 1.0],
        }
    ],
    "trainer.physical.coarsening": 2,
    "trainer.physical.windows": 2,
    "trainer.physical.rollout_steps": 3,
    "trainer.physical.rounds": 4,
    "trainer.physical.iterations": 5,
    "trainer.physical.tolerance": 0.1,
    "trainer.physical.regularisation": None,
    "trainer.physical.regularisation_weight": 0.7,
    "trainer.hybrid.warm_up_epochs": 3,
    "trainer.hybrid.cycles": 3,
    "trainer.hybrid.epochs": 3,
    "trainer.hybrid.rounds": 3,
    "trainer.hybrid.alpha": 1.0,
    "trainer.hybrid.trajectories": 3,
    "trainer.hybrid.generated_frames": 5,
    "trainer.hybrid.predicted_frames": 5,
    "trainer.hybrid.weights.synthetic.real": 3.0,
    "trainer.hybrid.weights.synthetic.interaction": 3.0,
    "trainer.hybrid.weights.physical.real": 3.0,
    "trainer.hybrid.weights.physical.interaction": 3.0,
    "trainer.hybrid.proportional": True,
    "trainer.hybrid.keep_best": False,
    "evaluation.laplace_rank": 3,
    "evaluation.export": "never/written.nc",
    "compare.seeds": [5, 6],
    "compare.redraw_data": True,
    "model.synthetic.name": "resnet",
    "model.synthetic.architecture.levels": None,
    "model.synthetic.architecture.filters": None,
    "model.synthetic.architecture.layers": [3],
    "model.synthetic.architecture.batch_norm": True,
    "model.synthetic.architecture.activation": "tanh",
    "model.synthetic.architecture.periodic": False,
    "model.synthetic.architecture.inputs": "dynamic",
    "model.synthetic.architecture.kwargs": {"width": 3},
}


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiment.report.draw_evaluation", lambda *a: [])


def _values(path: Path, mode: str, *overrides: str) -> dict[str, Any]:
    words = (*SMALL, *SMALL_UNET, *folders(path), *FULL, f"general.mode={mode}")
    tasks = "general.tasks=[train,evaluate]"
    return composed("burgers", *words, tasks, *overrides)


def _run(settings: Settings) -> Path:
    return run_tasks(settings, build_components(settings), Progress())


def _prepared(path: Path, mode: str) -> Settings:
    """Settings of a run; what mode `evaluate` evaluates is trained."""
    if mode == "evaluate":
        _run(check_settings(_values(path, "hybrid", "general.tasks=[train]")))
    return check_settings(_values(path, mode))


def _nodes(settings: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    yield above, settings
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from _nodes(value, f"{above}{field.name}.")


#: Where values are copied, compared or shown, not read for what they say.
_NO_READERS = ("dataclasses.py", "<string>", "type_adapter.py")


def _traced(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> set[str]:
    """Notes every key that anybody reads from settings of these kinds."""
    reads: set[str] = set()
    places: dict[type, list[str]] = {}
    for above, node in _nodes(settings):
        places.setdefault(type(node), []).append(above)
    for kind, above in places.items():
        names = {field.name for field in dataclasses.fields(kind)}

        def read(self: Any, name: str, names: Any = names, above: Any = above) -> Any:
            reader = sys._getframe(1).f_code.co_filename
            value = object.__getattribute__(self, name)
            # Going through a group is no reading of what is in it.
            is_key = name in names and not dataclasses.is_dataclass(value)
            if is_key and not reader.endswith(_NO_READERS):
                reads.update(f"{place}{name}" for place in above)
            return value

        monkeypatch.setattr(kind, "__getattribute__", read)
    return reads


@pytest.mark.slow
@pytest.mark.parametrize("mode", UNREAD)
def test_what_is_not_in_the_table_is_read(
    burgers_folder: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _prepared(burgers_folder, mode)
    keys = [k for k, _ in leaves(to_dict(settings)) if k.startswith(ROOMS)]
    # A parameter of the PDE may be a table of its own; a network's are not.
    reads = _traced(monkeypatch, settings)
    _run(settings)
    monkeypatch.undo()
    unread = {k for k in keys if not any(f"{k}.".startswith(f"{r}.") for r in reads)}
    assert len(reads) > 30
    expected = {k for k in unread if k not in OCCASIONAL}
    refused = {k for k in keys if why_unread(mode, k) is not None}
    assert expected <= refused, "read by nobody, and not refused"


def _outcome(settings: Settings, folder: Path) -> dict[str, Any]:
    """All that a run learned and measured."""
    found: dict[str, Any] = {}
    parts = [settings]
    if settings.general.mode == "compare":
        parts = [part.settings for part in sub_runs(settings)]
    for part in parts:
        where = checkpoint_folder(part)
        for file in sorted(where.glob("*last.safetensors")):
            kind = "physical" if file.name.startswith("physical") else "synthetic"
            for name, leaf in load_checkpoint(file, kind).weights.items():
                found[f"{where.name}/{kind}/{name}"] = leaf
    tables = folder.rglob("curves.csv"), folder.rglob("parameters.csv")
    for table in (file for files in tables for file in files):
        found[str(table.relative_to(folder))] = table.read_text()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("mode", UNREAD)
def test_what_is_in_the_table_changes_nothing(burgers_folder: Path, mode: str) -> None:
    """All of it at other values at once: bitwise the same run."""
    settings = _prepared(burgers_folder, mode)
    before = _outcome(settings, _run(settings))
    assert len(before) > 2
    values = _values(burgers_folder, mode)
    changed = set()
    for key, value in leaves(to_dict(settings)):
        if why_unread(mode, key) is None:
            continue
        other = OTHER[key]
        assert other != value, key
        here = values
        for part in key.split(".")[:-1]:
            here = here[part]
        here[key.rsplit(".", 1)[-1]] = other
        changed.add(key)
    assert changed
    again = check_settings(values)
    after = _outcome(again, _run(again))
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


@pytest.mark.parametrize("mode", UNREAD)
def test_every_key_of_the_table_is_refused(tmp_path: Path, mode: str) -> None:
    values = composed("burgers", *folders(tmp_path), f"general.mode={mode}")
    keys = [key for key, _ in leaves(values)]
    for unread in UNREAD[mode]:
        below = [k for k in keys if k == unread or k.startswith(unread)]
        assert below, f"{unread} is no setting"
        for key in below:
            with pytest.raises(SettingsError, match="doesn't read it") as caught:
                check_settings(values, [key])
            assert f"`{key}` is given on the command line" in str(caught.value)
    read = [k for k in keys if why_unread(mode, k) is None]
    conditional = {
        *("trainer.synthetic.decay", "trainer.synthetic.decay_epochs"),
        *("trainer.rollout_start", "trainer.physical.regularisation_weight"),
        "general.tasks",
    }
    assert check_settings(values, [k for k in read if k not in conditional])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("trainer.synthetic.decay=0.3",), "`trainer.synthetic.schedule=step`"),
        (("trainer.rollout_start=2",), "`trainer.rollout_schedule=linear`"),
        (
            ("general.mode=hybrid", "trainer.hybrid.alpha=0.4")
            + ("trainer.hybrid.trajectories=2",),
            "`trainer.hybrid.trajectories=null`",
        ),
        (("general.mode=evaluate", "general.tasks=[train]"), "any `general.mode` but"),
        (("general.mode=physical", "model/synthetic=resnet"), "`model.synthetic` is"),
        (("trainer.hybrid={cycles: 3}",), "`trainer.hybrid.cycles` is given"),
        (("++trainer.hybrid.cycles=3",), "`trainer.hybrid.cycles` is given"),
    ],
)
def test_overrides_in_vain(
    tmp_path: Path, overrides: tuple[str, ...], message: str
) -> None:
    mode = () if "general.mode" in overrides[0] else ("general.mode=synthetic",)
    values = composed("burgers", *folders(tmp_path), *mode, *overrides)
    with pytest.raises(SettingsError, match=message):
        check_settings(values, given_keys(list(overrides)))
    assert check_settings(values), "as a file of settings it is allowed"


def test_on_the_command_line(tmp_path: Path) -> None:
    done = run_program(tmp_path, "general.mode=hybrid", "trainer.synthetic.epochs=40")
    assert done.returncode == 2
    assert "`trainer.synthetic.epochs` is given" in done.stderr
    assert "trainer.hybrid.warm_up_epochs" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_grid_that_no_network_is_to_fit(tmp_path: Path) -> None:
    """The architecture, which mode `physical` doesn't read, need not be changed."""
    odd = "model.physical.resolution={x: 17, y: 9}"
    with pytest.raises(SettingsError, match="needs a multiple of"):
        small(tmp_path, odd)
    assert small(tmp_path, odd, "general.mode=physical")
