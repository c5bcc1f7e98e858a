"""The bundled weather samples beside 2 m temperature: simulated, in WeatherBench's layout.

Hourly wind, cloud cover and relative humidity in 2010, 2014 and 2015; 6-hourly all 14 variables, eight of them
on 13 levels, in 1980 to 1982. Each year has weather of its own, drawn from the seed and the year, and all
variables of a year share it. What they are made of is told in `svqkit.samples.weather_fields`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from svqkit.data.simulation import Weather, coordinates, land_share
from svqkit.data.sources.weather import LONG_NAMES
from svqkit.errors import SvqkitError
from svqkit.samples.weather_fields import Air
from svqkit.samples.weather_files import save


@dataclass(frozen=True)
class Year:
    """What is written of one year: ``frames`` of each variable, from January 1st on, ``hours`` apart."""

    year: int
    hours: int
    frames: Mapping[str, int]

    def __post_init__(self) -> None:
        unknown = [name for name in self.frames if name not in LONG_NAMES]
        length = max(self.frames.values(), default=0) * self.hours
        if unknown or self.hours < 1 or min(self.frames.values(), default=0) < 1 or length > 365 * 24:
            raise SvqkitError(
                f"A simulated year needs variables of {', '.join(LONG_NAMES)}, at least one frame of each, and "
                f"frames a whole number of hours apart that fit into the year; got {self}."
            )


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


def simulate(year: Year, seed: int = 0, n_lat: int = 32, n_lon: int = 64) -> dict[str, np.ndarray]:
    """The variables of one year, float32: (frames, (level,) n_lat, n_lon) of each, in the units of ERA5."""
    frames: dict[str, list[np.ndarray]] = {name: [] for name in year.frames}
    for number, air in enumerate(_hours(year, seed, n_lat, n_lon)):
        for name, wanted in year.frames.items():
            if number < wanted:
                frames[name].append(getattr(air, name)().astype(np.float32))
    return {name: np.stack(fields) for name, fields in frames.items()}


def _hours(year: Year, seed: int, n_lat: int, n_lon: int) -> Iterator[Air]:
    """The air of one frame after the other."""
    lat, lon = coordinates(n_lat, n_lon)
    land = land_share(lat, lon)
    weather = Weather(lat, lon, np.random.default_rng([seed, year.year]))
    for hour in range(0, max(year.frames.values()) * year.hours, year.hours):
        yield Air(weather, lat, lon, land, hour)
        for _ in range(year.hours):
            weather.step()


def write(
    root: str | Path, seed: int = 0, years: Sequence[Year] = YEARS, n_lat: int = 32, n_lon: int = 64
) -> list[Path]:
    """Simulate, and write each variable to ``root``/<long name>/<long name>_<year>_<cell>deg.nc.

    The same seed gives the same bytes, as long as the versions of NumPy, xarray and netCDF4 stay the same.

    Args:
        root: the folder that holds the variables' folders.
        seed: the same seed, year and grid give the same weather.
        years: what to write.
        n_lat: cells from pole to pole.
        n_lon: cells around the globe, an even number.

    Returns:
        The files' paths, year by year.
    """
    lat, lon = coordinates(n_lat, n_lon)
    paths = []
    for year in years:
        for name, values in simulate(year, seed, n_lat, n_lon).items():
            hours = np.arange(len(values)) * np.timedelta64(year.hours, "h")
            times = np.datetime64(f"{year.year:04d}-01-01T00", "h") + hours
            paths.append(save(Path(root), name, values, times, lat, lon, seed))
    return paths
