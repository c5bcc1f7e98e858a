"""How experiments and metrics are called and coloured, the same in every figure and table."""

import re
import tomllib
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from svqkit.errors import SvqkitError


class LineStyle(NamedTuple):
    """How one experiment is drawn in line plots; the marker tells lines apart where colour can't."""

    colour: str
    marker: str


_NAMES = tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))
LINE_STYLES = {kind: LineStyle(*look) for kind, look in _NAMES["line_styles"].items()}

# How ECMWF and CF write that a share or a ratio has no unit.
NO_UNITS = frozenset({"(0 - 1)", "1", "dimensionless"})
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SEED = re.compile(r"-seed(\d+)$")  # ends the name of a run
BASELINES = ("persistence", "climatology")
# What mixes positions in a translator (svqkit.models.translators.anatomy), as the paper's Table 3 groups the twelve.
# Neither the README nor the configs of the reference do; PoolFormer, whose pooling is no convolution with weights and
# no attention, stands with MLP-Mixer here.
FAMILIES = {"Convolution": "CNN", "Attention": "Transformer", "MLP and pooling": "MLP"}

METRICS = tuple(_NAMES["metrics"])  # in the order in which tables show them
MEASURES = tuple(_NAMES["measures"])
HIGHER_IS_BETTER = frozenset({"acc", "ssim", "ssim_published", "psnr"})
_OWN_UNITS = {"psnr": "dB"}  # whatever the data are in
_ORIGINAL = "_original"  # ends the name of a metric in the units of the raw data


def kind(experiment: str) -> str:
    """Return what is left of a name without its dataset and seed: ``"weather_t2m-svq-seed0"`` → ``"svq"``."""
    experiment = _SEED.sub("", experiment)
    _, dash, rest = experiment.partition("-")
    return rest if dash and rest else experiment


def display_name(experiment: str) -> str:
    """Return the name for readers: ``"weather_t2m-none"`` → ``"SimVP"``; words that are not known stay as they are.

    What follows a dash is added: ``"weather_t2m-svq-k16"`` → ``"SVQ, K = 16"``, ``"weather_t2m-swin-svq"`` →
    ``"Swin, SVQ"``. The name of a single run says which: ``"weather_t2m-none-seed0"`` → ``"SimVP (seed 0)"``.
    """
    words = kind(experiment).split("-")
    name = ", ".join(_in_words(word) for word in words if word != "none" or len(words) == 1 or word == words[0])
    seed = _SEED.search(experiment)
    return f"{name} (seed {seed.group(1)})" if seed else name


def _in_words(word: str) -> str:
    if size := re.fullmatch(r"k(\d+)", word):
        return f"K = {size.group(1)}"
    if noise := re.fullmatch(r"noise(\d+)", word):
        return f"{noise.group(1)} % noise"
    if start := re.fullmatch(r"init_(\w+)", word):
        return f"{start.group(1).replace('_', ' ')} codebook"
    return _NAMES["words"].get(word, word)


def display_names(experiments: Iterable[str]) -> dict[str, str]:
    """Return display names by experiment; where two would be called the same, both keep their full names."""
    short = {experiment: display_name(experiment) for experiment in experiments}
    taken = list(short.values())
    return {full: name if taken.count(name) == 1 else full for full, name in short.items()}


def line_styles(experiments: Iterable[str]) -> dict[str, LineStyle]:
    """Return colour and marker by experiment; a known kind has the same in every figure, unless it is there twice."""
    found: dict[str, LineStyle] = {}
    spare = cycle(_NAMES["spare_line_styles"].values())
    for experiment in experiments:
        style = LINE_STYLES.get(kind(experiment))
        if style is None or style in found.values():  # of two seeds, or datasets, only the first
            style = LineStyle(*next(spare))
        found[experiment] = style
    return found


def baselines_last(experiments: Iterable[str]) -> list[str]:
    """Return names in the order in which they are drawn: experiments as they come, then persistence and climatology."""
    return sorted(experiments, key=lambda name: BASELINES.index(kind(name)) if kind(name) in BASELINES else -1)


def study_title(study: str) -> str:
    """Return what a study asks, as the heading of its table."""
    return _NAMES["studies"].get(study, study)


def metric_name(metric: str) -> str:
    """Return ``"rmse"`` → ``"RMSE"``, ``"mae_original"`` → ``"MAE (orig.)"``; an unknown metric stays as it is."""
    known = metric.removesuffix(_ORIGINAL)
    name = (_NAMES["metrics"] | _NAMES["measures"]).get(known, known)
    return f"{name} (orig.)" if metric.endswith(_ORIGINAL) else name


def metric_label(metric: str, units: str | None) -> str:
    """Return the label ``"RMSE [K]"``; a PSNR is in dB whatever the data are in."""
    return with_units(metric_name(metric), units or _OWN_UNITS.get(metric))


def with_units(what: str, units: str | None) -> str:
    """Return ``"RMSE [K]"``, or only ``"RMSE"`` for a number without units."""
    return f"{what} [{superscript(units)}]" if units and units not in NO_UNITS else what


def superscript(units: str) -> str:
    """Return units for readers: ``"m**2 s**-2"`` → ``"m² s⁻²"``."""
    return re.sub(r"\*\*(-?\d+)", lambda power: power.group(1).translate(_SUPERSCRIPTS), units)


def plain(number: str) -> str:
    """Return a formatted number as readers write it: ``"-5.32e-05"`` → ``"−5.32×10⁻⁵"``."""
    digits, _, power = number.replace("-", "−", number[:1] == "-").partition("e")
    return superscript(f"{digits}×10**{int(power)}") if power else digits


def need_columns(frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Check that a table has ``columns``.

    Raises:
        SvqkitError: some are missing; the message names them.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise SvqkitError(
            f"{what} lacks the column(s) {', '.join(missing)}; it has {', '.join(map(str, frame.columns)) or 'none'}."
        )


def field_name(channel: str) -> str:
    """Return the name of a channel for readers: ``"t2m"`` → ``"2 m temperature"``; one not known stays as it is.

    A number behind a variable is its pressure level: ``"t_850"`` → ``"temperature at 850 hPa"``.
    """
    variable = variable_of(channel)
    if channel in _NAMES["fields"] or variable not in _NAMES["fields"]:
        return _NAMES["fields"].get(channel, channel)
    return f"{_NAMES['fields'][variable]} at {channel.rpartition('_')[2]} hPa"


def variable_of(channel: str) -> str:
    """Return the variable that a channel is a level of: ``"t_850"`` → ``"t"``; ``"t2m"`` is its own."""
    variable, _, level = channel.rpartition("_")
    return variable if variable and level.isdecimal() else channel


def dataset_title(dataset: str) -> str:
    """Return what a dataset is of: ``"weather_t2m"`` → ``"2 m temperature"``; one of your own keeps its name."""
    return _NAMES["datasets"].get(dataset, dataset)
