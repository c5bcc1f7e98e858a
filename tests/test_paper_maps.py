"""Maps: views from above a pole, significant places, several models and seeds, and figure F3 made of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import radians, tan
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize, to_rgb
from resultsfolder import SETTINGS, texts

from svqkit import plots
from svqkit.errors import SvqkitError
from svqkit.paper.figures import maps
from svqkit.paper.results import Results
from svqkit.plots import mapaxes, style
from svqkit.plots.drawing import area_mean
from svqkit.plots.fields import over_seeds
from svqkit.plots.forecast import forecast_maps
from svqkit.training.runs import Run

SVQ, NONE = "weather_t2m-svq", "weather_t2m-none"
WORLD = (np.linspace(-82.5, 82.5, 12), np.arange(0, 360, 15.0))
REGION = (np.arange(50, 58, 1.0), np.arange(-10, 2, 1.0))
LEADS = [1, 6, 12]


@pytest.fixture(autouse=True)
def _not_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are left as high as they are made: laying them out anew is most of the time of these tests."""
    for module in (plots.maps, plots.forecast):
        monkeypatch.setattr(module, "trim", lambda *_: None)


def on_grid(values: object = 0.0, grid: tuple[np.ndarray, np.ndarray] = WORLD) -> xr.DataArray:
    """A field (lat, lon)."""
    lat, lon = grid
    values = np.broadcast_to(np.asarray(values, dtype=float), (lat.size, lon.size)).copy()
    return xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"))


def errors(rmse: object = 1.0, bias: object = 0.5, grid: tuple[np.ndarray, np.ndarray] = WORLD) -> xr.Dataset:
    """Error fields with the same values at every lead time."""
    fields = {"rmse": on_grid(rmse, grid), "bias": on_grid(bias, grid), "mae": on_grid(rmse, grid)}
    return xr.Dataset(
        {
            name: field.expand_dims(channel=["t2m"], lead=LEADS).assign_attrs(units="K", long_name=name)
            for name, field in fields.items()
        },
        {"unit": ("channel", ["K"])},
        {"windows": 7, "data": "Simulated for a test"},
    )


def case(shift: float, truth: float = 280.0, grid: tuple[np.ndarray, np.ndarray] = WORLD) -> xr.Dataset:
    """A forecast that is ``shift`` above the truth everywhere."""
    true = on_grid(truth + np.arange(grid[1].size), grid).expand_dims(channel=["t2m"], lead=LEADS)
    true = true.transpose("lead", "channel", "lat", "lon")
    attrs = {"units": "K", "start_time": "2015-01-08T23"}
    return xr.Dataset({"truth": true, "prediction": true + shift}, attrs=attrs)


def dots(axes: Axes) -> int:
    """How many dots are drawn."""
    return sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == "o")


@given(rows=st.integers(3, 40), north_first=st.booleans(), view=st.sampled_from(["north", "south"]))
def test_a_view_shows_the_rows_with_a_part_beyond_30_degrees(rows: int, north_first: bool, view: str) -> None:
    half = 90 / rows
    lat = np.linspace(-90 + half, 90 - half, rows)
    lat = lat[::-1] if north_first else lat
    one = on_grid(lat[:, None], (lat, WORLD[1]))
    shown = mapaxes.seen(one, view)
    outermost = (lat + half > 30 + 1e-9) if view == "north" else (lat - half < -30 - 1e-9)
    assert shown["lat"].to_numpy().tolist() == lat[outermost].tolist()  # in their own order
    assert (shown == shown["lat"]).all()


def test_the_world_is_seen_whole() -> None:
    assert mapaxes.seen(on_grid(), "world").equals(on_grid())


@pytest.mark.parametrize(
    ("view", "latitude", "longitude"),
    [
        ("north", 52.5, 0.0),
        ("north", 82.5, 90.0),
        ("north", 52.5, 180.0),
        ("south", -52.5, 0.0),
        ("south", -67.5, 270.0),
    ],
)
def test_a_cell_of_a_polar_view_lies_where_its_coordinates_say(view: str, latitude: float, longitude: float) -> None:
    """Greenwich points down in the north and up in the south, 90° E right; distances are tan((90° − |lat|) / 2)."""
    one = on_grid()
    one.loc[{"lat": latitude, "lon": longitude}] = 1.0
    picture, axes = _drawn(one, view)
    radius = tan(radians(90 - abs(latitude)) / 2) / tan(radians(60) / 2)
    turn = radians(longitude + 5)  # a little aside of the meridian, on which a thin line lies
    x, y = radius * np.sin(turn), radius * np.cos(turn) * (-1 if view == "north" else 1)
    box = axes.get_window_extent()
    column, row = box.x0 + box.width * (1 + x) / 2, picture.shape[0] - (box.y0 + box.height * (1 + y) / 2)
    assert picture[int(row), int(column)].tolist() == [255, 0, 0]
    assert (picture == [255, 0, 0]).all(-1).mean() < 0.05


@pytest.mark.parametrize("view", ["north", "south"])
def test_a_polar_map_is_coloured_up_to_its_edge(view: str) -> None:
    picture, axes = _drawn(on_grid(1.0), view)
    box = axes.get_window_extent()
    rows, columns = np.indices(picture.shape[:2])
    away = np.hypot(columns - box.x0 - box.width / 2, picture.shape[0] - rows - box.y0 - box.height / 2)
    inside, outside = away < 0.49 * box.width, away > 0.52 * box.width
    grey = np.abs(picture - np.array(to_rgb(style.MISSING)) * 255).max(-1) < 4
    assert not grey[inside].any()
    assert (picture[outside] == 255).all()


def _drawn(one: xr.DataArray, view: str) -> tuple[np.ndarray, Axes]:
    """The colours of a figure with one polar map without coastlines, red for 1 and blue for 0, and its axes."""
    figure = style.new_figure(3, 3)
    axes = figure.add_subplot(projection=mapaxes.grid_of(one, view).projection)
    drawn = mapaxes.seen(one, view)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapaxes, "add_coastlines", lambda *_, **__: None)
        mapaxes.draw_field(axes, drawn, matplotlib.colors.ListedColormap(["blue", "red"]), Normalize(0, 1))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int), axes


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: plots.error_maps({SVQ: errors(grid=REGION)}, projection="north"), "go all the way round"),
        (lambda: plots.difference_map(errors(), errors(), SVQ, NONE, projection="top"), "Valid: world, north, south"),
        (lambda: forecast_maps({SVQ: case(1, grid=REGION)}, projection="south"), "go all the way round"),
        (
            lambda: plots.error_maps({SVQ: errors().rename(lat="y", lon="x")}, projection="north"),
            "Pictures have no pole",
        ),
        (lambda: mapaxes.seen(on_grid(grid=(WORLD[0][:6], WORLD[1])), "north"), "nothing to see"),
        (
            lambda: plots.difference_map(
                errors(), errors(), SVQ, NONE, significant=on_grid(grid=(WORLD[0], WORLD[1] + 1))
            ),
            "another grid",
        ),
        (lambda: over_seeds([]), "one run or more"),
        (lambda: over_seeds([errors(), errors(grid=REGION)]), "can't be averaged"),
        (lambda: forecast_maps({}), "give one or more"),
        (lambda: forecast_maps({SVQ: case(1), NONE: case(1, truth=270)}), "their truths differ"),
    ],
)
def test_what_can_not_be_drawn_is_said(draw: Callable[[], object], words: str) -> None:
    with pytest.raises(SvqkitError, match=words):
        draw()


def test_a_region_is_drawn_as_before() -> None:
    figure = plots.error_maps({SVQ: errors(grid=REGION)}, projection="world")
    assert figure.axes[0].get_xlim()[1] - figure.axes[0].get_xlim()[0] == pytest.approx(12)


def test_means_and_shares_of_a_polar_view_are_of_what_it_shows() -> None:
    lat = on_grid()["lat"]
    north_only = xr.where(lat > 0, 3.0, 1.0) * xr.ones_like(on_grid())
    said = texts(plots.error_maps({SVQ: errors(north_only)}, "rmse", projection="north"))
    assert "mean 3.00 K" in said
    better = plots.difference_map(errors(xr.where(lat > 0, 0.5, 2.0) * xr.ones_like(on_grid())), errors(), SVQ, NONE)
    assert "SVQ is better on 50% of the area" in texts(better)
    better = plots.difference_map(
        errors(xr.where(lat > 0, 0.5, 2.0) * xr.ones_like(on_grid())), errors(), SVQ, NONE, projection="north"
    )
    assert "SVQ is better on 100% of the area north of 30° N" in texts(better)


def test_dots_are_where_it_is_significant_and_their_share_is_said() -> None:
    east = on_grid(WORLD[1] < 180)  # SVQ is better there, and significantly so in half of it
    significant = (on_grid(WORLD[1] < 90) > 0).expand_dims(channel=["t2m"])
    figure = plots.difference_map(errors(2.0 - 1.5 * east), errors(), SVQ, NONE, significant=significant)
    assert dots(figure.axes[0]) == 12 * 6
    assert "SVQ is better on 50% of the area" in texts(figure)
    assert "significantly (dots): SVQ on 25%, SimVP on 0%" in texts(figure)
    without = plots.difference_map(errors(), errors(2.0), SVQ, NONE)
    assert dots(without.axes[0]) == 0
    assert "significant" not in texts(without)


@given(st.integers(0, 2**32 - 1))
def test_the_share_of_dots_is_that_of_their_area(seed: int) -> None:
    random = np.random.default_rng(seed)
    significant, better = (on_grid(random.random((12, 24)) < 0.5) > 0 for _ in range(2))
    weights = np.cos(np.deg2rad(WORLD[0]))[:, None] * np.ones(24)
    expected = (weights * (significant & better)).sum() / weights.sum()
    assert area_mean((significant & better).astype(float)) == pytest.approx(float(expected))


def test_of_a_fine_grid_some_dots_are_left_out() -> None:
    pixels = xr.Dataset(
        {"rmse": (("channel", "lead", "y", "x"), np.ones((1, 1, 100, 200)), {"units": ""})}, {"lead": [1]}
    )
    everywhere = xr.DataArray(np.ones((1, 100, 200), bool), dims=("channel", "y", "x"))
    figure = plots.difference_map(pixels * 0.5, pixels, SVQ, NONE, significant=everywhere)
    # every third column and row
    assert dots(figure.axes[0]) == 67 * 34
    assert "significantly (dots): SVQ on 100%, SimVP on 0%" in texts(figure)


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_seeds_together_are_all_their_forecasts_together(seeds: int, seed: int) -> None:
    wrong = np.random.default_rng(seed).normal(1, 2, (seeds, 5, 12, 24))
    each = [errors(np.sqrt((error**2).mean(0)), error.mean(0)) for error in wrong]
    pooled = wrong.reshape(-1, 12, 24)
    together = over_seeds(each)
    assert np.allclose(together["rmse"][0, 0], np.sqrt((pooled**2).mean(0)))
    assert np.allclose(together["bias"][0, 0], pooled.mean(0))
    assert (together["rmse"].attrs["units"], together.attrs["windows"]) == ("K", 7)


def test_a_forecast_has_a_row_for_the_truth_and_two_for_each_model() -> None:
    figure = forecast_maps({NONE: case(0.5), SVQ: case(-2.0)}, leads=[1, 12])
    said = texts(figure).split("\n")
    assert {"Truth", "SimVP", "SVQ", "Error SimVP", "Error SVQ"} <= set(said)
    assert said.count("RMSE 0.5 K") == said.count("RMSE 2 K") == 2
    panels = [axes for axes in figure.axes if axes.collections and axes.get_label() != "<colorbar>"]
    scales = [axes.collections[0].norm for axes in panels]
    assert len(panels) == 10
    assert len({(scale.vmin, scale.vmax) for scale in scales[:6]}) == 1
    assert {(scale.vmin, scale.vmax) for scale in scales[6:]} == {(-2.0, 2.0)}


@dataclass(frozen=True, eq=False)
class MadeResults(Results):
    """Results of weather_t2m with these error fields and forecasts."""

    fields: dict[str, xr.Dataset] = field(default_factory=dict)
    cases: dict[str, xr.Dataset] = field(default_factory=dict)
    datasets = ["weather_t2m"]  # noqa: RUF012 - stands for a property
    scores = pd.DataFrame({"dataset": ["weather_t2m"] * 2, "experiment": [SVQ, NONE]})

    def errors(self, dataset: str) -> dict[str, xr.Dataset]:
        return self.fields

    def errors_of_persistence(self, dataset: str) -> xr.Dataset:
        return self.fields["persistence"]

    def forecasts(self, dataset: str) -> dict[str, xr.Dataset]:
        return self.cases

    def runs(self, dataset: str, study: str | None = None) -> list[Run]:
        experiments = {name.rpartition("-seed")[0]: None for name in self.fields if "-seed" in name}
        return [
            Run(Path("nowhere"), SETTINGS.experiment(name), seed, ("t2m",), (12, 24))
            for name in experiments
            for seed in SETTINGS.experiment(name).seeds
        ]


def made(grid: tuple[np.ndarray, np.ndarray] = WORLD, blocks: int = 6) -> MadeResults:
    """SVQ's RMSE is half of the base's in the east, clearly so; in the west they are nearly the same."""
    east = on_grid(grid[1] < np.median(grid[1]), grid)
    random = np.random.default_rng(0)
    fields = {"persistence": errors(3.0, grid=grid)}
    for name, rmse in ((NONE, on_grid(2.0, grid)), (SVQ, 2.0 - east)):
        for seed in SETTINGS.experiment(name).seeds:
            one = errors(rmse, grid=grid)
            if blocks:
                noise = random.normal(0, 0.01, (blocks, 1, grid[0].size, grid[1].size))
                one["mse_blocks"] = ("block", "channel", "lat", "lon"), rmse.to_numpy() ** 2 + noise
            fields[f"{name}-seed{seed}"] = one
    cases = {f"{name}-seed0": case(shift, grid=grid) for name, shift in ((NONE, 2.0), (SVQ, 1.0))}
    return MadeResults(SETTINGS, fields=fields, cases=cases)


def test_figure_3_of_a_world_has_maps_of_all_of_it_and_of_its_poles() -> None:
    drawn = {picture.name: picture for picture in maps.draw(made())}
    assert list(drawn) == [
        "f3_forecast",
        "f3_bias",
        "f3_rmse",
        "f3_difference",
        "f3_difference_north",
        "f3_difference_south",
    ]
    assert all("Simulated for a test" in picture.caption for picture in drawn.values())
    assert all("(simulated data)" in texts(picture.figure).replace("\n", " ") for picture in drawn.values())
    assert "significantly (dots): SVQ on 50%, SimVP on 0%" in texts(drawn["f3_difference"].figure)
    assert "6 independent stretches" in drawn["f3_difference"].caption


def test_figure_3_of_a_region_has_no_pole_and_without_blocks_no_dots() -> None:
    drawn = {picture.name: picture for picture in maps.draw(made(REGION, blocks=0))}
    assert len(drawn) == 4
    assert "No dots for significance" in drawn["f3_difference"].caption
    assert "mse_blocks" in drawn["f3_difference"].caption
    assert dots(drawn["f3_difference"].figure.axes[0]) == 0
    with pytest.raises(SvqkitError, match="go all the way round"):
        maps.draw(made(REGION), projection="north")


def test_figure_3_from_above_a_pole_only() -> None:
    names = [picture.name for picture in maps.draw(made(), projection="south")]
    assert names == ["f3_forecast_south", "f3_bias_south", "f3_rmse_south", "f3_difference_south"]


def test_without_a_base_there_is_no_figure_3() -> None:
    results = made()
    only = {name: field for name, field in results.fields.items() if NONE not in name}
    with pytest.raises(SvqkitError, match="without a quantizer"):
        maps.draw(MadeResults(SETTINGS, fields=only, cases=results.cases))
