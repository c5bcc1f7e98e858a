"""The paper's figures F1, F2, F4, F5, F10 and F11: the numbers they draw, and what they say of them."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from resultsfolder import SETTINGS, texts, window_errors

from svqkit.errors import SvqkitError
from svqkit.paper import figures, selection
from svqkit.paper.figures import gains, improvement, leak, show, sweeps, write
from svqkit.paper.results import Results
from svqkit.paper.selection import pairs_of
from svqkit.plots.forecast import forecasts_side_by_side
from svqkit.settings.params import Experiment, Params
from svqkit.training.paths import run_path, scores_path
from svqkit.training.runs import write_config

SIMULATED = "Simulated for a test"
# by dataset: channels with their units, and lead times
CHANNELS = {
    "weather_t2m": {"t2m": "K"},
    "weather_uv10": {"u10": "m s**-1", "v10": "m s**-1"},
    "weather_mv": {"t_500": "K", "t_850": "K", "u_500": "m s**-1", "r_500": "1e-6"},
    "taxibj": {"inflow": "", "outflow": ""},
    "kitticaltech": {"red": "", "green": "", "blue": ""},
}
LEADS = {"weather_t2m": 3, "weather_uv10": 3, "weather_mv": 2, "taxibj": 4, "kitticaltech": 1}
WINDOWS = 60
# MSE by experiment and seed, or of all channels of each seed
Errors = Mapping[str, Mapping[int, float]]


def made(
    root: Path,
    errors: Errors,
    paper: Errors | None = None,
    codes: Mapping[str, int] | None = None,
    note: str = SIMULATED,
) -> Results:
    """Results in which experiments of params.yaml, with the studies they have there, have these errors.

    Channel c of a dataset and lead l have the error itself: sums and means are known without computing. ``paper`` are
    the errors under that protocol, ``codes`` the numbers of codes, ``note`` what the data say of themselves.
    """
    experiments = {name: replace(SETTINGS.experiment(name), seeds=tuple(by_seed)) for name, by_seed in errors.items()}
    datasets = {experiment.dataset for experiment in experiments.values()}
    settings = Params(
        SETTINGS.profile, {name: SETTINGS.datasets[name] for name in SETTINGS.datasets if name in datasets}, experiments
    )
    for dataset in datasets:
        members = {name: errors[name] for name, experiment in experiments.items() if experiment.dataset == dataset}
        folder = scores_path(settings.profile, dataset, root / "scores")
        folder.mkdir(parents=True)
        everyone = {"persistence": {-1: 4.0}, **members}
        rows = [row for name, by_seed in everyone.items() for row in _scores(dataset, name, by_seed, "clean")]
        for name, by_seed in (paper or {}).items():
            if name in everyone:
                rows += _scores(dataset, name, by_seed, "paper")
        columns = ["experiment", "seed", "protocol", "channel", "metric", "lead", "value"]
        pd.DataFrame(rows, columns=columns).to_csv(folder / "scores.csv", index=False)
        numbers = [(name, 0, "codes", count) for name, count in (codes or {}).items() if name in members]
        pd.DataFrame(numbers, columns=["experiment", "seed", "metric", "value"]).to_csv(
            folder / "codebook.csv", index=False
        )
        _write_fields(folder, dataset, experiments, note)
        # The same error in each window, so that a mean over any of them is it.
        runs = {(name, seed): value for name, by_seed in everyone.items() for seed, value in by_seed.items()}
        same = np.repeat(list(runs.values()), WINDOWS).reshape(-1, WINDOWS).astype(np.float32)
        window_errors(list(runs), same).to_netcdf(folder / "windows.nc", engine="netcdf4")
        for name, by_seed in members.items():
            for seed in by_seed:
                path = run_path(experiments[name], seed, root / "runs")
                path.mkdir(parents=True)
                write_config(path, experiments[name], seed, tuple(CHANNELS[dataset]), (4, 8))
    return Results(settings, root / "runs", root / "scores")


def _scores(dataset: str, name: str, by_seed: Mapping[int, float], protocol: str) -> list[tuple]:
    channels = ["mean"] if dataset in ("taxibj", "kitticaltech") else ["mean", *CHANNELS[dataset]]
    return [
        (name, seed, protocol, channel, "mse", lead, value)
        for seed, value in by_seed.items()
        for channel in channels
        for lead in range(LEADS[dataset] + 1)
    ]


def _write_fields(folder: Path, dataset: str, experiments: Mapping[str, Experiment], note: str) -> None:
    places = ("lat", "lon") if dataset.startswith("weather") else ("y", "x")
    axes = {"lat": np.linspace(-80, 80, 4), "lon": np.arange(8) * 45.0} if places[0] == "lat" else {}
    units = CHANNELS[dataset]
    leads = ("lead", np.arange(1, LEADS[dataset] + 1), {"units": "hours" if axes else "frames"})
    coords = {"channel": list(units), "unit": ("channel", list(units.values())), "lead": leads, **axes}
    values = np.random.default_rng(0).uniform(0, 1, (LEADS[dataset], len(units), 4, 8))
    dims = ("lead", "channel", *places)
    attrs = {"windows": WINDOWS, "data": note}
    fields = xr.Dataset({"rmse": (dims, values)}, coords, attrs)
    observed = (("time_in", "channel", *places), values[:1].repeat(4, axis=0))
    for kind in ("errors", "forecasts"):
        (folder / kind).mkdir()
    fields.to_netcdf(folder / "errors" / "persistence.nc", engine="netcdf4")
    for name, experiment in experiments.items():
        if experiment.dataset == dataset and "main" in experiment.studies:
            case = xr.Dataset(
                {"truth": (dims, values), "prediction": (dims, values + 0.25), "observed": observed},
                {**coords, "time_in": np.arange(-3, 1)},
                {"data": note},
            )
            case.to_netcdf(folder / "forecasts" / f"{name}-seed{min(experiment.seeds)}.nc", engine="netcdf4")


def lines(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    """The lines of axes that have a name: x and y."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.lines
        if not line.get_label().startswith("_")
    }


T2M: Errors = {
    "weather_t2m-none": {0: 2.0, 1: 4.0, 2: 6.0},
    "weather_t2m-svq": {0: 1.0, 1: 3.0, 2: 5.0},
    "weather_t2m-svq_frozen": {0: 2.0, 1: 2.0, 2: 2.0},
    "weather_t2m-vq": {0: 8.0, 1: 8.0, 2: 8.0},
    "weather_t2m-grouped_residual_vq": {0: 4.0, 1: 4.0, 2: 4.0},
    "weather_t2m-mlp": {0: 2.0, 1: 2.0, 2: 2.0},
    "weather_t2m-svq-k16": {0: 7.0},
    "weather_t2m-none-noise10": {0: 5.0},
    "weather_t2m-svq-noise10": {0: 4.0},
}
CODES = {
    "weather_t2m-svq": 250,
    "weather_t2m-svq_frozen": 250,
    "weather_t2m-grouped_residual_vq": 64,
    "weather_t2m-svq-k16": 16,
}
FRAMES: Errors = {
    f"{stem}-{kind}": {0: 2.0}
    for stem in ("taxibj", "taxibj-convnext", "kitticaltech")
    for kind in ("none", "svq", "svq_frozen")
}
PAPER: Errors = {name: {seed: value / 2 for seed, value in by_seed.items()} for name, by_seed in T2M.items()}


@pytest.fixture(scope="module")
def t2m(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return made(tmp_path_factory.mktemp("t2m"), T2M, PAPER, CODES)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Results:
    few = {name: by_seed for name, by_seed in FRAMES.items() if not name.startswith("taxibj-convnext")}
    return made(tmp_path_factory.mktemp("frames"), few)


def test_every_figure_has_a_function() -> None:
    assert list(figures.FIGURES) == [f"f{number}" for number in range(1, 12)]
    assert all(callable(resolve_name(path)) for path in figures.FIGURES.values())


@pytest.mark.parametrize("key", ["f1", "f4", "f5", "f10", "f11"])
def test_simulated_data_are_called_so_in_picture_and_caption(t2m: Results, key: str) -> None:
    for drawn in figures.draw(key, t2m):
        assert "(simulated data)" in texts(drawn.figure).replace("\n", " ")
        assert SIMULATED in drawn.caption
        assert drawn.name == key or drawn.name.startswith(f"{key}_")


def test_a_figure_of_real_data_is_not_called_simulated(tmp_path: Path) -> None:
    (drawn,) = figures.draw("f1", made(tmp_path, T2M, note="ERA5"))
    assert "imulated" not in texts(drawn.figure) + drawn.caption


def test_improvement_is_that_of_the_means_and_goes_from_best_to_worst(t2m: Results) -> None:
    (drawn,) = figures.draw("f1", t2m)
    quantizers, controls = drawn.figure.axes
    names = [label.get_text() for label in quantizers.get_yticklabels()]
    assert names == ["VQ", "Grouped residual VQ", "SVQ"]  # upwards
    assert [label.get_text() for label in controls.get_yticklabels()] == ["SVQ", "MLP"]
    means = [float(line.get_xdata()[0]) for line in quantizers.lines if line.get_marker() == "o"]
    assert means == pytest.approx([-100, 0, 25])  # the base's mean is 4: 8, 4, 3
    assert "+25.0 % [" in texts(drawn.figure)
    assert "3 seeds each" in drawn.caption


def test_seeds_are_against_the_same_seed_of_the_base(t2m: Results) -> None:
    of = t2m.settings.experiment
    found = gains.gain(t2m, of("weather_t2m-svq"), of("weather_t2m-none"))
    assert found.by_seed == pytest.approx((25, 25, 25))  # each is better by 1, the base's mean is 4
    assert found.low <= found.value <= found.high
    assert gains.gain(t2m, of("weather_t2m-none"), of("weather_t2m-none")).words == "+0.0 % [+0.0, +0.0]"


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=5))
def test_the_mean_over_seeds_is_the_improvement_of_the_means(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = (pd.Series(list(values)) for values in zip(*pairs, strict=True))
    by_seed = gains.gains_by_seed(ours, theirs)
    assert np.mean(by_seed) == pytest.approx(100 * (1 - ours.mean() / theirs.mean()), abs=1e-9)


def test_seeds_that_the_base_lacks_are_against_its_mean() -> None:
    assert gains.gains_by_seed(pd.Series({5: 1.0, 6: 3.0}), pd.Series({0: 3.0, 1: 5.0})) == pytest.approx((75, 25))


def test_published_marks_are_of_one_source_and_of_the_same_methods(t2m: Results) -> None:
    of = t2m.settings.experiment
    base = of("weather_t2m-none")
    # (1.105 − 1.018) / 1.105 and (1.105 − 1.854) / 1.105 of the paper
    assert improvement.published_gain(t2m, of("weather_t2m-svq"), base) == pytest.approx(7.8733, abs=1e-3)
    assert improvement.published_gain(t2m, of("weather_t2m-vq"), base) == pytest.approx(-67.783, abs=1e-3)
    assert improvement.published_gain(t2m, of("weather_t2m-mlp"), base) is None
    shorter = replace(t2m.settings.datasets["weather_t2m"], frames_out=6)
    other = Results(replace(t2m.settings, datasets={"weather_t2m": shorter}), t2m.runs_root, t2m.scores_root)
    assert improvement.published_gain(other, of("weather_t2m-svq"), base) is None


@pytest.mark.parametrize(
    ("key", "runs", "said"),
    [
        *((key, ["weather_uv10-none", "weather_uv10-svq"], "weather_uv10") for key in ("f1", "f2", "f5", "f10")),
        ("f1", ["weather_t2m-svq", "weather_t2m-vq"], "without one"),
        ("f5", ["weather_t2m-svq"], "numbers of codes"),
        ("f11", ["taxibj-none", "taxibj-svq"], "both protocols"),
        ("f12", ["taxibj-none"], "f12.*f1"),
    ],
)
def test_a_figure_without_its_runs_says_what_is_missing(key: str, runs: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match=said):
        figures.draw(key, made(tmp_path, {name: {0: 1.0} for name in runs}))


def test_lead_times_of_one_unit_share_a_picture(tmp_path: Path) -> None:
    errors = {
        f"{name}-{kind}": {0: 4.0} for name in ("weather_t2m", "weather_uv10", "weather_mv") for kind in ("none", "svq")
    }
    several, mixed = figures.draw("f4", made(tmp_path, errors))
    assert (several.name, mixed.name) == ("f4", "f4_weather_mv")
    assert [axes.get_title() for axes in several.figure.axes] == ["weather_t2m [K]", "weather_uv10 [m s⁻¹]"]
    assert [axes.get_title() for axes in mixed.figure.axes] == ["r [1e-6]", "t [K]", "u [m s⁻¹]"]
    assert lines(several.figure.axes[0])["SimVP"] == ([1, 2, 3], [2.0, 2.0, 2.0])  # the root of 4
    assert "Lead time [h]" in texts(several.figure)


def test_rmse_over_several_channels_is_the_root_of_their_mean_square(tmp_path: Path) -> None:
    results = made(tmp_path, {"weather_uv10-none": {0: 4.0}})
    table = results.scores
    results.scores.loc[(table["channel"] == "u10") & (table["seed"] == 0), "value"] = 12.0
    (drawn,) = figures.draw("f4", results)
    assert lines(drawn.figure.axes[0])["SimVP"][1] == pytest.approx([math.sqrt(8)] * 3)


@pytest.mark.parametrize(("value", "title"), [(4e-12, "t [10⁻⁶ K]"), (1.0, "t [K]"), (4e12, "t [10⁶ K]")])
def test_very_small_and_large_numbers_have_a_power_of_ten_as_unit(tmp_path: Path, value: float, title: str) -> None:
    results = made(tmp_path, {"weather_mv-none": {0: value}})
    results.scores.loc[results.scores["seed"] == -1, "value"] = value
    (drawn,) = figures.draw("f4", results)
    axes = next(axes for axes in drawn.figure.axes if axes.get_title().startswith("t "))
    assert axes.get_title() == title
    assert lines(axes)["SimVP"][1] == pytest.approx([2.0 if value != 1 else 1.0] * 2)


def test_codebook_size_counts_the_codes_that_were_measured(t2m: Results) -> None:
    (drawn,) = figures.draw("f5", t2m)
    axes = drawn.figure.axes[0]
    drawn_lines = lines(axes)
    assert drawn_lines["SVQ"] == ([16, 250], [7.0, 3.0])
    assert drawn_lines["Grouped residual VQ"] == ([64], [4.0])
    assert drawn_lines["SimVP"][1] == [4.0, 4.0]
    assert axes.get_xscale() == "log"
    assert "2 groups of channels, each with 4 steps, which share a codebook" in drawn.caption


def test_noise_is_compared_with_the_base_of_the_same_noise(t2m: Results) -> None:
    (drawn,) = figures.draw("f10", t2m)
    above, below = drawn.figure.axes
    assert lines(above)["SimVP"] == ([0, 10], [4.0, 5.0])
    assert lines(above)["SVQ"] == ([0, 10], [3.0, 4.0])
    marks = [line for line in below.lines if line.get_marker() == "s"]
    gained = {float(line.get_xdata()[0]): float(line.get_ydata()[0]) for line in marks}
    assert gained == pytest.approx({0.0: 25, 10.0: 20})
    assert [line.get_markerfacecolor() == "white" for line in marks] == [False, True]  # three seeds, and one
    assert below.get_title(loc="left").startswith("hollow: one seed")


def test_the_leak_is_the_ratio_of_both_protocols(t2m: Results) -> None:
    changes = leak.protocol_changes(t2m, "weather_t2m")
    assert set(changes["kind"]) == {"none", "svq", "svq_frozen"}  # of the main table; persistence has no "paper"
    assert changes["value"].to_numpy() == pytest.approx(-50)
    (drawn,) = figures.draw("f11", t2m)
    assert "on the test split comes on top" in drawn.caption


def test_the_leak_of_several_units_is_a_geometric_mean(tmp_path: Path) -> None:
    """And of a dataset whose windows differ it is that of baselines: no model is made for both."""
    results = made(tmp_path, {"weather_mv-none": {0: 2.0}}, {"weather_mv-none": {0: 7.0}, "persistence": {-1: 4.0}})
    table = results.scores
    for channel, value in {"t_500": 16.0, "t_850": 1.0, "u_500": 0.0}.items():  # ×4, ÷4; a ratio of zero is none
        results.scores.loc[(table["channel"] == channel) & (table["protocol"] == "paper"), "value"] = value
    changes = leak.protocol_changes(results, "weather_mv")
    assert changes["kind"].tolist() == ["persistence"]
    assert changes["value"].tolist() == pytest.approx([0.0])
    (drawn,) = figures.draw("f11", results)
    assert "baselines only" in drawn.caption


def test_a_row_for_each_translator_and_what_was_not_scored(tmp_path: Path) -> None:
    results = made(tmp_path, {**FRAMES, "weather_t2m-none": {0: 1.0}}, {name: {0: 3.0} for name in FRAMES})
    (drawn,) = figures.draw("f11", results)
    rows = [label.get_text() for label in drawn.figure.axes[0].get_yticklabels()]
    assert rows[::-1] == ["kitticaltech", "taxibj, gSTA", "taxibj, ConvNeXt"]
    assert "Not scored under “paper”: weather_t2m" in drawn.caption


def test_each_base_of_frames_has_the_svq_of_its_model(tmp_path: Path) -> None:
    pairs = pairs_of(made(tmp_path, FRAMES), "taxibj")
    assert [(base.name, svq.name) for base, svq in pairs] == [
        ("taxibj-none", "taxibj-svq"),
        ("taxibj-convnext-none", "taxibj-convnext-svq"),
    ]


def test_frames_stand_beside_the_truth_and_above_their_errors(frames: Results) -> None:
    drawn = {picture.name: picture for picture in figures.draw("f2", frames)}
    assert list(drawn) == ["f2_kitticaltech", "f2_taxibj"]
    shown = texts(drawn["f2_taxibj"].figure)
    for word in ("Observed", "Truth", "SimVP", "SVQ", "Error SimVP", "Error SVQ", "+4 frames", "MAE 0.250"):
        assert word in shown
    assert "channel inflow of inflow, outflow" in drawn["f2_taxibj"].caption
    assert "mean of red, green and blue" in drawn["f2_kitticaltech"].caption
    # of one lead time: observed over truth, and each forecast over its error
    titles = [axes.get_title().split("\n")[0] for axes in drawn["f2_kitticaltech"].figure.axes if axes.get_title()]
    assert titles == ["Observed", "SimVP", "SVQ", "Truth", "Error SimVP", "Error SVQ"]


def test_errors_of_all_forecasts_share_one_scale(frames: Results) -> None:
    cases = dict(frames.forecasts("taxibj"))
    worse = cases["taxibj-svq-seed0"]
    worse["prediction"] = worse["prediction"] + 1
    shown = {"none": cases["taxibj-none-seed0"], "svq": worse}
    figure = forecasts_side_by_side(shown, leads=[1, 3])
    meshes = [axes.images[0] for axes in figure.axes if axes.images and axes.images[0].get_cmap().name == "magma"]
    assert len(meshes) == 2 * 2
    assert {(float(mesh.norm.vmin), round(float(mesh.norm.vmax), 6)) for mesh in meshes} == {(0.0, 1.25)}


def test_forecasts_of_different_frames_are_not_compared(frames: Results) -> None:
    cases = frames.forecasts("taxibj")
    other = cases["taxibj-svq-seed0"].assign(truth=cases["taxibj-svq-seed0"]["truth"] + 0.1)
    with pytest.raises(SvqkitError, match="different frames"):
        forecasts_side_by_side({"none": cases["taxibj-none-seed0"], "svq": other})


def test_families_are_alike_but_for_what_is_varied() -> None:
    of = SETTINGS.experiment
    members = [of("weather_t2m-svq"), of("weather_t2m-svq-k16"), of("weather_t2m-svq_frozen")]
    assert {name: len(alike) for name, alike in selection.families(members, ["codebook_size"]).items()} == {
        "svq": 2,
        "svq_frozen": 1,
    }
    assert list(selection.families(members)) == ["weather_t2m-svq", "weather_t2m-svq-k16", "svq_frozen"]


def test_experiments_of_the_same_setting_are_not_taken_for_one() -> None:
    one = SETTINGS.experiment("weather_t2m-svq")
    twin = replace(one, name="weather_t2m-svq-slow", training=replace(one.training, learning_rate=1e-4))
    larger = replace(one, name="weather_t2m-svq-large", quantizer=replace(one.quantizer, codebook_size=999))
    found = sweeps.sweeps([larger, one, twin], lambda member: member.quantizer.codebook_size, ["codebook_size"])
    assert found == {"svq": {250: one, 999: larger}, twin.name: {250: twin}}


def test_a_figure_is_written_with_its_caption_and_twice_the_same(t2m: Results, tmp_path: Path) -> None:
    once, again = (write("f5", t2m, tmp_path / folder) for folder in ("once", "again"))
    assert [path.name for path in once] == ["f5_weather_t2m.png", "f5_weather_t2m.pdf", "f5_weather_t2m.txt"]
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]
    assert once[2].read_text(encoding="utf-8").startswith("Figure 5, weather_t2m.")


def test_show_says_why_a_figure_is_not_drawn(t2m: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []

    def remember(*items: object) -> None:
        shown.extend(items)

    monkeypatch.setattr("IPython.display.display", remember)
    show("f2", t2m, tmp_path)  # there are no frames
    assert "F2 is not drawn" in shown[0].data
    assert "weather_t2m" in shown[0].data
    assert not list(tmp_path.iterdir())
    show("f5", t2m, tmp_path)
    _, picture, caption = shown
    assert picture.data == (tmp_path / "f5_weather_t2m.png").read_bytes()
    assert "Figure 5" in caption.data
