"""Wrong settings end with one message before any work."""

from pathlib import Path
from typing import Any

import pytest

from experiment.data import channel_plan
from experiment.equations import EQUATIONS
from experiment.settings import check_settings, settings_warnings, to_dict
from experiment.system import SettingsError
from tests.helpers import composed, small

#: Every equation has an experiment of its name.
EXPERIMENTS = tuple(EQUATIONS)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("model", ("unet", "resnet", "convnet"))
def test_every_experiment_composes_and_every_key_is_read(
    experiment: str, model: str
) -> None:
    """A key that no dataclass has is refused, so composing proves both directions."""
    values = composed(experiment, f"model/synthetic={model}")
    settings = check_settings(values)
    assert to_dict(settings) == to_dict(check_settings(to_dict(settings)))
    assert _keys(to_dict(settings)) == _keys(values)


def _keys(values: dict[str, Any], above: str = "") -> set[str]:
    found = set()
    for name, value in values.items():
        inner = _keys(value, f"{above}{name}.") if isinstance(value, dict) else set()
        found |= inner or {f"{above}{name}"}
    return found


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "+trainer.epoch=3",
            r"`trainer\.epoch` is no .* `trainer\.synthetic\.epochs`\?",
        ),
        (
            "+trainer.synthetic.epoch=3",
            r"`trainer\.synthetic\.epoch` is no setting: did you mean `epochs`\?",
        ),
        (
            "+model.physical.resolutoin=3",
            r"`model\.physical\.resolutoin` is no setting: did you mean `resolution`",
        ),
        (
            "+model.physical.pde_params.viscosty=3",
            r"`model\.physical\.pde_params\.viscosty` .* `viscosity`",
        ),
        (
            "trainer.physical.rollout_steps=99",
            r"`trainer\.physical\.rollout_steps` is 99; .* expected at most",
        ),
        (
            "trainer.hybrid.generated_frames=2",
            r"`trainer\.hybrid\.generated_frames` is 2; a window of . roll-out",
        ),
        (
            "trainer.hybrid.predicted_frames=2",
            r"`trainer\.hybrid\.predicted_frames` is 2; a window of . roll-out",
        ),
        ("trainer.synthetic.decay=1", r"`trainer\.synthetic\.decay` is 1; .*less"),
        (
            "trainer.synthetic.input_noise=-1",
            r"`trainer\.synthetic\.input_noise` is -1; .*greater",
        ),
        ("trainer.batch_size=many", r'`trainer\.batch_size` is "many"; .*integer'),
        ("trainer.batch_size=2.5", r"`trainer\.batch_size` is 2\.5; .*integer"),
        ("trainer.batch_size=true", r"`trainer\.batch_size` is true; .*integer"),
        ("trainer.batch_size=-1", r"`trainer\.batch_size` is -1; .*greater"),
        ("general.seed='1'", r"`general\.seed` is \"1\"; .*integer"),
        ("model.physical.dt=0", r"`model\.physical\.dt` is 0; .*greater than 0"),
        (
            "model.physical.resolution.x=-8",
            r"`model\.physical\.resolution\.x` is -8; .*greater",
        ),
        ("model.physical.domain.y=-1.0", r"`model\.physical\.domain\.y` is -1\.0"),
        ("trainer.amp=fp16", r"`trainer\.amp` is \"fp16\"; allowed: 'off' or 'bf16'"),
        ("general.tasks=[tarin]", r"`general\.tasks\[0\]` is \"tarin\"; allowed"),
        ("general.tasks=[]", r"`general\.tasks` is \[\]"),
        (
            "model.physical.name=stokes",
            r"`model\.physical\.name` is \"stokes\"; allowed",
        ),
        ("migration.model=phimll", r"`migration\.model` is \"phimll\"; allowed"),
        (
            "migration.hybrid=shadow",
            r"`migration\.hybrid` is shadow, which is not built yet",
        ),
        ("general.mode=hybird", r"`general\.mode` is \"hybird\"; allowed: .*hybrid"),
        (
            "data.fields_scheme.dynamic=[velocty]",
            r"`data\.fields_scheme\.dynamic` has `velocty`.* did you mean `velocity`",
        ),
        ("data.fields=[velocity,presure]", r"`data\.fields` has `presure`"),
        ("data.fields=[velocity,viscosity]", r"field `viscosity` .* it is in none"),
        ("data.fields_scheme.static=[velocity]", r"field `velocity` .* it is in both"),
        ("trainer.train_sim=[0,99]", r"`trainer\.train_sim` names simulations \[99\]"),
        ("trainer.train_sim=[0,0]", r"`trainer\.train_sim` names 0 more than once"),
        ("trainer.rollout_steps=7", r"`trainer\.rollout_steps` is 7.* at most 6"),
        ("evaluation.num_frames=8", r"`evaluation\.num_frames` is 8.* at most"),
        (
            "model.physical.resolution.x=15",
            r"resolution\.x` is 15; a unet with levels = 2, .*such as 14 or 16",
        ),
        (
            "model.synthetic.architecture.filters=[4,8,8]",
            r"`model\.synthetic\.architecture\.filters` has 3 numbers; .*= 2 of them",
        ),
        ("model.synthetic.name=resnet", r"layers` is null, which resnet needs"),
        (
            "model.synthetic.architecture.layers=[3]",
            r"layers` is \[3\], which unet doesn't read",
        ),
        (
            "trainer.hybrid.weights.physical={real: 0, interaction: 0}",
            r"`trainer\.hybrid\.weights\.physical` has real = 0 and .* above 0",
        ),
        (
            "trainer.hybrid.weights.synthetic.real=-1",
            r"weights\.synthetic\.real` is -1; .*greater than or equal to 0",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(
    tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        small(tmp_path, override)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("trainer.rollout_start=9",),
            r"`trainer\.rollout_start` is 9, more than `trainer\.rollout_steps` = 2",
        ),
        (
            ("trainer.rollout_start=2", "trainer.physical.rollout_steps=1"),
            r"rollout_start` is 2, more than `trainer\.physical\.rollout_steps` = 1",
        ),
    ],
)
def test_a_curriculum_longer_than_its_windows_is_named(
    tmp_path: Path, overrides: tuple[str, ...], message: str
) -> None:
    small(tmp_path, *overrides)
    with pytest.raises(SettingsError, match=message):
        small(tmp_path, "trainer.rollout_schedule=linear", *overrides)


def test_regularisation_needs_a_field(tmp_path: Path) -> None:
    smooth = "trainer.physical.regularisation=tv"
    small(tmp_path, smooth)
    with pytest.raises(SettingsError, match="has no field whose gradient"):
        small(tmp_path, smooth, experiment="advection")


def test_keeping_the_best_needs_something_to_judge_by(tmp_path: Path) -> None:
    keep = "trainer.hybrid.keep_best=true"
    assert small(tmp_path, keep).trainer.hybrid.keep_best
    with pytest.raises(SettingsError, match=r"`trainer\.val_sim` is empty"):
        small(tmp_path, keep, "trainer.val_sim=[]")


def test_axes_that_do_not_fit_are_named(tmp_path: Path) -> None:
    values = to_dict(small(tmp_path))
    physical = values["model"]["physical"]
    physical["domain"] = {"y": 4.0, "x": 8.0}
    with pytest.raises(SettingsError, match="has the axes x, y, .* y, x; expected"):
        check_settings(values)
    physical["domain"] = {"x": 4.0, "z": 8.0}
    physical["resolution"] = {"x": 8, "z": 8}
    with pytest.raises(SettingsError, match="has the axes x, z; expected x, or"):
        check_settings(values)


def test_a_missing_key_and_a_missing_value_are_named() -> None:
    values = composed("burgers")
    del values["trainer"]["batch_size"]
    with pytest.raises(SettingsError, match=r"`trainer\.batch_size` is missing"):
        check_settings(values)
    values["trainer"]["batch_size"] = "???"
    with pytest.raises(SettingsError, match=r"`trainer\.batch_size` has no value"):
        check_settings(values)


def test_all_wrong_settings_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"2 settings are wrong") as caught:
        small(tmp_path, "trainer.batch_size=0", "general.seed=-1")
    assert "trainer.batch_size" in str(caught.value)
    assert "general.seed" in str(caught.value)


def test_yaml_off_is_read_as_the_word(tmp_path: Path) -> None:
    """YAML 1.1 makes a bare `off` false."""
    assert small(tmp_path, "trainer.amp=false").trainer.amp == "off"


def test_a_test_simulation_that_was_trained_on_is_warned_about(tmp_path: Path) -> None:
    clean = small(tmp_path)
    assert settings_warnings(clean) == []
    (warning,) = settings_warnings(small(tmp_path, "evaluation.test_sim=[1,3]"))
    assert "[1]" in warning and "not of unseen data" in warning
    (warning,) = settings_warnings(small(tmp_path, "trainer.val_sim=[1]"))
    assert "validation loss is not of unseen data" in warning


def test_channels_come_in_config_order(tmp_path: Path) -> None:
    settings = small(tmp_path, "data.fields=[velocity,density]", experiment="advection")
    plan = channel_plan(settings)
    assert plan.names == ("velocity.x", "velocity.y", "density")
    assert plan.dynamic == (2,)
    assert plan.network_inputs == (0, 1, 2)
    assert plan.runs == ((False, 0, 2), (True, 2, 3))
    dynamic_only = small(
        tmp_path,
        "model.synthetic.architecture.inputs=dynamic",
        experiment="advection",
    )
    assert channel_plan(dynamic_only).network_inputs == (0,)


def test_a_key_that_is_no_word_is_named(tmp_path: Path) -> None:
    """A number, at the top and in a group, as YAML allows."""
    with pytest.raises(SettingsError, match="`1` is no setting"):
        check_settings({**to_dict(small(tmp_path)), "1": 2})
    values = to_dict(small(tmp_path))
    values["general"]["2 3"] = 2
    with pytest.raises(SettingsError, match="`general.2 3` is no setting"):
        check_settings(values)


@pytest.mark.parametrize("mode", ["physical", "hybrid"])
def test_a_field_that_the_pde_reads_must_be_there(tmp_path: Path, mode: str) -> None:
    """Both sides died in the first step without it."""
    keys = ("data.fields=[density]", "data.fields_scheme.static=[]")
    small(tmp_path, *keys, "general.mode=synthetic", experiment="advection")
    with pytest.raises(SettingsError, match=r"`data\.fields` lacks `velocity`"):
        small(tmp_path, *keys, f"general.mode={mode}", experiment="advection")
