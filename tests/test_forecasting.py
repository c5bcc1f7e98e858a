"""Forecasts of new frames: the same numbers as an evaluation, in the form of the input; or one clear error.

The models are fresh: what a forecast must not depend on is how good it is.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import netCDF4
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rawfiles import RawFiles
from safetensors.torch import load_file, save_file

from svqkit import forecasting, models
from svqkit.data.domain import Domain
from svqkit.data.prepare import prepare
from svqkit.data.sources.images import resize
from svqkit.data.sources.units import same_unit
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.evaluation.testset import TestSet
from svqkit.forecasting import ForecastingRun
from svqkit.settings.data import ArrayData, ClipsData, Offsets, TaxiBJData
from svqkit.settings.params import Data, Experiment, as_tree, experiment_from_tree, load_params, override
from svqkit.training.checkpoint import save_weights
from svqkit.training.runs import write_config

SMALL = {
    "model": {"translator": "gsta", "hid_S": 4, "hid_T": 8, "N_T": 2, "mlp_ratio": 2.0},
    "quantizer": {"codebook_size": 20, "hidden_dim": 4},
    "seeds": [0],
}
pytestmark = pytest.mark.filterwarnings("ignore:.*of the .* frames given are used")


class Trained:
    """A run with fresh weights, and the store of its data."""

    def __init__(self, data: Data, folder: Path, protocol: str = "clean") -> None:
        base = load_params("params.yaml", "sample").experiment("weather_t2m-svq")
        tree = as_tree(override(base, SMALL)) | {"data": as_tree(data), "protocol": protocol}
        experiment: Experiment = experiment_from_tree(tree, "this test")
        self.store: Store = prepare(data, folder / "store.zarr")
        torch.manual_seed(0)
        path = folder / "run"
        path.mkdir(parents=True)
        save_weights(models.build(experiment, self.store.frame_shape), path / "best.safetensors")
        domain = Domain.of(self.store, experiment.protocol)
        write_config(path, experiment, 0, domain.channels, domain.size, domain)
        self.run = ForecastingRun.open(path)

    def window(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The stored inputs of a test window, what an evaluation forecasts from them, and the inputs' places."""
        test = TestSet(self.store, "clean")
        batch = test.windows[number]
        places = test.windows.starts[number] + test.windows.inputs
        return batch.inputs[0].numpy(), test.forecaster(self.run)(batch, torch.empty(0))[0].numpy(), places


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """2 m temperature every hour."""
    raw = RawFiles(tmp_path_factory.mktemp("hourly") / "raw")
    raw.write()
    return Trained(raw.data(frames_in=4, frames_out=4), raw.root.parent)


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two variables, one of them on two levels, every six hours out of hourly files."""
    raw = RawFiles(tmp_path_factory.mktemp("layered") / "raw")
    raw.write("t", levels=(500, 850, 1000))
    raw.write("u10")
    settings = {"variables": ("t", "u10"), "levels": (850, 500), "hours_per_frame": 6}
    trained = Trained(raw.data(**settings, frames_in=3, frames_out=2), raw.root.parent)
    assert trained.run.channels == ("t_850", "t_500", "u10")
    return trained


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Folders of grey frames, 20 × 24, which the model sees at 10 × 12."""
    folder = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(0)
    for clip in range(5):
        (folder / "raw" / f"clip{clip}").mkdir(parents=True)
        for number, picture in enumerate(random.integers(0, 256, (6, 20, 24), dtype=np.uint8), start=1):
            Image.fromarray(picture).save(folder / "raw" / f"clip{clip}" / f"image_{number:04}.png")
    return Trained(ClipsData(root=str(folder / "raw"), size=(10, 12), frames_in=3, frames_out=3), folder)


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Clips of one channel that has no axis of its own (clip, time, row, column)."""
    folder = tmp_path_factory.mktemp("waves")
    np.save(folder / "waves.npy", np.random.default_rng(0).normal(size=(10, 8, 6, 7)).astype(np.float32))
    return Trained(ArrayData(root=str(folder / "waves.npy"), axes="NTHW", frames_in=3, frames_out=2), folder)


@pytest.fixture(scope="module")
def taxis(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("taxis")
    random = np.random.default_rng(0)
    counts = {"X_train": 12, "Y_train": 12, "X_test": 3, "Y_test": 3}
    np.savez(folder / "dataset.npz", **{key: random.uniform(-1, 1, (n, 4, 2, 8, 8)) for key, n in counts.items()})
    return Trained(TaxiBJData(root=str(folder), maximum=200.0), folder)


def record(trained: Trained, places: np.ndarray | slice = slice(None)) -> xr.DataArray:
    """Frames of the store as an array (time, channel, lat, lon)."""
    store = trained.store
    values = store.frames[:][places] if isinstance(places, slice) else store.frames[places[0] : places[-1] + 1]
    times = store.times[places].astype("datetime64[ns]")
    coords = {"time": times, "channel": store.channels, "lat": store.lat, "lon": store.lon}
    return xr.DataArray(values, dims=("time", "channel", "lat", "lon"), coords=coords, name="frames")


def t2m(trained: Trained, last: int = -1) -> xr.DataArray:
    """Up to the frame ``last``, as a WeatherBench file has it."""
    array = record(trained).isel(channel=0, drop=True).rename("t2m")
    return array.isel(time=slice(None, last)).assign_attrs(units="K", long_name="temperature")


@pytest.mark.parametrize("name", ["hourly", "layered", "clips", "taxis"])
def test_a_forecast_is_what_an_evaluation_computes_of_the_window(name: str, request: pytest.FixtureRequest) -> None:
    trained: Trained = request.getfixturevalue(name)
    inputs, expected, _ = trained.window(0)
    if name == "clips":
        expected = np.rint(255 * np.clip(expected, 0, 1))
        np.testing.assert_array_equal(trained.run.forecast(inputs), expected)
    elif name == "taxis":
        np.testing.assert_allclose(trained.run.forecast(inputs * 200), expected * 200, rtol=1e-5, atol=1e-3)
    else:
        np.testing.assert_array_equal(trained.run.forecast(inputs), expected)


@pytest.mark.parametrize("name", ["hourly", "layered"])
def test_a_record_with_times_gives_the_same_and_goes_on_in_time(name: str, request: pytest.FixtureRequest) -> None:
    trained: Trained = request.getfixturevalue(name)
    _, expected, places = trained.window(2)
    given = record(trained, places)
    made = trained.run.forecast(given)
    np.testing.assert_array_equal(made, expected)
    step = trained.store.lead_step
    following = pd.Timestamp(given["time"].values[-1]) + pd.to_timedelta(step * np.arange(1, len(expected) + 1), "h")
    assert pd.DatetimeIndex(made["time"].values).equals(pd.DatetimeIndex(following))


def test_a_longer_forecast_begins_with_the_shorter_and_feeds_on_itself(hourly: Trained) -> None:
    inputs, expected, _ = hourly.window(0)
    long = hourly.run.forecast(inputs, frames=11)
    assert len(long) == 11
    np.testing.assert_array_equal(long[:4], expected)
    np.testing.assert_allclose(hourly.run.forecast(long[:4]), long[4:8], rtol=1e-6)
    np.testing.assert_array_equal(hourly.run.forecast(inputs, frames=1), expected[:1])


def test_tensors_batches_and_devices(hourly: Trained) -> None:
    inputs, expected, _ = hourly.window(0)
    tensor = hourly.run.forecast(torch.from_numpy(inputs), device="cpu")
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), expected)
    half = torch.from_numpy(inputs).bfloat16()
    assert torch.equal(hourly.run.forecast(half), hourly.run.forecast(half.float()))
    many = np.stack([inputs + number for number in range(18)])  # more than are computed at once
    batch = hourly.run.forecast(many)
    assert batch.shape == (18, 4, 1, 4, 6)
    for number in (0, 17):
        np.testing.assert_allclose(batch[number], hourly.run.forecast(many[number]), rtol=1e-6)
    with pytest.raises(SvqkitError, match="device 'gpu' can't be used"):
        hourly.run.forecast(inputs, device="gpu")


def test_only_the_last_frames_count_and_that_is_said(hourly: Trained) -> None:
    inputs, expected, _ = hourly.window(0)
    with pytest.warns(UserWarning, match="only the last 4 of the 7 frames"):
        made = hourly.run.forecast(np.concatenate([inputs[:3] * 0, inputs]))
    np.testing.assert_array_equal(made, expected)


@settings(max_examples=15)
@given(
    flip=st.booleans(),
    turn=st.integers(0, 5),
    shift=st.sampled_from([0, 180, 360]),
    order=st.permutations(["time", "lat", "lon"]),
    names=st.sampled_from([{}, {"lat": "latitude", "lon": "longitude", "time": "valid_time"}]),
)
def test_the_order_of_the_grid_and_its_names_are_the_users(
    hourly: Trained, flip: bool, turn: int, shift: int, order: list[str], names: dict[str, str]
) -> None:
    usual = t2m(hourly)
    expected = hourly.run.forecast(usual)
    assert expected.dims == ("time", "lat", "lon")
    given = usual.isel(lat=slice(None, None, -1 if flip else 1)).roll(lon=turn, roll_coords=True)
    longitudes = (given["lon"] + shift) % 360 - shift
    given = given.assign_coords(lon=longitudes).transpose(*order).rename(names)
    made = hourly.run.forecast(given)
    assert made.dims == given.dims
    assert (made.name, made.attrs) == ("t2m", {"units": "K", "long_name": "temperature"})
    for name in ("lat", "lon"):
        np.testing.assert_array_equal(made[names.get(name, name)], given[names.get(name, name)])
    back = made.rename({new: old for old, new in names.items()})
    back = back.assign_coords(lon=back["lon"] % 360).sel(lat=expected["lat"], lon=expected["lon"])
    np.testing.assert_array_equal(back.transpose(*expected.dims), expected)


def as_files(trained: Trained, levels: tuple[int, ...] = (500, 850, 1000)) -> xr.Dataset:
    """The channels of ``layered`` as variables with levels, whose others are filled with nonsense."""
    frames = record(trained)
    by_level = [
        frames.sel(channel=f"t_{level:g}", drop=True) if level in (500, 850) else frames[:, 0] * 0 - 1
        for level in levels
    ]
    t = xr.concat([layer.drop_vars("channel", errors="ignore") for layer in by_level], pd.Index(levels, name="level"))
    u10 = frames.sel(channel="u10", drop=True).assign_attrs(units="m/s")
    return xr.Dataset({"t": t.transpose("time", "level", "lat", "lon"), "u10": u10, "other": u10}, attrs={"title": "T"})


@pytest.mark.parametrize("levels", [(500, 850, 1000), (1000, 850.0, 500), (850, 500)])
def test_levels_and_variables_are_picked_by_name_and_keep_order(layered: Trained, levels: tuple[int, ...]) -> None:
    given = as_files(layered, levels)
    made = layered.run.forecast(given)
    assert set(made.data_vars) == {"t", "u10"}
    assert made["t"].dims == given["t"].dims
    assert made["t"]["level"].values.tolist() == [level for level in levels if level != 1000]
    assert made.attrs["title"] == "T"
    assert made.attrs["forecast_by"] == layered.run.name
    expected = layered.run.forecast(record(layered))
    for level in (500, 850):
        np.testing.assert_array_equal(made["t"].sel(level=level), expected.sel(channel=f"t_{level}"))
    np.testing.assert_array_equal(made["u10"], expected.sel(channel="u10"))


def test_hourly_input_is_thinned_to_the_models_six_hours(layered: Trained) -> None:
    usual = as_files(layered)
    hourly = usual.resample(time="1h").nearest()  # the frames between are others
    assert hourly.sizes["time"] > 5 * usual.sizes["time"]
    made, expected = forecasting.forecast(layered.run, hourly), layered.run.forecast(usual)
    xr.testing.assert_equal(made.result, expected)
    assert any("every 6 hours" in note for note in made.notes)
    cut = forecasting.forecast(layered.run, hourly.isel(time=slice(None, -1)))
    assert any("trained on frames at 00, 06, 12, 18 h only" in note for note in cut.notes)


def test_netcdf_in_netcdf_out(layered: Trained, tmp_path: Path) -> None:
    given = as_files(layered)
    expected = layered.run.forecast(given)
    given.to_netcdf(tmp_path / "all.nc")
    for name in ("t", "u10"):
        # Of two requests, which differ in what nobody needs.
        given[[name]].assign_coords({"expver": len(name), f"step_{name}": 0}).to_netcdf(tmp_path / f"one_{name}.nc")
    xr.testing.assert_equal(layered.run.forecast(tmp_path / "all.nc"), expected)
    xr.testing.assert_equal(layered.run.forecast(str(tmp_path / "one_*.nc")), expected)
    frames = given.sizes["time"]
    for part, (units, off) in enumerate({"K": 0.0, "degC": -273.15}.items()):
        days = given.isel(time=slice(part * (frames // 2), frames // 2 + part * frames))
        days.assign(t=(days["t"] + np.float32(off)).assign_attrs(units=units)).to_netcdf(tmp_path / f"units_{part}.nc")
    with pytest.warns(UserWarning, match=r"t is converted from degC \(.*units_1.nc\) to K"):
        made = layered.run.forecast(str(tmp_path / "units_*.nc"))
    xr.testing.assert_allclose(made, expected, rtol=1e-4)
    with pytest.warns(UserWarning, match="from degC to K, and back"):
        celsius = layered.run.forecast(tmp_path / "units_1.nc")
    np.testing.assert_allclose(celsius["t"] + 273.15, expected["t"], rtol=1e-4)
    days.assign(t=days["t"].assign_attrs(units="Pa")).to_netcdf(tmp_path / "units_1.nc")
    with pytest.raises(SvqkitError, match=r"'K' in .*units_0.nc, and in 'Pa' in .*units_1.nc"):
        layered.run.forecast(str(tmp_path / "units_*.nc"))
    path = forecasting.write_forecast(expected, tmp_path / "new" / "forecast.nc")
    xr.testing.assert_equal(xr.load_dataset(path), expected)
    before = path.read_bytes()
    assert forecasting.write_forecast(expected, path).read_bytes() == before
    with pytest.raises(SvqkitError, match=r"written as \.nc"):
        forecasting.write_forecast(expected, tmp_path / "forecast.mp4")


def with_last(value: float) -> np.ndarray:
    """Frames as a model of t2m takes them, (4, 1, 4, 6), of which one value is this."""
    frames = np.random.default_rng(0).normal(280, 5, (4, 1, 4, 6)).astype(np.float32)
    frames[-1, 0, 1, 2] = value
    return frames


def spoil(array: xr.DataArray) -> xr.DataArray:
    changed = array.copy()
    changed[{"time": -2, "lat": 1, "lon": 3}] = np.nan
    return changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x.assign_attrs(units="hPa"), "t2m is in 'hPa', the model was trained on 'K'"),
        (spoil, "t2m has 1 value(s) that are NaN or infinite among the"),
        (spoil, "used, the first at time 2010-01-16T21:00, lat "),
        (lambda x: x.isel(time=slice(-3, None)), "has 3 frame(s), one every 1 h, up to 2010-01-16T22:00"),
        (
            lambda x: x.isel(time=slice(None, None, 3)),
            "one every 3 h, up to 2010-01-16T21:00; the model needs 4, one every 1 h",
        ),
        (lambda x: x.drop_isel(time=-2), "there is no frame at 2010-01-16T21:00"),
        (lambda x: x.isel(time=slice(None, None, -1)), "don't rise"),
        (lambda x: x.assign_coords(time=np.arange(x.sizes["time"])), "expected dates"),
        (lambda x: x.drop_vars("time"), "time has no coordinate"),
        (lambda x: x.isel(lat=slice(1, None)), "another grid than the model was trained on: lat has 3 places"),
        (lambda x: x.assign_coords(lon=x["lon"] + 1), "another grid"),
        (lambda x: x.rename("d2m"), "no variable 't2m'; it has: d2m"),
        (lambda x: x.rename("d2m").to_dataset(), "no variable 't2m'; it has: d2m"),
        (lambda x: x.expand_dims(member=2), "expected time, (level,) lat, lon"),
        (lambda x: x.expand_dims(level=[1]), "t2m has levels"),
        (lambda x: x.expand_dims(channel=["u10"]), "no channel ['t2m']; it has ['u10']"),
        (lambda x: x.expand_dims(channel=["t2m", "t2m"]), "has a channel twice: t2m, t2m"),
        (lambda x: x.values, "Expected frames (T, C, H, W)"),
        (lambda x: x.values[:, None].astype(str), "must be numbers"),
        (lambda x: x.values[:3, None], "has 3 frame(s), the model needs 4"),
        (lambda x: np.full((4, 1, 4, 6), np.inf), "96 value(s) that are NaN or infinite"),
        (lambda x: with_last(-9999.0), "1 value(s) that stand for missing ones"),
        (lambda x: with_last(9.969209968386869e36), "1 value(s) that stand for missing ones"),
        (lambda x: np.ma.masked_less(with_last(0.0), 1), "masked array"),
        (lambda x: torch.from_numpy(with_last(280.0)).to_sparse(), "dense tensor"),
        (lambda x: torch.empty(4, 1, 4, 6, device="meta"), "dense tensor"),
        (lambda x: torch.quantize_per_tensor(torch.ones(4, 1, 4, 6), 1.0, 0, torch.qint8), "dense tensor"),
        (lambda x: None, "got NoneType"),
        (lambda x: "nowhere.nc", "There is no file nowhere.nc"),
        (lambda x: __file__, "is no file that forecasts start from"),
    ],
)
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_what_does_not_fit_is_one_error(hourly: Trained, change: Callable[[xr.DataArray], Any], said: str) -> None:
    with pytest.raises(SvqkitError) as caught:
        hourly.run.forecast(change(t2m(hourly)))
    assert said in str(caught.value)


@pytest.mark.parametrize("damage", ["running variances", "weights", "std"])
def test_a_model_that_forecasts_no_numbers_says_so(hourly: Trained, damage: str, tmp_path: Path) -> None:
    shutil.copytree(hourly.run.path, tmp_path / "run")
    tree = json.loads((tmp_path / "run/config.json").read_text())
    weights = load_file(tmp_path / "run/best.safetensors")
    for name, value in weights.items():
        if damage == "weights" and value.is_floating_point():
            value.fill_(3e38)
        elif damage == "running variances" and "running_var" in name:
            value.fill_(-1)
    if damage == "std":
        tree["domain"]["std"] = [1e-45]
    save_file(weights, tmp_path / "run/best.safetensors")
    (tmp_path / "run/config.json").write_text(json.dumps(tree))
    with pytest.raises(SvqkitError, match="NaN or infinite"):
        ForecastingRun.open(tmp_path / "run").forecast(t2m(hourly))


@pytest.mark.parametrize("frames", [0, -1, 2.5, True, 10**9, 2**70])
def test_the_number_of_frames_is_a_whole_number(hourly: Trained, frames: Any) -> None:
    with pytest.raises(SvqkitError, match="`frames` is how many"):
        hourly.run.forecast(t2m(hourly), frames=frames)


def test_units_that_nobody_wrote_down_show_up(hourly: Trained) -> None:
    with pytest.warns(UserWarning, match=r"t2m has a mean of .* the same variable in the same unit\?"):
        hourly.run.forecast((t2m(hourly) - 273.15).drop_attrs())


@pytest.mark.parametrize("order", [slice(None, None, -1), [0, *range(16)]], ids=["falling", "twice"])
def test_the_times_of_every_variable_rise(layered: Trained, order: slice | list[int], tmp_path: Path) -> None:
    whole = as_files(layered)
    whole[["t"]].to_netcdf(tmp_path / "t.nc")
    whole[["u10"]].isel(time=order).to_netcdf(tmp_path / "u10.nc")
    with pytest.raises(SvqkitError, match=r"u10\.nc: .* the times of u10 don't rise"):
        layered.run.forecast([tmp_path / "t.nc", tmp_path / "u10.nc"])


def test_missing_levels_are_named(layered: Trained) -> None:
    with pytest.raises(SvqkitError, match=r"no level \[500\] of t; it has \[850, 1000\] \(hPa\)"):
        layered.run.forecast(as_files(layered).sel(level=[850, 1000]))
    with pytest.raises(SvqkitError, match="no variable 'u10'"):
        layered.run.forecast(as_files(layered)[["t"]])
    with pytest.raises(SvqkitError, match="no variable 'u10'; it has: t"):
        layered.run.forecast(as_files(layered)["t"])


def test_windows_with_gaps_are_taken_by_their_offsets_and_not_fed_back(tmp_path: Path) -> None:
    raw = RawFiles(tmp_path / "raw")
    raw.write()
    data = raw.data(frames_in=2, frames_out=2, paper_offsets=Offsets((-5, 0), (1, 7)))
    trained = Trained(data, tmp_path, protocol="paper")
    given = t2m(trained)
    made = trained.run.forecast(given)
    hours = (made["time"] - given["time"][-1]).values / np.timedelta64(1, "h")
    assert hours.tolist() == [1, 7]
    plain = trained.run.forecast(given.values[:, None])
    np.testing.assert_array_equal(plain[:, 0], made)
    picked = given.values[[-6, -1]]
    far = np.concatenate([picked[:1], np.zeros((4, 4, 6), np.float32), picked[1:]])  # what lies between is not used
    np.testing.assert_array_equal(trained.run.forecast(far[:, None]), plain)
    with pytest.raises(SvqkitError, match="can't be fed back"):
        trained.run.forecast(given, frames=3)


def test_a_folder_of_frames_is_made_the_models_as_prepare_does(clips: Trained, tmp_path: Path) -> None:
    folder = Path(clips.run.experiment.data.root) / "clip3"
    files = sorted(folder.iterdir())
    pictures = np.stack([resize(np.asarray(Image.open(path))[..., None], (10, 12)) for path in files])
    expected = clips.run.forecast(pictures.transpose(0, 3, 1, 2)[-3:])
    assert (expected.shape, expected.dtype) == ((3, 1, 10, 12), np.uint8)
    for named in (folder, str(folder / "*.png"), files, files[-3:]):
        np.testing.assert_array_equal(clips.run.forecast(named), expected)
    # 10 comes after 9, and only frames whose numbers follow each other are of the clip
    for number, path in enumerate(files, start=7):
        (tmp_path / f"f{number}.png").write_bytes(path.read_bytes())
    np.testing.assert_array_equal(clips.run.forecast(tmp_path), expected)
    (tmp_path / "f10.png").unlink()
    with pytest.raises(SvqkitError, match="There are 2 frame"):
        clips.run.forecast(tmp_path)


def test_pictures_of_mixed_sizes_are_brought_to_one(clips: Trained, tmp_path: Path) -> None:
    for number in range(3):
        Image.new("L", (24, 20 + 2 * number), 50).save(tmp_path / f"{number}.png")
    same = np.full((3, 1, 10, 12), 50, np.uint8)
    np.testing.assert_array_equal(clips.run.forecast(tmp_path), clips.run.forecast(same))


@pytest.mark.parametrize("times", [np.arange(12) * 0.04, np.arange(12) * np.timedelta64(40, "ms"), np.arange(12)])
def test_even_times_of_any_kind_go_on(clips: Trained, times: np.ndarray) -> None:
    frames = xr.DataArray(np.zeros((12, 1, 10, 12)), {"time": times}, ("time", "channel", "y", "x"))
    made = clips.run.forecast(frames)["time"].values
    np.testing.assert_allclose(made.astype(float), (times[-1] + np.arange(1, 4) * times[1]).astype(float))


@pytest.mark.parametrize("times", [["a", "b", "c"], [0, 1, 3], [2, 1, 0]])
def test_other_times_are_refused(clips: Trained, times: list) -> None:
    frames = xr.DataArray(np.zeros((3, 1, 10, 12)), {"time": times}, ("time", "channel", "y", "x"))
    with pytest.raises(SvqkitError, match="not evenly apart"):
        clips.run.forecast(frames)


def as_npy(values: np.ndarray, path: Path) -> Path:
    np.save(path.with_suffix(".npy"), values)
    return path.with_suffix(".npy")


def as_npz(values: np.ndarray, path: Path) -> Path:
    np.savez_compressed(path.with_suffix(".npz"), waves=values)
    return path.with_suffix(".npz")


def as_zarr(values: np.ndarray, path: Path) -> Path:
    zarr.save_array(path.with_suffix(".zarr"), values)
    return path.with_suffix(".zarr")


@pytest.mark.parametrize("save", [lambda values, _: values, as_npy, as_npz, as_zarr])
@pytest.mark.parametrize("axis", [False, True], ids=["without channel axis", "with channel axis"])
def test_arrays_are_read_as_prepare_reads_them(
    save: Callable[..., Any], axis: bool, waves: Trained, tmp_path: Path
) -> None:
    clips = np.load(waves.run.experiment.data.root)
    clips = clips[:, :, None] if axis else clips
    expected = waves.run.forecast(clips)
    assert expected.shape == (10, 2, *clips.shape[2:])
    np.testing.assert_array_equal(waves.run.forecast(save(clips, tmp_path / "clips")), expected)
    with pytest.warns(UserWarning, match="only the last 3 of the 8 frames"):
        record = waves.run.forecast(save(clips[4], tmp_path / "record"))
    np.testing.assert_allclose(record, expected[4], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes() + b"more"), "holds more than its header says"),
        (lambda path: path.write_bytes(path.read_bytes()[:-4]), "is truncated"),
        (lambda path: path.write_bytes(b"<html>"), "as an array of numbers in NumPy's format"),
        (lambda path: np.save(path, np.array([{}], object)), "pickled"),
        (lambda path: np.save(path, np.float32(1)), "got an array of shape ()"),
        (lambda path: np.save(path, np.zeros((0, 8, 6, 7))), "got an array of shape (0, 8, 6, 7)"),
        (lambda path: np.save(path, np.zeros((8, 6, 8))), "got an array of shape (8, 6, 8)"),
    ],
)
def test_damaged_arrays_are_one_error(
    spoil: Callable[[Path], object], said: str, waves: Trained, tmp_path: Path
) -> None:
    path = as_npy(np.zeros((8, 6, 7), np.float32), tmp_path / "x")
    spoil(path)
    with pytest.raises(SvqkitError) as caught:
        waves.run.forecast(path)
    assert said in str(caught.value)


def test_a_video_is_read_from_its_end(clips: Trained, tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), 10, (24, 20))
    pictures = np.random.default_rng(1).integers(0, 256, (7, 20, 24), dtype=np.uint8)
    for picture in pictures:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    writer.release()
    last = np.stack([resize(picture[..., None], (10, 12)) for picture in pictures[-3:]]).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(clips.run.forecast(path), clips.run.forecast(last))


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_others_can_score_a_forecast_by_the_time_that_it_is_valid_at(
    layered: Trained, suffix: str, tmp_path: Path
) -> None:
    truth = as_files(layered)
    truth["t"].attrs = {"units": "K", "standard_name": "air_temperature"}
    seen = truth.isel(time=slice(None, -2)).isel(lat=slice(None, None, -1)).transpose("lat", ...)
    seen = seen.rename(lat="latitude", lon="longitude").assign_coords(
        level=("level", [5e4, 8.5e4, 1e5], {"units": "Pa"})
    )
    usual = layered.run.forecast(seen)
    laid = layered.run.forecast(seen, layout="weatherbench2")
    path = forecasting.write_forecast(laid, tmp_path / f"forecast{suffix}")
    back = xr.open_dataset(path) if suffix == ".nc" else xr.open_zarr(path)
    assert back["temperature"].dims == ("time", "prediction_timedelta", "level", "latitude", "longitude")
    assert back["temperature"].attrs["standard_name"] == "air_temperature"
    assert back["10m_u_component_of_wind"].attrs["units"] == "m/s"
    assert back["time"].values.tolist() == seen["time"].values[-1:].tolist()
    hours = back["prediction_timedelta"].values / np.timedelta64(1, "h")
    assert hours.tolist() == [6, 12]
    assert back["level"].values.tolist() == [500, 850]
    assert (np.diff(back["latitude"]) > 0).all()
    if suffix == ".nc":  # by the CF conventions no values of coordinates are missing (2.5.1)
        with netCDF4.Dataset(path) as file:
            assert [name for name in back.dims if "_FillValue" in file[name].ncattrs()] == []
    # Scored as others do it: the truth at the time of issue and the lead together.
    valid = (back["time"] + back["prediction_timedelta"]).squeeze("time")
    target = truth["t"].sel(time=valid, level=[500, 850]).rename(lat="latitude", lon="longitude")
    score = ((back["temperature"].squeeze("time") - target) ** 2).mean()
    by_hand = usual["t"].values.transpose(1, 2, 0, 3)[:, :, ::-1] - truth["t"].values[-2:, :2]
    assert float(score) == pytest.approx(float((by_hand**2).mean()), rel=1e-5)


def test_a_layout_is_of_grids_with_times(layered: Trained, clips: Trained) -> None:
    by_channel = layered.run.forecast(record(layered), layout="weatherbench2")
    assert {"t_850", "t_500", "10m_u_component_of_wind"} == {*by_channel.data_vars}
    with pytest.raises(SvqkitError, match="one of grids with times"):
        clips.run.forecast(clips.window(0)[0], layout="weatherbench2")
    with pytest.raises(SvqkitError, match="Unknown layout 'cf'"):
        layered.run.forecast(record(layered), layout="cf")


def test_floats_of_pictures_stay_floats(clips: Trained) -> None:
    inputs, expected, _ = clips.window(0)
    made = clips.run.forecast(inputs / np.float32(255))
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, atol=1e-6)
    with pytest.raises(SvqkitError, match="bytes from 0 to 255, or floats in"):
        clips.run.forecast(inputs.astype(np.float32))
    with pytest.raises(SvqkitError, match="is no file that forecasts start from"):
        clips.run.forecast("params.yaml")


def test_taxis_go_in_and_out_as_taxis(taxis: Trained) -> None:
    root = Path(taxis.run.experiment.data.root)
    sample = np.load(root / "dataset.npz")["X_test"][-1]
    with pytest.warns(UserWarning, match="last test sample"):
        made = taxis.run.forecast(root / "dataset.npz")
    # -1 … 1 in the file is 0 … 200 taxis, the setting `maximum`
    by_hand = taxis.run.forecast((100 * (sample + 1)).astype(np.float32))
    np.testing.assert_allclose(made, by_hand, rtol=1e-5, atol=1e-3)
    with pytest.raises(SvqkitError, match="can't be lower"):
        taxis.run.forecast(sample.astype(np.float32))
    labelled = xr.DataArray(100 * (sample + 1), dims=("time", "channel", "y", "x"), coords={"time": [10, 20, 30, 40]})
    after = taxis.run.forecast(labelled)
    assert after["time"].values.tolist() == [50, 60, 70, 80]
    np.testing.assert_allclose(after, by_hand, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(16, 24), (15, 23)])
def test_videos_and_gifs_hold_the_frames(channels: int, size: tuple[int, int], tmp_path: Path) -> None:
    height, width = size
    ramp = np.add.outer(np.arange(height), np.arange(width)) * 4
    frames = np.stack([np.stack([ramp + 10 * time] * channels) for time in range(5)]).astype(np.uint8)
    gif = forecasting.write_forecast(frames, tmp_path / "clip.gif")
    with Image.open(gif) as animation:
        assert animation.n_frames == 5
        for time in range(5):
            animation.seek(time)
            np.testing.assert_allclose(np.asarray(animation.convert("L")), frames[time, 0], atol=3)
    path = forecasting.write_forecast(torch.from_numpy(frames), tmp_path / "clip.mp4")
    before = path.read_bytes()
    assert forecasting.write_forecast(frames, path).read_bytes() == before
    capture, read = cv2.VideoCapture(str(path)), []
    while (came := capture.read())[0]:
        read.append(came[1][:height, :width, 0])
    assert (len(read), read[0].shape) == (5, size)
    np.testing.assert_allclose(np.stack(read).astype(float), frames[:, 0], atol=16)
    floats = forecasting.write_forecast(frames / np.float32(255), tmp_path / "floats.mp4")
    assert floats.read_bytes() == before
    exact = np.load(forecasting.write_forecast(frames, tmp_path / "clip.npy"))
    np.testing.assert_array_equal(exact, frames)


@pytest.mark.parametrize(
    ("values", "name", "said"),
    [
        (np.zeros((2, 2, 8, 8)), "a.mp4", "1 or 3 channels"),
        (np.full((2, 1, 8, 8), 50.0), "a.gif", "floats in [0, 1]"),
        (np.zeros((2, 1, 8, 8)), "a.nc", ".mp4, .gif (clips) or .npy"),
        (np.zeros((2, 1, 8, 8)), "a.webm", ".mp4, .gif (clips) or .npy"),
    ],
)
def test_what_can_not_be_written_leaves_nothing(values: np.ndarray, name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SvqkitError) as caught:
        forecasting.write_forecast(values, tmp_path / name)
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_pictures_and_numbers_show_the_frames_seen_and_those_forecast(hourly: Trained, taxis: Trained) -> None:
    made = forecasting.forecast(hourly.run, t2m(hourly), frames=9)
    assert made.frames["time"].values.tolist() == [*range(-3, 1), *range(1, 10)]
    np.testing.assert_array_equal(made.frames.isel(time=slice(4)), record(hourly).isel(time=slice(-5, -1)))
    np.testing.assert_array_equal(made.frames.isel(time=slice(4, None), channel=0), made.result)
    assert made.frames["valid"].values[-9:].tolist() == made.result["time"].values.tolist()
    assert len(forecasting.pictures(hourly.run, made)) == 1
    sample = np.full((4, 2, 8, 8), 50.0)
    assert len(forecasting.pictures(taxis.run, forecasting.forecast(taxis.run, sample))) == 2


@pytest.mark.parametrize(
    ("result", "suffix"),
    [
        (xr.Dataset({"x": ("time", [1.0])}), ".nc"),
        (np.zeros((2, 3, 8, 8), np.uint8), ".mp4"),
        (torch.zeros((2, 1, 8, 8), dtype=torch.uint8), ".mp4"),
        (np.zeros((2, 2, 8, 8), np.uint8), ".npy"),
        (np.zeros((2, 1, 8, 8), np.float32), ".npy"),
    ],
)
def test_a_name_without_a_suffix_gets_the_fitting_one(result: Any, suffix: str, tmp_path: Path) -> None:
    assert forecasting.write_forecast(result, tmp_path / "a" / "run") == tmp_path / "a" / f"run{suffix}"
    assert [path.name for path in (tmp_path / "a").iterdir()] == [f"run{suffix}"]


def test_that_a_model_was_trained_on_simulated_data_is_said(hourly: Trained, tmp_path: Path) -> None:
    told = [note for note in forecasting.forecast(hourly.run, t2m(hourly)).notes if "trained on this" in note]
    assert told == []
    shutil.copytree(hourly.run.path, tmp_path / "run")
    tree = json.loads((tmp_path / "run/config.json").read_text())
    tree["domain"]["title"] = "Simulated weather"
    del tree["domain"]["simulated"]  # as in runs of earlier versions
    (tmp_path / "run/config.json").write_text(json.dumps(tree))
    with pytest.warns(UserWarning, match="trained on this: Simulated weather"):
        made = ForecastingRun.open(tmp_path / "run").forecast(t2m(hourly).to_dataset())
    assert made.attrs["forecast_trained_on"] == "Simulated weather"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("m s**-1", "m/s", True),
        ("m.s-1", "m s^-1", True),
        ("m**2 s**-2", "m2/s2", True),
        ("K m**2 kg**-1 s**-1", "m^2 K s-1 kg-1", True),
        ("(0 - 1)", "1", True),
        ("Kelvin", "K", True),
        ("", "K", True),
        ("%", "1", False),
        ("degC", "K", False),
        ("m", "mm", False),
        ("m s-1", "m s-2", False),
    ],
)
def test_units(one: str, other: str, same: bool) -> None:
    assert same_unit(one, other) == same_unit(other, one) == same
