"""Forecasts of a whole test split in WeatherBench 2's layout: an evaluation's numbers, for others' code to score."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from rawfiles import RawFiles
from test_evaluate import grown
from untrained import a_run

from svqkit import evaluation, forecasting
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.devices.performance import freed_memory_kept
from svqkit.errors import SvqkitError
from svqkit.evaluation.testset import TestSet
from svqkit.settings.data import ArrayData, Offsets
from svqkit.settings.params import Data
from svqkit.settings.quantizers import SVQSettings
from svqkit.training.runs import Run

SVQ = SVQSettings(codebook_size=16, hidden_dim=8)
HOUR = np.timedelta64(1, "h")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> RawFiles:
    """Temperature on levels, and a cloud cover, on a grid from north to south that begins in the west."""
    files = RawFiles(tmp_path_factory.mktemp("raw"))
    grid = {"lat": np.array([70.0, 25, -10, -60]), "lon": np.arange(-180, 180, 60.0)}
    files.write("t", levels=(500, 850), **grid)
    files.write(
        "tcc", **grid, change=lambda cover: (cover / 300).assign(tcc=cover["tcc"].assign_attrs(units="(0 - 1)"))
    )
    return files


@pytest.fixture(scope="module")
def data(raw: RawFiles) -> Data:
    return raw.data(variables=("t", "tcc"), levels=(850, 500), hours_per_frame=6)


@pytest.fixture(scope="module")
def store(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return prepare(data, tmp_path_factory.mktemp("stores") / "x.zarr")


@pytest.fixture(scope="module")
def run(data: Data, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return a_run(tmp_path_factory.mktemp("runs"), data, store, SVQ)


@pytest.fixture(scope="module")
def written(run: Run, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forecasting.write_test_forecasts(run, store, tmp_path_factory.mktemp("forecasts") / "svq.zarr")


def test_every_window_is_there_as_it_is_scored(run: Run, store: Store, written: Path) -> None:
    forecasts = xr.open_zarr(written)
    starts = store.starts("test")
    assert forecasts["time"].values.tolist() == store.times[starts + 2].astype("datetime64[ns]").tolist()
    for window in (0, len(starts) - 1):
        expected = evaluation.forecast_window(run, store, window)["prediction"].transpose("channel", "lead", ...)
        expected = expected.assign_coords(lon=expected["lon"] % 360).sortby(["lat", "lon"])
        made = forecasts.isel(time=window)
        layers = [made["temperature"].sel(level=850), made["temperature"].sel(level=500), made["total_cloud_cover"]]
        np.testing.assert_allclose(layers, expected, rtol=1e-5)


def test_it_has_what_loaders_of_weatherbench_select_by(store: Store, written: Path) -> None:
    """WeatherBench-X and -2 rename time and prediction_timedelta, and select exact ones by ``.sel``; both take
    variables by WeatherBench 2's names, and -2 demands latitudes that rise."""
    forecasts = xr.open_zarr(written, consolidated=True)
    assert forecasts["temperature"].dims == ("time", "prediction_timedelta", "level", "latitude", "longitude")
    assert forecasts["total_cloud_cover"].dims == ("time", "prediction_timedelta", "latitude", "longitude")
    assert (forecasts["time"].dtype.kind, forecasts["prediction_timedelta"].dtype.kind) == ("M", "m")
    chosen = forecasts["temperature"].sel(time=forecasts["time"].values[[3, 5]], prediction_timedelta=[12 * HOUR])
    assert chosen.sizes == {"time": 2, "prediction_timedelta": 1, "level": 2, "latitude": 4, "longitude": 6}
    assert forecasts["latitude"].values.tolist() == [-60, -10, 25, 70]
    assert forecasts["longitude"].values.tolist() == [0, 60, 120, 180, 240, 300]
    assert forecasts["level"].values.tolist() == [850, 500]
    assert forecasts["temperature"].dtype == np.float32
    assert forecasts["temperature"].chunksizes["latitude"] == (4,)


def scores_by_lead(contestant: Run | str, store: Store, metric: str) -> np.ndarray:
    test = TestSet(store, "clean")
    scores = test.evaluate(test.forecaster(contestant), "x", 0).scores
    return scores.query("channel == 't_850' and metric == @metric and lead > 0")["value"].to_numpy()


@pytest.mark.parametrize("who", ["svq", "persistence", "climatology"])
def test_scored_against_the_raw_files_it_has_our_scores(
    who: str, run: Run, raw: RawFiles, store: Store, tmp_path: Path
) -> None:
    contestant = run if who == "svq" else who
    forecasts = xr.open_zarr(forecasting.write_test_forecasts(contestant, store, tmp_path / f"{who}.zarr"))
    truth = raw.values("t").rename(lat="latitude", lon="longitude")
    truth = truth.assign_coords(longitude=truth["longitude"] % 360)
    error = forecasts["temperature"].sel(level=850) - truth.sel(
        time=forecasts["time"] + forecasts["prediction_timedelta"], level=850
    )
    area = np.cos(np.radians(forecasts["latitude"]))
    wrmse = np.sqrt((error**2).weighted(area).mean(["time", "latitude", "longitude"]))
    np.testing.assert_allclose(wrmse, scores_by_lead(contestant, store, "wrmse"), rtol=1e-5)


def test_weatherbench_x_scores_it_as_we_do(run: Run, raw: RawFiles, store: Store, written: Path) -> None:
    reason = "WeatherBench-X is in no registry: put a checkout on PYTHONPATH"
    aggregation, xarray_loaders, deterministic = (
        pytest.importorskip(f"weatherbenchX.{name}", reason=reason)
        for name in ("aggregation", "data_loaders.xarray_loaders", "metrics.deterministic")
    )

    files = {"rename_variables": {"t": "temperature"}, "variables": ["temperature"]}
    truth = raw.values("t").to_dataset().assign_coords(lon=raw.values("t")["lon"] % 360)
    targets = xarray_loaders.TargetsFromXarray(ds=truth, **files)
    predictions = xarray_loaders.PredictionsFromXarray(path=str(written), variables=["temperature"])
    issued, leads = (xr.open_zarr(written)[name].values for name in ("time", "prediction_timedelta"))
    scores = aggregation.compute_metric_values_for_single_chunk(
        {"rmse": deterministic.RMSE()},
        aggregation.Aggregator(reduce_dims=["init_time", "latitude", "longitude"]),
        predictions.load_chunk(issued, leads),
        targets.load_chunk(issued, leads),
    )
    rmse = scores["rmse.temperature"].sel(level=850)
    np.testing.assert_allclose(rmse, scores_by_lead(run, store, "rmse"), rtol=1e-5)


def test_axes_and_units_are_those_of_the_cf_conventions(written: Path) -> None:
    """Coordinates have no missing values (2.5.1), units are such as UDUNITS reads (3.1), axes have their names (4)."""
    group = zarr.open_group(written, mode="r")
    assert group.attrs["Conventions"] == "CF-1.11"
    expected = {
        "time": ("forecast_reference_time", "hours since 1970-01-01"),
        "prediction_timedelta": ("forecast_period", "hours"),
        "level": ("air_pressure", "hPa"),
        "latitude": ("latitude", "degrees_north"),
        "longitude": ("longitude", "degrees_east"),
    }
    for name, told in expected.items():
        assert (group[name].attrs["standard_name"], group[name].attrs["units"]) == told
        assert group[name].fill_value is None
    assert (group["temperature"].attrs["units"], group["total_cloud_cover"].attrs["units"]) == ("K", "1")


def test_only_grids_in_even_steps_are_for_others(raw: RawFiles, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((40, 1, 8, 8), np.float32))
    fields = prepare(ArrayData(root=str(tmp_path / "x.npy"), frames_in=2, frames_out=2), tmp_path / "x.zarr")
    with pytest.raises(SvqkitError, match="only forecasts of lat-lon records"):
        forecasting.write_test_forecasts("persistence", fields, tmp_path / "forecasts.zarr")
    data = raw.data(variables=("tcc",), frames_in=2, frames_out=2, paper_offsets=Offsets((-5, 0), (1, 7)))
    store = prepare(data, tmp_path / "gaps.zarr")
    run = a_run(tmp_path / "runs", data, store, SVQ)
    run = replace(run, experiment=replace(run.experiment, protocol="paper"))
    with pytest.raises(SvqkitError, match="trained on windows with gaps"):
        forecasting.write_test_forecasts(run, store, tmp_path / "forecasts.zarr")
    assert not (tmp_path / "forecasts.zarr").exists()


def test_the_memory_that_writing_takes_does_not_grow_with_the_record(tmp_path: Path) -> None:
    grew = {}
    for days in (16, 60):
        files = RawFiles(tmp_path / f"raw{days}")
        files.write(frames=24 * days, lat=np.arange(-87.5, 90, 5), lon=np.arange(0, 360, 5.0))
        test = ("2010-01-07", str(np.datetime64("2010-01-01") + days - 1))
        periods = {"train": ("2010-01-01", "2010-01-03"), "validation": ("2010-01-04", "2010-01-06"), "test": test}
        store = prepare(files.data(**periods), tmp_path / f"{days}.zarr")

        @freed_memory_kept()
        def write(store: Store = store, name: str = f"forecasts{days}.zarr") -> None:
            forecasting.write_test_forecasts("persistence", store, tmp_path / name)

        write()  # what is made once is there before
        grew[days] = grown(write)
    assert grew[60] < grew[16] + 2**23, "the forecasts take 27 MB"
