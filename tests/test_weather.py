"""Raw NetCDF files: what is read is what was written, and what does not fit is refused before anything is made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from rawfiles import DAY, LAT, LON, RawFiles, drop, files_below

from svqkit.data.plan import Plan
from svqkit.data.prepare import prepare
from svqkit.data.sources import weather
from svqkit.data.windows import Normaliser
from svqkit.errors import SvqkitError
from svqkit.settings.data import Offsets, Split


def read(made: Plan) -> tuple[np.ndarray, np.ndarray]:
    values = [np.concatenate(list(part.read())) for part in made.parts]
    assert [len(value) for value in values] == [part.frames for part in made.parts]
    return made.axes["time"], np.concatenate(values)


@pytest.mark.parametrize("frames", [7, 100, 1000])
def test_blocks_of_any_size_give_what_the_files_hold(
    frames: int, raw: RawFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are taken by time, not by name."""
    monkeypatch.setattr(weather, "PART_BYTES", frames * 4 * len(LAT) * len(LON))
    raw.write(first="2010-01-11", frames=6 * DAY, name="a.nc")
    raw.write(first="2010-01-01", frames=10 * DAY, name="b.nc")
    made = weather.plan(raw.data())
    assert max(part.frames for part in made.parts) <= frames
    times, values = read(made)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values[:, 0], raw.values())
    np.testing.assert_array_equal(times, raw.values()["time"])


def test_only_frames_of_the_periods_are_taken(raw: RawFiles) -> None:
    raw.write(first="2009-12-30", frames=20 * DAY)
    data = raw.data(train=("2010-01-01", "2010-01-02"), validation=("2010-01-05", "2010-01-05"))
    times, values = read(weather.plan(data))
    days = [1, 2, 5, 14, 15, 16]
    wanted = np.concatenate([np.datetime64(f"2010-01-{day:02}", "h") + np.arange(DAY) for day in days])
    np.testing.assert_array_equal(times, wanted)
    np.testing.assert_array_equal(values[:, 0], raw.values().sel(time=wanted.astype("datetime64[ns]")))


def test_variables_and_chosen_levels_become_channels_in_the_order_of_the_settings(raw: RawFiles) -> None:
    raw.write("t", levels=(100, 500, 850))
    raw.write("t2m")
    raw.write("u10")
    record = weather.plan(raw.data(variables=("u10", "t", "t2m"), levels=(850, 100)))
    _, values = read(record)
    assert record.channels == ("u10", "t_850", "t_100", "t2m")
    assert record.units == ("m s**-1", "K", "K", "K")
    assert record.title == "made up for a test"
    t = raw.values("t")
    expected = [raw.values("u10"), t.sel(level=850), t.sel(level=100), raw.values("t2m")]
    np.testing.assert_array_equal(values, np.stack(expected, axis=1))


@pytest.mark.parametrize("order", [("lon", "time", "lat"), ("lat", "lon", "time")])
def test_dimensions_in_another_order_are_turned(order: tuple[str, ...], raw: RawFiles) -> None:
    raw.write(change=lambda dataset: dataset.transpose(*order))
    _, values = read(weather.plan(raw.data()))
    np.testing.assert_array_equal(values[:, 0], raw.values().transpose("time", "lat", "lon"))


@pytest.mark.parametrize("hours", [1, 2, 3, 5, 6, 12, 24, 48])
def test_frames_are_thinned_to_whole_multiples_of_the_cadence_since_1970(hours: int, raw: RawFiles) -> None:
    raw.write()
    periods = {"train": ("2010-01-01", "2010-01-06"), "validation": ("2010-01-07", "2010-01-11")}
    data = raw.data(hours_per_frame=hours, frames_in=1, frames_out=1, **periods, test=("2010-01-12", "2010-01-16"))
    times, values = read(weather.plan(data))
    whole = raw.values()
    hour = (whole["time"].values - np.datetime64("1970-01-01")) // np.timedelta64(1, "h")
    kept = whole[hour % hours == 0]
    np.testing.assert_array_equal(times, kept["time"])
    np.testing.assert_array_equal(values[:, 0], kept)


def test_frames_between_the_hours_are_left_out(raw: RawFiles) -> None:
    def every_half_hour(dataset: xr.Dataset) -> xr.Dataset:
        between = dataset.assign_coords(time=dataset["time"] + np.timedelta64(30, "m")) + 1000
        return xr.concat([dataset, between], dim="time").sortby("time")

    raw.write(change=every_half_hour)
    _, values = read(weather.plan(raw.data()))
    np.testing.assert_array_equal(values[:, 0], raw.values()[::2])


@pytest.mark.parametrize(
    ("period", "first", "after"),
    [
        (("2010", "2010"), "2010-01-01T00", "2011-01-01T00"),
        (("2010-02", "2010-02"), "2010-02-01T00", "2010-03-01T00"),
        (("2012-02-29", "2012-02-29"), "2012-02-29T00", "2012-03-01T00"),
        (("2010-12-31", "2011"), "2010-12-31T00", "2012-01-01T00"),
    ],
)
def test_both_dates_of_a_period_are_inside(period: tuple[str, str], first: str, after: str) -> None:
    first_hour, after_hour = np.datetime64(first, "h"), np.datetime64(after, "h")
    assert weather.period_bounds(period) == (first_hour, after_hour)
    hour = np.timedelta64(1, "h")
    around = np.array([first_hour - hour, first_hour, after_hour - hour, after_hour])
    np.testing.assert_array_equal(weather.in_period(around, period), [False, True, True, False])


# What can be wrong with raw files. Each entry writes them and gives the settings that differ, and the words that
# the message must hold beside the folder of the raw files.


def nothing(raw: RawFiles) -> None:
    """Not even a folder."""


def cut(share: float, **how: Any) -> Callable[[RawFiles], None]:
    def write(raw: RawFiles) -> None:
        path = raw.write(**how)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return write


def damaged(raw: RawFiles) -> None:
    path = raw.write(encoding={"t2m": {"zlib": True, "chunksizes": (DAY, len(LAT), len(LON))}})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = b"\xab" * 200
    path.write_bytes(content)


def changed(change: Callable[[xr.Dataset], xr.Dataset], variable: str = "t2m", **how: Any) -> Callable[[RawFiles], Any]:
    return lambda raw: raw.write(variable, change=change, **how)


def at(index: int, value: np.datetime64) -> Callable[[xr.Dataset], xr.Dataset]:
    """One frame with another time."""

    def change(dataset: xr.Dataset) -> xr.Dataset:
        times = dataset["time"].values.copy()
        times[index] = value
        return dataset.assign_coords(time=times)

    return change


def spoilt(value: float) -> Callable[[xr.Dataset], xr.Dataset]:
    """One value on January 3rd at five o'clock, and one later, that is not a number."""

    def change(dataset: xr.Dataset) -> xr.Dataset:
        (third,) = np.flatnonzero(dataset["time"] == np.datetime64("2010-01-03"))
        dataset["t2m"][third + 5, 1, 4] = value
        dataset["t2m"][third + 9, 0, 0] = value
        return dataset

    return change


def two_files(first: dict[str, Any], second: dict[str, Any]) -> Callable[[RawFiles], None]:
    def write(raw: RawFiles) -> None:
        raw.write(**{"first": "2010-01-01", "frames": 10 * DAY, "name": "one.nc"} | first)
        raw.write(**{"first": "2010-01-11", "frames": 6 * DAY, "name": "two.nc"} | second)

    return write


def two_variables(**second: Any) -> Callable[[RawFiles], None]:
    def write(raw: RawFiles) -> None:
        raw.write("t2m")
        raw.write("u10", **second)

    return write


def hole(split: str, last: str, following: str) -> tuple[str, str]:
    """Return what is said of a hole between two times."""
    return f"A hole in the {split} period", f"no frame after {last} until {following} (in or next to"


NOON = np.datetime64("2010-01-03T12", "ns")
BOTH = {"variables": ("t2m", "u10")}
CLASSIC = {"format": "NETCDF3_64BIT"}
# How each is written, and the words of its message.
BAD: dict[str, tuple[Callable[[RawFiles], Any] | str, ...]] = {
    "no folder": (nothing, "2m_temperature does not exist"),
    "an empty folder": (
        lambda raw: (raw.root / "2m_temperature").mkdir(parents=True),
        "2m_temperature has no .nc file",
    ),
    "cut near its end": (cut(0.98), "2010-01-01.nc", "truncated"),
    "cut near its start": (cut(0.05), "2010-01-01.nc", "truncated"),
    "classic, cut near its end": (cut(0.95, **CLASSIC), "2010-01-01.nc is truncated"),
    "damaged": (damaged, "2010-01-01.nc", "can't be read"),
    "an unknown variable": (nothing, "'t3m'", "did you mean 't2m'?", "u10"),
    "an absent variable": (
        changed(lambda data: data.rename(t2m="temp")),
        "2010-01-01.nc has no variable 't2m'; it has: temp",
    ),
    "an absent level": (
        lambda raw: raw.write("t", levels=(500, 850)),
        "temperature_2010-01-01.nc: no level [925] of t; it has [500, 850]",
    ),
    "levels in one file only": (
        two_files({"variable": "t", "levels": (500,)}, {"variable": "t"}),
        "one.nc",
        "two.nc",
        "levels",
    ),
    "a time twice": (changed(at(2 * DAY + 13, NOON)), "2010-01-01.nc: the time 2010-01-03T12:00 comes twice (index 61"),
    "times out of order": (
        changed(at(2 * DAY + 20, NOON)),
        "2010-01-01.nc: the time 2010-01-03T12:00 comes out of order (index 68",
    ),
    "a coarser cadence": (
        lambda raw: raw.write(hours=6, frames=64),
        "2010-01-01.nc: wrong cadence, one frame every 6 h; `hours_per_frame: 1`",
    ),
    "a cadence that divides no wanted one": (
        lambda raw: raw.write(hours=4, frames=96),
        "2010-01-01.nc: wrong cadence, one frame every 4 h",
    ),
    "files that overlap": (
        two_files({}, {"first": "2010-01-10", "frames": 7 * DAY}),
        "one.nc (until 2010-01-10T23:00)",
        "two.nc (from 2010-01-10T00:00) overlap in time",
    ),
    "the same file twice": (two_files({}, {"first": "2010-01-01"}), "one.nc", "two.nc", "overlap"),
    "a hole": (changed(drop(4, 5)), *hole("train", "2010-01-03T23:00", "2010-01-06T00:00"), "2010-01-01.nc"),
    "one missing hour": (
        changed(lambda data: data.drop_isel(time=11 * DAY + 5)),
        *hole("validation", "2010-01-12T04:00", "2010-01-12T06:00"),
    ),
    "a late start": (changed(drop(1)), *hole("train", "2009-12-31T23:00", "2010-01-02T00:00")),
    "an early end": (changed(drop(16)), *hole("test", "2010-01-15T23:00", "2010-01-17T00:00")),
    "a hole between files": (
        two_files({"frames": 9 * DAY}, {}),
        *hole("train", "2010-01-09T23:00", "2010-01-11T00:00"),
        "two.nc",
    ),
    "NaN": (
        changed(spoilt(np.nan), first="2009-12-31", frames=17 * DAY),
        "2m_temperature_2009-12-31.nc: t2m has 2 value(s) that are NaN or infinite",
        "2010-01-03T05:00, lat -10, lon 240",
    ),
    "grids that are shifted": (
        two_variables(lon=LON - 180),
        "The grids differ",
        "2m_temperature_2010-01-01.nc has 6 lon",
        "2m_temperature_2010-01-01.nc has 6",
    ),
    "variables of different times": (
        two_variables(change=drop(7)),
        "t2m and u10 have different times, e.g. 2010-01-07T00:00",
    ),
    "a period without a frame": (
        lambda raw: raw.write(frames=13 * DAY),
        "The test period ['2010-01-14', '2010-01-16'] holds no frame",
        "2010-01-01T00:00 to 2010-01-13T23:00",
    ),
    "a period shorter than a window": (
        lambda raw: raw.write(),
        "the validation split",
        "20 + 5 frames over a run of 25, its longest run of frames has 24",
    ),
    "runs shorter than a window": (
        changed(drop(2, 4, 6, 8, 10)),
        "the train split",
        "a run of 25, its longest run of frames has 24",
    ),
}
# The settings that differ.
SETTINGS: dict[str, dict[str, Any]] = {
    "an unknown variable": {"variables": ("t3m",)},
    "an absent level": {"variables": ("t",), "levels": (850, 925)},
    "levels in one file only": {"variables": ("t",), "levels": (500,)},
    "a cadence that divides no wanted one": {"hours_per_frame": 6},
    "grids that are shifted": BOTH,
    "variables of different times": BOTH | {"gaps": "split"},
    "a period without a frame": {"gaps": "split"},
    "a period shorter than a window": {"validation": ("2010-01-11", "2010-01-11"), "frames_in": 20, "frames_out": 5},
    "runs shorter than a window": {"gaps": "split", "frames_in": 20, "frames_out": 5},
}
ABOUT_SETTINGS = {
    "an unknown variable",
    "variables of different times",
    "a period shorter than a window",
    "runs shorter than a window",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_raw_files_are_one_error_and_leave_nothing(name: str, raw: RawFiles, tmp_path: Path) -> None:
    write, *words = BAD[name]
    write(raw)
    with pytest.raises(SvqkitError) as caught:
        prepare(raw.data(**SETTINGS.get(name, {})), tmp_path / "stores" / "x.zarr")
    message = str(caught.value)
    for word in words if name in ABOUT_SETTINGS else [str(raw.root), *words]:
        assert word in message, f"{word!r} is not in: {message}"
    assert set(files_below(tmp_path / "stores")) <= {".prepare/x.zarr/lock", ".prepare/x.zarr/raw.json"}
    assert not list(tmp_path.glob("stores/[!.]*"))


@pytest.mark.parametrize("name", ["no folder", "a hole", "NaN", "damaged", "a period shorter than a window"])
def test_bad_raw_files_leave_an_earlier_store_as_it_was(name: str, raw: RawFiles, tmp_path: Path) -> None:
    good = RawFiles(tmp_path / "good")
    good.write()
    target = tmp_path / "stores" / "x.zarr"
    prepare(good.data(), target)
    before = files_below(target)
    BAD[name][0](raw)
    with pytest.raises(SvqkitError):
        prepare(raw.data(**SETTINGS.get(name, {})), target)
    assert files_below(target) == before


@pytest.mark.parametrize("constant", [0.0, 273.15, 1e5])
def test_a_field_that_never_changes_cannot_be_normalised(constant: float, raw: RawFiles, tmp_path: Path) -> None:
    raw.write("u10")
    raw.write("t2m", change=lambda dataset: dataset * 0 + np.float32(constant))
    store = prepare(raw.data(variables=("u10", "t2m")), tmp_path / "x.zarr")
    with pytest.raises(SvqkitError, match=r"x\.zarr: \['t2m'\] never changes in the train split"):
        Normaliser.of(store)


def paper_windows(raw: RawFiles, split: Split, **settings: Any) -> list[list[int]]:
    windowing = weather.plan(raw.data(**settings)).windows["paper"]
    places = np.array([*windowing.inputs, *windowing.targets])
    return (windowing.starts[split][:, None] + places).tolist()


HOURLY = {"frames_in": 2, "frames_out": 1}
SIX_HOURLY = {
    "hours_per_frame": 6,
    "frames_in": 4,
    "frames_out": 4,
    "paper_offsets": Offsets((-17, -11, -5, 0), (1, 7, 13, 19)),
}


def test_protocol_paper_drops_the_last_raw_step_and_one_more_window(raw: RawFiles) -> None:
    """Hourly: the test period's 72 frames are 312 to 383; 383 is dropped, and of 69 windows the last one."""
    raw.write()
    assert paper_windows(raw, "test", **HOURLY) == [[start, start + 1, start + 2] for start in range(312, 312 + 68)]


def test_protocol_paper_of_thinned_hours_keeps_the_last_frame(raw: RawFiles) -> None:
    """Six-hourly of hourly files: the last raw hour, 23:00, is no frame. 40 frames of training, windows over 37."""
    raw.write()
    windows = paper_windows(raw, "train", **SIX_HOURLY)
    relative = [0, 6, 12, 17, 18, 24, 30, 36]
    assert windows == [[start + place for place in relative] for start in range(3)], "4 fit, one is lost at the end"


def test_protocol_paper_of_six_hourly_files_drops_a_frame(raw: RawFiles) -> None:
    raw.write(frames=64, hours=6)
    assert [window[0] for window in paper_windows(raw, "train", **SIX_HOURLY)] == [0, 1]
    assert paper_windows(raw, "test", **SIX_HOURLY) == [], "12 frames are too few for a run of 37"


def test_clean_windows_of_six_hourly_frames_follow_each_other(raw: RawFiles) -> None:
    raw.write()
    clean = weather.plan(raw.data(**SIX_HOURLY)).windows["clean"]
    assert (clean.inputs, clean.targets) == ((0, 1, 2, 3), (4, 5, 6, 7))
    assert clean.starts["validation"].tolist() == [40, 41, 42, 43, 44]


def test_files_outside_the_periods_may_be_of_another_kind(raw: RawFiles) -> None:
    """Six-hourly files of another grid and of other years in the same folder."""
    raw.write()
    raw.write(first="1980-01-01", frames=8, hours=6, lat=np.linspace(-80, 80, 9))
    _, values = read(weather.plan(raw.data()))
    np.testing.assert_array_equal(values[:, 0], raw.written["t2m"][0]["t2m"])


@pytest.mark.parametrize("together", [True, False])
def test_any_variable_in_era5s_own_names(together: bool, raw: RawFiles) -> None:
    raw.write("t", levels=(500, 850))
    (path,) = raw.root.rglob("*.nc")
    with xr.open_dataset(path) as file:
        renamed = file.load().rename(
            t="cape", lat="latitude", lon="longitude", time="valid_time", level="pressure_level"
        )
    folder = raw.root / "own" if together else raw.root / "own" / "cape"
    folder.mkdir(parents=True)
    renamed.to_netcdf(folder / "anything.nc")
    record = weather.plan(raw.data(root=str(raw.root / "own"), variables=("cape",), levels=(850,)))
    assert record.channels == ("cape_850",)
    np.testing.assert_array_equal(read(record)[1][:, 0], raw.values("t").sel(level=850))


def test_groups_are_variables_when_each_has_as_many_levels(raw: RawFiles) -> None:
    for name in ("t", "u", "t2m"):
        raw.write(name, levels=(500, 850) if name != "t2m" else ())
    assert weather.plan(raw.data(variables=("t", "u"), levels=(500, 850))).groups == ("t", "t", "u", "u")
    mixed = weather.plan(raw.data(variables=("t", "t2m"), levels=(500, 850)))
    assert mixed.groups == mixed.channels == ("t_500", "t_850", "t2m")
