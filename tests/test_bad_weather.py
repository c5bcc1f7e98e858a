"""Bad and odd weather inputs: each is one clear error that leaves nothing, or the same values as a plain file.

Prepare, forecasts after files and forecasts after xarray objects take the same and refuse the same.
"""

import bz2
import gzip
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr
from rawfiles import files_below

from svqkit.data.domain import Domain
from svqkit.data.prepare import prepare
from svqkit.data.sources.units import convert, converts, stand_in
from svqkit.errors import SvqkitError
from svqkit.forecasting.files import from_files
from svqkit.forecasting.inputs import ModelInput
from svqkit.forecasting.labelled import from_labelled
from svqkit.settings.data import WeatherData

FRAMES, LAT, LON = 72, [-30.0, 0.0, 30.0], [0.0, 90.0, 180.0, 270.0]
AXES = {"time": np.datetime64("2010-01-01", "ns") + np.arange(FRAMES) * np.timedelta64(1, "h"), "lat": LAT, "lon": LON}
VALUES = np.random.default_rng(0).normal(280, 5, (FRAMES, 3, 4)).astype(np.float32)
GRID = ("time", "lat", "lon")


def plain(**attrs: Any) -> xr.Dataset:
    """Three hourly days of t2m."""
    data = xr.Dataset({"t2m": (GRID, VALUES, {"units": "K"} | attrs)}, AXES, {"title": "made up for a test"})
    return data.copy(deep=True)


def settings(root: Path | str, **changes: Any) -> WeatherData:
    periods = {"train": ("2010-01-01",) * 2, "validation": ("2010-01-02",) * 2, "test": ("2010-01-03",) * 2}
    return WeatherData(
        **{"root": str(root), "variables": ("t2m",), "frames_in": 2, "frames_out": 1} | periods | changes
    )


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Domain:
    """What a model would have been trained on."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "raw").mkdir()
    plain().to_netcdf(folder / "raw" / "x.nc")
    return Domain.of(prepare(settings(folder / "raw"), folder / "store.zarr"), "clean")


def forecast_input(x: Any, domain: Domain, **changes: Any) -> ModelInput:
    """What a forecast would begin with; that its result has a form is tried too."""
    data = settings("nowhere", **changes)
    read = from_labelled if isinstance(x, xr.Dataset | xr.DataArray) else from_files
    made = read(x, data, domain, (1, 2))
    made.restore(np.zeros((1, 2, *domain.frame_shape), np.float32))
    return made


def refused(call: Callable[[], Any], *words: str) -> None:
    with pytest.raises(SvqkitError) as caught:
        call()
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


# Datasets that are wrong ---------------------------------------------------------------------------------------------


def value(number: float, frames: slice = slice(-1, None)) -> xr.Dataset:
    """One place of the last frame has this value."""
    changed = plain()
    changed["t2m"].values[frames, 1, 2] = number
    return changed


def axis(name: str, values: Any, **attrs: Any) -> xr.Dataset:
    return plain().assign_coords({name: (name, values, attrs)})


def at(index: int, number: float, name: str = "lat") -> xr.Dataset:
    values = np.array(plain()[name].values, float)
    values[index] = number
    return axis(name, values)


def dated(units: str, calendar: str = "standard", values: Any = None) -> xr.Dataset:
    """Times as they are written, undecoded."""
    return axis("time", np.arange(FRAMES) if values is None else values, units=units, calendar=calendar)


def moved(index: int, to: int) -> xr.Dataset:
    times = AXES["time"].copy()
    times[index] = times[to]
    return axis("time", times)


def energy() -> xr.Dataset:
    """Radiation, far wider than the one negative number lies off."""
    values = np.abs(VALUES - 280) * np.float32(1e6)
    values[:, 1, 2] = -9999
    return plain().assign(t2m=(GRID, values))


def ahead(name: str, hours: int) -> xr.Dataset:
    """Forecasts under the times of their issue."""
    return plain().expand_dims({name: [np.timedelta64(3600 * 10**9 * hours, "ns")]}, axis=1)


def outside() -> xr.Dataset:
    """CF takes what lies outside of the range that an attribute gives for missing."""
    data = value(9000.0)
    data["t2m"].attrs |= {"valid_min": 200.0, "valid_max": 350.0}
    return data


NOTHING = "NaN or infinite"
STANDS = "stand for missing ones"
BAD_DATASETS: dict[str, tuple[Callable[[], xr.Dataset], tuple[str, ...]]] = {
    "NaN": (lambda: value(np.nan), ("t2m has 1 value", NOTHING, "2010-01-03T23:00, lat 0, lon 180")),
    "infinity": (lambda: value(np.inf), (NOTHING,)),
    "minus infinity": (lambda: value(-np.inf), (NOTHING,)),
    "netCDF's fill value": (lambda: value(9.969209968386869e36), ("never written",)),
    "CMIP's fill value": (lambda: value(1e20), ("never written",)),
    "MERRA-2's fill value": (lambda: value(1e15), ("never written",)),
    "a large negative one": (lambda: value(-1e34), ("never written",)),
    "-9999": (lambda: value(-9999), ("-9999", STANDS)),
    "-999.9": (lambda: value(-999.9), ("-999.9", STANDS)),
    "-999": (lambda: value(-999), ("-999", STANDS)),
    "-32768": (lambda: value(-32768), ("-32768", STANDS)),
    "-32767": (lambda: value(-32767), ("-32767", STANDS)),
    "9999": (lambda: value(9999), ("9999", STANDS)),
    "9999.9": (lambda: value(9999.9), ("9999.9", STANDS)),
    "-999999": (lambda: value(-999999), ("-999999", STANDS)),
    "65535": (lambda: value(65535), ("65535", STANDS)),
    "-9999 as the only negative one": (energy, ("-9999", STANDS)),
    "nothing but -9999": (lambda: plain() * 0 - 9999, ("-9999", STANDS)),
    "dates as values": (
        lambda: plain().assign(t2m=(plain()["time"] + 0 * plain()["t2m"].astype(int)).drop_attrs()),
        ("no numbers",),
    ),
    "truth as values": (lambda: plain().assign(t2m=plain()["t2m"] > 280), ("no numbers but bool",)),
    "months since": (lambda: dated("months since 2010-01-01"), ("'months since 2010-01-01' can't be decoded",)),
    "an unknown unit of time": (lambda: dated("fortnights since 2010-01-01"), ("can't be decoded",)),
    "since nothing": (lambda: dated("hours since the flood"), ("can't be decoded",)),
    "a calendar without leap days": (lambda: dated("hours since 2010-01-01", "noleap"), ("'noleap'", "convert_cal")),
    "a calendar of 360 days": (lambda: dated("hours since 2010-01-01", "360_day"), ("'360_day'", "convert_calendar")),
    "an unknown calendar": (lambda: dated("hours since 2010-01-01", "maya"), ("can't be decoded", "'maya'")),
    "a date that nobody wrote": (
        lambda: dated(
            "hours since 2010-01-01", values=np.where(np.arange(FRAMES) == 71, 9.96921e36, np.arange(FRAMES))
        ),
        ("can't be decoded, from 0 to 9.96921e+36", "'standard'"),
    ),
    "times without units": (lambda: axis("time", np.arange(FRAMES)), ("the time axis is int64, expected dates",)),
    "times with a plain unit": (lambda: axis("time", np.arange(FRAMES), units="h"), ("expected dates", "'h'")),
    "times in text": (lambda: axis("time", [f"day {n}" for n in range(FRAMES)]), ("expected dates",)),
    "a missing date": (
        lambda: axis("time", np.where(np.arange(FRAMES) == 5, np.datetime64("NaT"), AXES["time"])),
        ("missing date",),
    ),
    "years before the calendar": (lambda: dated("hours since 1200-01-01"), ("outside of 1700 to 2261",)),
    "no frame": (lambda: plain().isel(time=[]), ("no frame",)),
    "a time twice": (lambda: moved(70, 69), ("time",)),
    "times out of order": (lambda: moved(70, 20), ("time",)),
    "a latitude that is NaN": (lambda: at(1, np.nan), ("lat must be 3 different degrees", "nan")),
    "a latitude that is infinite": (lambda: at(1, np.inf), ("lat must be", "inf")),
    "latitudes in text": (lambda: axis("lat", ["south", "middle", "north"]), ("lat is", "expected numbers")),
    "the same latitude": (lambda: axis("lat", [10.0, 10.0, 10.0]), ("lat must be 3 different", "10, 10, 10")),
    "a latitude beyond the pole": (lambda: at(2, 95.0), ("lat must be", "between -90 and 90", "95")),
    "latitudes in hundredths": (lambda: axis("lat", [-3000, 0, 3000]), ("lat must be", "3000")),
    "a longitude that is NaN": (lambda: at(1, np.nan, "lon"), ("lon must be 4 different degrees", "nan")),
    "longitudes in text": (lambda: axis("lon", ["a", "b", "c", "d"]), ("lon is", "expected numbers")),
    "a longitude twice": (lambda: at(1, 0.0, "lon"), ("lon must be", "0, 0")),
    "longitudes in metres": (lambda: axis("lon", [0, 1e5, 2e5, 3e5]), ("lon must be", "100000")),
    "longitudes in km": (lambda: axis("lon", [0.0, 100.0, 200.0, 300.0], units="km"), ("lon is", "in km")),
    "latitudes in radians": (lambda: axis("lat", np.radians(LAT), units="radians"), ("lat is", "in radians")),
    "longitudes to the west": (lambda: axis("lon", LON[::-1], units="degrees_west"), ("lon is", "in degrees_west")),
    "latitudes in gon": (lambda: axis("lat", LAT, units="gon"), ("lat is", "in gon")),
    "longitudes with both ends": (lambda: axis("lon", [0.0, 120.0, 240.0, 360.0]), ("0 and 360, are the same place",)),
    "longitudes in no order": (lambda: axis("lon", [0.0, 270.0, 90.0, 180.0]), ("lon must be", "rise or fall")),
    "latitudes in no order": (lambda: axis("lat", [0.0, 30.0, -30.0]), ("lat must be", "rise or fall")),
    "no latitudes": (lambda: plain().drop_vars("lat"), ("lat has no coordinate",)),
    "no longitudes": (lambda: plain().drop_vars("lon"), ("lon has no coordinate",)),
    "no times": (lambda: plain().drop_vars("time"), ("time has no coordinate",)),
    "no latitude at all": (lambda: plain().isel(lat=0, drop=True), ("t2m has dimensions ('time', 'lon')",)),
    "no time at all": (lambda: plain().isel(time=0, drop=True), ("t2m has dimensions ('lat', 'lon')",)),
    "a number alone": (lambda: xr.Dataset({"t2m": 280.0}), ("t2m has dimensions ()",)),
    "places without names": (lambda: plain().rename(lat="y", lon="x"), ("t2m has dimensions ('time', 'y', 'x')",)),
    "two members": (lambda: plain().expand_dims(member=2), ("'member'", "isel(member=0)")),
    "two axes of levels": (
        lambda: plain().expand_dims({"level": [500, 850], "plev": [500, 850]}),
        ("t2m has dimensions ('level', 'plev'",),
    ),
    "heights": (lambda: plain().expand_dims(height=[2.0, 10.0]), ("t2m has dimensions ('height'",)),
    "levels that nobody named": (lambda: plain().expand_dims(level=[500, 850]), ("t2m has levels [500, 850]",)),
    "a level twice": (lambda: plain().expand_dims(level=[850, 850]), ("levels must be numbers, each once",)),
    "a value out of its own range": (lambda: outside(), ("outside the valid range 200 to 350",)),
    "levels in text": (lambda: plain().expand_dims(level=["low", "high"]), ("levels must be numbers",)),
    "a level that is NaN": (lambda: plain().expand_dims(level=[np.nan, 500]), ("levels must be numbers", "nan")),
    "6 hours ahead of its times": (lambda: ahead("prediction_timedelta", 6), ("forecast step", "valid_time")),
    "a step of 6 hours": (
        lambda: plain().assign_coords(step=np.timedelta64(6 * 3600 * 10**9, "ns")),
        ("forecast step", "valid_time"),
    ),
    "another variable": (lambda: plain().rename(t2m="sst"), ("no variable 't2m'; it has: sst",)),
    "a variable with a name near it": (lambda: plain().rename(t2m="t2n"), ("no variable 't2m'", "mean 't2n'?")),
    "no variable": (lambda: plain().drop_vars("t2m"), ("no variable 't2m'; it has: none",)),
}


@pytest.mark.parametrize("name", BAD_DATASETS)
@pytest.mark.parametrize("door", ["prepare", "file", "object"])
def test_a_bad_dataset_is_one_error_at_every_door(door: str, name: str, domain: Domain, tmp_path: Path) -> None:
    make, words = BAD_DATASETS[name]
    if door == "object":
        refused(lambda: forecast_input(make(), domain), *(() if "time" in words else words))
        return
    path = tmp_path / "2m_temperature" / "x.nc"
    path.parent.mkdir()
    make().to_netcdf(path)
    before = files_below(path.parent)
    if door == "file":
        refused(lambda: forecast_input(path, domain), *(() if "time" in words else (str(path), *words)))
    else:
        refused(lambda: prepare(settings(tmp_path), tmp_path / "stores" / "x.zarr"), str(path), *words)
        assert not list(tmp_path.glob("stores/[!.]*"))
    assert files_below(path.parent) == before


# Files that are wrong ------------------------------------------------------------------------------------------------


def written(path: Path, **how: Any) -> bytes:
    plain().to_netcdf(path, **how)
    return path.read_bytes()


def zipped(path: Path) -> None:
    content = written(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.nc", content)


def doubled(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("lat", 3)
        file.createVariable("lat", "f4", ("lat",))[:] = LAT
        file.createVariable("t2m", "f4", ("lat", "lat"))[:] = 1.0


def texts(path: Path) -> None:
    xr.Dataset({"t2m": (GRID, VALUES.astype("U5"))}, AXES).to_netcdf(path)


def unwritten(path: Path) -> None:
    """The last record holds netCDF's fill value, since nobody wrote it, and the file says that none is one."""
    plain().to_netcdf(path, encoding={"t2m": {"_FillValue": None}}, unlimited_dims=["time"])
    with netCDF4.Dataset(path, "a") as file:
        file["t2m"].set_auto_mask(False)
        file["t2m"][-1] = netCDF4.default_fillvals["f4"]


def packed(number: int, attrs: dict[str, Any] | None = None, **encoding: Any) -> Callable[[Path], None]:
    """One place has this number of 16 bits, in which the values are packed."""

    def write(path: Path) -> None:
        how = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, **encoding}
        plain(**attrs or {}).to_netcdf(path, encoding={"t2m": how})
        with netCDF4.Dataset(path, "a") as file:
            file.set_auto_maskandscale(False)
            file["t2m"][-1, 0, 0] = number

    return write


def declares(missing: float | str) -> Callable[[Path], None]:
    """What stands for a missing value is told in another type than that of the values, which have it once."""

    def write(path: Path) -> None:
        value(float(missing)).to_netcdf(path, encoding={"t2m": {"_FillValue": None}})
        with netCDF4.Dataset(path, "a") as file:
            file["t2m"].setncattr("missing_value", missing)

    return write


def in_tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("data.nc"))


def as_link(path: Path) -> None:
    path.symlink_to(path.parent / "gone.nc")


BAD_FILES: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    "a ZIP archive": (zipped, ("is a ZIP archive", "Unpack it")),
    "an error page": (
        lambda path: path.write_text("<html>503</html>"),
        ("(16 bytes) can't be read as NetCDF", "is a web page"),
    ),
    "an empty file": (lambda path: path.write_bytes(b""), ("(0 bytes) can't be read",)),
    "gzip": (lambda path: path.write_bytes(gzip.compress(written(path))), ("NetCDF", "is a gzip archive. Unpack it")),
    "bzip2": (lambda path: path.write_bytes(bz2.compress(written(path))), ("is a bzip2 archive",)),
    "tar": (in_tar, ("is a tar archive",)),
    "a pointer of Git LFS": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
        ("is a pointer of Git LFS",),
    ),
    "a link to itself": (lambda path: path.symlink_to(path), ("x.nc",)),
    "half a file": (lambda path: path.write_bytes(written(path)[:5000]), ("truncated",)),
    "half a classic file": (
        lambda path: path.write_bytes(written(path, format="NETCDF3_CLASSIC")[:2000]),
        ("is truncated",),
    ),
    "the start of GRIB": (lambda path: path.write_bytes(b"GRIB" + bytes(100)), ("GRIB",)),
    "a folder": (lambda path: path.mkdir(), ("it is a folder",)),
    "a named pipe": (lambda path: os.mkfifo(path), ("named pipe",)),
    "a link to nothing": (as_link, ("x.nc",)),
    "a dimension twice": (doubled, ("('lat', 'lat')", "twice")),
    "text values": (texts, ("no numbers",)),
    "a record that nobody wrote": (unwritten, ("never written",)),
    "packed values without a _FillValue": (packed(-32768), ("-47.68", STANDS)),
    "a lower packed number than the _FillValue": (packed(-32768, _FillValue=-32767), ("-47.68", STANDS)),
    "the lowest packed number of 32 bits": (packed(-(2**31), dtype="i4"), ("e+07", STANDS)),
    "a packed -9999": (packed(-9999), ("180.01", STANDS)),
    "a missing value of double precision": (declares(-123.4), ("-123.4, which the file says",)),
    "a missing value in text": (declares("-5"), ("-5, which the file says",)),
    "a packed number out of its range": (
        packed(9000, {"valid_range": np.int16([-5000, 5000])}, _FillValue=-32767),
        ("outside the valid range 230 to 330",),
    ),
    "a packed number above its maximum": (
        packed(9000, {"valid_max": np.int16(5000)}, _FillValue=-32767),
        ("outside the valid range -inf to 330",),
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("door", ["prepare", "file"])
def test_a_bad_file_is_one_error_at_both_doors(door: str, name: str, domain: Domain, tmp_path: Path) -> None:
    write, words = BAD_FILES[name]
    folder = tmp_path / "2m_temperature"
    folder.mkdir()
    write(folder / "x.nc")
    if door == "file":
        refused(lambda: forecast_input(folder / "x.nc", domain), str(folder / "x.nc"), *words)
    else:
        refused(lambda: prepare(settings(tmp_path), tmp_path / "stores" / "x.zarr"), str(folder / "x.nc"), *words)
        assert not list(tmp_path.glob("stores/[!.]*"))


def halves(second: Callable[[xr.Dataset], xr.Dataset]) -> Callable[[Path], None]:
    """Two files, of which the later one is changed."""

    def write(folder: Path) -> None:
        plain().isel(time=slice(None, 70)).to_netcdf(folder / "one.nc")
        second(plain().isel(time=slice(70, None))).to_netcdf(folder / "two.nc")

    return write


def three_units(folder: Path) -> None:
    for number, unit in enumerate(("", "K", "Pa")):
        days = plain(units=unit).isel(time=slice(24 * number, 24 * number + 24))
        days.to_netcdf(folder / f"{number}.nc")


def levels_apart(folder: Path) -> None:
    """Each half is of another level, of which its coordinate tells, in Pa the later one."""
    for name, rows, level, unit in (("one", slice(70), 500, "hPa"), ("two", slice(70, None), 85000, "Pa")):
        axis = xr.DataArray(level, attrs={"units": unit})
        plain().isel(time=rows).assign_coords(level=axis).to_netcdf(folder / f"{name}.nc")


def in_units(name: str) -> Callable[[xr.Dataset], xr.Dataset]:
    return lambda data: data.assign(t2m=data["t2m"].assign_attrs(units=name))


BAD_PAIRS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "units of another kind": (halves(in_units("Pa")), ("'K' in", "one.nc", "'Pa' in", "two.nc")),
    "a unit that nobody knows": (halves(in_units("warmth")), ("one.nc", "'warmth' in", "two.nc")),
    "a unit that is a bomb": (halves(in_units("10**9**9**9")), ("one.nc", "two.nc")),
    "a unit that is code": (halves(in_units("__import__('os').getcwd()")), ("one.nc", "two.nc")),
    "a unit that only two of three files have": (three_units, ("'K' in", "'Pa' in")),
    "another level": (levels_apart, ("of level 500 in", "one.nc", "of 850 in", "two.nc")),
    "another grid": (halves(lambda data: data.isel(lat=slice(2))), ("The grids differ", "one.nc", "two.nc")),
    "a shifted grid": (halves(lambda data: data.assign_coords(lon=data["lon"] - 180)), ("The grids differ", "two.nc")),
    "a turned grid": (halves(lambda data: data.isel(lat=slice(None, None, -1))), ("The grids differ", "two.nc")),
    "the same times": (
        halves(lambda data: data.assign_coords(time=AXES["time"][68:70])),
        ("overlap in time", "two.nc"),
    ),
    "another variable": (halves(lambda data: data.rename(t2m="sst")), ()),
}


@pytest.mark.parametrize("name", BAD_PAIRS)
@pytest.mark.parametrize("door", ["prepare", "file"])
def test_files_that_do_not_fit_together_are_both_named(door: str, name: str, domain: Domain, tmp_path: Path) -> None:
    write, words = BAD_PAIRS[name]
    folder = tmp_path / "2m_temperature"
    folder.mkdir()
    write(folder)
    if door == "prepare":
        refused(lambda: prepare(settings(tmp_path), tmp_path / "stores" / "x.zarr"), *words)
    elif words:
        refused(lambda: forecast_input(str(folder / "*.nc"), domain), *words)
    else:
        forecast_input(str(folder / "*.nc"), domain)  # of the files that are named those with the variable are meant


def broken_store(change: Callable[[Path], Any], form: int = 3) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        plain().to_zarr(path, zarr_format=form, consolidated=False, encoding={"t2m": {"chunks": (24, 3, 4)}})
        change(path)

    return write


def changed_metadata(name: str, change: Callable[[dict], Any]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        tree = json.loads((path / name / "zarr.json").read_text())
        change(tree)
        (path / name / "zarr.json").write_text(json.dumps(tree))

    return write


def long_axis(tree: dict) -> None:
    """Times that would take 8 TB."""
    tree["shape"] = [10**12]


def wide_chunk(tree: dict) -> None:
    tree["chunk_grid"]["configuration"]["chunk_shape"] = [10**9, 30, 40]


def led_away(path: Path) -> None:
    (path / "t2m/c/0").rename(path.parent / "elsewhere")
    (path / "t2m/c/0").symlink_to(path.parent / "elsewhere")


def pickled(path: Path) -> None:
    """Zarr 2 with a codec that runs what it reads."""
    plain().to_zarr(path, zarr_format=2, consolidated=False)
    tree = json.loads((path / "time/.zarray").read_text())
    (path / "time/.zarray").write_text(json.dumps(tree | {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 5}]}))


def packed_store(path: Path) -> None:
    """Zarr 2, packed, with 0 for what is missing: not the 0 that stands there where nobody chose one."""
    data = plain()
    data["t2m"][-2:, 1, 1] = np.nan
    form = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": 0}
    data.to_zarr(path, zarr_format=2, encoding={"t2m": form})


BAD_STORES: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    "a missing chunk, NaN by the format": (
        broken_store(lambda path: (path / "t2m/c/2/0/0").unlink()),
        ("t2m lacks 1 of its 3 chunks",),
    ),
    "a missing chunk of longitudes": (
        broken_store(lambda path: (path / "lon/c/0").unlink()),
        ("lon lacks 1 of its 1",),
    ),
    "the same in Zarr 2": (broken_store(lambda path: (path / "t2m/2.0.0").unlink(), 2), ("lacks 1 of its 3",)),
    "packed, with a fill value of 0": (packed_store, ("that are NaN",)),
    "half a chunk": (
        broken_store(lambda path: (path / "t2m/c/2/0/0").write_bytes((path / "t2m/c/2/0/0").read_bytes()[:99])),
        ("can't be read",),
    ),
    "no metadata": (broken_store(lambda path: (path / "t2m/zarr.json").write_text("{")), ("x.zarr",)),
    "no metadata of the group": (broken_store(lambda path: (path / "zarr.json").write_text("[]")), ("as Zarr",)),
    "no names of dimensions": (
        broken_store(changed_metadata("t2m", lambda tree: tree.pop("dimension_names"))),
        ("x.zarr",),
    ),
    "an axis that is too long": (broken_store(changed_metadata("time", long_axis)), ("time: the header promises",)),
    "a chunk that is too large": (broken_store(changed_metadata("t2m", wide_chunk)), ("t2m: the header promises",)),
    "a link to elsewhere": (broken_store(led_away), ("leads out of the folder",)),
    "pickled objects": (pickled, ("x.zarr",)),
    "an array": (lambda path: zarr.save_array(path, VALUES), ("can't be read as Zarr",)),
    "another variable": (lambda path: plain().rename(t2m="sst").to_zarr(path), ("no variable 't2m'; it has: sst",)),
    "an empty folder": (lambda path: path.mkdir(), ()),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", BAD_STORES)
@pytest.mark.parametrize("door", ["prepare", "file"])
def test_a_bad_store_is_one_error_at_both_doors(door: str, name: str, domain: Domain, tmp_path: Path) -> None:
    write, words = BAD_STORES[name]
    path = tmp_path / "x.zarr"
    write(path)
    before = files_below(path)
    if door == "file":
        refused(lambda: forecast_input(path, domain), str(path), *words)
    else:
        refused(lambda: prepare(settings(path), tmp_path / "stores" / "x.zarr"), str(path), *words)
    assert files_below(path) == before


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ("nowhere/x.nc", ("There is no file nowhere/x.nc", "{cwd}")),
        ("nowhere/*.nc", ("There is no file nowhere/*.nc", "{cwd}")),
        (2020, ("There is no file 2020", "{cwd}")),
        ([], ("got list",)),
        (["a.nc", 3], ("got list",)),
        (True, ("got bool",)),
        ("memory://nowhere.zarr", ("memory://nowhere.zarr can't be read as Zarr",)),
        ("nosuch://host/x.zarr", ("nosuch://host/x.zarr can't be read as Zarr",)),
    ],
)
def test_what_is_not_there_is_named_with_the_folder(
    x: Any, words: tuple[str, ...], domain: Domain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from svqkit.forecasting.files import is_files

    monkeypatch.chdir(tmp_path)
    if "got" in words[0]:
        assert not is_files(x)
        return
    assert is_files(x)
    refused(lambda: forecast_input(x, domain), *(word.format(cwd=tmp_path) for word in words))


@pytest.mark.parametrize("below", ["", "2m_temperature"])
def test_a_link_out_of_the_folder_is_refused_at_both_doors(below: str, domain: Domain, tmp_path: Path) -> None:
    folder = tmp_path / "raw" / below
    folder.mkdir(parents=True)
    plain().to_netcdf(tmp_path / "x.nc")
    (folder / "a.nc").symlink_to(tmp_path / "x.nc")
    refused(lambda: prepare(settings(tmp_path / "raw"), tmp_path / "stores" / "x.zarr"), "a.nc leads out")
    refused(lambda: forecast_input(folder, domain), "a.nc leads out")


def test_a_root_that_is_not_there_is_named_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused(lambda: prepare(settings("mydata"), "x.zarr"), f"{tmp_path}/mydata/2m_temperature does not exist")
    (tmp_path / "mydata/2m_temperature").mkdir(parents=True)
    plain().to_netcdf(tmp_path / "mydata/2m_temperature/._x.nc")
    refused(lambda: prepare(settings("mydata"), "x.zarr"), "has no .nc file")


def test_a_file_without_permission_is_not_called_truncated(
    domain: Domain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain().to_netcdf(tmp_path / "x.nc")

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # who runs tests as root may read everything
    refused(lambda: forecast_input(tmp_path / "x.nc", domain), "x.nc can't be read: Permission denied")


# Odd ones that are fine ----------------------------------------------------------------------------------------------


def released(data: xr.Dataset) -> xr.Dataset:
    """ERA5 and its preliminary release, of which each frame has one."""
    first = data["time"] < np.datetime64("2010-01-03")
    both = xr.concat([data.where(first), data.where(~first)], dim="expver").assign_coords(expver=[1, 5])
    return both.transpose("time", "expver", "lat", "lon")


def of_steps(data: xr.Dataset) -> xr.Dataset:
    """Forecasts of 6 hours from every sixth hour on, as cfgrib opens them."""
    values = VALUES.reshape(12, 6, 3, 4)
    starts, steps = AXES["time"][::6], np.arange(6).astype("timedelta64[h]").astype("timedelta64[ns]")
    coords = {
        "time": starts,
        "step": steps,
        "latitude": LAT,
        "longitude": LON,
        "valid_time": (("time", "step"), starts[:, None] + steps),
    }
    return xr.Dataset({"t2m": (("time", "step", "latitude", "longitude"), values, {"units": "K"})}, coords)


def one_start(data: xr.Dataset) -> xr.Dataset:
    """One forecast of 72 hours."""
    steps = np.arange(FRAMES) * np.timedelta64(1, "h")
    return data.rename(time="step").assign_coords(
        step=steps.astype("timedelta64[ns]"), time=AXES["time"][0], valid_time=("step", AXES["time"])
    )


def renamed(data: xr.Dataset) -> xr.Dataset:
    """Names that nobody uses, with what CF tells of them."""
    told = {"j": {"units": "degrees_north"}, "i": {"standard_name": "longitude"}, "moment": {"axis": "T"}}
    data = data.rename(lat="j", lon="i", time="moment")
    return data.assign_coords({name: data[name].assign_attrs(attrs) for name, attrs in told.items()})


def degrees_as(lat: str, lon: str) -> Callable[[xr.Dataset], xr.Dataset]:
    return lambda data: data.assign_coords(lat=("lat", LAT, {"units": lat}), lon=("lon", LON, {"units": lon}))


def rounded(data: xr.Dataset) -> xr.Dataset:
    """Days since the first, as GrADS gives them: 27 µs off the hour."""
    off = np.where(np.arange(FRAMES) % 2, 27_000, -27_000).astype("timedelta64[ns]")
    return data.assign_coords(time=data["time"] + off)


ODD_DATASETS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "plain": lambda data: data,
    "a scalar expver": lambda data: data.assign_coords(expver=1),
    "expver by frame": lambda data: data.assign_coords(expver=("time", ["0001"] * FRAMES)),
    "number, step and surface": lambda data: data.assign_coords(number=0, step=np.timedelta64(0, "ns"), surface=0.0),
    "a scalar level": lambda data: data.assign_coords(level=850),
    "a scalar level that is no number": lambda data: data.assign_coords(level="surface"),
    "one member": lambda data: data.expand_dims(member=1),
    "one height": lambda data: data.expand_dims(height=[2.0], axis=1),
    "expver 1 and 5": released,
    "expver 5 and 1, both whole": lambda data: xr.concat([data + 1, data], "expver").assign_coords(expver=[5, 1]),
    "dates of another library": lambda data: data.convert_calendar("standard", use_cftime=True),
    "names of ERA5": lambda data: data.rename(time="valid_time", lat="latitude", lon="longitude"),
    "names that CF tells": renamed,
    "lat as a variable beside latitude": lambda data: data.rename(lat="latitude").assign(lat=("latitude", LAT)),
    "lon as a coordinate in two dimensions": lambda data: data.rename(lon="longitude").assign_coords(
        lon=(("lat", "longitude"), np.zeros((3, 4)))
    ),
    "two level coordinates that it does not have": lambda data: data.assign_coords(level=[500, 850], plev=[1.0, 2.0]),
    "other dimensions first": lambda data: data.transpose("lon", "lat", "time"),
    "steps of one forecast": one_start,
    "times and steps": of_steps,
    "forecasts of no hour ahead": lambda data: ahead("prediction_timedelta", 0),
    "degrees_N and degree_east": degrees_as("degrees_N", "degree_east"),
    "degrees north and °E": degrees_as("degrees north", "°E"),
    "degrees without a direction": degrees_as("degrees", "°"),
    "decimal degrees and º": degrees_as("decimal_degrees", "º"),
    "times that a forecast is valid at, beside those of its issue": lambda data: data.assign_coords(
        forecast_period=np.timedelta64(6 * 3600 * 10**9, "ns"),
        forecast_reference_time=("time", AXES["time"] - np.timedelta64(6, "h")),
    ),
    "a valid_min of two values": lambda data: plain(valid_min=[200.0, 1.0]),
    "27 µs off the hour": rounded,
    "half a second off": lambda data: data.assign_coords(time=data["time"] - np.timedelta64(500, "ms")),
    "names in capitals": lambda data: data.rename(time="TIME", lat="LAT", lon="Longitude"),
    "a range in text": lambda data: data.assign(t2m=data["t2m"].assign_attrs(units="K", valid_range="0, 1")),
    "double precision": lambda data: data.astype(np.float64),
    "other variables": lambda data: data.assign(sst=data["t2m"] * np.nan, text=("time", ["x"] * FRAMES)),
    "a unit in other words": lambda data: data.assign(t2m=data["t2m"].assign_attrs(units="Kelvin")),
    "no unit": lambda data: data.assign(t2m=data["t2m"].drop_attrs()),
    "a number as unit": lambda data: data.assign(t2m=data["t2m"].assign_attrs(units="K", scale=1, valid_min=-9999.0)),
    "a title that is a number": lambda data: data.assign_attrs(title=5),
}


@pytest.mark.parametrize("name", ODD_DATASETS)
@pytest.mark.parametrize("door", ["prepare", "file", "object"])
def test_an_odd_dataset_gives_the_values_of_a_plain_one(door: str, name: str, domain: Domain, tmp_path: Path) -> None:
    data = ODD_DATASETS[name](plain())
    if door == "object":
        np.testing.assert_array_equal(forecast_input(data, domain).frames[0, :, 0], VALUES[-2:])
        return
    data.to_netcdf(tmp_path / "x.nc")
    if door == "file":
        np.testing.assert_array_equal(forecast_input(tmp_path / "x.nc", domain).frames[0, :, 0], VALUES[-2:])
    else:
        store = prepare(settings(tmp_path), tmp_path / "stores" / "x.zarr")
        np.testing.assert_array_equal(store.frames[:, 0], VALUES)
        np.testing.assert_array_equal(store.times, AXES["time"])


def per_frame(folder: Path) -> None:
    """A file of each moment, which has no axis of time."""
    for frame in range(FRAMES):
        plain().isel(time=frame).to_netcdf(folder / f"{frame:02}.nc")


def with_gap(folder: Path) -> None:
    """A chunk of a constant, which the format lets a writer leave out."""
    filled = plain().assign(t2m=plain()["t2m"].where(plain()["lon"] > 0, 250.0))
    chunks = {"chunks": (FRAMES, 3, 1), "_FillValue": None}
    filled.to_zarr(folder / "x.zarr", consolidated=False, encoding={"t2m": chunks})
    group = json.loads((folder / "x.zarr/t2m/zarr.json").read_text()) | {"fill_value": 250.0}
    (folder / "x.zarr/t2m/zarr.json").write_text(json.dumps(group))
    (folder / "x.zarr/t2m/c/0/0/0").unlink()


def without_a_latitude(folder: Path) -> None:
    """The chunk of the equator is left out, and chunks that are left out are 0."""
    plain().to_zarr(folder / "x.zarr", consolidated=False, encoding={"lat": {"chunks": (1,), "_FillValue": None}})
    tree = json.loads((folder / "x.zarr/lat/zarr.json").read_text()) | {"fill_value": 0.0}
    (folder / "x.zarr/lat/zarr.json").write_text(json.dumps(tree))
    (folder / "x.zarr/lat/c/1").unlink()


def appended(folder: Path) -> None:
    """The metadata that are put together know nothing of the last day."""
    days = [plain().isel(time=part) for part in (slice(48), slice(48, None))]
    days[0].to_zarr(folder / "x.zarr", zarr_format=2, consolidated=True)
    days[1].to_zarr(folder / "x.zarr", zarr_format=2, consolidated=False, append_dim="time")


def unsigned(folder: Path) -> None:
    """Unsigned numbers in signed ones, and so their range, 0 to 65530."""
    plain().drop_vars("t2m").to_netcdf(folder / "x.nc")
    with netCDF4.Dataset(folder / "x.nc", "a") as file:
        variable = file.createVariable("t2m", "i2", GRID)
        file.set_auto_maskandscale(False)
        variable[:] = np.round((VALUES - 230) / 0.002).astype(np.uint16).view(np.int16)
        variable.setncatts({"units": "K", "scale_factor": 0.002, "add_offset": 230.0})
        variable.setncatts({"_Unsigned": "true", "valid_range": np.int16([0, -6])})


def of_zarr_2(folder: Path) -> None:
    """A store whose writer chose no fill value: Zarr 2 then writes 0, and 0 is a value, also of lat and lon."""
    group = zarr.open_group(folder / "x.zarr", mode="w", zarr_format=2)
    data = plain()
    for name, array in data.variables.items():
        hours = (data["time"] - data["time"][0]) / np.timedelta64(1, "h")
        values = hours.values if name == "time" else array.values
        written = group.create_array(str(name), data=values, fill_value=0)
        written.attrs["_ARRAY_DIMENSIONS"] = list(array.dims)
        units = {"time": f"hours since {data['time'].values[0]}", "t2m": "K"}
        written.attrs.update({"units": units[name]} if name in units else {})


def degrees(folder: Path) -> None:
    """Both halves in °C, and the later one in K."""
    halves(lambda data: data)(folder)
    (folder / "two.nc").rename(folder / "k.nc")
    celsius = plain().isel(time=slice(None, 70))
    celsius.assign(t2m=(celsius["t2m"] - np.float32(273.15)).assign_attrs(units="degC")).to_netcdf(folder / "one.nc")
    (folder / "one.nc").rename(folder / "z.nc")


def degrees_in_words(folder: Path) -> None:
    """pint takes a space for a product: an angle times coulomb."""
    halves(lambda data: data.assign(t2m=(data["t2m"] - np.float32(273.15)).assign_attrs(units="degrees Celsius")))(
        folder
    )


def in_grib(folder: Path, steps: bool = False, west: int = 0) -> None:
    """A message per frame, from north to south; with ``steps`` all are of a forecast from the first moment on."""
    eccodes = pytest.importorskip("eccodes")
    grid = {"Ni": 4, "Nj": 3, "latitudeOfFirstGridPointInDegrees": 30, "latitudeOfLastGridPointInDegrees": -30}
    grid |= {"longitudeOfFirstGridPointInDegrees": west, "longitudeOfLastGridPointInDegrees": (west + 270) % 360}
    grid |= {"iDirectionIncrementInDegrees": 90, "jDirectionIncrementInDegrees": 30, "bitsPerValue": 24}
    with (folder / "x.grib").open("wb") as file:
        for frame, values in enumerate(VALUES):
            day, hour = (0, 0) if steps else divmod(frame, 24)
            when = {"dataDate": 20100101 + day, "dataTime": 100 * hour, "step": frame if steps else 0}
            message = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
            for key, number in (grid | {"shortName": "2t"} | when).items():
                eccodes.codes_set(message, key, number)
            eccodes.codes_set_values(message, values[::-1].ravel().astype(float))
            eccodes.codes_write(message, file)
            eccodes.codes_release(message)


# How a folder is written, what a note says, and how exact it is.
ODD_FILES: dict[str, tuple[Callable[[Path], Any], str, float]] = {
    "classic": (lambda folder: plain().to_netcdf(folder / "x.nc", format="NETCDF3_CLASSIC"), "", 0),
    "64-bit offsets": (lambda folder: plain().to_netcdf(folder / "x.nc", format="NETCDF3_64BIT"), "", 0),
    ".nc4": (lambda folder: plain().to_netcdf(folder / "x.nc4"), "", 0),
    ".cdf": (lambda folder: plain().to_netcdf(folder / "x.cdf"), "", 0),
    ".netcdf": (lambda folder: plain().to_netcdf(folder / "x.netcdf"), "", 0),
    ".NC": (lambda folder: plain().to_netcdf(folder / "x.NC", engine="netcdf4"), "", 0),
    "macOS's own file beside it": (
        lambda folder: (plain().to_netcdf(folder / "x.nc"), (folder / "._x.nc").write_bytes(b"Mac OS X")),
        "",
        0,
    ),
    "compressed": (lambda folder: plain().to_netcdf(folder / "x.nc", encoding={"t2m": {"zlib": True}}), "", 0),
    "packed": (
        lambda folder: plain().to_netcdf(
            folder / "x.nc",
            encoding={"t2m": {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -32767}},
        ),
        "",
        0.01,
    ),
    "unsigned in signed numbers": (unsigned, "", 0.0011),
    "a file per day": (
        lambda folder: [plain().isel(time=slice(n, n + 24)).to_netcdf(folder / f"{n}.nc") for n in range(0, 72, 24)],
        "",
        0,
    ),
    "a file per moment": (per_frame, "", 0),
    "idle coordinates in one file only": (halves(lambda data: data.assign_coords(expver=5, number=1)), "", 0),
    "degrees Celsius in words, then K": (degrees_in_words, "t2m is converted from degrees Celsius", 1e-4),
    "no unit in one file": (halves(in_units("")), "two.nc gives no unit for t2m: taken as K of", 0),
    "°C, then K": (degrees, "t2m is converted from", 1e-4),
    "days since 1900 in 32 bits": (
        lambda folder: plain().to_netcdf(
            folder / "x.nc", encoding={"time": {"units": "days since 1900-01-01", "dtype": "f4"}}
        ),
        "",
        0,
    ),
    "days since 1-1-1": (
        lambda folder: plain().to_netcdf(
            folder / "x.nc", encoding={"time": {"units": "days since 0001-01-01", "dtype": "f8"}}
        ),
        "",
        0,
    ),
    "Zarr 3": (lambda folder: plain().to_zarr(folder / "x.zarr", consolidated=False), "", 0),
    "Zarr 2 with the fill value 0": (of_zarr_2, "", 0),
    "Zarr 2": (lambda folder: plain().to_zarr(folder / "x.zarr", zarr_format=2), "", 0),
    "long names and dimensions of WeatherBench 2": (
        lambda folder: (
            plain()
            .rename(t2m="2m_temperature", lat="latitude", lon="longitude")
            .transpose("time", "longitude", "latitude")
            .to_zarr(folder / "x.zarr", zarr_format=2)
        ),
        "",
        0,
    ),
    "Zarr in a folder without suffix": (lambda folder: plain().to_zarr(folder / "era5", zarr_format=2), "", 0),
    "Zarr with a chunk left out": (with_gap, "t2m lacks 1 of its 4 chunks, which are 250", 1e9),
    "Zarr with a latitude left out": (without_a_latitude, "lat lacks 1 of its 3 chunks, which are 0", 0),
    "Zarr 2 with an old list of its arrays": (appended, "", 0),
    "NetCDF called .grib": (lambda folder: plain().to_netcdf(folder / "x.grib", engine="netcdf4"), "", 0),
    "GRIB": (in_grib, "", 0.01),
    "GRIB of one forecast": (lambda folder: in_grib(folder, steps=True), "", 0.01),
}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", ODD_FILES)
@pytest.mark.parametrize("door", ["prepare", "forecast"])
def test_odd_files_give_the_values_of_a_plain_one(door: str, name: str, domain: Domain, tmp_path: Path) -> None:
    write, note, near = ODD_FILES[name]
    folder = tmp_path / "raw"
    folder.mkdir()
    write(folder)
    before = files_below(folder)
    if door == "forecast":
        made = forecast_input(folder, domain)
        values, expected, notes = made.frames[0, :, 0], VALUES[-2:], made.notes
    else:
        store = prepare(settings(folder), tmp_path / "x.zarr")
        values, expected, notes = store.frames[:, 0], VALUES, store.notes
        np.testing.assert_array_equal(store.times, AXES["time"])
        values = values[:, np.argsort(store.lat)]
        assert store.units in (["K"], ["degC"])
        values = values + (273.15 if store.units == ["degC"] else 0)
    np.testing.assert_allclose(values, expected, rtol=0, atol=near)
    assert any(note in told for told in notes) or not note
    assert files_below(folder) == before, "nothing is written beside the user's files"


@pytest.mark.parametrize("how", [{"_FillValue": -32767}, {}])
def test_a_lone_highest_packed_number_is_a_value(how: dict[str, Any], tmp_path: Path) -> None:
    """The largest value of a packed file has it, in ECMWF's files always: of rain it may lie far off."""
    packed(32767, **how)(tmp_path / "x.nc")
    store = prepare(settings(tmp_path), tmp_path / "x.zarr")
    assert store.frames[:].max() == pytest.approx(280 + 327.67)


def test_grib_that_cfgrib_would_shift_is_refused_at_both_doors(domain: Domain, tmp_path: Path) -> None:
    """A coarse grid from 180° to 90° E, whose longitudes come sorted and whose values do not."""
    (tmp_path / "raw").mkdir()
    in_grib(tmp_path / "raw", west=180)
    refused(lambda: prepare(settings(tmp_path / "raw"), tmp_path / "stores" / "x.zarr"), "begins at longitude 180")
    refused(lambda: forecast_input(tmp_path / "raw", domain), "begins at longitude 180")


def test_a_single_file_a_store_and_a_url_are_roots(tmp_path: Path) -> None:
    layered = plain().assign(t=plain()["t2m"].expand_dims(level=[50000.0, 85000.0], axis=1) + np.float32(1))
    layered = layered.assign_coords(level=layered["level"].assign_attrs(units="Pa"))
    layered = layered.rename(lat="latitude", lon="longitude")
    layered.to_netcdf(tmp_path / "all.nc")
    (tmp_path / "all.h5").write_bytes((tmp_path / "all.nc").read_bytes())
    layered.to_zarr(tmp_path / "all.zarr", consolidated=False)
    layered.to_zarr("memory://svqkit/all.zarr", consolidated=False)
    roots = [str(tmp_path / "all.nc"), str(tmp_path / "all.h5"), str(tmp_path / "all.zarr"), "memory://svqkit/all.zarr"]
    for number, root in enumerate(roots):
        data = settings(root, variables=("t", "t2m"), levels=(850,))
        store = prepare(data, tmp_path / f"{number}.store.zarr")
        assert store.channels == ["t_850", "t2m"]
        np.testing.assert_array_equal(store.frames[:, 0], VALUES + np.float32(1))
        np.testing.assert_array_equal(store.frames[:, 1], VALUES)
        made = from_files(root, data, Domain.of(store, "clean"), (1,))
        np.testing.assert_array_equal(made.frames[0, :, 1], VALUES[-2:])
        assert made.restore(made.frames[:, :1])["t"].dims == ("time", "level", "latitude", "longitude")
        assert ("root" in store.made_from["data"]) == ("://" in root), "of a URL the address tells what it holds"


def test_a_level_that_nobody_asked_for_is_refused(tmp_path: Path) -> None:
    """Of a variable whose level a coordinate tells; in Pa it is the same level."""
    plain().assign_coords(plev=xr.DataArray(50000.0, attrs={"units": "Pa"})).to_netcdf(tmp_path / "x.nc")
    refused(
        lambda: prepare(settings(tmp_path, levels=(850,)), tmp_path / "x.zarr"), "x.nc: t2m is of level 500", "[850]"
    )
    assert prepare(settings(tmp_path, levels=(500, 850)), tmp_path / "x.zarr").channels == ["t2m"]


def test_a_folder_whose_name_is_a_number_is_a_folder(domain: Domain, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2020").mkdir()
    plain().to_netcdf(tmp_path / "2020" / "x.nc")
    np.testing.assert_array_equal(forecast_input(2020, domain).frames[0, :, 0], VALUES[-2:])


@pytest.mark.parametrize("lon", [[180.0, 270.0, 0.0, 90.0], [-180.0, -90.0, 0.0, 90.0], [300.0, 200.0, 100.0, 0.0]])
def test_longitudes_may_begin_anywhere(lon: list[float], tmp_path: Path) -> None:
    axis("lon", lon).to_netcdf(tmp_path / "x.nc")
    store = prepare(settings(tmp_path), tmp_path / "x.zarr")
    assert store.lon.tolist() == lon
    np.testing.assert_array_equal(store.frames[:, 0], VALUES)


def test_geopotential_may_be_minus_9999_among_others_near_it(tmp_path: Path) -> None:
    values = np.linspace(-10_500, 3_000, VALUES.size, dtype=np.float32).reshape(VALUES.shape)
    values[3, 1, 1] = values[5, 2, 2] = -9999
    plain().assign(t2m=(GRID, values)).to_netcdf(tmp_path / "x.nc")
    np.testing.assert_array_equal(prepare(settings(tmp_path), tmp_path / "x.zarr").frames[:, 0], values)


@pytest.mark.parametrize("number", [-99, -99.9, -999.99, -1000, -8888, -1e10, 2**32, 9999])
def test_a_number_that_people_write_for_nothing_stands_for_it_where_it_is_alone(number: float) -> None:
    values = np.float32([number, *VALUES.ravel()])
    assert stand_in(values, values.min(), values.max()) == np.float32(number)


@pytest.mark.parametrize("number", [-100, -1, 888, 1000, -273.15, 99, -12345, 1e8])
def test_another_number_is_a_value_however_far_off(number: float) -> None:
    values = np.float32([number, *VALUES.ravel() / 1e3])
    assert stand_in(values, values.min(), values.max()) is None


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (20.0, "degC", "K", 293.15),
        (20.0, "degrees C", "K", 293.15),
        (20.0, "deg_C", "degree Kelvin", 293.15),
        (50.0, "F", "º C", 10.0),
        (293.15, "K", "°C", 20.0),
        (32.0, "degF", "degC", 0.0),
        (1013.25, "hPa", "Pa", 101325.0),
        (1013.25, "mb", "Pa", 101325.0),
        (36.0, "km/h", "m s**-1", 10.0),
        (50.0, "%", "(0 - 1)", 0.5),
        (5.0, "g kg-1", "kg kg**-1", 0.005),
        (2.5, "mm", "m", 0.0025),
        (1.0, "", "K", 1.0),
        (1.0, "m.s-1", "m/s", 1.0),
    ],
)
def test_units_are_converted(value: float, unit: str, to: str, expected: float) -> None:
    assert converts(unit, to)
    assert converts(to, unit)
    np.testing.assert_allclose(convert(np.float32([value]), unit, to), [expected], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(convert(np.float32([expected]), to, unit), [value], rtol=1e-4, atol=1e-4)
