"""Types of single settings, and what a value must be to fit: used by every dataclass of settings."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

Positive = Annotated[int, Field(gt=0)]
Natural = Annotated[int, Field(ge=0)]
Odd = Annotated[int, Field(gt=0, multiple_of=1), BeforeValidator(lambda value: _odd(value))]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]
Seeds = Annotated[tuple[Natural, ...], Field(min_length=1)]
Period = Annotated[tuple[str, str], BeforeValidator(lambda value: _dates(value))]
Size = tuple[Positive, Positive]


def is_name(name: Any) -> bool:
    """Whether ``name`` can name folders and stages."""
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_-]+", name) is not None


def is_date(written: str) -> bool:
    """Whether ``written`` is a year, a month or a day of the calendar."""
    if not re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", written):
        return False
    try:
        date.fromisoformat((written + "-01-01")[:10])
    except ValueError:
        return False
    return True


def overlap(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two periods share a date; "2010" as an end means the end of 2010."""
    return one[0] <= other[1] + "~" and other[0] <= one[1] + "~"


def refuse_shared(groups: dict[str, tuple], what: str) -> None:
    """Refuse a value that stands in two of the ``groups``, or twice in one."""
    seen: dict[Any, str] = {}
    for name, values in groups.items():
        for value in values:
            if value in seen:
                where = f"twice in {name}" if seen[value] == name else f"in {seen[value]} and in {name}"
                raise ValueError(f"{what} {value!r} stands {where}: a model would be tested on what it has seen")
            seen[value] = name


def _odd(value: Any) -> Any:
    if isinstance(value, int) and value % 2 == 0:
        raise ValueError(f"must be odd, so that a kernel has a middle; got {value}")
    return value


def _dates(value: Any) -> Any:
    """Years and dates as YAML may give them (2010, "2010", "2010-06"), as text."""
    if not isinstance(value, list | tuple):
        return value
    return tuple(str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in value)
