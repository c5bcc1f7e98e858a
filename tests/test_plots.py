"""Figures: right in what they show, readable, the same bytes each time, and made without a network."""

import socket
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cartopy import crs as ccrs
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colors import ListedColormap, Normalize, to_rgb
from matplotlib.figure import Figure

from svqkit import plots
from svqkit.errors import SvqkitError
from svqkit.plots import fields, leads, mapaxes, panels, style
from svqkit.plots.codebook import random_similarity

GRIDS = {
    "world": (np.linspace(-87.1875, 87.1875, 32), np.arange(64) * 5.625),
    "world from -180, odd, north first": (np.linspace(90, -90, 9), np.linspace(-180, 180, 13, endpoint=False)),
    "world with both ends": (np.linspace(-80, 80, 9), np.linspace(0, 360, 13)),
    "region": (np.arange(57.75, 49.9, -0.25), np.arange(-10, 2, 0.25)),
    "region across Greenwich, from 0": (np.arange(50, 58, 0.25), np.arange(-10, 2, 0.25) % 360),
    "region across the date line": (np.arange(-20, 0, 1.0), np.arange(170, 190, 1.0)),
}
GREY, RGB, TRAFFIC = ["grey"], ["red", "green", "blue"], ["inflow", "outflow"]
CARS = "vehicles per 30 min"
SVQ, NONE, VQ = "weather_t2m-svq", "weather_t2m-none", "weather_t2m-vq"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a figure tried to use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def weather(grid: str = "world", seed: int = 0) -> xr.Dataset:
    """Errors and a forecast of 2 m temperature."""
    lat, lon = GRIDS[grid]
    error = np.random.default_rng(seed).normal(0.3, 1, (1, 3, lat.size, lon.size))
    truth = np.random.default_rng(9).normal(280, 5, error.shape)
    named = {"bias": error, "mae": abs(error), "rmse": abs(error) + 1, "truth": truth, "prediction": truth + error}
    dims = ("channel", "lead", "lat", "lon")
    coords = {"channel": ["t2m"], "unit": ("channel", ["K"]), "lead": [1, 6, 12], "lat": lat, "lon": lon}
    attrs = {"start_time": "2018-03-04T06:00"}
    return xr.Dataset({name: (dims, values, {"units": "K"}) for name, values in named.items()}, coords, attrs)


def frames(names: list[str] = GREY, count: int = 20, seed: int = 0, units: str = "", **about: str) -> xr.Dataset:
    """Errors and a forecast of frames of 12 × 16 pixels, each 0.25 too bright, the second channel 0.5, …"""
    draw = np.random.default_rng(seed)
    observed, truth = draw.uniform(size=(10, len(names), 12, 16)), draw.uniform(size=(count, len(names), 12, 16))
    prediction = truth + 0.25 * np.arange(1, len(names) + 1)[:, None, None]
    errors = draw.normal(size=(len(names), count, 12, 16))
    later, dims, unit = ("lead", "channel", "y", "x"), ("channel", "lead", "y", "x"), {"units": units}
    named = {"observed": (("time_in", "channel", "y", "x"), observed), "truth": (later, truth)}
    named |= {"prediction": (later, prediction), "bias": (dims, errors, unit), "rmse": (dims, abs(errors) + 1, unit)}
    lead = ("lead", np.arange(1, count + 1), {"units": "frames"})
    return xr.Dataset(named, {"channel": names, "time_in": np.arange(-9, 1), "lead": lead}, {"units": units, **about})


def many_channels() -> xr.Dataset:
    """Three channels on a coarse globe, each in units of its own, in 6-hourly steps."""
    field = np.random.default_rng(0).normal(size=(3, 4, 8, 12))
    dims, units = ("channel", "lead", "lat", "lon"), ["K", "m s**-1", "m**2 s**-2"]
    truth = field + np.array([280, 0, 5000])[:, None, None, None]
    named = {"truth": truth, "prediction": truth + np.array([1, 2, 3])[:, None, None, None], "rmse": abs(field)}
    coords = {"channel": ["t2m", "u10", "z_500"], "unit": ("channel", units), "lead": [6, 12, 18, 24]}
    coords |= {"lat": np.linspace(-80, 80, 8), "lon": np.arange(0, 360, 30.0)}
    return xr.Dataset({name: (dims, values) for name, values in named.items()}, coords)


def codes(*places: str) -> xr.DataArray:
    sizes = {"y": 6, "x": 8, "lat": 9, "lon": 13}
    axes = {"lat": np.linspace(-80, 80, 9), "lon": np.arange(0, 360, 360 / 13)}
    values = np.random.default_rng(0).normal(size=(4, *(sizes[place] for place in places)))
    coords = {"code": [5, 9, 2, 7]} | {place: axes[place] for place in places if place in axes}
    return xr.DataArray(values, coords, ("code", *places))


def usage(hard: bool = False) -> dict[str, object]:
    share = np.arange(8) / 28
    found: dict[str, object] = {"share": share, "perplexity": 5.5, "dead_codes": 1}
    if not hard:
        found |= {"edges": np.linspace(-3, 3, 7), "histogram": np.array([1, 4, 20, 20, 4, 1])}
        found |= {"strength": share, "thresholds": [0.001, 0.1], "sparsity": [0.1, 0.6]}
    return found


def by_lead(*leads_of: int) -> pd.DataFrame:
    rows = [
        ("", name, seed, lead, value + 0.1 * seed)
        for name, value in ((NONE, 2.0), (SVQ, 1.0), ("persistence", 4.0))
        for seed in ((0, 1) if value < 4 else (-1,))
        for lead in leads_of
    ]
    return pd.DataFrame(rows, columns=["panel", "experiment", "seed", "lead", "value"])


def changes() -> pd.DataFrame:
    rows = [("Quantizers", "SVQ", SVQ, -4.0, -6, -2, 3), ("Quantizers", "VQ", VQ, 9.0, 5, 12, 1)]
    return pd.DataFrame(rows, columns=["panel", "row", "experiment", "value", "low", "high", "seeds"])


def lines(table: pd.DataFrame, **more: str) -> Figure:
    return plots.lines(table, "lead", "value", ("Lead time [h]", "RMSE [K]"), "RMSE by lead time", **more)


def texts(figure: Figure) -> str:
    return "\n".join(item.get_text() for item in figure.findobj(matplotlib.text.Text))


def pictures(figure: Figure) -> list[matplotlib.axes.Axes]:
    return [axes for axes in figure.axes if axes.images]


def drawn(axes: matplotlib.axes.Axes) -> np.ndarray:
    return np.ma.getdata(axes.images[0].get_array())


def places() -> dict[str, xr.DataArray]:
    return {SVQ: weather()["bias"].mean("lead") > 0.5}


FIGURES: dict[str, Callable[[], Figure]] = {
    "forecast of weather": lambda: plots.forecasts({SVQ: weather(), NONE: weather()}),
    "forecast of a region": lambda: plots.forecasts({SVQ: weather("region")}, [1, 12]),
    "forecast in grey": lambda: plots.forecasts({"kth-svq": frames(clip="person17_boxing_d1")}),
    "forecast in colour": lambda: plots.forecasts({"human-svq": frames(RGB, 4), "human-none": frames(RGB, 4)}),
    "forecasts of many": lambda: plots.forecasts({f"kth-{name}": frames() for name in ("none", "svq", "svq_frozen")}),
    "forecast of one frame": lambda: plots.forecasts({"kitticaltech-svq": frames(RGB, 1)}),
    "forecast of traffic": lambda: plots.forecasts({"taxibj-svq": frames(TRAFFIC, 4, units=CARS)}),
    "errors": lambda: plots.error_maps({SVQ: weather(), "climatology": weather(seed=1), NONE: weather()}, "rmse"),
    "errors of many": lambda: plots.error_maps({f"a-{name}-svq_frozen": frames() for name in ("convnext", *"abcdef")}),
    "errors by lead": lambda: plots.error_maps(
        {"kth-svq": frames(), "a_long_name_of_mine": frames()}, leads=[1, 9, 20]
    ),
    "errors from above": lambda: plots.error_maps({SVQ: weather(), NONE: weather()}, "rmse", projection="south"),
    "difference": lambda: plots.difference_maps({SVQ: weather(), NONE: weather(seed=1)}, NONE, significant=places()),
    "differences of pictures": lambda: plots.difference_maps({"a-svq": frames(RGB), "a-none": frames(RGB)}, "a-none"),
    "codes": lambda: plots.code_maps(codes("y", "x")),
    "effects": lambda: plots.code_effects(codes("lat", "lon"), *[codes("lat", "lon")] * 2, [(1, 2)] * 4, "K", 0.1),
    "mean and spread": lambda: plots.mean_and_spread(spread(RGB)),
    "strip": lambda: plots.clip_strip(clip(TRAFFIC), "A window of traffic"),
    "lines": lambda: lines(by_lead(1, 6, 12)),
    "one lead": lambda: lines(by_lead(6)),
    "changes": lambda: plots.changes(changes(), "Change of the MSE [%]", "Against SimVP"),
    "usage": lambda: plots.usage_figure({SVQ: usage(), VQ: usage(hard=True)}),
    "usage, of one without a winner": lambda: plots.usage_figure({SVQ: usage() | {"share": np.zeros(4)}, VQ: usage()}),
    "weights": lambda: plots.weights_figure({"MSE loss": usage(), "MAE loss": usage()}, "Weights"),
    "similarities": lambda: plots.similarities(SVQ, np.eye(5), 8, "Are codes alike?"),
}


def spread(names: list[str]) -> xr.Dataset:
    truth = frames(names)["truth"]
    return xr.Dataset({"mean": truth.mean("lead"), "std": truth.std("lead")})


def clip(names: list[str]) -> xr.DataArray:
    return frames(names)["truth"].rename(lead="time").drop_vars("time")


@pytest.mark.parametrize(
    "name", ["forecast of a region", "forecast in colour", "lines", "changes", "usage", "difference"]
)
def test_a_figure_is_written_with_its_caption_and_twice_the_same(name: str, tmp_path: Path) -> None:
    once, again = (plots.save(FIGURES[name](), tmp_path / folder / "a", "A caption.") for folder in ("once", "again"))
    assert [path.name for path in once] == ["a.png", "a.pdf", "a.txt"]
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_of_a_figure_lies_on_another(name: str) -> None:
    figure = FIGURES[name]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    # Numbers on a scale are matplotlib's to place; what belongs to a hidden panel isn't drawn.
    ticks = {tick for axes in figure.axes for tick in (*axes.get_xticklabels(), *axes.get_yticklabels())}
    written = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text().strip() and text.get_visible()]
    shown = [t for t in written if t not in ticks and (t.axes is None or (t.axes.get_visible() and t.axes.axison))]
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in shown]
    for number, box in enumerate(boxes):
        for other, text in zip(boxes[:number], shown, strict=False):
            assert not box.shrunk(0.96, 0.9).overlaps(other), (shown[number].get_text(), text.get_text())


def test_a_name_with_a_dot_keeps_it(tmp_path: Path) -> None:
    assert plots.save(plots.new_figure(), tmp_path / "rmse_0.25")[0].name == "rmse_0.25.png"


def test_only_simulated_data_are_marked_once() -> None:
    figure = lines(by_lead(1, 6))
    assert "simulated" not in plots.marked(figure, False).get_suptitle()
    assert plots.marked(plots.marked(figure, True), True).get_suptitle().count("simulated data") == 1


def test_a_figure_is_said_to_be_of_its_subject_once() -> None:
    figure = lines(by_lead(1, 6))
    twice = plots.marked(plots.marked(figure, True, "Rain"), True, "Rain").get_suptitle()
    assert (twice.startswith("Rain – "), twice.count("Rain")) == (True, 1)
    figure.suptitle("Rain: error")
    assert plots.marked(figure, False, "Bergen, Rain").get_suptitle() == "Bergen, Rain: error"


# --- maps ------------------------------------------------------------------------------------------------------------


def one_map(
    field: xr.DataArray, colours: str | ListedColormap, view: mapaxes.View = "world"
) -> tuple[np.ndarray, object]:
    """The colours (rows from the top, columns, 3; 0 to 255) of a figure with one map of a field, and its axes."""
    field = mapaxes.on_map(field, view)
    with style.use():
        figure = style.new_figure(4, 2.5)
        axes = figure.add_subplot(projection=mapaxes.map_projection(field, view)[0])
        mapaxes.draw_map(axes, field, ScalarMappable(Normalize(-1, 1), colours))
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int), axes


@pytest.mark.parametrize("grid", GRIDS)
def test_no_place_of_a_map_is_left_without_colour(grid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapaxes, "MISSING", "#00ff00")  # a colour that nothing else has
    picture, axes = one_map(xr.zeros_like(weather(grid)["bias"][0, 0]), ListedColormap(["#ff0000"]))
    left, bottom, right, top = np.array(axes.get_window_extent().extents).round().astype(int)
    inside = picture[::-1][bottom + 2 : top - 2, left + 2 : right - 2]
    empty = inside[..., 1] > inside[..., [0, 2]].max(axis=-1) + 20
    assert not empty[len(empty) // 2].any()
    # A few pixels of a world map's round edge are half outside it; a gap of one pixel's width would be twice this.
    assert empty.mean() < 1e-3


def test_the_order_of_longitudes_and_latitudes_does_not_change_a_map() -> None:
    field = weather()["bias"][0, 0]
    other = field.assign_coords(lon=(field["lon"] + 180) % 360 - 180).sortby("lon").sortby("lat", ascending=False)
    assert np.array_equal(one_map(field, "viridis")[0], one_map(other, "viridis")[0])


@pytest.mark.parametrize("grid", GRIDS)
def test_the_projection_follows_from_the_longitudes(grid: str) -> None:
    field = mapaxes.on_map(weather(grid)["bias"])
    assert mapaxes.goes_round(field) == grid.startswith("world")
    assert (np.diff(field["lon"]) > 0).all()
    assert (np.diff(field["lat"]) > 0).all()
    assert grid.startswith("world") or np.ptp(field["lon"].to_numpy()) < 25


@pytest.mark.parametrize(("view", "row"), [("world", 16), ("north", 28), ("south", 3)])
def test_a_cell_lies_where_its_coordinates_say(view: mapaxes.View, row: int) -> None:
    field = xr.full_like(weather()["bias"][0, 0], -1)
    field.loc[{"lon": 270.0, "lat": field["lat"][row]}] = 1
    picture, axes = one_map(field, ListedColormap(["#ffffff", "#ff0000"]), view)
    rows, columns = np.nonzero((picture[..., 0] > 200) & (picture[..., 1] < 60))
    at = axes.transData.inverted().transform((columns.mean(), picture.shape[0] - rows.mean()))
    lon, lat = ccrs.PlateCarree().transform_point(*at, axes.projection)
    assert lon == pytest.approx(-90, abs=2)
    assert lat == pytest.approx(float(field["lat"][row]), abs=2)


def test_missing_cells_are_grey_and_the_rest_is_drawn() -> None:
    picture, _ = one_map(weather()["bias"][0, 0].where(weather()["lat"] > 0), "viridis")
    grey = np.abs(picture - np.array(to_rgb(style.MISSING)) * 255).max(axis=-1) < 4
    assert 0.1 < grey.mean() < 0.6


def test_coastlines_have_no_line_across_the_map() -> None:
    for line in plots.coastlines().geoms:
        points = np.array(line.coords)
        assert np.abs(np.diff(points[:, 0])).max() < 90
        assert not ((np.abs(points[:-1, 0]) == 180) & (np.abs(points[1:, 0]) == 180)).any()


@pytest.mark.parametrize("view", ["north", "south"])
def test_a_polar_view_shows_the_rows_with_a_part_beyond_30_degrees(view: mapaxes.View) -> None:
    lat = mapaxes.on_map(weather()["bias"], view)["lat"].to_numpy()
    assert (abs(lat) + 2.8125 > 30).all()
    assert len(lat) == 11
    assert (lat > 0).all() == (view == "north")


# --- errors and differences -------------------------------------------------------------------------------------------


def test_biases_share_one_scale_with_zero_in_the_middle() -> None:
    figure = plots.error_maps({NONE: weather(), SVQ: weather(seed=1)}, leads=[1, 12])
    scales = [(mesh.norm.vmin, mesh.norm.vmax) for mesh in figure.findobj(QuadMesh)]
    assert len(scales) >= 4
    assert {low == -high < 0 for low, high in scales} == {True}
    assert len({*scales[:4]}) == 1


@given(st.integers(1, 60))
def test_no_line_breaks_between_a_number_and_its_unit(letters: int) -> None:
    text = "2 m temperature: SVQ better on 59 %, SimVP on 41 % of 12 h"
    lines = style.broken(text, letters)
    assert " ".join(lines) == text
    assert not [line for line in lines if line[-1].isdigit()]
    assert all(len(line) <= letters or line.count(" ") <= 1 for line in lines)


def test_a_baseline_does_not_rule_the_scale_and_comes_last() -> None:
    far = weather() * 100
    far["rmse"].attrs["units"] = "K"
    alone, both = (
        plots.error_maps(errors, "rmse") for errors in ({SVQ: weather()}, {"climatology": far, SVQ: weather()})
    )
    first = [figure.findobj(QuadMesh)[0].norm for figure in (alone, both)]
    assert first[0].vmax == first[1].vmax
    titles = [axes.get_title() for axes in both.axes if axes.get_title()]
    assert [title.split(":")[0] for title in titles] == ["SVQ", "Climatology"]


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [
        (1.5, "", "1.50"),
        (-0.04214, "+", "−0.0421"),
        (123.4, "+", "+123"),
        (1234.5, "", "1,234"),
        (-5.321e-5, "+", "−5.32×10⁻⁵"),
    ],
)
def test_numbers_above_panels_have_three_digits(value: float, sign: str, text: str) -> None:
    assert panels.three_digits(value, sign) == text


@pytest.mark.parametrize("kind", ["frame", "amount", "size", "difference"])
def test_scales_of_constant_fields_are_not_empty(kind: str) -> None:
    for value in (0.0, 7.0):
        norm = panels.Scale.of(kind, [xr.DataArray(np.full(3, value))], "").colours.norm
        assert norm.vmin < norm.vmax


def test_rare_errors_still_get_colours() -> None:
    field = np.zeros(1000)
    field[0] = 3
    assert panels.Scale.of("size", [xr.DataArray(field)], "").colours.norm.vmax == 3


def test_maps_say_what_they_show_in_which_units() -> None:
    said = texts(plots.error_maps({SVQ: weather(), "climatology": weather(seed=1)}, "rmse"))
    for words in ("2 m temperature: RMSE", "lead times 1–12", "RMSE [K]", "SVQ:", "Climatology:"):
        assert words in said.replace("\n", " ")
    said = texts(plots.forecasts({SVQ: weather()})).replace("\n", " ")
    for words in ("2 m temperature [K]", "12 h: 2018-03-04 18:00", "Error [K]", "Truth", "SVQ"):
        assert words in said
    said = texts(plots.error_maps({"a": many_channels()}, "rmse", "z_500")).replace("\n", " ")
    assert "geopotential at 500 hPa: RMSE".casefold() in said.casefold()
    assert "m² s⁻²" in said


def test_rmse_over_leads_and_seeds_is_the_root_of_the_mean_square() -> None:
    data = weather()
    found = fields.error_map(data, "rmse", "t2m", [1, 6, 12], SVQ)
    np.testing.assert_allclose(found, np.sqrt((data["rmse"][0].to_numpy() ** 2).mean(axis=0)))
    assert found.attrs["units"] == "K"
    by_run = {"climatology": data, "a-seed0": data[["bias", "rmse"]], "a-seed1": weather(seed=1)[["bias", "rmse"]]}
    together = plots.mean_of_seeds(by_run)
    assert list(together) == ["a", "climatology"]
    squares = (data["rmse"] ** 2 + weather(seed=1)["rmse"] ** 2) / 2
    np.testing.assert_allclose(together["a"]["rmse"] ** 2, squares)
    np.testing.assert_allclose(together["a"]["bias"], (data["bias"] + weather(seed=1)["bias"]) / 2)


def test_a_difference_has_dots_and_says_their_share_by_area() -> None:
    better = weather()
    better["rmse"] = xr.where(better["lat"] > 0, better["rmse"] - 1, better["rmse"] + 1).assign_attrs(units="K")
    better["rmse"] = better["rmse"].transpose("channel", "lead", "lat", "lon")
    dots = {SVQ: (better["lat"] > 30) & (better["bias"][0, 0] < np.inf)}
    figure = plots.difference_maps({SVQ: better, NONE: weather()}, NONE, significant=dots)
    share = (
        np.cos(np.deg2rad(GRIDS["world"][0]))[GRIDS["world"][0] > 30].sum()
        / np.cos(np.deg2rad(GRIDS["world"][0])).sum()
    )
    said = " ".join(texts(figure).split())
    assert "SVQ better on 50 %, SimVP on 50 %" in said
    assert f"(dots): {100 * share:.0f} %, 0 %" in said
    assert any(
        len(line.get_xdata()) == 64 * (GRIDS["world"][0] > 30).sum() for axes in figure.axes for line in axes.lines
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99))
def test_the_mean_over_the_earth_weighs_rows_by_their_area_and_pixels_alike(seed: int) -> None:
    field = weather(seed=seed)["rmse"][0, 0]
    weights = np.cos(np.deg2rad(GRIDS["world"][0]))[:, None] * np.ones(64)
    expected = np.average(field.to_numpy() ** 2, weights=weights) ** 0.5
    assert panels.area_mean(field, of_squares=True) == pytest.approx(expected)
    assert panels.area_mean(field.rename(lat="y", lon="x")) == pytest.approx(float(field.mean()))


# --- frames -----------------------------------------------------------------------------------------------------------


def test_frames_of_a_forecast_are_observed_truth_prediction_and_error() -> None:
    data = frames(clip="person17_boxing_d1")
    figure = plots.forecasts({"kth-svq": data}, [1, 20])
    shown = [drawn(axes) for axes in pictures(figure)]
    expected = [*data["observed"][-2:, 0], *data["truth"][[0, 19], 0], *data["prediction"][[0, 19], 0]]
    for found, frame in zip(shown, [*expected, np.full((12, 16), 0.25), np.full((12, 16), 0.25)], strict=True):
        np.testing.assert_allclose(found, frame)
    said = texts(figure)
    for words in ("Observed", "Truth", "SVQ", "Error", "last seen", "+20 frames", "MAE 0.25", "person17_boxing_d1"):
        assert words in said


def test_colours_are_drawn_as_they_are_and_their_errors_as_a_mean() -> None:
    figure = plots.forecasts({"human-svq": frames(RGB, 4)}, [4])
    *_, prediction, error = (drawn(axes) for axes in pictures(figure))
    assert prediction.shape == (12, 16, 4)
    assert prediction.max() == 1
    np.testing.assert_allclose(error, 0.5)
    missing = frames(RGB, 1)
    missing["truth"][0, 1, 2, 3] = np.nan
    assert drawn(pictures(plots.forecasts({"a": missing}))[1])[2, 3, 3] == 0, "see-through"


@pytest.mark.parametrize(("data", "channel", "words"), [
    (frames(TRAFFIC, 4, units=CARS), "outflow", f"outflow [{CARS}]"),
    (many_channels(), "u10", "10 m eastward wind [m s⁻¹]"),
    (many_channels(), 0, "2 m temperature [K]"),
])  # fmt: skip
def test_one_channel_of_several_is_shown_with_its_units(data: xr.Dataset, channel: int | str, words: str) -> None:
    if "y" not in data.dims:
        data = data.transpose("lead", "channel", "lat", "lon")
    assert words in texts(plots.forecasts({"a-svq": data}, channel=channel)).replace("\n", " ")


def test_a_perfect_forecast_without_inputs_can_be_drawn() -> None:
    data = frames().drop_vars(["observed", "time_in"])
    assert "MAE 0" in texts(plots.forecasts({"kth-svq": data.assign(prediction=data["truth"])}))


@pytest.mark.parametrize(("count", "shown"), [(20, 8), (3, 3)])
def test_a_strip_shows_frames_from_the_first_to_the_last(count: int, shown: int) -> None:
    found = plots.clip_strip(clip(GREY).isel(time=slice(count)), "A clip")
    titles = [axes.get_title() for axes in pictures(found)]
    assert len(titles) == shown
    assert (titles[0], titles[-1]) == ("frame 1", f"frame {count}")
    dated = clip(GREY)[:2].assign_coords(time=np.array(["2020-01-01T00", "2020-01-01T06"], "datetime64[ns]"))
    assert "2020-01-01 06:00" in texts(plots.clip_strip(dated, "A clip"))
    offset = clip(GREY)[:2].assign_coords(time=("time", [-6, 0], {"units": "hours"}))
    assert [axes.get_title() for axes in pictures(plots.clip_strip(offset, "A clip"))] == ["−6 h", "last seen"]


@pytest.mark.parametrize(
    ("wanted", "units", "words"),
    [([1, 20], "frames", "lead times 1–20 frames"), ([1], "frames", "lead time 1 frame"), ([6], "h", "lead time 6 h")],
)
def test_lead_times_in_words(wanted: list[int], units: str, words: str) -> None:
    assert leads.lead_words(wanted, units).replace("\u00a0", " ") == words


def test_some_leads_are_spread_and_those_that_do_not_say_are_hours() -> None:
    assert plots.some_leads(frames()) == [1, 5, 9, 12, 16, 20]
    assert plots.some_leads(xr.Dataset(coords={"lead": range(1, 13)})) == [1, 5, 8, 12]
    assert (plots.lead_units(frames()), plots.lead_units(weather())) == ("frames", "h")


# --- curves -----------------------------------------------------------------------------------------------------------


def test_a_line_is_the_mean_over_seeds_and_baselines_are_dashed() -> None:
    axes = lines(by_lead(1, 6, 12)).axes[0]
    (none, svq, persistence) = axes.lines
    assert [line.get_linestyle() for line in axes.lines] == ["-", "-", "--"]
    np.testing.assert_allclose(svq.get_ydata(), 1.05)
    assert none.get_color() == plots.line_styles([NONE])[NONE].colour
    assert len(persistence.get_xdata()) == 3


def test_one_lead_time_is_no_curve() -> None:
    axes = lines(by_lead(6)).axes[0]
    assert {len(set(line.get_xdata())) for line in axes.lines} == {1}
    assert "6" in axes.get_xlabel()


def test_channels_of_several_units_have_panels_of_their_own() -> None:
    rows = [
        ("a-svq", 0, channel, "mse", 6, value) for channel, value in (("t_500", 4.0), ("t_850", 16.0), ("z_500", 9.0))
    ]
    scores = pd.DataFrame([*rows, ("a-svq", 0, "mean", "rmse", 6, 3.0)])
    scores.columns = ["experiment", "seed", "channel", "metric", "lead", "value"]
    scores = scores.assign(protocol="clean")
    found = plots.rmse_by_variable(scores, {"t_500": "K", "t_850": "K", "z_500": "m**2 s**-2"})
    expected = {"Temperature [K]": 10**0.5, "Geopotential [m² s⁻²]": 3.0}
    assert found.set_index("panel")["value"].to_dict() == pytest.approx(expected)
    assert plots.rmse_by_variable(scores, {"t_500": "K"})["value"].tolist() == [3.0]


@pytest.mark.parametrize(("sign", "end"), [(1, 0), (-1, 1)])
def test_a_height_that_is_to_be_seen_is_where_the_axis_ends(sign: int, end: int) -> None:
    table = by_lead(1, 6).assign(value=lambda rows: sign * rows["value"])
    (axes,) = plots.lines(table, "lead", "value", ("Lead", "RMSE"), "By lead", include=0).axes
    assert axes.get_ylim()[end] == 0
    assert axes.get_ylim()[0] < table["value"].min() < table["value"].max() < axes.get_ylim()[1]


def test_a_change_is_against_the_mean_of_the_base_without_baselines() -> None:
    found = plots.change_against(by_lead(1, 6), NONE)
    assert set(found["experiment"]) == {SVQ}
    assert found[found["seed"] == 0]["change"].tolist() == pytest.approx([100 * (1 / 2.05 - 1)] * 2)


def test_without_the_base_there_is_no_change() -> None:
    assert plots.change_against(by_lead(1, 6), "another").empty


def test_changes_say_their_numbers_and_one_training_is_hollow() -> None:
    figure = plots.changes(changes(), "Change of the MSE [%]", "Against SimVP")
    assert "−4.0 % [−6.0, −2.0]" in texts(figure)
    marks = [line for line in figure.axes[0].lines if line.get_marker() not in ("", "None")]
    assert [mark.get_markerfacecolor() == "white" for mark in marks] == [False, True]


# --- codebooks --------------------------------------------------------------------------------------------------------


def test_a_hard_quantizer_is_said_to_have_no_weights_and_dead_codes_are_never_the_strongest() -> None:
    said = texts(plots.usage_figure({VQ: usage(hard=True)}))
    assert said.count("hard assignment: one code per position") == 3
    assert "VQ: 7 of 8 codes are ever the strongest, perplexity 5.5" in said


def test_ranks_begin_with_the_most_frequent_code_and_leave_out_those_that_never_win() -> None:
    found = plots.ranks({"a": {"share": np.array([0.0, 0.2, 0.8])}})
    assert found[["rank", "share"]].to_numpy().tolist() == [[1, 0.8], [2, 0.2]]


def test_the_drawn_density_is_one_in_all() -> None:
    (left, _) = plots.weights_figure({"a": usage()}, "Weights").axes
    steps = left.patches[0].get_data()
    assert (steps.values * np.diff(steps.edges)).sum() == pytest.approx(1)


@pytest.mark.parametrize(("width", "mean"), [(1, 1.0), (2, 2 / np.pi), (3, 0.5)])
def test_random_directions_are_as_alike_as_geometry_says(width: int, mean: float) -> None:
    assert random_similarity(width) == pytest.approx(mean)


def test_every_code_has_a_map_and_all_share_one_scale_around_zero() -> None:
    maps = [axes for axes in plots.code_maps(codes("lat", "lon")).axes if axes.get_title().startswith("Code")]
    assert [axes.get_title() for axes in maps] == ["Code 5", "Code 9", "Code 2", "Code 7"]
    scales = [next(part for part in axes.collections if isinstance(part, QuadMesh)).norm for axes in maps]
    assert all(scale.vmin == -scale.vmax == scales[0].vmin for scale in scales)


def test_a_change_too_small_to_see_is_called_none() -> None:
    change = codes("y", "x") * 0 + 1
    figure = plots.code_effects(codes("y", "x"), change, change * 1e-6, [(0, 0)] * 4, "K", 1e-3)
    assert texts(figure).count("none above 0.001 K") == 4
    assert texts(figure).count("largest +1 K") == 4


def test_codes_that_change_nothing_are_shown_without_their_changes() -> None:
    nothing = codes("y", "x") * 0 + 1e-6
    figure = plots.code_effects(codes("y", "x"), nothing, nothing, [(0, 0)] * 4, "K", 1e-3)
    assert "None changes the forecast by 0.001 K" in " ".join(texts(figure).split())
    assert len(figure.axes) == 5  # four codes and one bar


# --- what can't be drawn ----------------------------------------------------------------------------------------------


def other_units() -> xr.Dataset:
    data = weather()
    data["bias"] = data["bias"].assign_coords(unit=("channel", ["°C"]))
    return data.assign_coords(unit=("channel", ["°C"]))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda: plots.error_maps({SVQ: weather() * np.nan}), "missing (NaN)"),
        (lambda: plots.error_maps({SVQ: weather()}, leads=[1, 5]), "no lead time of 5 h; it has 1, 6, 12 h"),
        (lambda: plots.error_maps({SVQ: weather()}, leads=[]), "no lead times to draw"),
        (lambda: plots.error_maps({SVQ: weather()}, channel="u10"), "no channel 'u10'; it has t2m"),
        (lambda: plots.error_maps({SVQ: weather()}, "mse"), "Valid: bias, mae, rmse"),
        (lambda: plots.error_maps({SVQ: weather().drop_vars("rmse")}, "rmse"), "no field 'rmse'"),
        (lambda: plots.error_maps({SVQ: weather(), NONE: other_units()}), "same units"),
        (lambda: plots.error_maps({}), "give one or more"),
        (lambda: plots.error_maps({SVQ: weather().drop_vars("lon")}), "coordinate 'lon'"),
        (lambda: plots.error_maps({"a": frames().isel(x=0)}), "lat and lon"),
        (lambda: plots.error_maps({SVQ: weather()}, projection="east"), "Valid: world, north, south"),
        (lambda: plots.error_maps({SVQ: weather("region")}, projection="north"), "all the way round"),
        (lambda: plots.error_maps({"a": frames()}, projection="north"), "Pictures have no pole"),
        (lambda: plots.error_maps({SVQ: weather().sel(lat=slice(0, 9))}, projection="north"), "No row of the field"),
        (lambda: plots.difference_maps({SVQ: weather()}, SVQ), "nothing to compare"),
        (lambda: plots.difference_maps({SVQ: weather(), NONE: weather("region")}, NONE), "different grids"),
        (lambda: plots.difference_maps({"a": frames(), "b": frames().isel(x=slice(4))}, "b"), "pictures of one size"),
        (lambda: plots.forecasts({}), "no forecast to draw"),
        (lambda: plots.forecasts({SVQ: weather(), NONE: weather(seed=1) * 2}), "different frames"),
        (lambda: plots.forecasts({"a": frames(), "b": frames(seed=1)}), "different frames"),
        (lambda: plots.forecasts({SVQ: weather()}, [1, 4, 8]), "no lead time of 4, 8 h"),
        (lambda: plots.forecasts({SVQ: weather()}, []), "no lead time of none h"),
        (lambda: plots.forecasts({SVQ: weather().drop_vars("lead")}), "coordinate 'lead'"),
        (lambda: plots.forecasts({"a": frames() * np.nan}, [1]), "missing (NaN)"),
        (lambda: plots.clip_strip(clip(GREY).rename(y="row", x="column"), "A clip"), "Rename its dimensions"),
        (lambda: plots.lines(by_lead(1).assign(value=np.nan), "lead", "value", ("", ""), "A"), "no value is finite"),
        (lambda: plots.lines(by_lead(1), "hour", "value", ("", ""), "A"), "column(s) hour"),
        (lambda: plots.changes(changes()[:0], "", "A"), "no experiment was compared"),
        (lambda: plots.usage_figure({}), "no codebook"),
        (lambda: plots.usage_figure({SVQ: usage() | {"share": np.zeros(4)}}), "no code"),
        (lambda: plots.weights_figure({}, "Weights"), "no weights"),
        (lambda: plots.similarities(SVQ, np.ones((1, 1)), 4, "A"), "two codes or more"),
        (lambda: plots.code_effects(*[codes("y", "x")] * 2, codes("y", "x")[:2], [(0, 0)] * 4, "", 0), "same codes"),
    ],
)
def test_what_can_not_be_drawn_is_said(spoil: Callable[[], object], words: str) -> None:
    with pytest.raises(SvqkitError) as caught:
        spoil()
    assert words in str(caught.value)


def test_a_long_list_of_channels_is_cut_short() -> None:
    names = [f"c{i}" for i in range(110)]
    field = xr.DataArray(np.zeros((110, 2, 2)), dims=("channel", "y", "x"), coords={"channel": names})
    with pytest.raises(SvqkitError, match=r"c18, …, c109 \(0 to 109\)"):
        fields.pick_channel(field, 110, "hmv")


def test_the_callers_settings_come_back() -> None:
    with matplotlib.rc_context({"font.size": 23}):
        with style.use():
            assert matplotlib.rcParams["font.size"] == 8
        assert matplotlib.rcParams["font.size"] == 23
