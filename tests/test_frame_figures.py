"""Figures of what is no map: video in grey and in colour, traffic, arrays of a user's own; and their scores."""

from collections.abc import Callable

import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from svqkit import plots
from svqkit.errors import SvqkitError
from svqkit.plots import drawing, fields, leads, names, panels, table

GREY, RGB, TRAFFIC = ["grey"], ["red", "green", "blue"], ["inflow", "outflow"]
LAT, LON = np.linspace(-80, 80, 8), np.arange(0, 360, 30.0)


def case(
    names: list[str] = GREY, frames_in: int = 10, frames_out: int = 20, size: tuple[int, int] = (12, 16), **about: str
) -> xr.Dataset:
    draw = np.random.default_rng(0)
    observed, truth = (draw.uniform(size=(count, len(names), *size)) for count in (frames_in, frames_out))
    prediction = truth + 0.25 * np.arange(1, len(names) + 1)[:, None, None]
    seen, later = (("time_in", "channel", "y", "x"), observed), ("lead", "channel", "y", "x")
    lead = ("lead", np.arange(1, frames_out + 1), {"units": "frames", "long_name": "lead time"})
    coords = {"channel": names, "time_in": np.arange(1 - frames_in, 1), "lead": lead}
    frames = {"observed": seen, "truth": (later, truth), "prediction": (later, prediction)}
    return xr.Dataset(frames, coords, {"units": "", **about})


def errors(names: list[str] = GREY, seed: int = 0, units: str = "", frames: int = 20) -> xr.Dataset:
    field = np.random.default_rng(seed).normal(size=(len(names), frames, 12, 16))
    dims, about = ("channel", "lead", "y", "x"), {"units": units}
    return xr.Dataset(
        {
            "bias": (dims, field, about | {"long_name": "mean error"}),
            "mae": (dims, np.abs(field), about | {"long_name": "mean absolute error"}),
            "rmse": (dims, np.abs(field) + 1, about | {"long_name": "root mean squared error"}),
        },
        {"channel": names, "lead": ("lead", np.arange(1, frames + 1), {"units": "frames"})},
    )


def weather() -> xr.Dataset:
    """A forecast and errors of three channels, each in units of its own."""
    field = np.random.default_rng(0).normal(size=(4, 3, 8, 12))
    dims, units = ("lead", "channel", "lat", "lon"), ["K", "m s**-1", "m**2 s**-2"]
    about = {"units": ", ".join(units)}
    truth, prediction = (field + np.array(each)[:, None, None] for each in ([280, 0, 5000], [281, 2, 5003]))
    fields = {"truth": (dims, truth), "prediction": (dims, prediction)}
    fields |= {"bias": (dims, field, about), "rmse": (dims, np.abs(field), about)}
    coords = {"channel": ["t2m", "u10", "z500"], "unit": ("channel", units), "lead": [6, 12, 18, 24]}
    return xr.Dataset(fields, coords | {"lat": LAT, "lon": LON}, about)


def texts(figure: Figure) -> str:
    return "\n".join(item.get_text() for item in figure.findobj(matplotlib.text.Text))


def pictures(figure: Figure) -> list[Axes]:
    """The panels with a picture, in reading order."""
    return [axes for axes in figure.axes if axes.images]


def drawn(axes: Axes) -> np.ndarray:
    return np.ma.getdata(axes.images[0].get_array())


FIGURES: dict[str, Callable[[], Figure]] = {
    "grey": lambda: plots.forecast_case(case(clip="person17_boxing_d1"), "kth-svq"),
    "colour": lambda: plots.forecast_case(case(RGB, 4, 4), "human-svq"),
    "one lead": lambda: plots.forecast_case(case(RGB, 10, 1), "kitticaltech-svq"),
    "traffic": lambda: plots.forecast_case(case(TRAFFIC, 4, 4, units="vehicles per 30 min"), "taxibj-svq"),
    "own": lambda: plots.forecast_case(case(["moisture"], 3, 12, (8, 40)), "mine-svq"),
    "errors": lambda: plots.error_maps({name: errors() for name in ("kth-svq", "kth-none", "persistence")}, "rmse"),
    "errors by lead": lambda: plots.error_maps(
        {name: errors(TRAFFIC, units="vehicles per 30 min") for name in ("kth-svq", "kth-none", "a_long_name_of_mine")},
        leads=[1, 5, 9, 12, 16, 20],
    ),
    "difference": lambda: plots.difference_map(errors(RGB), errors(RGB, 1), "kth-svq", "kth-none"),
    "codes": lambda: plots.code_maps(activity()),
    "mean and spread": lambda: plots.mean_and_spread(overview(RGB)),
    "strip": lambda: plots.clip_strip(clip(TRAFFIC), "A window of taxibj"),
}


def activity() -> xr.DataArray:
    field = np.random.default_rng(0).normal(size=(4, 6, 8))
    return xr.DataArray(field, dims=("code", "y", "x"), coords={"code": [5, 9, 2, 7]})


def overview(names: list[str]) -> xr.Dataset:
    data = case(names)["truth"]
    return xr.Dataset({"mean": data.mean("lead"), "std": data.std("lead")})


def clip(names: list[str]) -> xr.DataArray:
    return case(names)["truth"].rename(lead="time").drop_vars("time")


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_lies_on_another_and_none_is_cut_off(name: str) -> None:
    figure = FIGURES[name]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    written = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text() and text.get_visible()]
    # numbers on a scale are matplotlib's to place; what belongs to a hidden panel isn't drawn
    ticks = {tick for axes in figure.axes for tick in (*axes.get_xticklabels(), *axes.get_yticklabels())}
    shown = [t for t in written if t not in ticks and (t.axes is None or (t.axes.get_visible() and t.axes.axison))]
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in shown]
    for number, box in enumerate(boxes):
        assert box.x0 > -1
        assert box.y0 > -1
        assert box.x1 < figure.bbox.x1 + 1
        assert box.y1 < figure.bbox.y1 + 1
        for other, text in zip(boxes[:number], shown, strict=False):
            assert not box.overlaps(other), (shown[number].get_text(), text.get_text())


def test_frames_of_a_forecast_are_observed_truth_prediction_and_error() -> None:
    data = case(clip="person17_boxing_d1")
    figure = plots.forecast_case(data, "kth-svq")
    panels = np.array(pictures(figure)).reshape(4, 6)
    shown = [1, 5, 9, 12, 16, 20]

    titles = [[axes.get_title() for axes in row] for row in panels]
    assert titles[0] == ["−5 frames", "−4 frames", "−3 frames", "−2 frames", "−1 frame", "last seen"]
    assert titles[1] == ["+1 frame", *(f"+{lead} frames" for lead in shown[1:])]
    assert titles[3] == ["MAE 0.250"] * 6
    for column, lead in enumerate(shown):
        assert np.array_equal(drawn(panels[0, column]), data["observed"][column - 6, 0])
        assert np.array_equal(drawn(panels[1, column]), data["truth"].sel(lead=lead)[0])
        assert np.array_equal(drawn(panels[2, column]), data["prediction"].sel(lead=lead)[0])
        assert np.allclose(drawn(panels[3, column]), 0.25)
    assert {axes.images[0].get_cmap().name for axes in panels[:3].flat} == {"gray"}
    assert {(axes.images[0].norm.vmin, axes.images[0].norm.vmax) for axes in panels[:3].flat} == {(0, 1)}
    said = texts(figure)
    for words in ("Observed", "Truth", "SVQ", "Error", "person17_boxing_d1", "|Error|"):
        assert words in said


def test_red_green_and_blue_are_a_colour_picture_clipped_to_what_can_be_shown() -> None:
    data = case(RGB, 4, 4)
    panels = np.array(pictures(plots.forecast_case(data, "human-svq"))).reshape(4, 4)
    picture = drawn(panels[2, 1])
    assert np.array_equal(picture[..., :3], data["prediction"][1].transpose("y", "x", "channel").clip(0, 1))
    assert (picture[..., 3] == 1).all()
    assert np.allclose(drawn(panels[3, 1]), 0.5)  # the mean of 0.25, 0.5 and 0.75

    one = np.array(pictures(plots.forecast_case(data, "human-svq", channel="green"))).reshape(4, 4)
    assert np.array_equal(drawn(one[1, 0]), data["truth"][0, 1])


def test_a_colour_pixel_without_data_is_left_out() -> None:
    data = case(RGB, 4, 4)
    data["truth"][0, 1, 2, 3] = np.nan
    panels = pictures(plots.forecast_case(data, "human-svq"))
    opaque = drawn(panels[4])[..., 3]
    assert opaque[2, 3] == 0
    assert opaque.sum() == opaque.size - 1


@pytest.mark.parametrize("channel", [1, "outflow"])
def test_one_channel_of_traffic_is_shown_on_one_scale_with_its_units(channel: int | str) -> None:
    data = case(TRAFFIC, 4, 4).assign_coords(unit=("channel", ["cars in", "cars out"]))
    figure = plots.forecast_case(data, "taxibj-svq", channel=channel)
    panels = np.array(pictures(figure)).reshape(4, 4)
    assert np.array_equal(drawn(panels[1, 2]), data["truth"][2, 1])
    assert len({(axes.images[0].norm.vmin, axes.images[0].norm.vmax) for axes in panels[:3].flat}) == 1
    assert len({(axes.images[0].norm.vmin, axes.images[0].norm.vmax) for axes in panels[3]}) == 1
    assert "outflow [cars out]" in texts(figure)
    assert "|Error| [cars out]" in texts(figure).replace("\n[", " [")


def test_a_forecast_of_one_frame_is_one_row() -> None:
    figure = plots.forecast_case(case(RGB, 10, 1), "kitticaltech-svq")
    titles = [axes.get_title().strip() for axes in pictures(figure)]
    assert titles == ["Observed\nlast seen", "Truth\n+1 frame", "SVQ", "Error\nMAE 0.500"]
    assert figure.get_figheight() < 3


def test_frames_may_lack_their_inputs_and_channels_and_count_in_hours() -> None:
    data = case(["moisture"], 3, 4).isel(channel=0).drop_vars("observed")
    data["lead"].attrs["units"] = "hours"
    figure = plots.forecast_case(data, "mine-svq", leads=[2, 4])
    assert len(pictures(figure)) == 6
    assert "+2 h" in texts(figure)
    assert "Observed" not in texts(figure)


def test_a_perfect_forecast_can_be_drawn() -> None:
    data = case()
    data["prediction"] = data["truth"]
    assert "MAE 0.00" in texts(plots.forecast_case(data, "kth-svq"))


def test_the_size_of_rare_errors_is_still_seen() -> None:
    scale = panels.amount_scale([np.r_[np.zeros(999), 0.5]])
    assert (scale.vmin, scale.vmax) == (0, 0.5)


@pytest.mark.parametrize(("channel", "words"), [(None, "t2m [K]"), ("u10", "u10 [m s⁻¹]"), (2, "z500 [m² s⁻²]")])
def test_maps_of_a_forecast_pick_one_of_many_channels(channel: int | str | None, words: str) -> None:
    figure = plots.forecast_case(weather(), "weather_mv-svq", channel=channel)
    assert words in texts(figure).replace("\n[", " [")
    assert f"{words.split()[0]}: SVQ forecast" in texts(figure)
    step = {None: 1, "u10": 2, 2: 3}[channel]
    assert f"RMSE {step}" in texts(figure)


@pytest.mark.parametrize("channel", [1, "u10"])
def test_error_maps_are_in_the_units_of_their_channel(channel: int | str) -> None:
    figure = plots.error_maps({"weather_mv-svq": weather()}, "rmse", channel)
    assert "RMSE [m s⁻¹]" in texts(figure)
    assert "u10: " in texts(figure)
    assert plots.units_of({"a": weather()}, channel) == "m s**-1"
    assert plots.units_of({"a": weather()}) == ""


def test_channels_that_differ_in_units_between_runs_are_refused() -> None:
    other = weather().assign_coords(unit=("channel", ["K", "kn", "m"]))
    plots.error_maps({"a-svq": weather(), "b-none": other}, "bias", 0)
    with pytest.raises(SvqkitError, match="same units"):
        plots.error_maps({"a-svq": weather(), "b-none": other}, "bias", "u10")


def test_errors_of_frames_are_pictures_of_all_lead_times_together() -> None:
    data = errors()
    figure = plots.error_maps({"kth-svq": data}, "mae")
    (panel,) = pictures(figure)
    assert np.allclose(drawn(panel), data["mae"][0].mean("lead"))
    assert panel.images[0].origin == "upper"
    assert not [*panel.get_xticks(), *panel.get_yticks()]
    assert "lead times 1–20\u00a0frames" in texts(figure)
    assert f"mean {float(data['mae'].mean()):.2f}" in panel.get_title()


def test_errors_of_colours_are_taken_together() -> None:
    data = errors(RGB)
    (panel,) = pictures(plots.error_maps({"human-svq": data}, "rmse"))
    assert np.allclose(drawn(panel), np.sqrt((data["rmse"] ** 2).mean(["channel", "lead"])))
    (panel,) = pictures(plots.error_maps({"human-svq": data}, "rmse", channel="blue"))
    assert np.allclose(drawn(panel), np.sqrt((data["rmse"][2] ** 2).mean("lead")))


def test_biases_of_frames_share_one_scale_around_zero() -> None:
    figure = plots.error_maps({"kth-svq": errors(), "kth-none": errors(seed=1)}, leads=[1, 20])
    scales = {(axes.images[0].norm.vmin, axes.images[0].norm.vmax) for axes in pictures(figure)}
    ((low, high),) = scales
    assert low == -high < 0
    assert [axes.get_title().split(":")[0] for axes in pictures(figure)[:2]] == ["1 frame", "20 frames"]
    of_one_lead = plots.error_maps({"kth-svq": errors(), "kth-none": errors(seed=1)}, leads=[5])
    assert [axes.get_title().split(":")[0] for axes in pictures(of_one_lead)] == ["SVQ", "SimVP"]
    assert "lead time 5\u00a0frames" in texts(of_one_lead)


def test_a_difference_counts_pixels() -> None:
    better, worse = errors(), errors()
    worse["rmse"] = worse["rmse"] + xr.where(worse["x"] < 4, 1, -1).transpose()
    figure = plots.difference_map(better, worse, "kth-svq", "kth-none")
    assert "SVQ is better on 25% of the frame" in texts(figure)


def test_the_mean_over_pixels_has_no_weights_and_that_over_the_earth_has() -> None:
    values = np.arange(8.0)[:, None] * np.ones(12)
    assert drawing.area_mean(xr.DataArray(values, dims=("y", "x"))) == pytest.approx(3.5)
    assert drawing.area_mean(xr.DataArray(values, dims=("y", "x")), of_squares=True) == pytest.approx(np.sqrt(17.5))
    earth = xr.DataArray(values**2, dims=("lat", "lon"), coords={"lat": LAT, "lon": LON})
    assert drawing.area_mean(earth) < 17.5


def test_codes_without_places_on_earth_are_pictures_side_by_side() -> None:
    panels = pictures(plots.code_maps(activity()))
    assert [axes.get_title() for axes in panels] == ["Code 5", "Code 9", "Code 2", "Code 7"]
    assert len({round(axes.get_position().y0, 3) for axes in panels}) == 1


@pytest.mark.parametrize("names", [GREY, RGB, TRAFFIC])
def test_the_mean_of_a_dataset_looks_as_its_frames_do(names: list[str]) -> None:
    fields = overview(names)
    mean, std = pictures(plots.mean_and_spread(fields))
    if names == RGB:
        assert np.allclose(drawn(mean)[..., :3], fields["mean"].transpose("y", "x", "channel"))
        assert np.allclose(drawn(std), fields["std"].mean("channel"))
    else:
        assert np.allclose(drawn(mean), fields["mean"][0])
        assert np.allclose(drawn(std), fields["std"][0])


def test_mean_and_spread_need_no_channels() -> None:
    fields = overview(TRAFFIC).isel(channel=1)
    mean, _ = pictures(plots.mean_and_spread(fields))
    assert np.allclose(drawn(mean), fields["mean"])


@pytest.mark.parametrize(("count", "shown"), [(20, 8), (8, 8), (3, 3), (1, 1)])
def test_a_strip_shows_frames_from_the_first_to_the_last(count: int, shown: int) -> None:
    frames = clip(GREY)[:count]
    panels = pictures(plots.clip_strip(frames, "A clip"))
    assert len(panels) == shown
    assert np.array_equal(drawn(panels[0]), frames[0, 0])
    assert np.array_equal(drawn(panels[-1]), frames[-1, 0])
    assert [panels[0].get_title(), panels[-1].get_title()] == ["frame 1", f"frame {count}"]


def test_a_strip_says_when_its_frames_are() -> None:
    frames = clip(TRAFFIC)[:3]
    dates = frames.assign_coords(time=pd.date_range("2018-01-01", periods=3, freq="6h"))
    offsets = frames.assign_coords(time=("time", [-1, 0, 1], {"units": "hours"}))
    first, second = (plots.clip_strip(each, "A window") for each in (dates, offsets))
    assert "2018-01-01\n06:00" in [axes.get_title() for axes in pictures(first)]
    assert [axes.get_title() for axes in pictures(second)] == ["−1 h", "last seen", "+1 h"]


def test_a_strip_of_weather_is_maps() -> None:
    frames = weather()["truth"].rename(lead="time").drop_vars("time")
    figure = plots.clip_strip(frames, "Weather", channel="u10")
    assert sum(axes.get_title().startswith("frame") for axes in figure.axes) == 4
    assert "u10 [m s⁻¹]" in texts(figure)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda: plots.forecast_case(case(), "kth-svq", leads=[1, 30]), "no lead time of 30 frames"),
        (lambda: plots.forecast_case(case(), "kth-svq", channel="red"), "no channel 'red'; it has grey"),
        (lambda: plots.forecast_case(case().drop_vars("truth"), "kth-svq"), "no field 'truth'"),
        (lambda: plots.forecast_case(case() * np.nan, "kth-svq"), "missing (NaN)"),
        (lambda: plots.forecast_case(case().rename(y="row", x="column"), "a"), "it has lead, channel, row, column"),
        (lambda: plots.error_maps({"a": errors().isel(x=0)}), "lat and lon"),
        (lambda: plots.difference_map(errors(), errors().isel(x=slice(4)), "a", "b"), "pictures of one size"),
        (lambda: plots.clip_strip(clip(GREY) * np.nan, "A clip"), "every value of A clip is missing"),
        (lambda: plots.results_table(scores().iloc[:0]), "any metric"),
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


@pytest.mark.parametrize(
    ("wanted", "units", "words"),
    [([1, 20], "frames", "lead times 1–20 frames"), ([1], "frames", "lead time 1 frame"), ([6], "h", "lead time 6 h")],
)
def test_lead_times_in_words(wanted: list[int], units: str, words: str) -> None:
    assert leads.lead_words(wanted, units).replace("\u00a0", " ") == words


def test_lead_times_that_do_not_say_are_hours() -> None:
    assert plots.lead_units(case()) == "frames"
    assert plots.lead_units(weather()) == "h"
    assert plots.some_leads(case()) == [1, 5, 9, 12, 16, 20]


def scores() -> pd.DataFrame:
    """Persistence is perfect in its first frame; SVQ in none."""
    values = {"mae_original": (8.0, 9.0), "lpips": (0.1, 0.2), "psnr": (25.5, np.inf)}
    values |= {"ssim_published": (0.95, 0.9), "mse": (101.25, 202.5), "ssim": (0.9, 0.8)}
    rows = [
        (name, seed, "clean", metric, lead, pair[place] + 0.001 * max(seed, 0))
        for metric, pair in values.items()
        for place, name, seeds in ((0, "kth-svq", (0, 1)), (1, "persistence", (-1,)))
        for seed in seeds
        for lead in (0, 1, 2)
    ]
    return pd.DataFrame(rows, columns=["experiment", "seed", "protocol", "metric", "lead", "value"])


def test_a_table_shows_the_metrics_that_there_are_in_the_usual_order() -> None:
    results = plots.results_table(scores())
    assert table.metrics_of(results) == ["mse", "ssim", "ssim_published", "psnr", "lpips", "mae_original"]
    header, _, svq, persistence = plots.markdown_table(
        results, "", plots.metric_units("", original="cars")
    ).splitlines()[2:6]
    assert header == (
        "| Experiment | Seeds | MSE ↓ | SSIM ↑ | SSIM (published) ↑ | PSNR [dB] ↑ | LPIPS ↓ | MAE (orig.) [cars] ↓ |"
    )
    assert "| <u>25.50 ± 0.00</u> |" in svq
    assert "| **∞** |" in persistence
    assert r"\textbf{$\infty$}" in plots.latex_table(results, "")


def test_units_of_scores_in_the_units_of_the_raw_data() -> None:
    original = {"mae_original": "°F", "rmse_original": "°F", "mse_original": "(°F)²"}
    assert plots.metric_units("K", original="°F") == plots.metric_units("K") | original


def test_curves_by_frame_leave_out_what_is_infinite() -> None:
    axes = plots.error_over_lead(scores(), "psnr", lead_units="frames").axes[0]
    assert axes.get_xlabel() == "Lead time [frames]"
    assert axes.get_ylabel() == "PSNR [dB] (higher is better)"
    assert [line.get_label() for line in axes.lines] == ["SVQ"]
    assert plots.error_over_lead(scores(), "mse", lead_units="hours").axes[0].get_xlabel() == "Lead time [h]"


def test_a_share_has_no_units() -> None:
    assert names.with_units("RMSE", "(0 - 1)") == "RMSE"
    assert plots.metric_units("(0 - 1)") == {}
