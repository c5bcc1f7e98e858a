"""The store: the raw values to the last bit, right statistics and climatology, made whole and in constant memory."""

import importlib
import json
import math
import os
import shutil
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st
from rawfiles import DAY, LAT, LON, RawFiles, drop, files_below

from svqkit.data import describe, mean_fields, open_or_prepare, prepare
from svqkit.data import store as stores
from svqkit.data.sources import gridded, weather
from svqkit.data.sources.weather import clips_of
from svqkit.data.statistics import ChannelStatistics
from svqkit.data.store import Store
from svqkit.data.streaming import in_order
from svqkit.data.windows import Windows
from svqkit.errors import SvqkitError
from svqkit.settings.params import as_tree, without_root

PREPARE = importlib.import_module("svqkit.data.prepare")  # the package's `prepare` is the function
TRAIN = slice("2010-01-01", "2010-01-10")
TEST = slice("2010-01-14", "2010-01-16")


@pytest.mark.parametrize("chunk", [1, 2000, 2**20])
@pytest.mark.parametrize("block", [1, 10_000, 2**25])
def test_the_store_has_the_raw_values(
    chunk: int, block: int, raw: RawFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(PREPARE, "BLOCK_BYTES", block)
    settings = {"train": ("2010-01-01", "2010-01-01"), "validation": ("2010-01-02", "2010-01-02")}
    raw.write(frames=30, name="a.nc")
    raw.write(first="2010-01-02T06", frames=42, name="b.nc")
    store = prepare(raw.data(**settings, test=("2010-01-03", "2010-01-03")), tmp_path / "x.zarr")
    assert store.frames.dtype == np.float32
    np.testing.assert_array_equal(store.frames[:, 0], raw.values())
    np.testing.assert_array_equal(store.times, raw.values()["time"])
    np.testing.assert_array_equal(store.lat, LAT)
    np.testing.assert_array_equal(store.lon, LON)


def test_an_odd_descending_grid_levels_and_two_variables(raw: RawFiles, tmp_path: Path) -> None:
    lat, lon = np.linspace(90, -90, 9), np.arange(13) * 360 / 13
    raw.write("t", lat=lat, lon=lon, levels=(500, 700, 850))
    raw.write("u10", lat=lat, lon=lon)
    store = prepare(raw.data(variables=("t", "u10"), levels=(850, 500)), tmp_path / "x.zarr")
    assert store.frame_shape == (3, 9, 13)
    assert (store.channels, store.units) == (["t_850", "t_500", "u10"], ["K", "K", "m s**-1"])
    assert store.title == "made up for a test"
    t = raw.values("t")
    for channel, values in enumerate((t.sel(level=850), t.sel(level=500), raw.values("u10"))):
        np.testing.assert_array_equal(store.frames[:, channel], values)
    np.testing.assert_array_equal(store.lat, lat)
    np.testing.assert_array_equal(store.lon, lon)


def test_one_thread_at_a_time_is_in_the_netcdf_library(raw: RawFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.write()
    inside, most = 0, 0
    read = gridded.read

    def counted(*arguments: Any) -> np.ndarray:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.01)  # long enough for the next thread to come
        inside -= 1
        return read(*arguments)

    monkeypatch.setattr(gridded, "read", counted)
    monkeypatch.setattr(weather, "PART_BYTES", 60 * 4 * len(LAT) * len(LON))
    parts = weather.plan(raw.data()).parts
    frames = np.concatenate(list(in_order(parts, 4)))
    np.testing.assert_array_equal(frames[:, 0], raw.values())
    assert most == 1


@pytest.fixture
def store(raw: RawFiles, tmp_path: Path) -> Store:
    """The store of 16 hourly days."""
    raw.write()
    return prepare(raw.data(), tmp_path / "x.zarr")


@pytest.mark.parametrize("array", ["frames/c/0/0/0/0", "time/c/0", "windows/clean/test/c/0"])
def test_a_store_that_lacks_a_chunk_is_refused_whatever_lies_there_instead(array: str, store: Store) -> None:
    chunk = store.path / array
    chunk.rename(chunk.with_name("kept.bak"))
    with pytest.raises(SvqkitError, match=r"x\.zarr lacks 1 of its files"):
        Store.open(store.path)


def test_other_programs_can_open_the_store(raw: RawFiles, store: Store, tmp_path: Path) -> None:
    with xr.open_zarr(tmp_path / "x.zarr", consolidated=False) as opened:
        np.testing.assert_array_equal(opened["time"], raw.values()["time"])
        np.testing.assert_array_equal(opened["frames"].isel(channel=0), raw.values())
        assert opened["frames"].dims == ("time", "channel", "lat", "lon")


def test_statistics_are_those_of_the_training_period_only(raw: RawFiles, tmp_path: Path) -> None:
    raw.write("t2m", change=lambda dataset: dataset + (dataset["time"].dt.day > 10).astype(np.float32) * 1000)
    raw.write("u10")
    store = prepare(raw.data(variables=("t2m", "u10")), tmp_path / "x.zarr")
    for split, period in (("train", TRAIN), ("test", TEST)):
        frames = np.stack([raw.values(name).sel(time=period) for name in ("t2m", "u10")], axis=1).astype(np.float64)
        for protocol, part in (("clean", frames), ("paper", frames[:-1])):
            mean, std = store.statistics(split, protocol)
            np.testing.assert_allclose(mean, part.mean((0, 2, 3)), rtol=1e-12)
            np.testing.assert_allclose(std, part.std((0, 2, 3)), rtol=1e-10)
    assert store.statistics("train")[0][0] < 500, "the shifted days are not training"


def test_only_the_very_last_frame_of_a_split_is_left_out_also_when_it_has_gaps(raw: RawFiles, tmp_path: Path) -> None:
    raw.write(change=drop(4, 8))
    store = prepare(raw.data(gaps="split"), tmp_path / "x.zarr")
    frames = raw.values().sel(time=TRAIN).values.astype(np.float64)
    assert len(frames) == 8 * DAY
    np.testing.assert_allclose(store.statistics("train", "paper")[0], [frames[:-1].mean()], rtol=1e-12)
    np.testing.assert_allclose(store.statistics("train", "clean")[0], [frames.mean()], rtol=1e-12)


@given(
    sizes=st.lists(st.integers(0, 5), min_size=1, max_size=6),
    offset=st.sampled_from([0.0, 300.0, -1e5]),
    seed=st.integers(0, 100),
)
def test_statistics_gathered_in_pieces_are_those_of_the_whole(sizes: list[int], offset: float, seed: int) -> None:
    frames = np.random.default_rng(seed).normal(offset, 3, (sum(sizes), 2, 3, 4)).astype(np.float32)
    gathered = ChannelStatistics()
    for piece in np.split(frames, np.cumsum(sizes)[:-1]):
        gathered.add(piece)
    if len(frames):
        wide = frames.astype(np.float64)
        np.testing.assert_allclose(gathered.mean, wide.mean((0, 2, 3)), rtol=1e-12)
        np.testing.assert_allclose(gathered.std, wide.std((0, 2, 3)), rtol=1e-9)
    assert gathered.count == 12 * len(frames)


def climatology_by_hand(store: Store) -> np.ndarray:
    """For each frame of the record: the mean of training in its week at its hour, or at its hour, or of all."""
    days = (store.times.astype("datetime64[D]") - store.times.astype("datetime64[Y]")).astype(int)
    weeks, hours = days // 7, store.times.astype(np.int64) % 24
    train = np.zeros(len(store.times), bool)
    for start, stop in store.clips("train"):
        train[start:stop] = True
    frames, rows = store.frames[:].astype(np.float64), []
    for week, hour in zip(weeks, hours, strict=True):
        choices = [train & (weeks == week) & (hours == hour), train & (hours == hour), train]
        rows.append(frames[next(chosen for chosen in choices if chosen.any())].mean(0))
    return np.array(rows)


def night_is_missing(dataset: xr.Dataset) -> xr.Dataset:
    """Training knows no hour before six; the other periods do."""
    return dataset.isel(time=(dataset["time"].dt.day > 10) | (dataset["time"].dt.hour >= 6))


def a_week_in_part(dataset: xr.Dataset) -> xr.Dataset:
    """Training has January 8th's first six hours as all of the second week."""
    ninth = (dataset["time"].dt.day > 8) & (dataset["time"].dt.day < 11)
    return dataset.isel(time=~(ninth | ((dataset["time"].dt.day == 8) & (dataset["time"].dt.hour >= 6))))


@pytest.mark.parametrize("chunk", [1000, 2**20])
@pytest.mark.parametrize(
    ("change", "settings"),
    [
        (lambda dataset: dataset, {}),
        (lambda dataset: dataset, {"hours_per_frame": 6}),
        (lambda dataset: dataset, {"hours_per_frame": 5}),
        (a_week_in_part, {"gaps": "split"}),
        (night_is_missing, {"gaps": "split"}),
    ],
    ids=["hourly", "six-hourly", "five-hourly", "a week in part", "hours that training lacks"],
)
def test_climatology_is_the_training_mean_by_week_and_hour(
    change: Callable[[xr.Dataset], xr.Dataset],
    settings: dict[str, Any],
    chunk: int,
    raw: RawFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stores, "CHUNK_BYTES", chunk)
    raw.write(change=change)
    store = prepare(raw.data(**settings), tmp_path / "x.zarr")
    # January 15th and 16th are in a week of their own that training lacks.
    assert list(store.group.attrs["weeks"]) == [0, 1, 2]
    whole = store.climatology_table[store.climatology_rows(np.arange(len(store.times)))]
    np.testing.assert_allclose(whole, climatology_by_hand(store), rtol=1e-6)
    some = np.array([[3, 7], [len(store.times) - 1, 0]])
    np.testing.assert_array_equal(store.climatology_table[store.climatology_rows(some)], whole[some])


def test_weeks_begin_on_january_1st_also_in_leap_years() -> None:
    days = ["2010-01-01", "2010-01-07", "2010-01-08", "2010-12-31", "2012-02-29", "2012-12-30", "2012-12-31"]
    np.testing.assert_array_equal(stores.week_of_year(np.array(days, "datetime64[h]")), [0, 0, 1, 52, 8, 52, 52])


def test_years_with_gaps_become_clips(raw: RawFiles, tmp_path: Path) -> None:
    for year in (2010, 2012, 2013):
        raw.write(first=f"{year}-12-25", frames=7 * DAY, hours=1)
    raw.write(first="2014-01-01", frames=4 * DAY)
    settings = {"train": ("2010", "2012"), "validation": ("2013", "2013"), "test": ("2014", "2014")}
    store = prepare(raw.data(**settings, gaps="split"), tmp_path / "x.zarr")
    week = 7 * DAY
    assert store.clips("train") == [(0, week), (week, 2 * week)]
    assert store.clips("validation") == [(2 * week, 3 * week)]
    assert store.clips("test") == [(3 * week, 3 * week + 4 * DAY)], "the year's turn parts the splits, without a gap"
    with pytest.raises(SvqkitError, match="A hole in the train period"):
        prepare(raw.data(**settings, gaps="error"), tmp_path / "y.zarr")


@given(st.sets(st.integers(0, 95)), st.tuples(st.integers(0, 3), st.integers(0, 3)), st.sampled_from([1, 2]))
def test_clips_are_the_longest_runs_inside_a_period(hours: set[int], period: tuple[int, int], step: int) -> None:
    offsets = np.array(sorted(hour for hour in hours if hour % step == 0), dtype=np.int64)
    times = np.datetime64("2010-01-01", "h") + offsets
    inside = (offsets >= 24 * min(period)) & (offsets < 24 * max(period) + 24)
    dates = [str(np.datetime64("2010-01-01") + day) for day in (min(period), max(period))]
    clips = clips_of(times, tuple(dates), step)
    assert [place for start, stop in clips for place in range(start, stop)] == np.flatnonzero(inside).tolist()
    for start, stop in clips:
        assert set(np.diff(offsets[start:stop])) <= {step}
    for (_, stop), (start, _) in pairwise(clips):
        assert offsets[start] - offsets[stop - 1] > step, "two clips that touch are one"


@pytest.mark.parametrize(
    ("attributes", "readme", "simulated"),
    [
        ({"title": "Simulated weather"}, "", True),
        ({"source": "Simulated by a test"}, "ERA5", True),
        ({}, "Simulated by a test: no weather.", True),
        ({"title": "ERA5"}, "Simulated by a test: no weather.", False),
        ({"title": "ERA5, not simulated"}, "", False),
        ({}, "Measured. Simulated weather is in the other folder.", False),
    ],
)
def test_a_store_knows_whether_its_raw_files_call_themselves_simulated(
    attributes: dict[str, str], readme: str, simulated: bool, raw: RawFiles, tmp_path: Path
) -> None:
    def relabelled(dataset: xr.Dataset) -> xr.Dataset:
        dataset.attrs = attributes
        return dataset

    raw.write(change=relabelled)
    (raw.root / "README.txt").write_text(readme)
    assert prepare(raw.data(), tmp_path / "store.zarr").simulated is simulated


def test_the_title_tells_whether_an_earlier_store_is_simulated(raw: RawFiles, tmp_path: Path) -> None:
    raw.write(change=lambda dataset: dataset.assign_attrs(title="Simulated weather"))
    store = prepare(raw.data(), tmp_path / "store.zarr")
    group = zarr.open_group(store.path, mode="r+")
    del group.attrs["simulated"]
    earlier = Store.open(store.path)
    assert earlier.simulated
    assert earlier.digests == store.digests, "trainings on it go on"


def test_a_second_prepare_writes_nothing(raw: RawFiles, store: Store) -> None:
    before = files_below(store.path)
    second = prepare(raw.data(), store.path)
    assert files_below(store.path) == before
    assert second.settings == store.settings
    assert store.settings["data"] == without_root(as_tree(raw.data()))
    (path,) = raw.root.rglob("*.nc")
    assert (store.settings["raw"]["files"], store.settings["raw"]["bytes"]) == (1, path.stat().st_size)


def other_settings(raw: RawFiles) -> dict[str, Any]:
    return {"frames_out": 7}


def same_size(raw: RawFiles) -> dict[str, Any]:
    """One bit of the data is turned; names, sizes and times stay."""
    (path,) = raw.root.rglob("*.nc")
    stat = path.stat()
    with netCDF4.Dataset(path, "r+") as file:
        file["t2m"][5, 1, 2] += 1
    with xr.open_dataset(path) as file:
        changed = file.load()
    assert path.stat().st_size == stat.st_size
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    raw.written["t2m"] = [changed]
    return {}


@pytest.mark.parametrize("change", [other_settings, same_size])
def test_other_inputs_make_it_anew(change: Callable[[RawFiles], dict[str, Any]], raw: RawFiles, store: Store) -> None:
    before = files_below(store.path)
    raw.written.clear()
    data = raw.data(**change(raw))
    store = prepare(data, store.path)
    after = files_below(store.path)
    assert not {inode for inode, *_ in after.values()} & {inode for inode, *_ in before.values()}
    assert store.settings["data"] == without_root(as_tree(data))
    if raw.written:
        np.testing.assert_array_equal(store.frames[:, 0], raw.values())


def test_asked_for_it_is_made_anew_with_the_same_bytes(raw: RawFiles, store: Store) -> None:
    before = files_below(store.path)
    prepare(raw.data(), store.path, again=True)
    after = files_below(store.path)
    assert {name: file[-1] for name, file in after.items()} == {name: file[-1] for name, file in before.items()}
    chunk = "frames/c/0/0/0/0"
    assert after[chunk][:2] != before[chunk][:2]


def of_an_earlier_version(target: Path) -> None:
    """It does not say in which order colours are."""
    tree = json.loads((target / "zarr.json").read_text())
    del tree["attributes"]["blue_first"]
    (target / "zarr.json").write_text(json.dumps(tree))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda target: (target / "zarr.json").write_text("{"),
        lambda target: (target / "frames/zarr.json").write_text("{"),
        of_an_earlier_version,
        shutil.rmtree,
    ],
)
def test_what_is_no_store_is_made_anew(spoil: Callable[[Path], object], raw: RawFiles, store: Store) -> None:
    spoil(store.path)
    with pytest.raises(SvqkitError, match="No prepared store") as caught:
        Store.open(store.path)
    assert str(store.path) in str(caught.value)
    store = prepare(raw.data(), store.path)
    np.testing.assert_array_equal(store.frames[:, 0], raw.values())
    assert not store.blue_first("test", "paper")


def test_memory_does_not_grow_with_the_record(raw: RawFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lat, lon = np.linspace(-80, 80, 32), np.arange(64) * 5.625
    for year in range(2001, 2031):
        raw.write(first=f"{year}-01-01", frames=28, hours=6, lat=lat, lon=lon)
    frame = 4 * len(lat) * len(lon)

    def peak(years: int, block: int) -> int:
        """Most bytes held at once while a record of one week in so many years is prepared."""
        monkeypatch.setattr(PREPARE, "BLOCK_BYTES", block)
        monkeypatch.setattr(weather, "PART_BYTES", block)
        last = 2000 + years
        data = raw.data(
            train=("2001", str(last - 2)),
            validation=(str(last - 1), str(last - 1)),
            test=(str(last), str(last)),
            gaps="split",
            hours_per_frame=6,
        )
        tracemalloc.start()
        try:
            prepare(data, tmp_path / "x.zarr", again=True)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    monkeypatch.setattr(stores, "CHUNK_BYTES", 6 * frame)
    small = 12 * frame
    peak(3, small)  # what the first call alone needs: imports, caches
    short, long = peak(3, small), peak(30, small)
    assert long < 2 * short, "what waits between two threads differs from call to call"
    assert long < 30 * 28 * frame / 2, "the record is not in memory as a whole"
    # The same measure does see a record that is read at once.
    assert peak(30, 2**30) > 30 * 28 * frame


def test_only_new_stores_need_raw_files(raw: RawFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    raw.write()
    target = tmp_path / "x.zarr"
    open_or_prepare(raw.data(), target)
    before = files_below(target)
    shutil.rmtree(raw.root)
    assert open_or_prepare(raw.data(), target).settings["data"] == without_root(as_tree(raw.data()))
    assert files_below(target) == before
    for name, settings in (("x.zarr", {"frames_out": 9}), ("y.zarr", {})):
        with pytest.raises(SvqkitError, match="There is no ") as caught:
            open_or_prepare(raw.data(**settings), tmp_path / name)
        assert str(raw.root) in str(caught.value)


def test_a_description_counts_what_there_is(raw: RawFiles, tmp_path: Path) -> None:
    raw.write(change=drop(4))
    data = raw.data(gaps="split")
    store = prepare(data, tmp_path / "x.zarr")
    table = describe(store)
    assert list(table["frames"]) == [9 * DAY, 3 * DAY, 3 * DAY]
    assert list(table["clips"]) == [2, 1, 1]
    assert list(table["windows"]) == [len(Windows(store, split)) for split in table.index]
    assert (table.loc["train", "from"], table.loc["train", "to"]) == ("2010-01-01T00", "2010-01-10T23")
    frames = raw.values().sel(time=TRAIN).values.astype(np.float64)
    assert math.isclose(table.loc["train", "t2m mean [K]"], frames.mean(), abs_tol=0.005)
    assert math.isclose(table.loc["train", "t2m std [K]"], frames.std(), abs_tol=0.005)


def test_mean_fields_are_those_of_training(raw: RawFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "CHUNK_BYTES", 50 * 4 * 4 * 6)
    raw.write(change=drop(4))
    fields = mean_fields(prepare(raw.data(gaps="split"), tmp_path / "x.zarr"))
    frames = raw.values().sel(time=TRAIN).values.astype(np.float64)
    np.testing.assert_allclose(fields["mean"], frames.mean(0), rtol=1e-10)
    np.testing.assert_allclose(fields["std"], frames.std(0), rtol=1e-8)
    assert fields["mean"].attrs["units"] == "K"


def test_a_store_that_lacks_any_of_its_files_is_refused_and_made_anew(raw: RawFiles, tmp_path: Path) -> None:
    raw.write()
    whole = prepare(raw.data(), tmp_path / "whole.zarr").path
    names = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    each = {(name.parts[0], name.name): name for name in sorted(names)}
    assert {"frames", "time", "climatology", "windows"} <= {array for array, _ in each}
    for name in Random(0).sample(sorted(each.values()), 8):
        target = tmp_path / "x.zarr"
        prepare(raw.data(), target)
        (target / name).unlink()
        with pytest.raises(SvqkitError, match="Run the prepare stage"):
            Store.open(target)
        prepare(raw.data(), target)
        assert (target / name).read_bytes() == (whole / name).read_bytes()


def test_hidden_files_of_the_system_are_none_of_a_store(store: Store) -> None:
    (store.path / "frames" / ".DS_Store").touch()
    Store.open(store.path)
