"""How experiments and metrics are called and coloured, the same in every figure and table."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from svqkit.errors import SvqkitError


class LineStyle(NamedTuple):
    """How one experiment is drawn in line plots; the marker tells lines apart where colour can't."""

    colour: str
    marker: str


# Okabe and Ito's palette, told apart with every kind of colour vision; references are grey and black.
LINE_STYLES = {
    "none": LineStyle("#0072B2", "o"),
    "svq": LineStyle("#D55E00", "s"),
    "svq_frozen": LineStyle("#E69F00", "D"),
    "vq": LineStyle("#009E73", "^"),
    "persistence": LineStyle("#7F7F7F", "x"),
    "climatology": LineStyle("#000000", "+"),
}
# for all others, in the order they come: the rest of that palette, then three of Tol's muted colours
_SPARE_STYLES = (
    LineStyle("#CC79A7", "v"),
    LineStyle("#56B4E9", "P"),
    LineStyle("#332288", "*"),
    LineStyle("#882255", "<"),
    LineStyle("#999933", ">"),
    LineStyle("#F0E442", "p"),
)

# How ECMWF and CF write that a share or a ratio has no unit.
NO_UNITS = frozenset({"(0 - 1)", "1", "dimensionless"})
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SEED = re.compile(r"-seed(\d+)$")  # ends the name of a run
_WORDS = {
    "none": "SimVP",
    "svq": "SVQ",
    "svq_frozen": "SVQ frozen",
    "vq": "VQ",
    "multihead_vq": "Multi-head VQ",
    "residual_vq": "Residual VQ",
    "grouped_residual_vq": "Grouped residual VQ",
    "lfq": "LFQ",
    "residual_lfq": "Residual LFQ",
    "fsq": "FSQ",
    "residual_fsq": "Residual FSQ",
    "simvq": "SimVQ",
    "mlp": "MLP",
    "linear": "Linear",
    "softmax": "Softmax",
    "gumbel": "Gumbel",
    "lista": "LISTA",
    "total": "as many parameters",
    "loss_mae": "MAE loss",
    "loss_mse": "MSE loss",
    "loss_huber": "Huber loss",
    "relu_none": "no ReLU",
    "relu_weights": "ReLU on the weights only",
    "relu_both": "ReLU on both",
    "after_translator": "after the translator",
    "frozen_projection": "projection frozen",
    "frozen_both": "both frozen",
    "l1_weak": "weak L1",
    "l1_strong": "strong L1",
    "protocol_paper": "trained under protocol paper",
    "gsta": "gSTA",
    "convmixer": "ConvMixer",
    "convnext": "ConvNeXt",
    "hornet": "HorNet",
    "incepu": "IncepU",
    "mlpmixer": "MLP-Mixer",
    "moganet": "MogaNet",
    "poolformer": "PoolFormer",
    "swin": "Swin",
    "tau": "TAU",
    "uniformer": "UniFormer",
    "van": "VAN",
    "vit": "ViT",
    "persistence": "Persistence",
    "climatology": "Climatology",
}
BASELINES = ("persistence", "climatology")
# What mixes positions in a translator (svqkit.models.translators.anatomy), as the paper's Table 3 groups the twelve.
# Neither the README nor the configs of the reference do; PoolFormer, whose pooling is no convolution with weights and
# no attention, stands with MLP-Mixer here.
FAMILIES = {"Convolution": "CNN", "Attention": "Transformer", "MLP and pooling": "MLP"}
_STUDIES = {
    "main": "Main results",
    "translators": "Translators with and without SVQ",
    "noise": "Share of the input that is perturbed while training",
    "quantizers": "Quantizers",
    "stability": "Quantizers before and after the translator",
    "controls": "Controls: SVQ without its codebook, and other ways to weigh codes",
    "parts": "Parts of SVQ: what is frozen, where it stands",
    "relu": "ReLU on the hidden layer and on the weights",
    "init": "Initialisation of the codebook",
    "codebook_size": "Size of the codebook",
    "loss": "Training loss",
    "sparsity": "Penalty on the weights",
    "published": "Trained under protocol paper, to stand beside published numbers",
}

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
# What is measured of a codebook: no value of these is better than another.
_MEASURE_NAMES = {
    "codes": "Codes",
    "perplexity": "Perplexity",
    "dead_codes": "Dead codes",
    "codes_per_position": "Codes mixed (effective)",
    "active_codes_0.01": "Codes above 1 %",
    "active_codes_0.1": "Codes above 10 %",
    "active_codes_0.5": "Codes above 50 %",
    "near_zero_0.01": "Weights below 1 %",
    "near_zero_0.1": "Weights below 10 %",
    "near_zero_0.5": "Weights below 50 %",
    "kurtosis": "Kurtosis",
}
MEASURES = tuple(_MEASURE_NAMES)
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
    return _WORDS.get(word, word)


def display_names(experiments: Iterable[str]) -> dict[str, str]:
    """Return display names by experiment; where two would be called the same, both keep their full names."""
    short = {experiment: display_name(experiment) for experiment in experiments}
    taken = list(short.values())
    return {full: name if taken.count(name) == 1 else full for full, name in short.items()}


def line_styles(experiments: Iterable[str]) -> dict[str, LineStyle]:
    """Return colour and marker by experiment; a known kind has the same in every figure, unless it is there twice."""
    found: dict[str, LineStyle] = {}
    unknown = 0
    for experiment in experiments:
        style = LINE_STYLES.get(kind(experiment))
        if style is None or style in found.values():  # of two seeds, or datasets, only the first
            style = _SPARE_STYLES[unknown % len(_SPARE_STYLES)]
            unknown += 1
        found[experiment] = style
    return found


def baselines_last(experiments: Iterable[str]) -> list[str]:
    """Return names in the order in which they are drawn: experiments as they come, then persistence and climatology."""
    return sorted(experiments, key=lambda name: BASELINES.index(kind(name)) if kind(name) in BASELINES else -1)


def study_title(study: str) -> str:
    """Return what a study asks, as the heading of its table."""
    return _STUDIES.get(study, study)


def metric_name(metric: str) -> str:
    """Return ``"rmse"`` → ``"RMSE"``, ``"mae_original"`` → ``"MAE (orig.)"``; an unknown metric stays as it is."""
    known = metric.removesuffix(_ORIGINAL)
    name = (_METRIC_NAMES | _MEASURE_NAMES).get(known, known)
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


_FIELDS = {
    "t2m": "2 m temperature",
    "t": "temperature",
    "r": "relative humidity",
    "q": "specific humidity",
    "u": "eastward wind",
    "v": "northward wind",
    "u10": "10 m eastward wind",
    "v10": "10 m northward wind",
    "z": "geopotential",
    "pv": "potential vorticity",
    "vo": "vorticity",
    "tcc": "cloud cover",
    "tisr": "solar irradiation",
    "tp": "precipitation",
}
_DATASETS = {
    "weather_t2m": "2 m temperature",
    "weather_r": "Relative humidity",
    "weather_uv10": "10 m wind",
    "weather_tcc": "Cloud cover",
    "weather_mv": "Humidity, temperature, wind",
    "weather_hmv": "110 weather fields",
    "kth": "KTH",
    "kitticaltech": "KittiCaltech",
    "human": "Human3.6M",
    "taxibj": "TaxiBJ",
}


def field_name(channel: str) -> str:
    """Return the name of a channel for readers: ``"t2m"`` → ``"2 m temperature"``; one not known stays as it is.

    A number behind a variable is its pressure level: ``"t_850"`` → ``"temperature at 850 hPa"``.
    """
    variable = variable_of(channel)
    if channel in _FIELDS or variable not in _FIELDS:
        return _FIELDS.get(channel, channel)
    return f"{_FIELDS[variable]} at {channel.rpartition('_')[2]} hPa"


def variable_of(channel: str) -> str:
    """Return the variable that a channel is a level of: ``"t_850"`` → ``"t"``; ``"t2m"`` is its own."""
    variable, _, level = channel.rpartition("_")
    return variable if variable and level.isdecimal() else channel


def dataset_title(dataset: str) -> str:
    """Return what a dataset is of: ``"weather_t2m"`` → ``"2 m temperature"``; one of your own keeps its name."""
    return _DATASETS.get(dataset, dataset)
