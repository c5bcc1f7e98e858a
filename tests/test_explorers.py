"""What the explorers measure on single runs, against hand-derived values and numpy; and that their notebooks fit."""

import ast
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from rawfiles import DAY, LAT, RawFiles
from torch import Tensor
from untrained import a_run

from svqkit import evaluation, exploring, plots
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.evaluation.metrics import latitude_weights
from svqkit.exploring.codebooks import AT_EACH_PLACE, EVERYWHERE, FewCodes
from svqkit.exploring.diagnostics import Diagnostics
from svqkit.settings import quantizers as kinds
from svqkit.settings.params import Data, Training
from svqkit.training.runs import Run

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
EXPLORERS = ("codebook_usage", "temperature_error_maps", "compare_runs")
SVQ = kinds.SVQSettings(codebook_size=16, hidden_dim=8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    files = RawFiles(tmp_path_factory.mktemp("raw"))
    files.write("t2m")
    files.write("u10")
    return files.data(variables=("t2m", "u10"))


@pytest.fixture(scope="module")
def store(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return prepare(data, tmp_path_factory.mktemp("stores") / "x.zarr")


@pytest.fixture(scope="module")
def make_run(data: Data, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Makes a run that was never trained: its weights are those that its seed gives."""
    folder = tmp_path_factory.mktemp("runs")

    def make(quantizer: kinds.Quantizer, name: str = "", seed: int = 0, root: Path = folder, data: Data = data) -> Run:
        return a_run(root / "sample/tiny", data, store, quantizer, seed, name=name)

    return make


# --- only the strongest codes ---------------------------------------------------------------------------------------


class Weighted:
    """A quantizer with given weights (P, K) at P places in a column, and codes (K, D)."""

    def __init__(self, weights: Tensor, codes: Tensor) -> None:
        self.weights, self._codes = weights, codes

    def codes(self) -> Tensor:
        return self._codes

    def weights_of(self, x: Tensor, codes: Tensor) -> Tensor:
        return self.weights[:, codes].T[None, :, :, None]


def kept(weights: Tensor, codes: Tensor, count: int, few: Tensor | None = None) -> Tensor:
    """What is left at each place, (P, D)."""
    latents = torch.zeros(1, codes.shape[1], len(weights), 1)
    return FewCodes(Weighted(weights, codes), count, few)(latents).output[0, :, :, 0].T  # type: ignore[arg-type]


def test_the_largest_weights_in_size_stay_by_hand() -> None:
    weights = torch.tensor([[3.0, -5.0, 1.0], [0.5, 0.0, 2.0]])
    codes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [10.0, 10.0]])
    assert kept(weights, codes, 1).tolist() == [[0, -5], [20, 20]]
    assert kept(weights, codes, 2).tolist() == [[3, -5], [20.5, 20]]
    assert kept(weights, codes, 2, torch.tensor([2, 0])).tolist() == [[13, 10], [20.5, 20]]
    assert kept(weights, codes, 0).tolist() == [[0, 0], [0, 0]]


@given(st.integers(1, 6), st.integers(1, 8), st.data())
def test_as_many_terms_stay_as_were_asked_for(places: int, size: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, size))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    weights, codes = random.normal(size=(places, size)), random.normal(size=(size, 3))
    expected = [sum(row[k] * codes[k] for k in np.argsort(-abs(row))[:count]) + np.zeros(3) for row in weights]
    found = kept(*(torch.from_numpy(part).float() for part in (weights, codes)), count)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "quantizer",
    [
        SVQ,
        kinds.SVQSettings(codebook_size=16, hidden_dim=8, output_relu=True),
        kinds.SoftmaxSettings(codebook_size=16, hidden_dim=8),
        kinds.VQSettings(codebook_size=8),
        kinds.ResidualVQSettings(codebook_size=8, num_quantizers=2),
        kinds.LFQSettings(codebook_size=16),
    ],
    ids=lambda settings: settings.name,
)
def test_all_codes_forecast_the_same(quantizer: kinds.Quantizer, make_run: Callable[..., Run], store: Store) -> None:
    run = make_run(quantizer, f"all-{quantizer.name}-{getattr(quantizer, 'output_relu', '')}")
    usage = evaluation.codebook_usage(run, store)
    table = exploring.error_by_codes_kept(run, store, usage, windows=2)
    size = len(usage.share)
    assert table["codes"].max() == size
    assert table.loc[table["codes"] == size, "error"].to_numpy() == pytest.approx(1, abs=1e-4)
    nothing = table.loc[table["codes"] == 0, "error"].to_numpy()
    assert nothing[0] == nothing[1] != pytest.approx(1, abs=1e-6), "no code is no code, in both ways"
    if usage.kurtosis is None:  # a hard quantizer gives no place more codes than it has stages
        hard = table.query(f"kept == '{AT_EACH_PLACE}' and codes >= 2")["error"]
        assert hard.to_numpy() == pytest.approx(1, abs=1e-4)


def test_a_quantizer_whose_output_is_no_sum_of_codes_is_refused(make_run: Callable[..., Run], store: Store) -> None:
    run = make_run(kinds.MultiheadVQSettings(codebook_size=8, heads=2, codebook_dim=4))
    with pytest.raises(SvqkitError, match="no sum of its codes"):
        exploring.error_by_codes_kept(run, store, evaluation.codebook_usage(run, store))


def test_the_fewest_codes_that_are_enough() -> None:
    table = pd.DataFrame({"kept": [AT_EACH_PLACE] * 3 + [EVERYWHERE] * 3, "codes": [1, 2, 4] * 2})
    table["error"] = [1.5, 1.04, 1.0, 1.9, 1.3, 1.2]
    assert exploring.codes_for(table, 1.05, AT_EACH_PLACE) == 2
    assert exploring.codes_for(table, 1.05, EVERYWHERE) is None
    table.loc[0, "error"] = 1.01  # a dip before it rises again is no sign that one code is enough
    table.loc[1, "error"] = 1.2
    assert exploring.codes_for(table, 1.05, AT_EACH_PLACE) == 4


# --- diagnostics ---------------------------------------------------------------------------------------------------


def test_a_look_tells_what_the_evaluation_tells(make_run: Callable[..., Run], store: Store) -> None:
    for what in (make_run(SVQ), "persistence", "climatology"):
        found = exploring.diagnose(what, store)
        errors, forecast = evaluation.errors_and_forecast(what, store)
        xr.testing.assert_identical(found.errors, errors)
        xr.testing.assert_identical(exploring.one_forecast(what, store), forecast)
        area = latitude_weights(torch.from_numpy(store.lat)).numpy()
        by_area = (errors["rmse"] ** 2 * area[:, None]).mean(("lat", "lon"))
        np.testing.assert_allclose(found.cases["mse"].mean("window").T, by_area, rtol=1e-5)


def test_cases_and_hours_are_those_of_the_raw_frames(store: Store) -> None:
    found = exploring.diagnose("persistence", store)
    frames, starts = store.frames[:].astype(float), store.starts("test")
    area = np.cos(np.deg2rad(LAT)) / np.cos(np.deg2rad(LAT)).mean()
    error = np.stack([frames[s + 2] - frames[s + 3 : s + 5] for s in starts])  # three frames in, two out
    bias = found.cases["bias"].transpose("window", "lead", "channel")
    np.testing.assert_allclose(bias, (error * area[:, None]).mean((-2, -1)), rtol=1e-4, atol=1e-5)
    times = store.times[starts[:, None] + [3, 4]]
    assert (found.cases["time"].to_numpy().astype("datetime64[h]") == times).all()
    assert found.hours is not None
    for hour in (0, 13):
        chosen = times.astype(np.int64) % DAY == hour
        np.testing.assert_allclose(found.hours["mse"].sel(hour=hour), (error[chosen] ** 2).mean(0), rtol=1e-4)


@pytest.mark.parametrize("window", [0, 7])
def test_any_window_can_be_looked_at(store: Store, window: int) -> None:
    case = exploring.one_forecast("persistence", store, window)
    start = store.starts("test")[window]
    np.testing.assert_array_equal(case["truth"], store.frames[start + 3 : start + 5])


def diagnostics(**parts: xr.Dataset | None) -> Diagnostics:
    return Diagnostics(
        **(dict.fromkeys(("scores", "errors", "cases", "windows", "hours")) | {"name": "x", "seed": 0} | parts)
    )


@given(st.integers(1, 24), st.sampled_from([1, 3, 6]), st.booleans(), st.integers(0, 99))
def test_an_error_of_the_local_hour_is_found_whatever_the_place_adds(
    columns: int, step: int, to_180: bool, seed: int
) -> None:
    lon = np.arange(columns) * 15.0  # whole hours apart
    lon = (lon + 180) % 360 - 180 if to_180 else lon
    hours, place = np.arange(24), np.random.default_rng(seed).normal(size=(1, 1, columns))
    local = (hours[:, None, None] + lon / 15) % 24 + np.zeros((24, len(LAT), 1))
    wave = np.sin(2 * np.pi * local / 24)
    seen = (hours % step == 0)[:, None, None]
    dims = ("hour", "lat", "lon")
    fields = xr.Dataset(
        {"bias": (dims, np.where(seen, wave + place, np.nan)), "mse": (dims, np.where(seen, 9 + wave + place, np.nan))},
        {"hour": hours, "lat": LAT, "lon": lon},
    )
    table = exploring.by_local_hour(diagnostics(hours=fields))
    there = np.unique(local[::step].round().astype(int))
    assert table.index.tolist() == there.tolist()
    expected = np.sin(2 * np.pi * there / 24) + place.mean()
    np.testing.assert_allclose(table["bias"], expected, atol=1e-12)
    np.testing.assert_allclose(table["rmse"], np.sqrt(9 + expected), atol=1e-12)


def cases(times: Sequence[str], mse: Sequence[float]) -> xr.Dataset:
    """Windows of one lead and one channel, without bias."""
    stamps = np.array(times, dtype="datetime64[ns]")[:, None]
    dims, values = ("window", "lead", "channel"), np.array(mse)[:, None, None]
    coords = {"time": (dims[:2], stamps), "start": ("window", np.arange(len(mse))), "lead": [6], "channel": ["t2m"]}
    return xr.Dataset({"mse": (dims, values), "bias": (dims, 0 * values)}, coords)


def test_few_months_are_looked_at_by_day_and_many_by_month_of_any_year() -> None:
    few = exploring.by_season(diagnostics(cases=cases(["2015-01-31T18", "2015-02-01T00", "2015-02-01T18"], [4, 9, 16])))
    assert few.index.name == "day"
    assert few["rmse"].tolist() == [2, pytest.approx(12.5**0.5)]
    many = ["2015-01-01", "2015-07-01", "2015-12-01", "2016-01-01"]
    by_month = exploring.by_season(diagnostics(cases=cases(many, [1, 4, 9, 25])))
    assert by_month.index.name == "month"
    assert by_month["rmse"].to_dict() == {1: pytest.approx(13**0.5), 7: 2, 12: 3}
    assert by_month["frames"].tolist() == [2, 1, 1]


def test_worst_cases_do_not_overlap() -> None:
    there = cases(["2015-01-01T06"] * 6, [1, 81, 100, 64, 1, 36])
    there = xr.concat([there] * 3, "lead").assign_coords(lead=[6, 12, 18])  # three leads: windows closer than 3 overlap
    table = exploring.worst_cases(diagnostics(cases=there), 2)
    assert table.index.tolist() == [2, 5]
    assert table["rmse"].tolist() == [10, 6]
    assert table["times_median"].tolist() == pytest.approx([10 / 7, 6 / 7])
    assert table["issued"].tolist() == [pd.Timestamp("2015-01-01T00")] * 2


@given(st.integers(0, 99))
def test_bias_and_scatter_make_up_the_rmse(seed: int) -> None:
    error = np.random.default_rng(seed).normal(0.5, 1, (20, 1, 2, 3, 4))  # (case, channel, lead, lat, lon)
    dims = ("channel", "lead", "lat", "lon")
    fields = {"bias": (dims, error.mean(0)), "rmse": (dims, (error**2).mean(0) ** 0.5)}
    parts = exploring.bias_and_scatter(xr.Dataset(fields))
    np.testing.assert_allclose(parts["Bias"]["rmse"], abs(error.mean(0)))
    np.testing.assert_allclose(parts["Scatter"]["rmse"], error.std(0), rtol=1e-6)


def test_the_rmse_of_a_latitude_is_over_its_row() -> None:
    rmse = xr.DataArray([[[[3.0, 1.0], [2.0, 2.0]]]], dims=("channel", "lead", "lat", "lon"))
    fields = xr.Dataset({"rmse": rmse.assign_coords(lat=[40.0, -40.0], lon=[0.0, 180.0], lead=[1], channel=["t2m"])})
    assert exploring.by_latitude(fields).to_dict() == {-40.0: 2.0, 40.0: pytest.approx(5**0.5)}


def test_looks_at_two_seeds_are_told_apart_also_in_colour(make_run: Callable[..., Run], store: Store) -> None:
    both = [exploring.diagnose(make_run(SVQ, seed=seed), store) for seed in (0, 1)]
    assert list(exploring.by_label(both)) == ["tiny-svq, seed 0", "tiny-svq, seed 1"]
    assert list(exploring.by_label(both[:1])) == ["tiny-svq"]
    for figure in (exploring.when_figure(both), exploring.latitude_figure(both)):
        lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
        assert len({line.get_color() for line in lines}) == 2


# --- one against another --------------------------------------------------------------------------------------------


def test_paired_tests_are_of_the_runs_own_windows(make_run: Callable[..., Run], store: Store) -> None:
    plain, *svq = [make_run(kinds.NoQuantizer()), make_run(SVQ), make_run(SVQ, seed=1)]
    models = [exploring.diagnose(run, store) for run in (plain, *svq)]
    tests = exploring.paired_tests(models, store)
    assert tests.index.tolist() == ["SVQ against SimVP"]
    # the first seeds are a pair; the second has no partner
    means = [
        model.scores.query("channel == 'mean' and metric == 'mse' and lead == 0")["value"].item() for model in models
    ]
    row = tests.iloc[0]
    assert row["change"] == pytest.approx(means[1] / means[0] - 1, rel=1e-4)
    assert row["low"] <= row["change"] <= row["high"]
    assert row["windows"] == len(store.starts("test"))
    assert "one pair of seeds tells nothing of others" in exploring.in_words(tests)
    by_seed = exploring.paired_tests(models[1:], store, "mae")
    assert by_seed["seeds"].tolist() == [1]
    same = exploring.paired_tests([models[0], replace(models[0], name="tiny-copy")], store)
    assert same["change"].item() == 0
    assert same["p_value"].item() == 1
    assert "may be chance" in exploring.in_words(same)


@pytest.mark.parametrize(("change", "p", "words"), [(-0.1, 0.01, "10.0 % lower"), (0.2, 0.01, "20.0 % higher")])
def test_a_test_in_words(change: float, p: float, words: str) -> None:
    row = {"change": change, "low": change - 0.05, "high": change + 0.05, "p_value": p, "seeds": 3, "windows": 9}
    text = exploring.in_words(pd.DataFrame([row], index=["A against B"]), "mae")
    assert text.startswith(f"A against B: MAE {words} (95 % interval")
    assert text.endswith("p = 0.01): more than chance.")


def test_a_difference_is_over_seeds_and_has_dots_on_maps(make_run: Callable[..., Run], store: Store) -> None:
    base = [exploring.diagnose(make_run(kinds.NoQuantizer()), store)]
    others = [exploring.diagnose(make_run(SVQ, seed=seed), store) for seed in (0, 1)]
    figure = exploring.difference_figure(others, base)
    assert "SVQ" in figure.get_suptitle()
    assert "significantly (dots)" in figure.axes[0].get_title()
    without = [replace(model, errors=model.errors.drop_vars("mse_blocks")) for model in (*others, *base)]
    figure = exploring.difference_figure(without[:2], without[2:])
    assert "significantly" not in figure.axes[0].get_title()


def test_steps_are_drawn_where_they_were_kept() -> None:
    none = pd.DataFrame({"step": [], "train_loss": []})
    some = pd.DataFrame({"step": [25, 50], "train_loss": [1.0, 0.5]})
    (axes,) = exploring.steps_figure({"x-none": [none, some, some], "x-svq": [none]}).axes
    assert [line.get_xdata().tolist() for line in axes.lines] == [[25, 50]] * 2
    with pytest.raises(SvqkitError, match=r"steps\.csv"):
        exploring.steps_figure({"x-svq": [none]})


# --- which runs -----------------------------------------------------------------------------------------------------


def test_a_run_without_codes_is_told_where_there_are_some(make_run: Callable[..., Run], tmp_path: Path) -> None:
    plain, svq = make_run(kinds.NoQuantizer(), root=tmp_path), make_run(SVQ, root=tmp_path)
    assert exploring.codebook_run(svq.path) == svq
    assert exploring.codebook_run(root=tmp_path) == svq
    for quantizer, name in ((kinds.NoQuantizer(), "none"), (kinds.MLPSettings(), "mlp")):
        run = make_run(quantizer, root=tmp_path)
        with pytest.raises(SvqkitError, match=f"quantizer is '{name}'") as refused:
            exploring.codebook_run(run.path)
        assert str(svq.path) in str(refused.value)
        assert str(plain.path.parent / "seed1") not in str(refused.value)
        assert "compare_runs.ipynb" in str(refused.value)


def test_twins_are_other_seeds_and_the_frozen_one(make_run: Callable[..., Run], tmp_path: Path) -> None:
    frozen = replace(SVQ, learnable=False)
    run = make_run(SVQ, root=tmp_path)
    make_run(SVQ, root=tmp_path, seed=1)
    make_run(frozen, "tiny-svq_frozen", root=tmp_path)
    make_run(frozen, "tiny-svq_frozen", root=tmp_path, seed=1)
    make_run(replace(SVQ, codebook_size=8), "tiny-svq-k8", root=tmp_path)
    make_run(kinds.NoQuantizer(), root=tmp_path)
    found = {name: twin.name for name, twin in exploring.related_runs(run).items()}
    twins = {"seed 0": "tiny-svq-seed0", "seed 1": "tiny-svq-seed1", "seed 0, frozen": "tiny-svq_frozen-seed0"}
    assert found == twins


def test_without_names_base_and_svq_are_compared_with_all_seeds(make_run: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match="with and without SVQ"):
        exploring.comparable(root=tmp_path)
    base, svq = make_run(kinds.NoQuantizer(), root=tmp_path), make_run(SVQ, root=tmp_path)
    make_run(kinds.VQSettings(codebook_size=8), root=tmp_path)
    make_run(SVQ, root=tmp_path, seed=1)
    names = ["tiny-none-seed0", "tiny-svq-seed0", "tiny-svq-seed1"]
    assert [run.name for run in exploring.comparable(root=tmp_path)] == names
    assert [run.name for run in exploring.comparable([base.path, svq.path.parent])] == names
    groups = exploring.in_groups(exploring.comparable(root=tmp_path))
    assert {name: len(runs) for name, runs in groups.items()} == {"tiny-none": 1, "tiny-svq": 2}
    assert list(exploring.in_groups(groups["tiny-svq"])) == ["tiny-svq, seed 0", "tiny-svq, seed 1"]


def test_what_cannot_be_compared_is_refused(make_run: Callable[..., Run], data: Data, tmp_path: Path) -> None:
    svq = make_run(SVQ, root=tmp_path)
    elsewhere = make_run(kinds.NoQuantizer(), root=tmp_path, data=replace(data, frames_out=1))
    with pytest.raises(SvqkitError, match=r"two runs or more, got .*tiny-svq"):
        exploring.comparable([svq.path])
    with pytest.raises(SvqkitError, match="Only runs on the same data"):
        exploring.comparable([svq.path, elsewhere.path])
    with pytest.raises(SvqkitError, match="are called tiny-svq-seed0"):
        exploring.comparable([svq.path, svq.path])
    with pytest.raises(SvqkitError, match="No finished run at"):
        exploring.comparable([svq.path, tmp_path / "nowhere"])


def test_temperature_is_found_and_what_has_none_is_refused(store: Store, tmp_path: Path) -> None:
    assert store.channels[exploring.mapped_channel(store)] == "t2m"
    assert exploring.mapped_channel(store, "u10") == "u10"
    assert [exploring.channel_name(store, channel) for channel in ("u10", 0)] == ["u10", "t2m"]
    files = RawFiles(tmp_path / "wind")
    files.write("u10")
    wind = prepare(files.data(variables=("u10",)), tmp_path / "wind.zarr")
    with pytest.raises(SvqkitError, match=r"no temperature .*: u10\."):
        exploring.mapped_channel(wind)


# --- settings, costs, training --------------------------------------------------------------------------------------


def test_only_settings_that_differ_are_listed(make_run: Callable[..., Run]) -> None:
    one, two = make_run(SVQ).experiment, make_run(kinds.VQSettings(codebook_size=8)).experiment
    table = exploring.settings_that_differ([one, replace(two, training=Training(epochs=7), seeds=(5,))])
    assert table.loc["quantizer.name"].tolist() == ["svq", "vq"]
    assert table.loc["quantizer.codebook_size"].tolist() == ["16", "8"]
    assert table.loc["quantizer.hidden_dim"].tolist() == ["8", "–"]
    assert table.loc["quantizer.decay"].tolist() == ["–", "0.8"]
    assert table.loc["training.epochs"].tolist() == ["50", "7"]
    assert table.loc["seeds"].tolist() == ["[0, 1]", "[5]"]
    assert not {"name", "model.translator", "training.loss", "data.frames_in"} & set(table.index)
    assert exploring.settings_that_differ([one, one]).empty


def test_costs_are_counted_and_read_from_the_journal(make_run: Callable[..., Run], tmp_path: Path) -> None:
    runs = [make_run(SVQ, seed=seed) for seed in (0, 1)] + [make_run(kinds.NoQuantizer())]
    journal = tmp_path / "sample" / "tiny" / "tiny-svq.json"
    journal.parent.mkdir(parents=True)
    entry = {"seconds": 3.0, "steps": 6, "steps_per_second": 2.0, "peak_memory_gb": 1.5}
    tree = {"machine": {"cpu": "a processor", "gpu": ""}, "runs": {"seed0": entry, "seed1": entry | {"seconds": 5.0}}}
    journal.write_text(json.dumps(tree))
    table = exploring.costs_of(runs, tmp_path)
    # SVQ of D = 4, hidden 8, K = 16: W1 and b1, W2 and b2, C
    assert table["of_quantizer"].to_dict() == {"tiny-svq": 4 * 8 + 8 + 8 * 16 + 16 + 16 * 4, "tiny-none": 0}
    assert np.diff(table["parameters"])[0] == -table.loc["tiny-svq", "of_quantizer"]
    assert table.loc["tiny-svq", ["seconds", "steps_per_second", "machine"]].tolist() == [4.0, 2.0, "a processor"]
    assert table.loc["tiny-none", ["seconds", "machine"]].isna().all()


def test_a_run_that_was_not_trained_is_as_it_was_initialised(make_run: Callable[..., Run], store: Store) -> None:
    run = make_run(SVQ)
    state = torch.get_rng_state()
    stages = exploring.stages_of_training(run)
    assert torch.equal(torch.get_rng_state(), state), "looking leaves the random numbers alone"
    assert list(stages) == ["untrained", "best epoch"]
    usages = exploring.usages_of(stages, store, 2)
    assert torch.equal(usages["untrained"].share, usages["best epoch"].share)
    assert usages["best epoch"].perplexity == evaluation.codebook_usage(run, store, 2).perplexity
    assert exploring.moved_codes(stages).tolist() == [1, 1]
    with torch.no_grad():
        stages["best epoch"].quantizer.codebook.neg_()
    assert exploring.moved_codes(stages).tolist() == [1, -1]
    table = exploring.usage_table(usages)
    assert table.loc["untrained", "Codes"] == 16


def test_words_hold_the_numbers(make_run: Callable[..., Run], store: Store) -> None:
    soft, hard = (evaluation.codebook_usage(make_run(kind), store) for kind in (SVQ, kinds.VQSettings(codebook_size=8)))
    words = exploring.usage_in_words(soft)
    assert words.startswith(f"{16 - soft.dead_codes} of 16 codes win")
    assert f"as if {soft.perplexity:.1f} codes" in words
    assert f"At one place {soft.codes_per_position:.1f} codes are mixed" in words
    assert "A place is given 1.0 different code, all others weigh nothing." in exploring.usage_in_words(hard)


# --- pictures and notebooks -----------------------------------------------------------------------------------------


def test_only_simulated_data_are_marked(store: Store, tmp_path: Path) -> None:
    figure = plots.new_figure()
    plots.heading(figure, "A title")
    assert exploring.marked(figure, store).get_suptitle() == "A title"
    files = RawFiles(tmp_path / "raw")
    files.write(change=lambda dataset: dataset.assign_attrs(title="Simulated weather"))
    made_up = prepare(files.data(), tmp_path / "x.zarr")
    assert exploring.marked(figure, made_up).get_suptitle() == "A title (simulated data)"


def test_forecasts_share_a_figure_and_poles_are_those_of_the_grid(store: Store, tmp_path: Path) -> None:
    cases = {name: exploring.one_forecast(name, store) for name in ("persistence", "climatology")}
    titles = [axes.get_title() for axes in exploring.forecasts_figure(cases).axes]
    assert sum(title.startswith("RMSE") for title in titles) == 2 * 2, "an error for each model and lead"
    frames = {name: case.rename(lat="y", lon="x").drop_vars(["y", "x"]) for name, case in cases.items()}
    titles = [axes.get_title() for axes in exploring.forecasts_figure(frames).axes]
    assert sum(title.startswith("MAE") for title in titles) == 2 * 2
    assert exploring.poles_of(store) == ["north", "south"]
    region = RawFiles(tmp_path)
    region.write(lon=np.arange(6) * 2.0, lat=np.array([40.0, 45.0, 50.0, 55.0]))
    assert exploring.poles_of(prepare(region.data(), tmp_path / "x.zarr")) == []


def test_kept_codes_are_drawn_from_none_to_all() -> None:
    rows = [(how, count, 1 + 1 / (1 + count)) for how in (AT_EACH_PLACE, EVERYWHERE) for count in (0, 1, 2, 4, 6)]
    figure: Figure = exploring.kept_figure(pd.DataFrame(rows, columns=["kept", "codes", "error"]), "T")
    (axes,) = figure.axes
    assert [line.get_xdata().tolist() for line in axes.lines[:2]] == [[0, 1, 2, 4, 6]] * 2
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "2", "6"]


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_notebook_asks_only_for_what_there_is(name: str) -> None:
    code = "\n".join(
        cell.source for cell in nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4).cells if cell.cell_type == "code"
    )
    packages = {"exploring": exploring, "plots": plots, "evaluation": evaluation}
    asked = {
        (node.value.id, node.attr)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in packages
    }
    assert asked
    assert [f"{package}.{part}" for package, part in sorted(asked) if not hasattr(packages[package], part)] == []
