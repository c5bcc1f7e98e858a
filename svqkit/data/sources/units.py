"""What numbers in files mean: their units, of which cf_xarray and pint know most, and what stands for a missing one.

Many files don't say which number that is: −9999, 1e20, netCDF's 9.97e36.
"""

import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

NAMES = tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))
UNIT_WORDS = {word: unit for unit, words in NAMES["units"].items() for word in words}
# No physical quantity of the weather is as large; 1e15, 1e20 and 9.97e36 are what MERRA-2, CF and netCDF write where
# nothing is.
LARGEST = 9e14
DEGREES = re.compile(r"^([°º]|deg(ree)?s?)[\s_]*(?=([CFK]|cel[sc]ius|kelvin|fahrenheit)$)", re.IGNORECASE)
# The ends of what integers hold.
ENDS = (32767, 32768, 65535, 2**31, 2**32, 2**63, 2**64)


def same_unit(first: str, second: str) -> bool:
    """Return whether both mean the same: "m/s" and "m s**-1" do, "K" and "degC" don't; no unit fits every unit."""
    if not first or not second or first == second:
        return True
    one, other = _unit(first), _unit(second)
    return one is not None and other is not None and one == other


def converts(unit: str, to: str) -> bool:
    """Return whether values in ``unit`` can be brought to another; one that is not given is taken as the other."""
    if same_unit(unit, to):
        return True
    one, other = _unit(unit), _unit(to)
    return one is not None and other is not None and one.is_compatible_with(other)


def convert(values: np.ndarray, unit: str, to: str) -> np.ndarray:
    """Return values in another unit, in their own dtype; the same array where both mean the same."""
    if same_unit(unit, to):
        return values
    one, other = _unit(unit), _unit(to)
    converted = _registry().Quantity(values.astype(np.float64), one).to(other).magnitude
    return converted.astype(values.dtype if values.dtype.kind == "f" else np.float64)


@lru_cache(maxsize=1000)
def _unit(written: str) -> Any:
    """The unit (of pint) that is meant, None where it isn't known. Of "m.s-1" the point is a product."""
    text = DEGREES.sub("", written.strip())
    text = UNIT_WORDS.get(text.lower(), text).replace("·", " ")
    text = re.sub(r"(?<=[A-Za-z\d])\.(?=[A-Za-z])", " ", text)
    # No powers of powers, nor other arithmetic that a file may ask for.
    is_plain = re.fullmatch(r"[A-Za-z%°_\d\s*/^+-]{1,60}", text)
    if not is_plain or re.search(r"\d{3}|(\*\*|\^)[\s+-]*\d+\s*(\*\*|\^)", text):
        return None
    try:
        return _registry().parse_units(text)
    except Exception:  # pint raises more than its own errors
        return None


def _registry() -> Any:
    from cf_xarray.units import units  # takes a second, which most files don't need

    return units


def stand_in(
    values: np.ndarray, low: np.float32, high: np.float32, others: Sequence[float] | np.ndarray = ()
) -> np.float32 | None:
    """Return a number such as −9999, or one of ``others``, when it is the lowest or highest of the values.

    It must lie further off than all others are apart, or be the only one below 0: geopotential may well be −9999
    somewhere, among others near it.
    """
    for extreme in (low, high):
        reserved = _is_reserved(extreme)
        if reserved or np.isclose(extreme, np.asarray(others), rtol=1e-5).any():
            rest = values[values != extreme]
            alone = rest.size == 0 or np.abs(rest - extreme).min() > rest.max() - rest.min()
            if alone or (reserved and extreme < 0 <= rest.min()):
                return extreme
    return None


def stand_ins(values: np.ndarray, axis: int = 1) -> np.ndarray:
    """Return where values are such a number; each channel along ``axis``, which may be of other sizes, by itself."""
    found = np.zeros(values.shape, bool)
    for of_one, there in zip(np.moveaxis(values, axis, 0), np.moveaxis(found, axis, 0), strict=True):
        if (number := stand_in(of_one, of_one.min(), of_one.max())) is not None:
            there[of_one == number] = True
    return found


def _is_reserved(number: np.float32) -> bool:
    """Whether a number is one that people write where nothing is: −99.9, −1000, 9999, −9.99e8, 2³² − 1."""
    size = abs(float(number))
    digits = f"{size:.6g}".partition("e")[0].replace(".", "").strip("0")
    rows, least, least_of_one = ("99|9{3,}|8{3,}", 90, 1e3) if number < 0 else ("9{3,}|8{3,}", 990, 1e9)
    is_row = re.fullmatch(rows, digits) and size >= least
    return bool(is_row or (digits == "1" and size >= least_of_one) or size in ENDS)
