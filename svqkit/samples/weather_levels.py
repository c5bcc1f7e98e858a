"""The standing profile of the simulated air: one number per level for all that changes with height.

The tables are written from the ground up, so that they read like a sounding; `LEVELS` and all arrays here have
the files' order, the top first. They were chosen by hand after the look of the Earth's zonal means.

Some neighbouring levels share a row of numbers on purpose. Their fields are then the same up to the tilt of
`TILT`, and a file that holds them one after the other deflates far better.
"""

import numpy as np

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
