"""Types of single settings, and the check of values against them: used by every dataclass of settings."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from svqkit.errors import SvqkitError, hint, listed, shown

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, str_max_length=1000)

# The most of anything: settings come from strangers too, and a typing error must not take all memory. Far above what
# anybody trains: the paper's largest model has 12 blocks, 512 channels and 10,000 codes.
MOST, MOST_LAYERS, MOST_CHANNELS, MOST_CODES, MOST_PIXELS = 2**31, 512, 2**14, 2**24, 2**26

NAME_RULE = (
    "names folders and stages: use letters, digits, '_' and '-' only, up to 100, with a letter among them and no '-' "
    "in front, and nothing that YAML takes for something else, such as 2024, 1e5, null, yes"
)
_NOT_TEXT = re.compile(
    r"[0-9_-]+|[0-9_]+e-?[0-9_]+|0x[0-9a-f_]+|0o[0-7_]+|0b[01_]+|null|true|false|yes|no|on|off|y|n|nan|inf|infinity",
    re.IGNORECASE,
)


def is_name(name: Any) -> bool:
    """Return whether ``name`` can name folders and stages; see ``NAME_RULE``."""
    fits = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", name)
    return bool(fits) and not _NOT_TEXT.fullmatch(name)


def _name(value: str) -> str:
    if not is_name(value):
        raise ValueError(f"{value!r} {NAME_RULE}")
    return value


def _each_once(values: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"each of them once, got {list(values)}")
    return values


def _size(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] * value[1] > MOST_PIXELS:
        raise ValueError(f"a frame has at most {MOST_PIXELS:,} pixels, got {value[0]:,} × {value[1]:,}")
    return value


Positive = Annotated[int, Field(gt=0, le=MOST)]
Natural = Annotated[int, Field(ge=0, le=MOST)]
Layers = Annotated[int, Field(gt=0, le=MOST_LAYERS)]
Channels = Annotated[int, Field(gt=0, le=MOST_CHANNELS)]
Codes = Annotated[int, Field(gt=0, le=MOST_CODES)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Name = Annotated[str, AfterValidator(_name)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]
EachOnce = AfterValidator(_each_once)
Seeds = Annotated[tuple[Natural, ...], Field(min_length=1), EachOnce]
Size = Annotated[tuple[Positive, Positive], AfterValidator(_size)]


_adapter: Callable[[Any], TypeAdapter] = cache(TypeAdapter)


def checked(kind: type[T], value: Any, where: str, complaint: str = "") -> T:
    """Return ``value``, plain dicts, lists and values as JSON has them, as an instance of ``kind``.

    Raises:
        SvqkitError: everything that doesn't fit, in one message that begins with ``complaint``; ``where`` is how it
            calls the value.
    """
    problems: list[str] = []
    fitting = fit(kind, value, where, problems)
    refuse(complaint or f"{where} doesn't fit", problems[:20])
    assert fitting is not None  # else there was a problem
    return fitting


def refuse(complaint: str, problems: Iterable[str]) -> None:
    """Refuse all ``problems`` at once, each once; do nothing where there is none.

    Raises:
        SvqkitError: there are some.
    """
    if lines := dict.fromkeys(problems):
        raise SvqkitError(f"{complaint}, {len(lines)} problem(s):\n" + "\n".join(f"  - {line}" for line in lines))


def fit(kind: type[T], value: Any, where: str, problems: list[str], complete: bool = True) -> T | None:
    """Return ``value`` as an instance of ``kind``; None, and lines more in ``problems``, when it does not fit.

    With ``complete`` False nothing is missing in it, and its settings need not fit together: others come in elsewhere.
    """
    try:
        # Strict JSON takes exactly what YAML can say: lists for tuples, whole numbers for floats, nothing else.
        return _adapter(kind).validate_json(json.dumps(value, default=str))
    except TypeError as error:  # a date or a list as a key
        problems.append(f"{where}: {error}")
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            # A list whose items are wrong is called too short as well: that line would mislead.
            misleading = detail["type"] == "too_short" and detail["input"]
            if not misleading and (complete or not _is_of_several(detail)):
                problems.append(_explained(kind, detail, where))
    return None


def _is_of_several(detail: Mapping[str, Any]) -> bool:
    """Whether an error is of settings that are missing or don't fit together, not of one of them."""
    whole = detail["type"] == "value_error" and isinstance(detail["input"], Mapping)
    return whole or detail["type"] in ("missing", "missing_argument")


def _explained(kind: Any, detail: Mapping[str, Any], where: str) -> str:
    """One error of pydantic's in our words: the place, the rule, what came, and what is valid."""
    inside, path = _located(kind, detail["loc"])
    where, came = ".".join([where, *path]), shown(detail["input"])
    match detail["type"]:
        case "unexpected_keyword_argument":
            above, _ = _located(kind, detail["loc"][:-1])
            valid = [field.name for member in _tagged(above).values() for field in fields(member)]
            return f"{where}: unknown key {path[-1]!r}{hint(path[-1], valid)}; valid: {listed(valid)}"
        case "missing" | "missing_argument":
            return f"{where}: is missing" + (f", got {came}" if isinstance(detail["loc"][-1], int) else "")
        case "union_tag_not_found" | "union_tag_invalid":
            key, tag, kinds = detail["ctx"]["discriminator"].strip("'"), detail["ctx"].get("tag"), _tagged(inside)
            wrong = "is missing" if tag is None else f"unknown {key} {tag!r}{hint(tag, kinds)}"
            return f"{where}.{key}: {wrong}; valid: {listed(kinds)}"
        case "dataclass_type" | "dict_type" | "model_attributes_type":
            return f"{where} must be a mapping of keys to values, got {came}"
        case "value_error":
            return f"{where}: {detail['msg'].removeprefix('Value error, ')}"
    return f"{where}: {detail['msg']}, got {came}"


def _located(kind: Any, loc: Iterable[Any]) -> tuple[Any, list[str]]:
    """What is of a kind at an error's place, and the keys that lead there, without the tags that pydantic puts in."""
    path: list[str] = []
    for part in loc:
        if len(tagged := _tagged(kind)) > 1 and part in tagged:
            kind = tagged[part]
            continue
        if get_origin(kind) in (Union, UnionType) and NoneType not in get_args(kind) and not tagged:
            kind = None  # pydantic puts in which member it tried
            continue
        path.append(str(part))
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            kind = next((get_type_hints(member).get(part) for member in tagged.values()), None)
    return kind, path


def _tagged(kind: Any) -> dict[Any, Any]:
    """The dataclasses of a kind, which may be a union, by the value, ``name`` or ``source``, that tells them apart."""
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    members = [member for member in (kind, *get_args(kind)) if is_dataclass(member)]
    return {getattr(member, "source", None) or getattr(member, "name", None): member for member in members}
