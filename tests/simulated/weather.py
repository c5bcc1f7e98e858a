"""The bundled weather sample: simulated, in WeatherBench's layout.

Hourly 2 m temperature from 2010 to 2015 (see `tests.simulated.planet`); hourly wind, cloud cover and relative humidity
in 2010, 2014 and 2015; 6-hourly all 14 variables, eight of them on 13 levels, in 1980 to 1982. Each of these years has
weather of its own, drawn from the seed and the year, and all variables of a year share it. What they are made of is
told in `tests.simulated.weather_fields`.

A file holds integers of 16 bits, n = (value - zero) / unit. Every level is rounded to its own multiple of the unit,
between a sixth and two fifths of the standard deviation of what moves there. Only so coarse does the sample fit into
the repository; the rounding errors (step / sqrt(12), about a tenth of that deviation) stay below those of any
forecast. The zeros keep n positive, and mostly below 256, because deflate then sees an upper byte that never changes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from svqkit import __version__
from svqkit.atomic import replacing
from svqkit.data.sources.weather import LONG_NAMES

from . import planet
from .weather_fields import LEVELS, Air

TITLE = "Simulated weather: not measurements, and not a model of the real atmosphere"


@dataclass(frozen=True)
class Packing:
    """Units of a variable, as ERA5 and WeatherBench write them, and how its values become integers."""

    units: str
    unit: float  # the value of one step of the file's integers
    zero: float = 0.0  # the value of integer 0
    steps: tuple[int, ...] = (1,)  # per level, the top first, the multiple of ``unit`` that it is rounded to
    chunk: tuple[int, int] = (1, 32)  # levels and rows that are deflated together: what packs tightest

    def integers(self, values: np.ndarray) -> np.ndarray:
        """Values (time, (level,) lat, lon) as the integers that the file holds, int16."""
        steps = np.array(self.steps)[:, None, None] if len(self.steps) > 1 else self.steps[0]
        whole = steps * np.round(values / (steps * self.unit))
        return (whole - round(self.zero / self.unit)).astype(np.int16)


#            levels: 50 100 150 200 250 300 400 500 600 700 850 925 1000
PACKINGS = {
    "t2m": Packing("K", 1.0, 200.0),
    "u10": Packing("m s**-1", 0.75, -48.0),
    "v10": Packing("m s**-1", 0.75, -48.0),
    "tcc": Packing("(0 - 1)", 1 / 16),
    "tp": Packing("m", 1e-4),
    "tisr": Packing("J m**-2", 2e5),
    "z": Packing("m**2 s**-2", 50.0, -4000.0, (14, 14, 14, 18, 18, 18, 14, 12, 12, 9, 8, 8, 7)),
    "pv": Packing("K m**2 kg**-1 s**-1", 4e-8, -9e-5, (80, 25, 13, 5, 5, 5, 1, 1, 1, 1, 1, 1, 1), (13, 2)),
    "r": Packing("%", 0.5, 0.0, (3, 3, 3, 10, 10, 10, 12, 12, 12, 10, 10, 10, 8), (3, 32)),
    "q": Packing("kg kg**-1", 1e-6, 0.0, (3, 1, 1, 6, 16, 32, 128, 256, 512, 768, 1024, 1024, 1280)),
    "t": Packing("K", 0.5, 160.0, (1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3)),
    "u": Packing("m s**-1", 0.5, -64.0, (2, 2, 2, 4, 4, 4, 3, 3, 3, 2, 2, 2, 2), (3, 32)),
    "v": Packing("m s**-1", 0.5, -64.0, (2, 2, 2, 4, 4, 4, 3, 3, 3, 2, 2, 2, 2), (3, 32)),
    "vo": Packing("s**-1", 5e-7, -6.4e-5, (4, 4, 4, 7, 7, 7, 5, 5, 5, 4, 4, 4, 3), (3, 32)),
}


@dataclass(frozen=True)
class Year:
    """What is written of one year: ``frames`` of each variable, from January 1st on, ``hours`` apart."""

    year: int
    hours: int
    frames: Mapping[str, int]


def _hourly(year: int, surface: int, humidity: int) -> Year:
    return Year(year, 1, {"u10": surface, "v10": surface, "tcc": surface, "r": humidity})


YEARS = (
    _hourly(2010, 192, 144),  # training
    _hourly(2014, 192, 48),  # validation
    _hourly(2015, 192, 72),  # test
    Year(1980, 6, dict.fromkeys(LONG_NAMES, 48)),  # training
    Year(1981, 6, dict.fromkeys(LONG_NAMES, 16)),  # validation
    Year(1982, 6, dict.fromkeys(LONG_NAMES, 48)),  # test
)


def write(root: Path, seed: int = 0) -> list[Path]:
    """Simulate, and write each variable to ``root``/<long name>/<long name>_<year>_5.625deg.nc.

    The same seed gives the same bytes, as long as the versions of NumPy, xarray and netCDF4 stay the same.
    """
    lat, lon = planet.coordinates()
    paths = planet.write(root, seed)
    for year in YEARS:
        for name, values in _simulate(year, seed, lat, lon).items():
            hours = np.arange(len(values)) * np.timedelta64(year.hours, "h")
            times = np.datetime64(f"{year.year:04d}-01-01T00", "h") + hours
            paths.append(_save(root, name, values, times, lat, lon, seed))
    return paths


def _simulate(year: Year, seed: int, lat: np.ndarray, lon: np.ndarray) -> dict[str, np.ndarray]:
    """The variables of one year, float32: (frames, (level,) lat, lon) of each, in the units of ERA5."""
    frames: dict[str, list[np.ndarray]] = {name: [] for name in year.frames}
    for number, air in enumerate(_airs(year, seed, lat, lon)):
        for name, wanted in year.frames.items():
            if number < wanted:
                frames[name].append(getattr(air, name)().astype(np.float32))
    return {name: np.stack(fields) for name, fields in frames.items()}


def _airs(year: Year, seed: int, lat: np.ndarray, lon: np.ndarray) -> Iterator[Air]:
    """The air of one frame after the other."""
    land = planet.land_share(lat, lon)
    weather = planet.Weather(lat, lon, np.random.default_rng([seed, year.year]))
    for hour in range(0, max(year.frames.values()) * year.hours, year.hours):
        yield Air(weather, lat, lon, land, hour)
        for _ in range(year.hours):
            weather.step()


def _save(
    root: Path, name: str, values: np.ndarray, times: np.ndarray, lat: np.ndarray, lon: np.ndarray, seed: int
) -> Path:
    """Write one variable of one year, ``values`` (time, (level,) lat, lon), and return the file's path."""
    folder = LONG_NAMES[name]
    year = times[0].astype("datetime64[Y]")
    path = root / folder / f"{folder}_{year}_{180 / len(lat):g}deg.nc"
    with replacing(path) as draft:
        _dataset(name, values, times, lat, lon, seed).to_netcdf(draft, engine="netcdf4")
    return path


def _dataset(
    name: str, values: np.ndarray, times: np.ndarray, lat: np.ndarray, lon: np.ndarray, seed: int
) -> xr.Dataset:
    """The integers with their coordinates and labels; nothing in them depends on when they were made."""
    packing = PACKINGS[name]
    dims = ("time", "level", "lat", "lon") if values.ndim == 4 else ("time", "lat", "lon")
    attributes = {
        "units": packing.units,
        "long_name": LONG_NAMES[name].replace("_", " "),
        "scale_factor": np.float32(packing.unit),
        "add_offset": np.float32(packing.zero),
    }
    data = xr.Dataset(
        {name: (dims, packing.integers(values), attributes)},
        coords=planet.file_coordinates(times, lat, lon),
        attrs={"title": TITLE, "source": f"Simulated by svqkit.samples.weather, svqkit {__version__}, seed {seed}"},
    )
    chunk = values.shape
    if values.ndim == 4:
        pressure = {"units": "millibars", "long_name": "pressure_level"}
        data = data.assign_coords(level=("level", np.array(LEVELS, dtype=np.int32), pressure))
        chunk = (len(values), packing.chunk[0], min(packing.chunk[1], len(lat)), len(lon))
    data[name].encoding = {"zlib": True, "complevel": 9, "shuffle": True, "chunksizes": chunk}
    data["time"].encoding = {"units": "hours since 1900-01-01", "dtype": "int32"}
    return data
