"""Scores of baselines and models on a tiny store equal numpy's from the raw frames; files say what they hold."""

import json
import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import xarray as xr
from rawfiles import DAY, LAT, LON, RawFiles
from safetensors.torch import load_file, save_file
from torch import nn
from untrained import a_run

from svqkit import evaluation
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.devices.performance import freed_memory_kept
from svqkit.errors import SvqkitError
from svqkit.evaluation.evaluate import summary
from svqkit.evaluation.fields import error_fields
from svqkit.evaluation.forecasters import BASELINES
from svqkit.evaluation.testset import COLUMNS, TestSet, sample_forecast
from svqkit.models import Forecast
from svqkit.settings.data import ArrayData, Offsets, Shares
from svqkit.settings.params import Data, Protocol
from svqkit.settings.quantizers import NoQuantizer, SVQSettings, VQSettings
from svqkit.training.runs import Run, by_study

PROTOCOLS: list[Protocol] = ["clean", "paper"]
# One variable, the two components of one wind, and several variables.
SEVERAL, WIND = ("t2m", "u10"), ("u10", "v10")
VARIABLES = [("t2m",), WIND, SEVERAL]
TRAIN, TEST = slice(0, 10 * DAY), slice(13 * DAY, 16 * DAY)
FRAMES_IN, FRAMES_OUT = 3, 2


class AddOne(nn.Module):
    """As many frames out as in; each is one more than the frame before it."""

    def forward(self, frames: torch.Tensor) -> Forecast:
        later = torch.arange(1, frames.shape[1] + 1)[:, None, None, None]
        return Forecast(frames[:, -1:] + later, torch.zeros(()))


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> RawFiles:
    files = RawFiles(tmp_path_factory.mktemp("raw"))
    files.write("t2m")
    for component in ("u10", "v10"):
        files.write(component, change=lambda dataset: dataset * np.float32(0.1))
    return files


@pytest.fixture(scope="module")
def data(raw: RawFiles) -> Data:
    return raw.data(variables=SEVERAL)


@pytest.fixture(scope="module")
def stores(raw: RawFiles, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Store]:
    folder = tmp_path_factory.mktemp("stores")
    return {names: prepare(raw.data(variables=names), folder / f"{'-'.join(names)}.zarr") for names in VARIABLES}


@pytest.fixture(scope="module")
def store(stores: dict[tuple[str, ...], Store]) -> Store:
    return stores[SEVERAL]


@pytest.fixture(scope="module")
def runs(data: Data, store: Store, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    svq, vq = SVQSettings(codebook_size=16, hidden_dim=8), VQSettings(codebook_size=8)
    return [
        a_run(folder, data, store, NoQuantizer()),
        a_run(folder, data, store, svq),
        a_run(folder, data, store, svq, seed=1),
        a_run(folder, data, store, vq),
    ]


@pytest.fixture(scope="module")
def output(runs: list[Run], store: Store, data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that evaluate writes."""
    folder = tmp_path_factory.mktemp("scores") / "tiny"
    evaluation.evaluate(runs, store, folder)
    return folder


def values(raw: RawFiles, part: slice, names: tuple[str, ...] = SEVERAL) -> np.ndarray:
    """The frames (N, C, H, W) of a period, in float64."""
    return np.stack([raw.values(name)[part] for name in names], axis=1).astype(np.float64)


def windows_of(frames: np.ndarray, protocol: Protocol) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, targets and numbers of the targets of every window, by hand."""
    count = len(frames) - FRAMES_IN - FRAMES_OUT + 1 - (2 if protocol == "paper" else 0)
    places = np.arange(count)[:, None] + np.arange(FRAMES_IN + FRAMES_OUT)
    return frames[places[:, :FRAMES_IN]], frames[places[:, FRAMES_IN:]], places[:, FRAMES_IN:]


def spread(raw: RawFiles, part: slice, names: tuple[str, ...], protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (C, 1, 1) of a period; under "paper" without its last frame."""
    frames = values(raw, part, names)[: -1 if protocol == "paper" else None]
    return tuple(of((0, 2, 3))[:, None, None] for of in (frames.mean, frames.std))


def as_paper_sees(frames: np.ndarray, raw: RawFiles, names: tuple[str, ...]) -> np.ndarray:
    """Normalised by the test period, brought back by the training period; several variables by the test period too."""
    mean, std = spread(raw, TEST, names, "paper")
    back_mean, back_std = spread(raw, TEST if names == SEVERAL else TRAIN, names, "paper")
    return (frames - mean) / std * back_std + back_mean


def climatology_at(numbers: np.ndarray, raw: RawFiles, names: tuple[str, ...] = SEVERAL) -> np.ndarray:
    """Training's mean at the same week and hour; January 15th on is a week of its own: at the same hour."""
    train = values(raw, TRAIN, names).reshape(10, DAY, len(names), len(LAT), len(LON))
    day, hour = 13 + numbers // DAY, numbers % DAY
    assert day.min() == 13
    return np.where((day < 14)[..., None, None, None], train[7:10].mean(0)[hour], train.mean(0)[hour])


def scores_by_hand(prediction: np.ndarray, truth: np.ndarray, climatology: np.ndarray) -> dict[str, np.ndarray]:
    """(lead, channel) of every metric, the first row over all leads."""
    w = (np.cos(np.radians(LAT)) / np.cos(np.radians(LAT)).mean())[:, None]
    error, f, t = prediction - truth, prediction - climatology, truth - climatology

    def per_lead_and_whole(score: Callable[..., np.ndarray]) -> np.ndarray:
        return np.concatenate([score((0, 1, 3, 4))[None], score((0, 3, 4))])

    def acc(axes: tuple[int, ...]) -> np.ndarray:
        a, b = f - f.mean(axes, keepdims=True), t - t.mean(axes, keepdims=True)
        with np.errstate(invalid="ignore"):
            return (w * a * b).sum(axes) / np.sqrt((w * a * a).sum(axes) * (w * b * b).sum(axes))

    return {
        "mse": per_lead_and_whole(lambda axes: (error**2).mean(axes)),
        "mae": per_lead_and_whole(lambda axes: abs(error).mean(axes)),
        "rmse": per_lead_and_whole(lambda axes: np.sqrt((error**2).mean(axes))),
        "wrmse": per_lead_and_whole(lambda axes: np.sqrt((w * error**2).mean(axes))),
        "acc": per_lead_and_whole(acc),
    }


def agree(scores: pd.DataFrame, expected: dict[str, np.ndarray], names: tuple[str, ...] = SEVERAL) -> None:
    """Over the components of a wind the root is taken of the mean, over several variables the mean of the roots."""
    assert set(scores["metric"]) == set(expected)
    assert set(scores["channel"]) == {*names, "mean"}
    for metric, table in expected.items():
        of_mean = names == WIND and metric in ("rmse", "wrmse")
        over_channels = np.sqrt((table**2).mean(1)) if of_mean else table.mean(1)
        for channel, column in (*zip(names, table.T, strict=True), ("mean", over_channels)):
            rows = scores[(scores["metric"] == metric) & (scores["channel"] == channel)]
            assert list(rows["lead"]) == [0, 1, 2]
            np.testing.assert_allclose(rows["value"], column, rtol=3e-5, atol=1e-6, err_msg=f"{metric} {channel}")


@pytest.mark.parametrize("names", VARIABLES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_baselines_and_a_model_score_what_numpy_says(
    protocol: Protocol, names: tuple[str, ...], raw: RawFiles, stores: dict[tuple[str, ...], Store]
) -> None:
    """One more in a model's normalised units is one standard deviation more in physical ones: that of training, or, of
    several variables under "paper", that of the test period."""
    inputs, targets, numbers = windows_of(values(raw, TEST, names), protocol)
    if protocol == "paper":
        inputs, targets = (as_paper_sees(frames, raw, names) for frames in (inputs, targets))
    climatology = climatology_at(numbers, raw, names)
    last = np.repeat(inputs[:, -1:], FRAMES_OUT, axis=1)
    _, std = spread(raw, TEST if protocol == "paper" and names == SEVERAL else TRAIN, names, protocol)
    ahead = inputs[:, -1:] + std * np.arange(1, 3)[:, None, None, None]
    test = TestSet(stores[names], protocol)
    model = evaluation.forecasters.of_model(AddOne(), test.normaliser, test.denormaliser, test.device)
    for forecaster, forecast in ((BASELINES["persistence"], last), (model, ahead)):
        agree(test.evaluate(forecaster, "x", 0).scores, scores_by_hand(forecast, targets, climatology), names)
    expected = scores_by_hand(climatology, targets, climatology) | {"acc": np.full((3, len(names)), np.nan)}
    agree(test.evaluate(BASELINES["climatology"], "c", -1).scores, expected, names)


def test_error_fields_are_maps_with_coordinates_and_units(raw: RawFiles, output: Path) -> None:
    with xr.open_dataset(output / "errors" / "persistence.nc") as fields:
        assert fields["rmse"].dims == ("channel", "lead", "lat", "lon")
        assert fields["channel"].values.tolist() == ["t2m", "u10"]
        np.testing.assert_array_equal(fields["lat"], LAT)
        np.testing.assert_array_equal(fields["lon"], LON)
        assert (fields["lat"].attrs["units"], fields["lon"].attrs["units"]) == ("degrees_north", "degrees_east")
        assert fields["lead"].attrs["units"] == "hours"
        assert fields["lead"].values.tolist() == [1, 2]
        assert {fields[name].attrs["units"] for name in ("bias", "mae", "rmse")} == {"K, m s**-1"}
        assert fields.attrs["windows"] == 68
        assert fields.attrs["data"] == "made up for a test"
        inputs, targets, _ = windows_of(values(raw, TEST), "clean")
        error = (inputs[:, -1:] - targets).transpose(0, 2, 1, 3, 4)
        np.testing.assert_allclose(fields["bias"], error.mean(0), atol=1e-4)
        np.testing.assert_allclose(fields["mae"], abs(error).mean(0), rtol=1e-5)
        np.testing.assert_allclose(fields["rmse"], np.sqrt((error**2).mean(0)), rtol=1e-5)
        assert not fields.isnull().any().to_array().any()


def test_leads_are_in_hours_of_the_cadence(raw: RawFiles, tmp_path: Path) -> None:
    data = raw.data(hours_per_frame=6)
    store = prepare(data, tmp_path / "x.zarr")
    test = TestSet(store, "clean")
    result = test.evaluate(BASELINES["persistence"], "p", -1)
    assert sorted(set(result.scores["lead"])) == [0, 6, 12]
    fields = error_fields(result.errors, store)
    assert fields["lead"].values.tolist() == [6, 12]
    assert fields["rmse"].attrs["units"] == "K"
    case = sample_forecast(test, BASELINES["persistence"])
    assert case["time_in"].values.tolist() == [-12, -6, 0]
    assert case["lead"].values.tolist() == [6, 12]


def test_the_sample_forecast_is_the_middle_window(raw: RawFiles, store: Store) -> None:
    case = sample_forecast(TestSet(store, "clean"), BASELINES["persistence"])
    first = 13 * DAY + 34
    frames = values(raw, slice(first, first + 5))
    np.testing.assert_array_equal(case["observed"], frames[:3])
    np.testing.assert_array_equal(case["truth"], frames[3:])
    np.testing.assert_array_equal(case["prediction"], frames[[2, 2]])
    assert case.attrs["start_time"] == str(raw.values()["time"].values[first + 2].astype("datetime64[h]"))
    assert case["time_in"].values.tolist() == [-2, -1, 0]


NAMES = ["persistence", "climatology", "tiny-none-seed0", "tiny-svq-seed0", "tiny-svq-seed1", "tiny-vq-seed0"]


def test_evaluate_writes_scores_of_every_run_and_baseline(output: Path) -> None:
    assert sorted(path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()) == sorted(
        ["scores.csv", "windows.nc", "codebook.csv", "codebook.npz", "notes.json"]
        + [f"metrics/{name}.json" for name in ("persistence", "climatology", "tiny-none", "tiny-svq", "tiny-vq")]
        + [f"{folder}/{name}.nc" for folder in ("errors", "forecasts") for name in NAMES]
    )
    assert list(output.parent.iterdir()) == [output]
    scores = evaluation.read_scores(output)
    assert list(scores.columns) == COLUMNS
    who = scores[["experiment", "seed", "protocol"]].drop_duplicates()
    assert len(who) == 2 * len(NAMES)
    assert set(who["seed"]) == {-1, 0, 1}
    # per contestant: metrics × (leads and the whole) × (channels and their mean)
    assert len(scores) == len(who) * 5 * 3 * 3
    without_acc = scores[(scores["metric"] != "acc") | (scores["experiment"] != "climatology")]
    assert np.isfinite(without_acc["value"]).all()


def test_error_fields_are_written_of_the_first_study_only(runs: list[Run], store: Store, tmp_path: Path) -> None:
    aside = replace(runs[3], experiment=replace(runs[3].experiment, studies=("quantizers",)))
    other = replace(runs[0], experiment=replace(runs[0].experiment, studies=("sweep",)))
    for name, scored, drawn in (
        ("without", [aside, other], "tiny-vq-seed0"),
        ("scores", [runs[0], aside], "tiny-none-seed0"),
    ):
        evaluation.evaluate(scored, store, tmp_path / name)
        written = {path.stem for path in (tmp_path / name / "errors").iterdir()}
        assert written == {"persistence", "climatology", drawn}
    scores = evaluation.read_scores(tmp_path / "scores")
    assert set(scores["experiment"]) == {"persistence", "climatology", "tiny-none", "tiny-vq"}
    assert by_study([runs[0], aside]) == {"main": [runs[0]], "quantizers": [aside]}
    assert set(evaluation.scores_of_runs(scores, [aside])["experiment"]) == {"persistence", "climatology", "tiny-vq"}
    assert set(evaluation.scores_of_runs(scores, [aside], baselines=False)["experiment"]) == {"tiny-vq"}
    assert evaluation.of_runs({"tiny-none": 1, "tiny-vq": 2}, [aside]) == {"tiny-vq": 2}


def test_the_use_of_every_codebook_is_measured(output: Path, runs: list[Run], store: Store) -> None:
    measured = evaluation.read_measures(output).set_index(["experiment", "seed", "metric"])["value"]
    assert {name for name, _, _ in measured.index} == {"tiny-svq", "tiny-vq"}
    for run in runs[1:]:
        usage = evaluation.codebook_usage(run, store)
        found = measured[run.experiment.name, run.seed]
        assert found["codes"] == {"svq": 16, "vq": 8}[run.experiment.quantizer.name]
        assert found["perplexity"] == pytest.approx(usage.perplexity)
        assert found["dead_codes"] == usage.dead_codes
        for threshold in (0.01, 0.1, 0.5):
            assert found[f"near_zero_{threshold:g}"] == pytest.approx(usage.near_zero[threshold])
            assert found[f"active_codes_{threshold:g}"] == pytest.approx(
                found["codes"] * (1 - usage.near_zero[threshold])
            )
    assert measured["tiny-vq", 0]["codes_per_position"] == measured["tiny-vq", 0]["active_codes_0.5"] == 1
    assert "kurtosis" in measured["tiny-svq", 1]
    assert "kurtosis" not in measured["tiny-vq", 0], "a hard quantizer has none"


def test_a_runs_scores_are_those_of_its_weights(output: Path, runs: list[Run], raw: RawFiles) -> None:
    """The model applied by hand: normalise, one pass, the first two of its three frames, back."""
    inputs, targets, numbers = windows_of(values(raw, TEST), "clean")
    train = values(raw, TRAIN)
    mean, std = (part((0, 2, 3))[:, None, None] for part in (train.mean, train.std))
    scores = evaluation.read_scores(output)
    for run in runs:
        model = run.model()
        with torch.inference_mode():
            frames = model(torch.from_numpy((inputs - mean) / std).float()).frames[:, :FRAMES_OUT].double().numpy()
        rows = scores.query("experiment == @run.experiment.name and seed == @run.seed and protocol == 'clean'")
        agree(rows, scores_by_hand(frames * std + mean, targets, climatology_at(numbers, raw)))


def test_the_metrics_are_the_clean_scores_over_leads_channels_and_seeds(output: Path) -> None:
    metrics = {path.stem: json.loads(path.read_text()) for path in (output / "metrics").iterdir()}
    scores = evaluation.read_scores(output)
    assert set(metrics) == {"persistence", "climatology", "tiny-none", "tiny-svq", "tiny-vq"}
    assert set(metrics["tiny-svq"]) == {"mse", "mae", "rmse", "wrmse", "acc"}
    assert set(metrics["climatology"]) == {"mse", "mae", "rmse", "wrmse"}, "NaN is no JSON"
    clean = scores.query("protocol == 'clean' and lead == 0 and channel == 'mean' and metric == 'rmse'")
    both = [clean.query("experiment == 'tiny-svq' and seed == @seed")["value"].item() for seed in (0, 1)]
    assert both[0] != both[1]
    assert metrics["tiny-svq"]["rmse"] == pytest.approx(sum(both) / 2, abs=1e-6)
    assert summary(scores) == metrics


def test_the_codebook_file_tells_of_every_run_that_has_one(output: Path) -> None:
    usage = evaluation.read_usage(output)
    sizes = {name: len(tree["share"]) for name, tree in usage.items()}
    assert sizes == {"tiny-svq-seed0": 16, "tiny-svq-seed1": 16, "tiny-vq-seed0": 8}
    for tree in usage.values():
        assert tree["share"].sum() == pytest.approx(1)


def test_what_was_written_is_read_back(output: Path) -> None:
    assert set(evaluation.read_errors(output)) == set(evaluation.read_forecasts(output)) == set(NAMES)
    assert evaluation.read_forecasts(output)["persistence"]["prediction"].dims == ("lead", "channel", "lat", "lon")
    means = evaluation.mean_over_channels(evaluation.read_scores(output))
    assert "channel" not in means
    assert len(means) * 3 == len(evaluation.read_scores(output))


@pytest.mark.parametrize(
    "read", [evaluation.read_scores, evaluation.read_errors, evaluation.read_forecasts, evaluation.read_windows]
)
def test_absent_scores_are_said_with_their_place(read: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match="Run the evaluate stage") as caught:
        read(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)


def test_the_first_seed_stands_for_an_experiment() -> None:
    runs = {"b-seed10": 1, "b-seed2": 2, "persistence": 3, "a-seed0": 4, "a-seed1": 5}
    assert list(evaluation.first_seeds(runs).items()) == [("b", 2), ("persistence", 3), ("a", 4)]


def test_what_cannot_be_scored_under_paper_is_scored_under_clean_and_says_why(tmp_path: Path) -> None:
    """A test period in which nothing changes has no spread to divide by."""
    still = RawFiles(tmp_path / "still")

    def no_change(dataset: xr.Dataset) -> xr.Dataset:
        dataset["t2m"][13 * DAY :] = 280
        return dataset

    still.write(change=no_change)
    scores = evaluation.evaluate([], prepare(still.data(), tmp_path / "x.zarr"), tmp_path / "scores")
    assert set(scores["protocol"]) == {"clean"}
    assert "never changes in the test split" in evaluation.read_notes(tmp_path / "scores")["protocol paper"]


def test_variables_are_averaged_before_channels_where_published_scores_are(tmp_path: Path) -> None:
    """Two variables on two levels: RMSE by variable over both levels, then the mean of the two variables."""
    files = RawFiles(tmp_path / "raw")
    for name in ("t", "u"):
        files.write(name, levels=(500, 850))
    store = prepare(files.data(variables=("t", "u"), levels=(500, 850)), tmp_path / "x.zarr")
    scores = TestSet(store, "clean").evaluate(BASELINES["persistence"], "p", -1).scores.query("lead == 0")
    by = scores.pivot(index="channel", columns="metric", values="value")
    for name in ("t", "u"):
        levels = by.loc[[f"{name}_500", f"{name}_850"]]
        np.testing.assert_allclose(by.loc[name, "mse"], levels["mse"].mean(), rtol=1e-10)
        np.testing.assert_allclose(by.loc[name, "rmse"], np.sqrt(levels["mse"].mean()), rtol=1e-10)
    for metric in ("mse", "mae", "rmse", "wrmse"):
        np.testing.assert_allclose(by.loc["mean", metric], by.loc[["t", "u"], metric].mean(), rtol=1e-10)
    assert not np.isclose(
        by.loc["mean", "rmse"], by.loc[["t_500", "t_850", "u_500", "u_850"], "rmse"].mean(), rtol=1e-6
    )


def test_a_model_of_the_published_windows_is_not_scored_under_clean(raw: RawFiles, tmp_path: Path) -> None:
    """Windows of protocol "paper" that reach further back and ahead: the baselines are scored under both, a model
    trained on them under that protocol only; one trained under "clean" under both, since tables leave that out."""
    offsets = Offsets(inputs=(-7, -3, 0), targets=(2, 9))
    data = raw.data(variables=SEVERAL, paper_offsets=offsets)
    store = prepare(data, tmp_path / "x.zarr")
    clean = a_run(tmp_path / "clean", data, store, NoQuantizer())
    paper = a_run(tmp_path / "paper", data, store, SVQSettings(codebook_size=16, hidden_dim=8))
    paper = replace(paper, experiment=replace(paper.experiment, protocol="paper"))
    scores = evaluation.evaluate([clean, paper], store, tmp_path / "scores")
    compared = ["persistence", "climatology", "tiny-none"]
    scored = scores.groupby("protocol")["experiment"].unique()
    assert sorted(scored["clean"]) == sorted(compared)
    assert sorted(scored["paper"]) == sorted([*compared, "tiny-svq"])
    assert evaluation.read_windows(tmp_path / "scores")["experiment"].values.tolist() == compared
    assert set(evaluation.read_errors(tmp_path / "scores")) == {"persistence", "climatology", "tiny-none-seed0"}
    assert "tiny-svq" not in summary(scores)
    same = replace(paper.experiment, data=raw.data(variables=SEVERAL))
    assert all(same.trained_for(protocol) for protocol in PROTOCOLS)


@pytest.mark.parametrize(("part", "value"), [("running_var", -1.0), ("weight", 3e38)])
def test_forecasts_that_are_no_numbers_get_no_score(
    part: str, value: float, data: Data, store: Store, tmp_path: Path
) -> None:
    run = a_run(tmp_path / "runs", data, store, SVQSettings(codebook_size=16, hidden_dim=8))
    weights = load_file(run.path / "best.safetensors")
    damaged = [weights[name].fill_(value) for name in weights if part in name]
    assert damaged
    save_file(weights, run.path / "best.safetensors")
    with pytest.raises(SvqkitError, match="tiny-svq seed 0: forecasts are NaN or infinite"):
        evaluation.evaluate([run], store, tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


def grown(function: Callable[[], object]) -> int:
    """By how many bytes a process of its own is larger at its largest than at its beginning."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        before = psutil.Process().memory_info().rss
        function()
        os.write(write, str(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        grown = int(pipe.read())
    os.waitpid(child, 0)
    return grown


def test_the_memory_that_scoring_takes_does_not_grow_with_the_record(tmp_path: Path) -> None:
    grew, mostly_test = {}, Shares(validation=0.05, test=0.9)
    for frames in (500, 3_000):
        raw = tmp_path / f"{frames}.npy"
        np.save(raw, np.random.default_rng(0).normal(size=(frames, 1, 32, 64)).astype(np.float32))
        store = prepare(
            ArrayData(root=str(raw), frames_in=2, frames_out=2, shares=mostly_test), tmp_path / f"{frames}.zarr"
        )

        @freed_memory_kept()
        def score(store: Store = store) -> None:
            for protocol in PROTOCOLS:
                TestSet(store, protocol).evaluate(BASELINES["persistence"], "persistence", -1)

        score()  # what is made once is there before
        grew[frames] = grown(score)
    assert grew[3_000] < grew[500] + 2**23, "the frames take 25 MB, for each protocol"
