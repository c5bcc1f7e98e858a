"""Units as files write them: which mean the same, and values from one to another; cf_xarray and pint know most."""

import re
from functools import lru_cache
from typing import Any

import numpy as np

# Units as they are written, where the registry of units knows them by another name, or as something else.
UNIT_WORDS = {
    **dict.fromkeys(("(0 - 1)", "(0-1)", "0-1", "~", "fraction", "proportion", "code table"), "1"),
    **dict.fromkeys(("c", "celsius", "degc", "degrees_c", "degree_celsius", "degrees_celsius"), "degC"),
    **dict.fromkeys(("kelvin", "degrees_k", "degrees_kelvin"), "K"),
    **dict.fromkeys(("mb", "mbar", "millibars"), "hPa"),
}


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
    text = UNIT_WORDS.get(written.lower(), written).replace("·", " ")
    text = re.sub(r"(?<=[A-Za-z\d])\.(?=[A-Za-z])", " ", text)
    # No powers of powers, nor other arithmetic that a file may ask for.
    if not re.fullmatch(r"[A-Za-z%°_\d\s*/^+-]{1,60}", text) or re.search(
        r"\d{3}|(\*\*|\^)[\s+-]*\d+\s*(\*\*|\^)", text
    ):
        return None
    try:
        return _registry().parse_units(text)
    except Exception:  # pint raises more than its own errors
        return None


def _registry() -> Any:
    from cf_xarray.units import units  # takes a second, which most files don't need

    return units
