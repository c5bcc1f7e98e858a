"""What others reported: the model zoo of OpenSTL and what is known here of the SVQ paper's own numbers.

The numbers lie as they were found in ``published/openstl.csv`` (one row per dataset, variable and method) and
``published/svq_paper.csv`` (one row per number), each with its source. Three things are said differently here, none of
them another number:

- the zoo's SSIM was computed with a data range of 2 on frames in [0, 1], so its metric is our ``ssim_published``;
- the zoo's "sum" over the variables of weather_mv is their mean (a test holds each to it), our channel "mean";
- a number whose source says "check before use" is ``doubtful``: tables name it in a note, not in a column.
"""

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import pandas as pd

from svqkit.errors import SvqkitError, choose, listed
from svqkit.settings.params import Data, Experiment

_ZOO_METRICS = {
    "mse": "mse",
    "mae": "mae",
    "rmse": "rmse",
    "ssim": "ssim_published",
    "psnr": "psnr",
    "lpips": "lpips",
    "params_m": "params_m",  # millions of parameters
    "flops_g": "flops_g",  # billions of operations for one sample
    "fps_v100": "fps_v100",  # samples a second on a V100
}
_CHECK = "check before use"
# Frames in and out of the published settings; scores of other lengths don't compare.
FRAMES = {
    "weather_t2m": (12, 12),
    "weather_r": (12, 12),
    "weather_uv10": (12, 12),
    "weather_tcc": (12, 12),
    "weather_mv": (4, 4),
    "human": (4, 4),
    "kth": (10, 20),
    "kitticaltech": (10, 1),
    "taxibj": (4, 4),
}


@dataclass(frozen=True)
class Quote:
    """One published number.

    Attributes:
        dataset: one of ours.
        variable: a variable of weather_mv, else "mean": our channel of that name.
        method: as the source calls it.
        metric: as we call it.
        value: as published, in our units.
        source: where it stands, and what is not certain of it.
        setting: what the source says of the training, such as "50 epoch".
    """

    dataset: str
    variable: str
    method: str
    metric: str
    value: float
    source: str
    setting: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether its source says that it must be checked before use."""
        return _CHECK in self.source


@dataclass(frozen=True)
class Counterpart:
    """Which of our experiments a published method is: its translator, its quantizer, whether that learns its codes."""

    translator: str
    quantizer: str = "none"
    learnable: bool = True
    codebook_size: int | None = None

    def is_like(self, experiment: Experiment) -> bool:
        """Return whether an experiment is the same method, whatever its sizes, its training and its dataset."""
        model, quantizer = experiment.model, experiment.quantizer
        return (
            (self.translator, self.quantizer) == (model.translator, quantizer.name)
            and self.learnable == getattr(quantizer, "learnable", True)
            and getattr(quantizer, "learnable_projection", True)
            and not getattr(quantizer, "stochastic", False)
            and not model.quantize_after_translator
            and model.noise == 0
        )


# Only what is certain. Not here: TAU, which was trained with a further loss that ours has not; "SimVP+SVQ", of which
# the index that lists it does not say whether its codebook learned.
COUNTERPARTS = {
    "IncepU (SimVPv1)": Counterpart("incepu"),
    "SimVP+IncepU": Counterpart("incepu"),
    "gSTA (SimVPv2)": Counterpart("gsta"),
    "SimVP+gSTA-S": Counterpart("gsta"),
    "ViT": Counterpart("vit"),
    "Swin Transformer": Counterpart("swin"),
    "Uniformer": Counterpart("uniformer"),
    "MLP-Mixer": Counterpart("mlpmixer"),
    "ConvMixer": Counterpart("convmixer"),
    "Poolformer": Counterpart("poolformer"),
    "ConvNeXt": Counterpart("convnext"),
    "VAN": Counterpart("van"),
    "HorNet": Counterpart("hornet"),
    "MogaNet": Counterpart("moganet"),
    "SimVP (gSTA)": Counterpart("gsta"),
    "SimVP+SVQ learnable, K=10000": Counterpart("gsta", "svq", True, 10_000),
    "SimVP+SVQ frozen, K=10000": Counterpart("gsta", "svq", False, 10_000),
    "SimVP+VQ": Counterpart("gsta", "vq"),
    "SimVP+Residual VQ": Counterpart("gsta", "residual_vq"),
    "SimVP+Grouped Residual VQ": Counterpart("gsta", "grouped_residual_vq"),
}


def quotes(dataset: str) -> list[Quote]:
    """Return the published numbers of a dataset, the model zoo's first; none for a dataset that nobody published on."""
    return [quote for quote in _all() if quote.dataset == dataset]


def compares(dataset: str, data: Data) -> bool:
    """Return whether published scores of a dataset are of as many frames in and out as ``data`` asks for."""
    return FRAMES.get(dataset) == (data.frames_in, data.frames_out)


def read_zoo(path: str | Path) -> list[Quote]:
    """Read the numbers of a table with a row per dataset, variable and method, and a column per metric.

    Raises:
        SvqkitError: a column is missing or unknown, a dataset is unknown, a source is missing, or a number is none.
    """
    frame = _read(path, {"dataset", "variable", "method", "setting", "source", *_ZOO_METRICS})
    return [
        Quote(
            row["dataset"],
            {"": "mean", "sum": "mean"}.get(row["variable"], row["variable"]),
            row["method"],
            metric,
            _number(row[column], path, row["method"]),
            row["source"],
            row["setting"],
        )
        for row in frame.to_dict("records")
        for column, metric in _ZOO_METRICS.items()
        if row[column]
    ]


def read_paper(path: str | Path) -> list[Quote]:
    """Read the numbers of a table with a row per number: dataset, method, metric, value, source.

    Raises:
        SvqkitError: a column is missing or unknown, a dataset or metric is unknown, a source is missing, or a number is
            none.
    """
    frame = _read(path, {"dataset", "method", "metric", "value", "source"})
    return [
        Quote(
            row["dataset"],
            "mean",
            row["method"],
            choose(_ZOO_METRICS, row["metric"], f"metric in {path}"),
            _number(row["value"], path, row["method"]),
            row["source"],
        )
        for row in frame.to_dict("records")
    ]


@cache
def _all() -> tuple[Quote, ...]:
    folder = resources.files("svqkit.paper") / "published"
    with resources.as_file(folder / "openstl.csv") as zoo, resources.as_file(folder / "svq_paper.csv") as paper:
        return (*read_zoo(zoo), *read_paper(paper))


def _read(path: str | Path, columns: set[str]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise SvqkitError(f"Published numbers can't be read from {path}: {error}. Install svqkit anew.") from error
    if columns != set(frame.columns):
        raise SvqkitError(f"{path} must have the columns {listed(columns)}; it has {listed(frame.columns)}.")
    for number, row in enumerate(frame.to_dict("records"), 2):
        if not (row["dataset"] and row["method"] and row["source"]):
            raise SvqkitError(f"{path}, line {number}: dataset, method and source must be filled in, got {row}.")
        choose(FRAMES, row["dataset"], f"dataset in {path}, line {number},")
    return frame


def _number(text: str, path: str | Path, method: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise SvqkitError(f"{path}: expected a number of {method}, got {text!r}.") from error
    if not math.isfinite(value):
        raise SvqkitError(f"{path}: expected a finite number of {method}, got {text!r}.")
    return value
