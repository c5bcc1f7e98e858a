"""How experiments and metrics are called and coloured, the same in every figure and table."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from svqkit.errors import SvqkitError


class Look(NamedTuple):
    """How one experiment is drawn in line plots; the marker tells lines apart where colour can't."""

    colour: str
    marker: str


# Okabe and Ito's palette, told apart with every kind of colour vision; references are grey and black.
LOOKS = {
    "none": Look("#0072B2", "o"),
    "svq": Look("#D55E00", "s"),
    "svq_frozen": Look("#E69F00", "D"),
    "vq": Look("#009E73", "^"),
    "persistence": Look("#7F7F7F", "x"),
    "climatology": Look("#000000", "+"),
}
# for all others, in the order they come: the rest of that palette, then three of Tol's muted colours
_SPARE_LOOKS = (
    Look("#CC79A7", "v"),
    Look("#56B4E9", "P"),
    Look("#332288", "*"),
    Look("#882255", "<"),
    Look("#999933", ">"),
    Look("#F0E442", "p"),
)

# How ECMWF and CF write that a share or a ratio has no unit.
NO_UNITS = frozenset({"(0 - 1)", "1", "dimensionless"})
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SEED = re.compile(r"-seed(\d+)$")  # ends the name of a run
_DISPLAY = {
    "none": "SimVP",
    "svq": "SVQ",
    "svq_frozen": "SVQ frozen",
    "vq": "VQ",
    "persistence": "Persistence",
    "climatology": "Climatology",
}
BASELINES = ("persistence", "climatology")

_METRIC_NAMES = {
    "mse": "MSE",
    "mae": "MAE",
    "rmse": "RMSE",
    "wrmse": "WRMSE",
    "acc": "ACC",
    "ssim": "SSIM",
    "ssim_published": "SSIM (published)",
    "psnr": "PSNR",
    "lpips": "LPIPS",
}
METRICS = tuple(_METRIC_NAMES)  # in the order in which tables show them
HIGHER_IS_BETTER = frozenset({"acc", "ssim", "ssim_published", "psnr"})
_OWN_UNITS = {"psnr": "dB"}  # whatever the data are in
_ORIGINAL = "_original"  # ends the name of a metric in the units of the raw data


def kind(experiment: str) -> str:
    """What is left of a name without its dataset and seed: ``"weather_t2m-svq-seed0"`` → ``"svq"``."""
    experiment = _SEED.sub("", experiment)
    _, dash, rest = experiment.partition("-")
    return rest if dash and rest else experiment


def display_name(experiment: str) -> str:
    """The name for readers: ``"weather_t2m-none"`` → ``"SimVP"``; an unknown kind stays as it is.

    The name of a single run says which: ``"weather_t2m-none-seed0"`` → ``"SimVP (seed 0)"``.
    """
    name = _DISPLAY.get(kind(experiment), kind(experiment))
    seed = _SEED.search(experiment)
    return f"{name} (seed {seed.group(1)})" if seed else name


def display_names(experiments: Iterable[str]) -> dict[str, str]:
    """Display names by experiment; where two would be called the same, both keep their full names."""
    short = {experiment: display_name(experiment) for experiment in experiments}
    taken = list(short.values())
    return {full: name if taken.count(name) == 1 else full for full, name in short.items()}


def looks(experiments: Iterable[str]) -> dict[str, Look]:
    """Colour and marker by experiment; a known kind has the same ones in every figure."""
    found: dict[str, Look] = {}
    unknown = 0
    for experiment in experiments:
        look = LOOKS.get(kind(experiment))
        if look is None:
            look = _SPARE_LOOKS[unknown % len(_SPARE_LOOKS)]
            unknown += 1
        found[experiment] = look
    return found


def metric_name(metric: str) -> str:
    """``"rmse"`` → ``"RMSE"``, ``"mae_original"`` → ``"MAE (orig.)"``; an unknown metric stays as it is."""
    known = metric.removesuffix(_ORIGINAL)
    name = _METRIC_NAMES.get(known, known)
    return f"{name} (orig.)" if metric.endswith(_ORIGINAL) else name


def metric_label(metric: str, units: str | None) -> str:
    """``"RMSE [K]"``; a PSNR is in dB whatever the data are in."""
    return with_units(metric_name(metric), units or _OWN_UNITS.get(metric))


def with_units(what: str, units: str | None) -> str:
    """``"RMSE [K]"``, or only ``"RMSE"`` for a number without units."""
    return f"{what} [{superscript(units)}]" if units and units not in NO_UNITS else what


def superscript(units: str) -> str:
    """Units for readers: ``"m**2 s**-2"`` → ``"m² s⁻²"``."""
    return re.sub(r"\*\*(-?\d+)", lambda power: power.group(1).translate(_SUPERSCRIPTS), units)


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
