"""Types of single settings, and what a value must be to fit: used by every dataclass of settings."""

import json
import re
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from svqkit.errors import SvqkitError, shown

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, str_max_length=1000)

# The most of anything: settings come from strangers too, and a typing error must not take all memory. Far above what
# anybody trains: the paper's largest model has 12 blocks, 512 channels and 10,000 codes.
MOST, MOST_LAYERS, MOST_CHANNELS, MOST_CODES, MOST_PIXELS = 2**31, 512, 2**14, 2**24, 2**26


def each_once(what: str) -> AfterValidator:
    """Return the check that no value stands twice in a tuple; ``what`` is the word for one."""
    return AfterValidator(lambda values: _each_once(values, what))


Positive = Annotated[int, Field(gt=0, le=MOST)]
Natural = Annotated[int, Field(ge=0, le=MOST)]
Layers = Annotated[int, Field(gt=0, le=MOST_LAYERS)]
Channels = Annotated[int, Field(gt=0, le=MOST_CHANNELS)]
Codes = Annotated[int, Field(gt=0, le=MOST_CODES)]
PowerOfTwo = Annotated[Codes, AfterValidator(lambda value: _power_of_two(value))]
Frames = Annotated[int, Field(gt=0, le=10_000)]
Odd = Annotated[int, Field(gt=0, le=255, multiple_of=1), BeforeValidator(lambda value: _odd(value))]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Name = Annotated[str, AfterValidator(lambda value: _name(value))]
# Of files and folders, by which a source looks for them.
FileName = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f]+$"), AfterValidator(lambda value: _file_name(value))]
Names = Annotated[tuple[str, ...], Field(min_length=1)]
Seeds = Annotated[tuple[Natural, ...], Field(min_length=1), each_once("seed")]
# First and last date, both inclusive; written 2010/2015 or 2014-01-01/2014-01-04, or as a list of the two.
Period = Annotated[tuple[str, str], BeforeValidator(lambda value: _period(value))]
Size = Annotated[tuple[Positive, Positive], AfterValidator(lambda value: _size(value))]

NAME_RULE = (
    "names folders and stages: use letters, digits, '_' and '-' only, up to 100, with a letter among them and no '-' "
    "in front, and nothing that YAML takes for something else, such as 2024, 1e5, null, yes"
)
_NOT_TEXT = re.compile(
    r"[0-9_-]+|[0-9_]+e-?[0-9_]+|0x[0-9a-f_]+|0o[0-7_]+|0b[01_]+|null|true|false|yes|no|on|off|y|n|nan|inf|infinity",
    re.IGNORECASE,
)


def is_name(name: Any) -> bool:
    """Whether ``name`` can name folders and stages; see ``NAME_RULE``."""
    fits = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", name)
    return bool(fits) and not _NOT_TEXT.fullmatch(name)


def checked(kind: type[T], value: Any, where: str) -> T:
    """Return ``value``, plain dicts, lists and values as JSON has them, as an instance of ``kind``.

    Raises:
        SvqkitError: everything that doesn't fit, in one message; ``where`` is how it calls the value.
    """
    try:
        return TypeAdapter(kind).validate_json(json.dumps(value, default=str))
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, problem['loc'])) or 'it'}: {problem['msg'].removeprefix('Value error, ')}"
            + ("" if problem["type"] == "value_error" else f", got {shown(problem['input'])}")
            for problem in error.errors()[:20]
        ]
        raise SvqkitError(f"{where} doesn't fit:\n  " + "\n  ".join(lines)) from error


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


def _name(value: str) -> str:
    if not is_name(value):
        raise ValueError(f"{value!r} {NAME_RULE}")
    return value


def _file_name(value: str) -> str:
    if value in (".", ".."):
        raise ValueError(f"{value!r} names no file")
    return value


def _size(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] * value[1] > MOST_PIXELS:
        raise ValueError(f"a frame has at most {MOST_PIXELS:,} pixels, got {value[0]:,} × {value[1]:,}")
    return value


def _odd(value: Any) -> Any:
    if isinstance(value, int) and value % 2 == 0:
        raise ValueError(f"must be odd, so that a kernel has a middle; got {value}")
    return value


def _period(value: Any) -> Any:
    """The two dates of a period, which YAML may give as text ("2010/2010-06") or as a list (2010, "2010-06")."""
    if isinstance(value, str) and "/" in value:
        return tuple(value.split("/"))
    if not isinstance(value, list | tuple):
        raise ValueError(f"a period is written first/last, as in 2010/2015 or 2014-01-01/2014-01-04, got {value!r}")
    return tuple(str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in value)


def _power_of_two(value: int) -> int:
    if value < 2 or value & (value - 1):
        raise ValueError(f"codebook_size must be a power of two (a code is a row of signs), got {value}")
    return value


def _each_once(values: tuple[T, ...], what: str) -> tuple[T, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"each {what} once, got {list(values)}")
    return values
