"""Figures and tables: readable, the same bytes each time, and made without a network."""

import socket
from collections.abc import Callable
from pathlib import Path

import cartopy.crs as ccrs
import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap, Normalize, to_rgb
from matplotlib.figure import Figure

from svqkit import plots
from svqkit.errors import SvqkitError
from svqkit.plots import fields, mapaxes, names, panels, style, table

GRIDS = {
    "world": (np.linspace(-87.1875, 87.1875, 32), np.arange(64) * 5.625),
    "world from -180, odd, north first": (np.linspace(90, -90, 9), np.linspace(-180, 180, 13, endpoint=False)),
    "world with both ends": (np.linspace(-80, 80, 9), np.linspace(0, 360, 13)),
    "region": (np.arange(57.75, 49.9, -0.25), np.arange(-10, 2, 0.25)),
    "region across Greenwich, from 0": (np.arange(50, 58, 0.25), np.arange(-10, 2, 0.25) % 360),
    "region across the date line": (np.arange(-20, 0, 1.0), np.arange(170, 190, 1.0)),
}
LEADS = [1, 6, 12]
SVQ, NONE, VQ = "weather_t2m-svq", "weather_t2m-none", "weather_t2m-vq"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a figure tried to use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def errors(grid: str = "world", seed: int = 0) -> xr.Dataset:
    lat, lon = GRIDS[grid]
    draw = np.random.default_rng(seed)
    dims = ("channel", "lead", "lat", "lon")
    bias = draw.normal(0.3, 1, (1, len(LEADS), lat.size, lon.size))
    fields = {"bias": (dims, bias, {"units": "K", "long_name": "bias of 2 m temperature"})}
    fields |= {"rmse": (dims, np.abs(bias) + 1, {"units": "K", "long_name": "RMSE of 2 m temperature"})}
    return xr.Dataset(fields, {"channel": ["t2m"], "lead": LEADS, "lat": lat, "lon": lon})


def case(grid: str = "world") -> xr.Dataset:
    truth = errors(grid)["bias"][0].drop_vars("channel") + 280
    about = {"units": "K", "long_name": "2 m temperature", "start_time": "2018-03-04T06:00"}
    return xr.Dataset({"truth": truth, "prediction": truth + 0.5}, attrs=about)


def scores() -> pd.DataFrame:
    """RMSE falls and ACC rises from the first experiment to the third."""
    rows = [
        (name, seed, "clean", metric, lead, (value + 0.01 * seed) if metric == "acc" else (3 - value + 0.01 * seed))
        for name, value in ((NONE, 0.5), (SVQ, 0.7), (VQ, 0.9))
        for seed in (0, 1)
        for metric in ("rmse", "acc")
        for lead in (0, *LEADS)
    ]
    rows += [("persistence", -1, "clean", "rmse", lead, 4.0) for lead in (0, *LEADS)]
    return pd.DataFrame(rows, columns=["experiment", "seed", "protocol", "metric", "lead", "value"])


def log(seed: int = 0) -> pd.DataFrame:
    epoch = np.arange(1, 6)
    loss = np.exp(-epoch.astype(float)) + 0.01 * seed
    return pd.DataFrame(
        {"epoch": epoch, "learning_rate": 1e-3 / epoch, "train_loss": loss, "validation_loss": 1.1 * loss}
    )


def usage(hard: bool = False) -> dict[str, object]:
    share = np.arange(8) / 28
    codes: dict[str, object] = {"share": share, "perplexity": 5.5, "dead_codes": 1}
    if not hard:
        histogram = (np.linspace(-3, 3, 7), np.array([1, 4, 20, 20, 4, 1]))
        codes |= {"strength": share, "histogram": histogram, "sparsity": {"0.001": 0.1, "0.1": 0.6}}
    return codes


def texts(figure: Figure) -> str:
    return "\n".join(item.get_text() for item in figure.findobj(matplotlib.text.Text))


FIGURES: dict[str, Callable[[], Figure]] = {
    "forecast": lambda: plots.forecast_case(case("region"), SVQ, leads=[1, 12]),
    "codebook": lambda: plots.usage_figure({SVQ: usage(), VQ: usage(hard=True)}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_written_as_png_and_pdf_and_twice_the_same(name: str, tmp_path: Path) -> None:
    first, second = (plots.save(FIGURES[name](), tmp_path / folder / name) for folder in ("once", "again"))

    assert [path.name for path in first] == [f"{name}.png", f"{name}.pdf"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert sorted(path.name for path in (tmp_path / "once").iterdir()) == sorted(path.name for path in first)


def test_a_name_with_a_dot_keeps_it(tmp_path: Path) -> None:
    assert plots.save(plots.new_figure(), tmp_path / "rmse_0.25")[0].name == "rmse_0.25.png"


@pytest.mark.parametrize("grid", GRIDS)
def test_no_place_of_a_map_is_left_without_colour(grid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapaxes, "MISSING", "#00ff00")  # a colour that nothing else has
    field = xr.zeros_like(errors(grid)["bias"][0, 0])
    picture, axes = _drawn(field, ListedColormap(["#ff0000"]))

    left, bottom, right, top = np.array(axes.get_window_extent().extents).round().astype(int)
    inside = picture[::-1][bottom + 2 : top - 2, left + 2 : right - 2]
    empty = inside[..., 1] > inside[..., [0, 2]].max(axis=-1) + 20
    assert not empty[len(empty) // 2].any()
    # a few pixels of a world map's round edge are half outside it; a gap of one pixel's width would be twice this
    assert empty.mean() < 1e-3


def test_the_order_of_longitudes_and_latitudes_does_not_change_a_map() -> None:
    field = errors()["bias"][0, 0]
    other = field.assign_coords(lon=(field["lon"] + 180) % 360 - 180).sortby("lon").sortby("lat", ascending=False)
    assert np.array_equal(_drawn(field, "viridis")[0], _drawn(other, "viridis")[0])


@pytest.mark.parametrize(("grid", "world"), [(name, name.startswith("world")) for name in GRIDS])
def test_the_projection_follows_from_the_longitudes(grid: str, world: bool) -> None:
    found = mapaxes.grid_of(errors(grid))
    assert found.world == world
    assert (np.diff(found.lon) > 0).all()
    assert (np.diff(found.lat) > 0).all()
    if not world:
        assert np.ptp(found.lon) < 25


def test_a_cell_lies_where_its_coordinates_say() -> None:
    field = xr.full_like(errors()["bias"][0, 0], -1)
    field.loc[{"lon": 270.0, "lat": field["lat"][16]}] = 1
    picture, axes = _drawn(field, ListedColormap(["#ffffff", "#ff0000"]))

    rows, columns = np.nonzero((picture[..., 0] > 200) & (picture[..., 1] < 60))
    at = axes.transData.inverted().transform((columns.mean(), picture.shape[0] - rows.mean()))
    lon, lat = ccrs.PlateCarree().transform_point(*at, axes.projection)
    assert lon == pytest.approx(-90, abs=2)
    assert lat == pytest.approx(float(field["lat"][16]), abs=2)


def test_missing_cells_are_grey_and_the_rest_is_drawn() -> None:
    picture, _ = _drawn(errors()["bias"][0, 0].where(errors()["lat"] > 0), "viridis")
    grey = np.abs(picture - np.array(to_rgb(style.MISSING)) * 255).max(axis=-1) < 4
    assert 0.1 < grey.mean() < 0.6


def test_biases_share_one_scale_with_zero_in_the_middle() -> None:
    figure = plots.error_maps({NONE: errors(), SVQ: errors(seed=1)}, leads=[1, 12])
    meshes = figure.findobj(matplotlib.collections.QuadMesh)
    scales = {(mesh.norm.vmin, mesh.norm.vmax) for mesh in meshes}
    assert len(meshes) >= 4
    assert len(scales) == 1
    low, high = scales.pop()
    assert low == -high < 0


def test_scales_of_constant_fields_are_not_empty() -> None:
    assert panels.symmetric_scale([np.zeros(3)]).vmax > 0
    scale = panels.robust_scale([np.full(3, 7.0)])
    assert scale.vmin < 7 < scale.vmax


def test_maps_say_what_they_show_in_which_units() -> None:
    said = texts(plots.error_maps({SVQ: errors(), "climatology": errors(seed=1)}, "rmse"))
    for words in ("t2m: RMSE of 2 m temperature", "lead times 1–12", "RMSE [K]", "SVQ:", "Climatology:"):
        assert words in said
    said = texts(plots.forecast_case(case(), SVQ))
    for words in ("2 m temperature [K]", "12 h: 2018-03-04 18:00", "RMSE 0.5 K", "Error [K]", "Truth", "SVQ"):
        assert words in said


def test_rmse_over_leads_is_the_root_of_the_mean_square() -> None:
    data = errors()
    found = fields.error_map(data, "rmse", "t2m", LEADS, SVQ)
    assert np.allclose(found, np.sqrt((data["rmse"][0].to_numpy() ** 2).mean(axis=0)))
    assert found.attrs["units"] == "K"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda: plots.error_maps({SVQ: errors() * np.nan}), "missing (NaN)"),
        (lambda: plots.error_maps({SVQ: errors()}, leads=[1, 5]), "no lead time of 5 h; it has 1, 6, 12 h"),
        (lambda: plots.error_maps({SVQ: errors()}, leads=[]), "no lead time to draw"),
        (lambda: plots.error_maps({SVQ: errors()}, channel="u10"), "no channel 'u10'; it has t2m"),
        (lambda: plots.error_maps({SVQ: errors()}, "mse"), "Valid: bias, mae, rmse"),
        (lambda: plots.error_maps({SVQ: errors().drop_vars("rmse")}, "rmse"), "no field 'rmse'"),
        (lambda: plots.error_maps({}), "give one dataset"),
        (lambda: plots.error_maps({SVQ: errors().drop_vars("lon")}), "coordinate 'lon'"),
        (lambda: plots.difference_map(errors(), errors("region"), SVQ, NONE), "different grids"),
        (lambda: plots.forecast_case(case(), SVQ, leads=[1, 4, 8]), "no lead time of 4, 8 h"),
        (lambda: plots.forecast_case(case(), SVQ, leads=[]), "no lead time of none h"),
        (lambda: plots.forecast_case(case().drop_vars("lead"), SVQ), "coordinate 'lead'"),
        (lambda: plots.forecast_case(case() * np.nan, SVQ, leads=[1]), "missing (NaN)"),
        (lambda: plots.learning_curves({}), "no training logs"),
        (lambda: plots.learning_curves({SVQ: []}), "no training log"),
        (lambda: plots.learning_curves({SVQ: [log().drop(columns="epoch")]}), "column(s) epoch"),
        (lambda: plots.learning_curves({SVQ: [log().assign(train_loss=np.nan)]}), "no finite number in train_loss"),
        (lambda: plots.learning_curves({SVQ: [log()[:0].astype(object)]}), "no finite number in train_loss"),
        (lambda: plots.learning_curves({SVQ: [pd.concat([log(), log()])]}), "epoch 1 more than once"),
        (lambda: plots.error_over_lead(scores(), "mse"), "some for: acc (clean), rmse (clean)"),
        (lambda: plots.usage_figure({SVQ: usage() | {"perplexity": None}}), "lacks perplexity"),
        (lambda: plots.usage_figure({SVQ: usage() | {"share": np.zeros(4)}}), "no code"),
        (lambda: plots.results_table(scores(), protocol="paper"), "no scores"),
        (lambda: plots.results_table(pd.concat([scores(), scores()])), "more than once"),
    ],
)
def test_what_can_not_be_drawn_is_said(spoil: Callable[[], object], words: str) -> None:
    with pytest.raises(SvqkitError) as caught:
        spoil()
    assert words in str(caught.value)


def test_units_that_differ_are_refused() -> None:
    other = errors()
    other["bias"].attrs["units"] = "°C"
    with pytest.raises(SvqkitError, match="same units"):
        plots.error_maps({SVQ: errors(), NONE: other})


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("weather_t2m-svq_frozen", "SVQ frozen"),
        ("weather_t2m-none", "SimVP"),
        ("moving_mnist-vq", "VQ"),
        ("persistence", "Persistence"),
        ("climatology", "Climatology"),
        ("weather_t2m-svq-lr3", "SVQ, lr3"),
        ("weather_t2m-swin-none", "Swin"),
        ("weather_t2m-swin-svq", "Swin, SVQ"),
        ("weather_t2m-none-noise10", "SimVP, 10 % noise"),
        ("weather_t2m-svq_frozen-k2000-seed1", "SVQ frozen, K = 2000 (seed 1)"),
        ("weather_t2m-svq-init_trunc_normal", "SVQ, trunc normal codebook"),
        ("mine", "mine"),
    ],
)
def test_display_names(name: str, shown: str) -> None:
    assert plots.display_name(name) == shown


def test_two_datasets_in_one_figure_keep_their_full_names() -> None:
    assert plots.display_names(["a-svq", "b-svq", "a-none"]) == {"a-svq": "a-svq", "b-svq": "b-svq", "a-none": "SimVP"}


def test_each_kind_keeps_its_colour_and_all_differ() -> None:
    alone = plots.line_styles([SVQ])[SVQ]
    among = plots.line_styles(["x-new", NONE, "other", SVQ, VQ, "persistence", "climatology", "weather_t2m-svq_frozen"])
    assert plots.line_styles([f"{SVQ}-seed2"])[f"{SVQ}-seed2"] == alone
    assert among[SVQ] == alone == names.LINE_STYLES["svq"]
    assert len({style.colour for style in among.values()}) == len(among)


def test_the_callers_settings_come_back() -> None:
    with matplotlib.rc_context({"font.size": 23}):
        with style.use():
            assert matplotlib.rcParams["font.size"] == 8
        assert matplotlib.rcParams["font.size"] == 23


def test_curves_are_dashed_for_training_and_baselines() -> None:
    axes = plots.error_over_lead(scores(), units="K").axes[0]
    styles = {line.get_label(): line.get_linestyle() for line in axes.lines}
    assert styles == {"SimVP": "-", "SVQ": "-", "VQ": "-", "Persistence": "--"}
    assert axes.get_ylabel() == "RMSE [K] (lower is better)"
    losses = plots.learning_curves({SVQ: [log()]}).axes[0]
    assert [line.get_linestyle() for line in losses.lines] == ["--", "-"]
    assert losses.get_yscale() == "log"


def test_a_hard_quantizer_is_said_to_have_no_weights() -> None:
    said = texts(plots.usage_figure({VQ: usage(hard=True)}))
    assert said.count("hard assignment: one code per position") == 3
    assert "VQ: 8 codes, 1 dead (12.5%), perplexity 5.5" in said
    said = texts(plots.usage_figure({VQ: usage(hard=True), SVQ: usage()}))
    assert said.count("(VQ: hard assignment: one code per position)") == 3


def test_results_are_means_and_spreads_over_seeds() -> None:
    published = pd.DataFrame({"experiment": ["SVQ"], "metric": ["rmse"], "value": [1.9], "source": ["a paper"]})
    table = plots.results_table(scores(), ("rmse", "acc"), published)

    assert list(table.index) == ["SimVP", "SVQ", "VQ", "Persistence", "SVQ"]
    assert table["rmse_mean"].tolist() == pytest.approx([2.505, 2.305, 2.105, 4.0, 1.9])
    assert table["rmse_std"].iloc[0] == pytest.approx(0.01 / np.sqrt(2))
    assert table["rmse_std"].iloc[3:].isna().all()
    assert np.isnan(table["acc_mean"].iloc[3])
    assert table["seeds"].tolist()[:4] == [2, 2, 2, 0]
    assert table["source"].tolist()[-1] == "a paper"


def test_the_best_is_marked_in_each_direction() -> None:
    published = pd.DataFrame({"experiment": ["SVQ"], "metric": ["rmse"], "value": [0.1], "source": ["a paper"]})
    table = plots.results_table(scores(), ("rmse", "acc"), published)
    lines = plots.markdown_table(table, "Results.", {"rmse": "K"}).splitlines()

    assert lines[2] == "| Experiment | Seeds | RMSE [K] ↓ | ACC ↑ |"
    assert lines[5] == "| SVQ | 2 | <u>2.305 ± 0.007</u> | <u>0.7050 ± 0.0071</u> |"
    assert lines[6] == "| VQ | 2 | **2.105 ± 0.007** | **0.9050 ± 0.0071** |"
    assert lines[7] == "| Persistence | – | 4.000 | – |"
    assert lines[8] == "| SVQ (a paper) | – | 0.100 | – |"

    latex = plots.latex_table(table, "Results.", {"rmse": "K"})
    assert r"VQ & 2 & \textbf{2.105 $\pm$ 0.007} & \textbf{0.9050 $\pm$ 0.0071} \\" in latex
    assert r"SVQ & 2 & \underline{2.305 $\pm$ 0.007}" in latex


def test_equal_values_share_a_mark_and_a_lone_one_gets_none() -> None:
    marks = table.best_and_second(pd.Series([1.0, 1.0, 2.0, np.nan, 3.0]), higher_is_better=False)
    assert marks.tolist() == ["best", "best", "second", "", ""]
    assert table.best_and_second(pd.Series([np.nan, 3.0]), higher_is_better=True).tolist() == ["", ""]


def test_latex_signs_are_escaped() -> None:
    assert table.escape_latex(r"a_b & 5% of $x^2$ {#} \ ~") == (
        r"a\_b \& 5\% of \$x\textasciicircum{}2\$ \{\#\} \textbackslash{} \textasciitilde{}"
    )
    odd = scores().replace({NONE: "weather_t2m-my_run&co"})
    latex = plots.latex_table(plots.results_table(odd, ("rmse",)), "100% mine", {"rmse": "K²"})
    assert r"my\_run\&co & 2" in latex
    assert r"RMSE [K$^2$] $\downarrow$" in latex
    assert r"\caption{100\% mine" in latex
    assert [latex.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]


def test_tables_are_written_in_three_kinds_and_the_numbers_keep_all_digits(tmp_path: Path) -> None:
    table = plots.results_table(scores(), ("rmse", "acc"))
    paths = plots.write_table(table, tmp_path / "new" / "results", "Results.")

    assert [path.name for path in paths] == ["results.md", "results.csv", "results.tex"]
    again = pd.read_csv(paths[1], index_col="experiment")
    assert again["rmse_mean"].tolist() == table["rmse_mean"].tolist()
    assert again["rmse_std"].iloc[0] == table["rmse_std"].iloc[0]
    assert "±" in paths[0].read_text(encoding="utf-8")


def test_coastlines_have_no_line_across_the_map() -> None:
    for line in plots.coastlines().geoms:
        points = np.array(line.coords)
        assert np.abs(np.diff(points[:, 0])).max() < 90
        assert not ((np.abs(points[:-1, 0]) == 180) & (np.abs(points[1:, 0]) == 180)).any()


def _drawn(field: xr.DataArray, colours: str | ListedColormap) -> tuple[np.ndarray, GeoAxes]:
    """The colours (rows from the top, columns, 3; 0 to 255) of a figure with one map of a field, and its axes."""
    with style.use():
        figure = style.new_figure(4, 2.5)
        axes = figure.add_subplot(projection=mapaxes.grid_of(field).projection)
        mapaxes.draw_field(axes, field, colours, Normalize(-1, 1))
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int), axes
