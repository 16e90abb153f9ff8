"""Pictures and page of an evaluation: which there are, and that they differ."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from experiment.evaluation import Forecast, RecoveredParameter, Rollout, evaluate
from experiment.report import draw_evaluation, draw_losses, write_report
from experiment.report.drawing import compared
from experiment.report.observations import draw_observations
from experiment.report.parameters import draw_parameters
from experiment.report.volumes import draw_slices, middle_slices
from experiment.settings import Settings, check_settings
from experiment.training import PHYSICAL, SYNTHETIC
from tests.experiment.evaluation.test_rollouts import (
    SCALAR,
    constant,
    field,
    half,
    truth,
)
from tests.helpers import SMALL, SMALL_UNET, composed, folders, small

Histories = dict[str, Sequence[dict[str, Any]]]
CURVES = ["nrmse.png", "energy.png", "spectra.png"]
#: The first epoch is a warm-up without windows of the other model's making.
EPOCHS = [
    {
        **{"epoch": i, "train_loss": 1 / i, "val_loss": 2 / i, "learning_rate": 1e-3},
        **{"real_loss": 0.6 / i, "interaction_loss": 0.4 / i if i > 1 else None},
    }
    for i in (1, 2, 3)
]
ROUNDS = [
    {"round": i, "iterations": 20 * i, "real_loss": 0.1**i, "interaction_loss": 0.3**i}
    for i in (1, 2)
]


def draw(
    settings: Settings,
    forecasts: dict[str, Forecast],
    histories: Histories,
    folder: Path,
) -> list[str]:
    result = evaluate(settings, forecasts, (SCALAR, field()))
    names = draw_evaluation(result, settings, histories, folder)
    write_report(
        folder / "report.html", settings, result, [folder / n for n in names], {}
    )
    page = (folder / "report.html").read_text()
    assert all(f'src="{name}"' in page for name in names)
    assert "Recovered parameters" in page and "m²/s" in page and "0.25" in page
    assert set(names) == {p.name for p in folder.iterdir()} - {"report.html"}
    return names


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_one_forecast_keeps_the_plain_names(simulated: Path, tmp_path: Path) -> None:
    names = draw(
        small(simulated),
        {SYNTHETIC: lambda s, n: truth(simulated, 3)[None]},
        {SYNTHETIC: EPOCHS},
        tmp_path,
    )
    assert names == [
        *("rollout_velocity_x.png", "rollout_velocity_y.png"),
        "parameter_viscosity.png",
        *(*CURVES, "rollout_velocity_x.gif", "losses.png"),
    ]


def test_two_forecasts_have_pictures_of_their_own(
    simulated: Path, tmp_path: Path
) -> None:
    settings = small(simulated, "evaluation.test_sim=[2,3]")
    histories: Histories = {SYNTHETIC: EPOCHS, PHYSICAL: ROUNDS}
    names = draw(
        settings,
        {SYNTHETIC: half, PHYSICAL: lambda s, n: constant(0 * s, n)},
        histories,
        tmp_path,
    )
    assert {"nrmse.png", "losses.png", "parameter_viscosity.png"} <= set(names)
    for file in ("rollout_velocity_x{}.png", "rollout_velocity_x{}.gif"):
        one, two = (tmp_path / file.format(f"_{n}") for n in histories)
        assert one.read_bytes() != two.read_bytes()
    # The lower right panel shows the error; the others share another scale.
    image = pixels(tmp_path / "parameter_viscosity.png")
    height, width, _ = image.shape
    quarters = [
        image[i * height // 2 :][: height // 2, j * width // 2 :][:, : width // 2]
        for i in (0, 1)
        for j in (0, 1)
    ]
    for i, one in enumerate(quarters):
        assert one.std() > 10
        assert all((one != two).mean() > 0.01 for two in quarters[:i])


def test_a_colour_of_a_film_says_the_same_in_every_frame(
    simulated: Path, tmp_path: Path
) -> None:
    """The colour bar, right of both fields, is the same picture all the time."""
    draw(
        small(simulated),
        {SYNTHETIC: lambda s, n: truth(simulated, 3)[None]},
        {SYNTHETIC: EPOCHS},
        tmp_path,
    )
    with Image.open(tmp_path / "rollout_velocity_x.gif") as film:
        count = int(getattr(film, "n_frames", 1))
        frames = []
        for number in range(count):
            film.seek(number)
            frames.append(np.asarray(film.convert("RGB")))
    assert count == small(simulated).evaluation.num_frames
    bar = slice(int(0.87 * frames[0].shape[1]), None)
    assert frames[0][:, bar].std() > 10
    assert all((f[20:, bar] == frames[0][20:, bar]).all() for f in frames)
    assert any((f != frames[0]).any() for f in frames)


@pytest.mark.parametrize(
    ("histories", "drawn"),
    [
        ({}, False),
        ({SYNTHETIC: [], PHYSICAL: ()}, False),
        ({PHYSICAL: ROUNDS}, True),
        ({SYNTHETIC: [], PHYSICAL: ROUNDS}, True),
    ],
)
def test_a_history_may_be_missing(
    tmp_path: Path, histories: Histories, drawn: bool
) -> None:
    assert draw_losses(histories, tmp_path) == ["losses.png"] * drawn
    assert (tmp_path / "losses.png").exists() == drawn


def test_a_history_of_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected"):
        draw_losses({"model": EPOCHS}, tmp_path)


def test_a_physical_history_adds_a_panel(tmp_path: Path) -> None:
    widths = []
    for histories in ({SYNTHETIC: EPOCHS}, {SYNTHETIC: EPOCHS, PHYSICAL: ROUNDS}):
        draw_losses(histories, tmp_path)
        widths.append(pixels(tmp_path / "losses.png").shape[1])
    assert widths[1] > 1.5 * widths[0]


def test_a_forecast_that_is_not_finite_is_drawn(
    simulated: Path, tmp_path: Path
) -> None:
    def diverging(states: np.ndarray, frames: int) -> np.ndarray:
        values = half(states, frames)
        values[:, 2] = 1e30
        values[:, 3:] = np.nan
        values[:, 3, 0, 0, 0] = np.inf
        return values

    def lost(states: np.ndarray, frames: int) -> np.ndarray:
        return constant(np.nan * states, frames)

    settings = small(simulated)
    draw(settings, {PHYSICAL: diverging}, {}, tmp_path / "one")
    draw(settings, {PHYSICAL: lost}, {}, tmp_path / "two")
    one, two = (tmp_path / n / "nrmse.png" for n in ("one", "two"))
    assert one.read_bytes() != two.read_bytes()


OBSERVED = (
    "data.observations.time={kind: endpoints, fraction: 0.3}",
    "data.observations.space={kind: random, number: 20, seed: 1}",
)


def test_what_was_observed_is_drawn(simulated: Path, tmp_path: Path) -> None:
    settings = small(simulated, *OBSERVED)
    forecasts = {SYNTHETIC: lambda s, n: truth(simulated, 3)[None]}
    assert "observations.png" in draw(settings, forecasts, {}, tmp_path)


@pytest.mark.parametrize("experiment", ("burgers", "burgers_1d"))
def test_other_masks_are_other_pictures(tmp_path: Path, experiment: str) -> None:
    axis = ["model.physical.resolution={x: 16}", "model.physical.domain={x: 8.0}"]
    more = axis if experiment == "burgers_1d" else []
    found = set()
    for keys in ((OBSERVED[0],), (OBSERVED[1],), OBSERVED):
        keys = [key.replace("number: 20", "number: 9") for key in keys]
        values = composed(experiment, *_small_of(experiment), *more, *keys)
        (name,) = draw_observations(check_settings(values), tmp_path)
        image = pixels(tmp_path / name)
        assert image.std() > 10
        found.add(image.tobytes())
    assert len(found) == 3


def _small_of(experiment: str) -> list[str]:
    """Small settings; a line has no y to be made smaller."""
    keys = (*SMALL, *SMALL_UNET)
    return [k for k in keys if experiment == "burgers" or "y:" not in k]


def test_complete_data_have_no_picture(tmp_path: Path) -> None:
    assert draw_observations(small(tmp_path), tmp_path) == []
    assert not [*tmp_path.glob("*.png")]


def test_three_dimensions_are_drawn_as_slices_on_one_scale(tmp_path: Path) -> None:
    """Slices through the middle; components of a field share the scale."""
    settings = check_settings(composed("burgers_3d", *folders(tmp_path)))
    equation = settings.model.physical
    planes = {plane.normal: plane for plane in middle_slices(equation)}
    assert [*planes] == ["z", "y", "x"]
    values = np.random.default_rng(0).standard_normal((16, 16, 16))
    np.testing.assert_array_equal(planes["x"].take(values), values[8])
    np.testing.assert_array_equal(planes["y"].take(values), values[:, 8])
    np.testing.assert_array_equal(planes["z"].take(values), values[:, :, 8])
    assert planes["y"].title == "y = 4.25 m" and [*planes["y"].domain] == ["x", "z"]
    reference = np.stack([values, 2 * values, 5 * values], -1)[None].repeat(3, 0)
    rollout = Rollout(9, reference, {SYNTHETIC: 1.1 * reference})
    shown = [compared(rollout, settings, (SYNTHETIC, f"velocity.{a}")) for a in "xyz"]
    for comparison, factor in zip(shown, (1, 2, 5), strict=True):
        truth, forecast, error = comparison.panels
        assert truth.limit == forecast.limit == np.abs(5 * values).max()
        assert error.limit == pytest.approx(0.1 * np.abs(factor * values).max())
    draw_slices(rollout, settings, (SYNTHETIC, "velocity.x"), tmp_path / "x.png")
    draw_slices(rollout, settings, (SYNTHETIC, "velocity.z"), tmp_path / "z.png")
    one, two = pixels(tmp_path / "x.png"), pixels(tmp_path / "z.png")
    assert (one != two).mean() > 0.05


@pytest.mark.parametrize("rank", (1, 2, 3))
def test_a_parameter_has_its_error_beside_it(tmp_path: Path, rank: int) -> None:
    """In every number of dims; without truth there is less to draw."""
    experiment = ("burgers_1d", "burgers", "burgers_3d")[rank - 1]
    settings = check_settings(composed(experiment, *folders(tmp_path)))
    truth = settings.model.physical.true_parameter("viscosity")
    sizes = []
    for name, side in (("known", truth), ("unknown", None)):
        parameter = RecoveredParameter(
            "viscosity", "m^2/s", side, 0 * truth + 0.1, 1.1 * truth
        )
        folder = tmp_path / name
        assert draw_parameters([parameter], settings, folder) == [
            "parameter_viscosity.png"
        ]
        sizes.append(pixels(folder / "parameter_viscosity.png").shape[:2])
    assert sizes[0][0] > sizes[1][0]
