"""The variables of WeatherBench, read off the simulated planet of `tests.simulated.planet` at one hour.

The planet has one layer of air: ``q`` says which air mass lies where, the wind carries it. Here that layer is
drawn out over 13 levels by the profiles of `_SOUNDING`, each level a little further west.
All that moves here moves because the planet's air does, so a forecaster has motion to learn. The variables are
tied to each other as in the real atmosphere where that was cheap (winds and vorticity from one stream function,
geopotential from temperature, specific from relative humidity), but this solves no equation of motion.
"""

from functools import cached_property

import numpy as np

from .planet import DAYS_PER_YEAR, EDDIES, FRONT_WIDTH, HOURS_PER_DAY, Waves, Weather, climate, eastwards

EARTH_RADIUS = 6.371e6  # m
EARTH_TURNS = 7.292e-5  # radians per second
MS_PER_RADIAN_HOUR = EARTH_RADIUS / 3600
GAS_CONSTANT = 287.05  # of dry air, J kg**-1 K**-1
SUN = 1361.0  # W m**-2, above the air
DECLINATION = 23.44  # degrees, the sun's at midsummer

YEAR_HOURS = DAYS_PER_YEAR * HOURS_PER_DAY  # the planet's year
SURFACE_JET, SURFACE_EDDIES = 0.2, 0.7  # shares of the planet's wind at 10 m
GUST = (1.5, 2.5)  # m s**-1, eastward and poleward: what warm air brings along at 10 m, and cold air takes away
BAND_CENTRE, BAND_WIDTH = 0.15, 0.35  # of q: damp air lies along the fronts, on their warm side
RAIN = 8e-4  # m in an hour, where the cover is closed

# The standing profile of the air: one number per level for all that changes with height, written from the ground up,
# so that it reads like a sounding; `LEVELS` and the arrays have the files' order, the top first. Chosen by hand after
# the look of the Earth's zonal means. Some neighbouring levels share a row on purpose: their fields are then the same
# up to `TILT`, and a file that holds them one after the other deflates far better.
#
#   equator    temperature at the equator, K
#   contrast   how much colder the poles are, K; in part of the stratosphere they are warmer
#   warmth     share of the contrast between air masses, negative where warm air below lifts the tropopause
#   jet        share of the planet's zonal wind
#   eddies     share of its eddies' wind
#   dry        relative humidity of cold air, %
#   moist      how much damper warm air is, %
#   vorticity  potential vorticity at the poles, 1e-6 K m**2 kg**-1 s**-1
_SOUNDING = {
    # hPa: equator, contrast, warmth, jet, eddies, dry, moist, vorticity
    1000: (299.0, 40.0, 1.0, 0.2, 0.7, 60.0, 36.0, 0.5),
    925: (295.0, 38.0, 0.9, 0.4, 0.9, 40.0, 52.0, 0.5),
    850: (291.0, 36.0, 0.9, 0.4, 0.9, 40.0, 52.0, 0.5),
    700: (283.0, 34.0, 0.8, 0.4, 0.9, 40.0, 52.0, 0.5),
    600: (276.0, 33.0, 0.7, 0.7, 1.3, 28.0, 56.0, 0.5),
    500: (267.0, 32.0, 0.6, 0.7, 1.3, 28.0, 56.0, 0.5),
    400: (256.0, 30.0, 0.5, 0.7, 1.3, 28.0, 56.0, 0.5),
    300: (241.0, 24.0, 0.4, 1.1, 2.0, 20.0, 48.0, 3.0),
    250: (232.0, 14.0, 0.3, 1.1, 2.0, 20.0, 48.0, 3.0),
    200: (220.0, 0.0, -0.3, 1.1, 2.0, 20.0, 48.0, 3.0),
    150: (206.0, -12.0, -0.4, 0.5, 1.0, 4.0, 12.0, 8.0),
    100: (197.0, -18.0, -0.4, 0.5, 1.0, 4.0, 12.0, 16.0),
    50: (208.0, -8.0, -0.3, 0.5, 1.0, 4.0, 12.0, 50.0),
}
LEVELS = tuple(sorted(_SOUNDING))  # hPa: the 13 of WeatherBench
TILT = 1  # columns: how much further west a pattern lies on each level than on the one below

EQUATOR, CONTRAST, WARMTH, JET, EDDY, DRY, MOIST, VORTICITY = np.array([_SOUNDING[level] for level in LEVELS]).T


def by_level(numbers: np.ndarray) -> np.ndarray:
    """One number per level (level,), shaped to meet fields: (level, 1, 1)."""
    return numbers[:, None, None]


def tilted(field: np.ndarray) -> np.ndarray:
    """A field of the ground (lat, lon) as every level sees it, turned west with height: (level, lat, lon)."""
    return np.stack([np.roll(field, -TILT * above, axis=-1) for above in reversed(range(len(LEVELS)))])


class Air:
    """The air over a grid at one hour; every method is a variable by its short name.

    Fields of a single level are (lat, lon), those of many (level, lat, lon), all in the units of ERA5. The hour is
    counted from January 1st, 00:00 at Greenwich, on.
    """

    def __init__(self, weather: Weather, lat: np.ndarray, lon: np.ndarray, land: np.ndarray, hour: float) -> None:
        self.weather, self.lat, self.lon, self.land, self.hour = weather, lat, lon, land, hour
        self.phi = np.deg2rad(lat)[:, None]
        east = eastwards(weather.points)
        self.east = east / np.linalg.norm(east, axis=-1, keepdims=True)
        self.north = np.cross(weather.points, self.east)

    @cached_property
    def jets(self) -> np.ndarray:
        """The planet's zonal wind in m s**-1, eastwards: (lat, lon)."""
        return np.sum(self.weather.jets * self.east, axis=-1) * MS_PER_RADIAN_HOUR

    @cached_property
    def eddies(self) -> np.ndarray:
        """The planet's eddies' wind in m s**-1, eastwards and northwards: (2, lat, lon)."""
        flow = EDDIES * MS_PER_RADIAN_HOUR * self.weather.eddies.flow()
        return np.stack([np.sum(flow * self.east, axis=-1), np.sum(flow * self.north, axis=-1)])

    @cached_property
    def band(self) -> np.ndarray:
        """How near a front lies on its warm side, exp(-((q - centre) / width)**2), 0 to 1: (lat, lon)."""
        return np.exp(-(((self.weather.q - BAND_CENTRE) / BAND_WIDTH) ** 2))

    @cached_property
    def mass(self) -> np.ndarray:
        """Which air mass it is, tanh(q / front width), from -1 (cold) to 1 (warm): (lat, lon)."""
        return np.tanh(self.weather.q / FRONT_WIDTH)

    @cached_property
    def stream(self) -> np.ndarray:
        """The eddies' stream function, whose wind is x cross grad psi, in m**2 s**-1: (lat, lon)."""
        waves = self.weather.eddies
        return EDDIES * MS_PER_RADIAN_HOUR * EARTH_RADIUS * waves.values() / flow_scale(waves)

    def u10(self) -> np.ndarray:
        """Eastward wind at 10 m: slowed jets and eddies, and a westerly in warm air."""
        return SURFACE_JET * self.jets + SURFACE_EDDIES * self.eddies[0] + GUST[0] * self.mass

    def v10(self) -> np.ndarray:
        """Northward wind at 10 m: slowed eddies, and air that comes from where it is at home, warm from the equator."""
        return SURFACE_EDDIES * self.eddies[1] + GUST[1] * np.sin(2 * self.phi) * self.mass

    def tcc(self) -> np.ndarray:
        """Cloud cover, 0 to 1: closed along the fronts, none inside an air mass."""
        return np.clip(1.5 * self.band - 0.25, 0, 1)

    def tp(self) -> np.ndarray:
        """Rain of an hour in m: where the cover is almost closed, most in the tropics."""
        return RAIN * (0.5 + 0.5 * np.cos(self.phi) ** 2) * np.clip((self.band - 0.75) / 0.25, 0, 1)

    def tisr(self) -> np.ndarray:
        """The sun's energy above the air in an hour, J m**-2: S 3600 s max(0, cos zenith).

        cos zenith = sin(lat) sin(decl) + cos(lat) cos(decl) cos(hour angle)
        """
        declination = -np.deg2rad(DECLINATION) * np.cos(2 * np.pi * self.hour / YEAR_HOURS)
        noon = np.deg2rad(self.lon + 15 * (self.hour - 12))[None, :]
        height = np.sin(self.phi) * np.sin(declination) + np.cos(self.phi) * np.cos(declination) * np.cos(noon)
        return SUN * 3600 * np.maximum(0, height)

    def t2m(self) -> np.ndarray:
        """Temperature at 2 m in K: the planet's climate and its air masses, as in the hourly sample."""
        return climate(self.lat, self.lon, self.land, self.hour, YEAR_HOURS) + self.weather.anomaly()

    def t(self) -> np.ndarray:
        """Temperature in K: the level's profile from equator to pole, and its share of the air masses' contrast.

        t = t_equator - contrast sin^2(lat) + warmth contrast_masses(lat) tanh(q / front width)
        """
        mean = by_level(EQUATOR) - by_level(CONTRAST) * np.sin(self.phi) ** 2
        return mean + by_level(WARMTH) * self.weather.contrast * tilted(self.mass)

    def z(self) -> np.ndarray:
        """Geopotential in m**2 s**-2: hydrostatic from the ground up, and eddies in balance with their wind.

        z(p) = R integral of T d(ln p) from p to 1000 hPa + 2 Omega sin(lat) psi
        """
        log_p, t = np.log(LEVELS), self.t()
        layers = GAS_CONSTANT * by_level(np.diff(log_p)) * (t[1:] + t[:-1]) / 2
        thickness = np.concatenate([np.cumsum(layers[::-1], axis=0)[::-1], np.zeros_like(t[:1])])
        return thickness + 2 * EARTH_TURNS * np.sin(self.phi) * by_level(EDDY) * tilted(self.stream)

    def u(self) -> np.ndarray:
        """Eastward wind in m s**-1: the level's shares of jets and eddies."""
        return by_level(JET) * self.jets + by_level(EDDY) * tilted(self.eddies[0])

    def v(self) -> np.ndarray:
        """Northward wind in m s**-1: the level's share of the eddies."""
        return by_level(EDDY) * tilted(self.eddies[1])

    def vo(self) -> np.ndarray:
        """Relative vorticity in s**-1: the Laplacian of the eddies' stream function, and the jets' shear.

        vo_jets = -1 / (R cos lat) d(U cos lat) / d lat, by finite differences
        """
        shear = -np.gradient(self.jets * np.cos(self.phi), self.phi[:, 0], axis=0) / np.cos(self.phi) / EARTH_RADIUS
        waves = self.weather.eddies
        curl = EDDIES / 3600 * laplacian(waves) / flow_scale(waves)
        return by_level(JET) * shear + by_level(EDDY) * tilted(curl)

    def pv(self) -> np.ndarray:
        """Potential vorticity in K m**2 kg**-1 s**-1: of the hemisphere's sign, more in cold air."""
        return 1e-6 * by_level(VORTICITY) * np.sin(self.phi) * (1 - 0.4 * tilted(self.mass))

    def r(self) -> np.ndarray:
        """Relative humidity in %, 0 to 100: higher in warm air, which rises, and lower in the subtropics."""
        dry_belt = 0.2 * np.sin(2 * self.phi) ** 2
        return by_level(DRY) * (1 - dry_belt) + by_level(MOIST) * (1 + tilted(self.mass)) / 2

    def q(self) -> np.ndarray:
        """Specific humidity in kg kg**-1: the relative one's share of what saturates the air.

        e_s = 611.2 Pa exp(17.67 (T - 273.15) / (T - 29.65)) (Bolton 1980, eq. 10)
        q = 0.622 e / (p - 0.378 e), with e = r e_s / 100
        """
        t = self.t()
        e = self.r() / 100 * 611.2 * np.exp(17.67 * (t - 273.15) / (t - 29.65))
        return 0.622 * e / (100 * by_level(np.array(LEVELS)) - 0.378 * e)


def flow_scale(waves: Waves) -> float:
    """What `Waves.flow` divides x cross grad f by, so that its root mean square is 1."""
    return float(np.sqrt(2 / 3 * np.mean(np.sum(waves.k**2, axis=1))))


def laplacian(waves: Waves) -> np.ndarray:
    """The Laplacian of `Waves` along the unit sphere: (lat, lon).

    For a plane wave F = exp(i k . x) it is the full Laplacian less what lies across the sphere,
    -|k|**2 F - d2F/dr2 - 2 dF/dr = (-|k|**2 + (k . x)**2 - 2 i k . x) F, on the sphere r = 1.
    """
    along = waves.points @ waves.k.T
    factor = -np.sum(waves.k**2, axis=1) + along**2 - 2j * along
    return ((factor * waves.waves) @ waves.c).real
