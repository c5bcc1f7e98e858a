"""Numbers that stand for what is missing, though the file doesn't say so: −9999, 1e20, netCDF's 9.97e36."""

from collections.abc import Sequence

import numpy as np

# No physical quantity of the weather is as large; 1e20 and 9.97e36 are what CF and netCDF write where nothing is.
LARGEST = 1e19
STAND_INS = np.array([999, 999.9, 9999, 99999, 32767, 32768, 1e20], np.float32)


def stand_in(values: np.ndarray, low: np.float32, high: np.float32, others: Sequence[float] = ()) -> np.float32 | None:
    """Return a number such as −9999, or one of ``others``, when it is the lowest or highest of the values.

    It must lie further off than all others are apart: geopotential may well be −9999 somewhere, among others near it.
    """
    for extreme in (low, high):
        if (np.abs(extreme) == STAND_INS).any() or np.isclose(extreme, others, rtol=1e-5).any():
            rest = values[values != extreme]
            if rest.size == 0 or np.abs(rest - extreme).min() > rest.max() - rest.min():
                return extreme
    return None
