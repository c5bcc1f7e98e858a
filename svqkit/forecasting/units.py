"""Whether two units, as files write them, are the same."""

import re

_WORDS = {
    "kelvin": "k",
    "degk": "k",
    "degc": "celsius",
    "c": "celsius",
    "°c": "celsius",
    "deg_c": "celsius",
    "degree_celsius": "celsius",
    "degrees_celsius": "celsius",
    "percent": "%",
    "(0 - 1)": "1",
    "(0-1)": "1",
    "0-1": "1",
    "dimensionless": "1",
    "fraction": "1",
    "~": "1",
    "meter": "m",
    "metre": "m",
}


def same_unit(one: str, other: str) -> bool:
    """Whether both mean the same: "m/s" and "m s**-1" do, "K" and "degC" don't. Nothing written fits everything."""
    return not one.strip() or not other.strip() or _plain(one) == _plain(other)


def _plain(unit: str) -> tuple[str, ...]:
    """Sorted factors with their powers: "m s**-1", "m/s" and "m.s-1" → ("m", "s-1")."""
    unit = _WORDS.get(unit.strip().lower(), unit.strip().lower())
    above, *below = unit.replace("**", "").replace("^", "").split("/")
    factors = _factors(above) + [_inverse(factor) for part in below for factor in _factors(part)]
    return tuple(sorted(factor for factor in factors if factor != "1"))


def _factors(product: str) -> list[str]:
    return [_WORDS.get(factor, factor) for factor in re.split(r"[\s.*·]+", product) if factor]


def _inverse(factor: str) -> str:
    """ "s" → "s-1", "m2" → "m-2"."""
    name, power = re.fullmatch(r"(.*?)([-+]?\d*)", factor).groups()
    return f"{name}{-int(power or 1)}"
