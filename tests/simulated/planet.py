"""A seeded simulation of 2 m temperature on WeatherBench's grid: weather to try the kit on, not measurements.

The planet has the Earth's continents, a year of 16 days and a single layer of air. Its temperature is

    T(x, t) = climate(x, t) + contrast(lat) (tanh(q(x, t) / width) + 0.3 q(x, t)) + noise        [K]

* ``climate`` is fixed: colder towards the poles, with seasons of opposite sign in the two hemispheres and a
  diurnal cycle that follows the sun, both larger over land.
* The anomaly in the middle is what a forecaster has to learn. ``q`` tells warm air (q > 0) from cold air
  (q < 0), and the steep tanh puts a front where they meet. An evolving wind carries q about: jets, and eddies
  that drift along them and make them meander. Fresh q arises at random in patches as large as a continent,
  and old q fades away.
* ``noise`` is what a thermometer adds: independent in every cell and hour.

The fronts set the difficulty. A cell's own past says little about when the next one will come through, while
a look upwind says it at once; so a model beats persistence clearly only when it has learnt motion.

Whatever varies at random in space is a sum of plane waves cos(k . x) in three dimensions, seen where they cut
the unit sphere. Such fields are smooth everywhere: neither the poles nor the date line are special to them.

The same seed gives the same bytes, as long as the versions of NumPy, xarray and netCDF4 stay the same. The files name
the module that made the bundled ones, where it lay at that time.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from svqkit import __version__
from svqkit.atomic import replacing

HOURS_PER_DAY, DAYS_PER_YEAR = 24, 16
YEARS = range(2010, 2016)
CELL_DEGREES = 5.625  # WeatherBench's grid

# The land's share of each cell of that grid, north at the top and Greenwich at the left: "." is sea,
# "1" to "9" are tenths, "#" is land. Measured on Natural Earth's land at 1:110 million (public domain).
LAND_MAP = (
    "................................................................",
    "..122............31............................256865666789863..",
    "...21.....321..24587311..31...............2432345741458#####9...",
    "...256311243579########8799764343..466543576884758663.29###82...",
    ".1697#989####9##################5417############752571.8#41.24..",
    ".48649###################7554531...475347######91.3#52..2......2",
    "54879###################95..61.....1.....5#######86###3.......15",
    "8#####89#################4................6#########834........1",
    "83559646##############97231...............6########81.........17",
    "6631246##############81434................2#######9...........17",
    "##96767##8############11...................28##9772...........2#",
    "######79#7757########71.....................38#2.12..........2##",
    "#######5##7..7#719#62.1......................1955.221........4##",
    "#######863...38..199.12........................255...........5##",
    "########94....4...32.13..........................239971.......8#",
    "119#####7........26.6511..........................4####4.......1",
    "..7####7..........4264214511......................9#####74......",
    "..2####5...........2211..5411.....................6#######2.....",
    "..3####713............26732.......................19#####6......",
    "..2###8.72...........49###7........................1#####4......",
    "...9##5.3...........3######6.......................1###92.......",
    "...4#8...............#979##7.......................2###5........",
    "....1................1..1682...2...................5#94.........",
    "..........................2...23...................6#1..........",
    "..............................2....................96...........",
    "...................................................54...........",
    "................................................................",
    ".........12....11.212112211.........................11..........",
    "355655779###748###########98743...............1....374........23",
    "#############################81.....135788888799#99652..1.1458##",
    "#############################52....1.59###########9765377579####",
    "###################################9888#########################",
)

# Climate, in K
EQUATOR, POLE_BELOW_EQUATOR = 300.0, 40.0
LAND_BESIDE_SEA = 5.0  # warmer at the equator, colder at the poles
SEASON_SEA, SEASON_LAND = 2.0, 6.0  # half the range from winter to summer, at the poles
DIURNAL_SEA, DIURNAL_LAND = 0.3, 2.0  # half the range from night to day, at the equator
WARMEST_HOUR = 14.0  # local solar time

# Wind, in radians on the unit sphere per hour
CELL_IN_12_HOURS = np.deg2rad(CELL_DEGREES) / 12
JETS = 3.4 * CELL_IN_12_HOURS  # eastwards around the axis, at 45 degrees in either hemisphere
TRADES = 0.6 * CELL_IN_12_HOURS  # westwards around the axis, at the equator
EDDIES = 0.5 * CELL_IN_12_HOURS  # root mean square speed
EDDY_DRIFT = 1.2 * CELL_IN_12_HOURS  # eastwards around the axis
EDDY_CRESTS, EDDY_MEMORY = (2.0, 7.0), 96.0  # around the globe; hours

# Air masses
CONTRAST = 8.0  # K above or below the climate, in the storm tracks
FRONT_WIDTH = 0.15  # of q, whose standard deviation is about 0.6
AIR_CRESTS, AIR_MEMORY = (4.0, 8.0), 480.0  # around the globe; hours
SPIN_UP_DAYS = 10

NOISE = 0.3  # K, standard deviation

# The files hold 16-bit integers n: temperature = PACKED_ZERO + PACKED_STEP n, in K
PACKED_ZERO, PACKED_STEP = 280.0, 1 / 32


def coordinates() -> tuple[np.ndarray, np.ndarray]:
    """Return the centres of the cells in degrees: latitudes from the south (32,), longitudes from 0 (64,)."""
    return -90 + (np.arange(32) + 0.5) * 180 / 32, np.arange(64) * 360 / 64


def land_share(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """The land's share of the map's cell nearest to each grid point, between 0 and 1: (n_lat, n_lon)."""
    tenths = ".123456789#"
    chart = np.array([[tenths.index(letter) / 10 for letter in row] for row in reversed(LAND_MAP)])
    rows = np.clip(np.floor((lat + 90) / CELL_DEGREES), 0, len(chart) - 1).astype(int)
    columns = np.round(lon / CELL_DEGREES).astype(int) % chart.shape[1]
    return chart[np.ix_(rows, columns)]


def climate(lat: np.ndarray, lon: np.ndarray, land: np.ndarray, hour: float, year_hours: int) -> np.ndarray:
    """The temperature that the place, the season and the time of day give: (n_lat, n_lon), in K.

    T = T_equator - dT sin^2(lat) + L land cos(2 lat)
        - S sin(lat) cos(2 pi hour / year) + D cos(lat) cos(2 pi (solar hour - 14) / 24)

    where the seasons' S and the day's D are larger over land. Hours are counted from January 1st, 00:00 at Greenwich,
    on; the north's winter is deepest there.
    """
    phi = np.deg2rad(lat)[:, None]
    season = -np.sin(phi) * np.cos(2 * np.pi * hour / year_hours)
    solar_hour = hour + lon[None, :] / 360 * HOURS_PER_DAY
    day = np.cos(phi) * np.cos(2 * np.pi * (solar_hour - WARMEST_HOUR) / HOURS_PER_DAY)
    return (
        EQUATOR
        - POLE_BELOW_EQUATOR * np.sin(phi) ** 2
        + LAND_BESIDE_SEA * np.cos(2 * phi) * land
        + (SEASON_SEA + (SEASON_LAND - SEASON_SEA) * land) * season
        + (DIURNAL_SEA + (DIURNAL_LAND - DIURNAL_SEA) * land) * day
    )


def on_sphere(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Points of the unit sphere for every cell, in Cartesian coordinates: (n_lat, n_lon, 3)."""
    phi, lam = np.meshgrid(np.deg2rad(lat), np.deg2rad(lon), indexing="ij")
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def eastwards(points: np.ndarray) -> np.ndarray:
    """The wind of a rotation around the axis by one radian an hour, at points on the sphere: (..., 3)."""
    return np.stack([-points[..., 1], points[..., 0], np.zeros(points.shape[:-1])], axis=-1)


class Waves:
    """A random smooth field on the sphere, of mean 0 and variance 1, that changes with time.

    f(x) = Re sum_j c_j exp(i k_j . x)

    The k_j point in random directions. A wave with |k_j| = n has about n crests around a great circle. Each
    c_j is a complex random number that is drawn back to 0 and pushed about (an Ornstein-Uhlenbeck process).

    Args:
        rng: where the waves and their changes are drawn from.
        points: where the field is wanted, on the unit sphere, (n_lat, n_lon, 3).
        crests: the least and the greatest |k_j|.
        memory: hours in which the field forgets its past by 1/e; with 0 it's a new one every hour.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        points: np.ndarray,
        crests: tuple[float, float],
        memory: float = 0.0,
        n_waves: int = 48,
    ) -> None:
        self.rng, self.points = rng, points
        direction = rng.standard_normal((n_waves, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        self.k = direction * rng.uniform(*crests, n_waves)[:, None]
        self.keep = np.exp(-1 / memory) if memory else 0.0
        self.c = self._draw()
        self.waves = self._waves()

    def _draw(self) -> np.ndarray:
        real, imaginary = self.rng.standard_normal((2, len(self.k)))
        return (real + 1j * imaginary) / np.sqrt(len(self.k))

    def _waves(self) -> np.ndarray:
        phase = self.points @ self.k.T
        return np.cos(phase) + 1j * np.sin(phase)

    def step(self, turn: float = 0.0) -> None:
        """One hour passes, in which the whole pattern turns eastwards around the axis by ``turn`` radians."""
        self.c = self.keep * self.c + np.sqrt(1 - self.keep**2) * self._draw()
        if turn:
            cos, sin = np.cos(turn), np.sin(turn)
            self.k = self.k @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
            self.waves = self._waves()

    def values(self) -> np.ndarray:
        """f: (n_lat, n_lon)."""
        return (self.waves @ self.c).real

    def flow(self) -> np.ndarray:
        """The wind along lines of equal f, x cross grad f, of root mean square 1: (n_lat, n_lon, 3)."""
        gradient = (self.waves @ (1j * self.c[:, None] * self.k)).real
        # The part of k that lies along the sphere has on average 2/3 of its square
        return np.cross(self.points, gradient) / np.sqrt(2 / 3 * np.mean(np.sum(self.k**2, axis=1)))


def advect(field: np.ndarray, points: np.ndarray, wind: np.ndarray) -> np.ndarray:
    """Carry a field along for one hour: a'(x) = a(x - wind), read off the grid by cubic interpolation.

    The way back is followed on the sphere itself, so that it may cross a pole. A field that is read where it
    came from stays bounded however strong the wind is (a semi-Lagrangian scheme). The wind is the displacement in an
    hour, tangent to the sphere, (n_lat, n_lon, 3), in radians.
    """
    n_lat, n_lon = field.shape
    origin = points - wind
    x, y, z = origin[..., 0], origin[..., 1], origin[..., 2]
    row = (np.arctan2(z, np.hypot(x, y)) / np.pi + 0.5) * n_lat - 0.5
    column = np.arctan2(y, x) / (2 * np.pi) * n_lon
    i, j = np.floor(row).astype(int), np.floor(column).astype(int)

    # Across a pole, the next rows are the last ones again, on the opposite meridian
    across = np.roll(field, n_lon // 2, axis=1)
    padded = np.concatenate([across[1::-1], field, across[:-3:-1]])
    result = np.zeros_like(field)
    for di, by_row in enumerate(_cubic(row - i), start=-1):
        for dj, by_column in enumerate(_cubic(column - j), start=-1):
            result += by_row * by_column * padded[i + di + 2, (j + dj) % n_lon]
    return result


def _cubic(s: np.ndarray) -> tuple[np.ndarray, ...]:
    """Lagrange's weights of the values at -1, 0, 1 and 2 for the cubic through them, read at 0 <= s < 1."""
    return (
        -s * (s - 1) * (s - 2) / 6,
        (s + 1) * (s - 1) * (s - 2) / 2,
        -(s + 1) * s * (s - 2) / 2,
        (s + 1) * s * (s - 1) / 6,
    )


class Weather:
    """The air over a grid and the wind that carries it.

    In an hour: q <- (1 - 1 / memory) advect(q) + sqrt(2 / memory) forcing, with forcing new every hour.
    """

    def __init__(self, lat: np.ndarray, lon: np.ndarray, rng: np.random.Generator) -> None:
        self.points = on_sphere(lat, lon)
        phi = np.deg2rad(lat)[:, None]
        # The jets blow, and the contrast is strongest, around 45 degrees
        self.contrast = CONTRAST * (0.35 + 0.65 * np.sin(2 * phi) ** 2)
        turning = JETS * np.sin(2 * phi) ** 2 - TRADES * np.cos(phi) ** 6
        self.jets = turning[..., None] * eastwards(self.points)
        self.eddies = Waves(rng, self.points, EDDY_CRESTS, EDDY_MEMORY)
        self.forcing = Waves(rng, self.points, AIR_CRESTS)
        self.q = self.forcing.values()
        for _ in range(SPIN_UP_DAYS * HOURS_PER_DAY):
            self.step()

    def wind(self) -> np.ndarray:
        """How far the air moves in an hour, tangent to the unit sphere: (n_lat, n_lon, 3), in radians."""
        return self.jets + EDDIES * self.eddies.flow()

    def anomaly(self) -> np.ndarray:
        """How much warmer it is than the climate, contrast (tanh(q / width) + 0.3 q): (n_lat, n_lon) in K."""
        return self.contrast * (np.tanh(self.q / FRONT_WIDTH) + 0.3 * self.q)

    def step(self) -> None:
        """One hour passes."""
        self.eddies.step(turn=EDDY_DRIFT)
        self.forcing.step()
        fresh = np.sqrt(2 / AIR_MEMORY) * self.forcing.values()
        self.q = (1 - 1 / AIR_MEMORY) * advect(self.q, self.points, self.wind()) + fresh


def _simulate(seed: int) -> Iterator[tuple[int, xr.Dataset]]:
    """Yield a year and its hourly ``t2m`` in K, float32 (time, lat, lon), year after year without a break."""
    lat, lon = coordinates()
    land = land_share(lat, lon)
    rng = np.random.default_rng(seed)
    weather = Weather(lat, lon, rng)
    hours = DAYS_PER_YEAR * HOURS_PER_DAY
    for year in YEARS:
        t2m = np.empty((hours, len(lat), len(lon)), dtype=np.float32)
        for hour in range(hours):
            t2m[hour] = climate(lat, lon, land, hour, hours) + weather.anomaly()
            t2m[hour] += NOISE * rng.standard_normal((len(lat), len(lon)))
            weather.step()
        yield year, _dataset(t2m, year, lat, lon, seed)


def file_coordinates(times: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> dict[str, tuple]:
    """Return the coordinates of a file with their labels."""
    return {
        "time": ("time", times.astype("datetime64[ns]"), {"long_name": "time"}),
        "lat": ("lat", lat, {"units": "degrees_north", "long_name": "latitude"}),
        "lon": ("lon", lon, {"units": "degrees_east", "long_name": "longitude"}),
    }


def _dataset(t2m: np.ndarray, year: int, lat: np.ndarray, lon: np.ndarray, seed: int) -> xr.Dataset:
    """One year with its coordinates and labels, and how a file is to hold it."""
    time = np.datetime64(f"{year:04d}-01-01T00", "ns") + np.arange(len(t2m)) * np.timedelta64(1, "h")
    data = xr.Dataset(
        {"t2m": (("time", "lat", "lon"), t2m, {"units": "K", "long_name": "2 metre temperature"})},
        coords=file_coordinates(time, lat, lon),
        attrs={
            "title": "Simulated 2 m temperature: not measurements, and not a model of the real atmosphere",
            "source": f"Simulated by svqkit.data.simulation, svqkit {__version__}, seed {seed}",
        },
    )
    data["t2m"].encoding = {
        "dtype": "int16",
        "scale_factor": np.float32(PACKED_STEP),
        "add_offset": np.float32(PACKED_ZERO),
        "_FillValue": np.int16(-32768),
        "zlib": True,
        "complevel": 9,
        "shuffle": True,
        "chunksizes": (len(t2m), min(len(lat), 2), len(lon)),  # of those tried, what packs tightest
    }
    data["time"].encoding = {"units": "hours since 1900-01-01", "dtype": "int32"}
    return data


def write(root: Path, seed: int = 0) -> list[Path]:
    """Simulate, and write each year to ``root``/2m_temperature/2m_temperature_<year>_5.625deg.nc."""
    paths = []
    for year, data in _simulate(seed):
        paths.append(root / "2m_temperature" / f"2m_temperature_{year}_{CELL_DEGREES}deg.nc")
        with replacing(paths[-1]) as draft:
            data.to_netcdf(draft, engine="netcdf4")
    return paths
