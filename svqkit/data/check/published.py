"""What the published datasets hold: the numbers that raw files are compared with, and the names of files and archives.

Every number has its source. "Computed" ones follow from a definition and were computed by us; where no number could
be found in public, there is none here, and the check says so.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from svqkit.data.sources.human import LISTS
from svqkit.data.sources.kth import NEVER_PUBLISHED, SCENES, SEQUENCES
from svqkit.data.sources.weather import LONG_NAMES, period_bounds
from svqkit.settings.data import SPLITS, HumanData, KTHData, Split, WeatherData
from svqkit.settings.params import Data, Protocol

Counts = tuple[int, ...]  # of training, validation and test
UNKNOWN = "not known"


class Fact(NamedTuple):
    """What is published of one thing, and where."""

    what: str
    expected: str
    source: str


@dataclass(frozen=True)
class Whole:
    """What can be made of all published files of a dataset: frames of the store, windows, and bytes of a frame."""

    frames: int
    windows: Mapping[Protocol, Counts]
    frame_bytes: int
    source: str


# The years that the paper trains, validates (in name only: its code takes the test years) and tests on.
PERIODS = {
    **dict.fromkeys(("weather_t2m", "weather_r", "weather_uv10", "weather_tcc"), "2010-2015 / 2016 / 2017-2018"),
    "weather_mv": "1979-2015 / 2016 / 2017-2018",
    "weather_hmv": "1980-2015 / 2016 / 2017-2018",
}
WEATHER_GRID = Fact("grid", "32 × 64", "WeatherBench, quickstart.ipynb")
KTH_SIZE = Fact("frame size", "120 × 160", "OpenSTL, docs/en/install.md")
KTH_PERSONS = Fact("persons", "1-16 / 17-25", "OpenSTL, dataloader_kth.py (training / test)")
KITTI_SIZE = Fact("frames of KITTI", "128 × 160", "PredNet, process_kitti.py")
KITTI_HELD_OUT = Fact("held out", "0005 / 0104, 0079, 0070", "PredNet, process_kitti.py")
CALTECH_SIZE = Fact("frames of Caltech", "480 × 640", "Dollár et al. 2009")
HUMAN_SIZE = Fact("image size", "256 × 256", "OpenSTL, tools/prepare_data/download_human3.6m.sh")
TAXIBJ_TRAINING_SAMPLES = 20_461
TAXIBJ_SAMPLES = Fact("training samples", f"{TAXIBJ_TRAINING_SAMPLES:,}", "OpenSTL, issue 39")
TAXIBJ_SAMPLE = Fact("sample", "4 × 2 × 32 × 32", "OpenSTL, issue 39")
TAXIBJ_GRID = Fact("grid", "32 × 32", "DeepST, data/TaxiBJ/README.md")
TAXIBJ_SLOTS = Fact("slots of BJ16", "7,220", "DeepST, data/TaxiBJ/README.md")
# Counts of windows that the files, as they are read here, don't give.
OTHER_WINDOWS = {
    "kth": "5,200 and 3,167 windows (OpenSTL, docs/en/install.md), of PredRNN's folders of frames",
    "kitticaltech": "2,042 and 1,983 windows (OpenSTL, docs/en/install.md; for training a user had 3,738, issue 12)",
}

ON_LEVELS = ("z", "pv", "r", "q", "t", "u", "v", "vo")
# Frames of the store, and windows. KTH: by frames_out, for the other default settings.
KTH: dict[int, tuple[int, dict[Protocol, Counts]]] = {
    20: (227_188, {"clean": (9034, 1424, 6007), "paper": (8781, 5045, 5045)}),
    40: (216_539, {"clean": (6002, 946, 4068), "paper": (4226, 2496, 2496)}),
}
HUMAN: tuple[int, dict[Protocol, Counts]] = (
    412_444,
    {"clean": (45_441, 8_973, 2_221), "paper": (73_404, 8_582, 8_582)},
)
HUMAN_PERSONS = (1, 5, 6, 7, 8, 9, 11)
# From Caltech's evaluation code, dbInfo.m.
CALTECH_VIDEOS = {"set06": 19, "set07": 12, "set08": 11, "set09": 12, "set10": 12}
CALTECH_CACHE = ("caltech/data_cache.npy", "caltech/indices_cache.npy")
HICKLES = tuple(f"kitti_hkl/{name}.hkl" for name in ("X_train", "sources_train", "X_val", "sources_val"))
TAXIBJ_RECORDS = tuple(f"BJ{year}_M32x32_T30_InOut.h5" for year in (13, 14, 15, 16))


def whole(data: Data) -> Whole | None:
    """Return what is known of all published files; None when these are other settings than it was computed for."""
    match data:
        case WeatherData():
            frame_bytes = 4 * 32 * 64 * sum(len(data.levels) if name in ON_LEVELS else 1 for name in data.variables)
            frames, source = sum(weather_frames(data)), "computed from periods and definition"
            return Whole(frames, weather_windows(data), frame_bytes, source)
        case KTHData(root=root, frames_out=ahead, size=size, colour=colour):
            if ahead in KTH and data == KTHData(root=root, frames_out=ahead, size=size, colour=colour):
                return Whole(*KTH[ahead], (3 if colour else 1) * math.prod(size), "computed from 00sequences.txt")
        case HumanData(root=root, size=size):
            if data == HumanData(root=root, size=size):
                return Whole(*HUMAN, 3 * math.prod(size), "counted in OpenSTL's two lists")
    return None


def weather_file(variable: str, year: int) -> str:
    """Return where WeatherBench puts a year of a variable."""
    name = LONG_NAMES.get(variable, variable)
    return f"{name}/{name}_{year}_5.625deg.nc"


def weather_archives(data: WeatherData) -> dict[str, list[str]]:
    """Return the archives of the variables, with the files of the years of the settings."""
    names = {variable: LONG_NAMES.get(variable, variable) for variable in data.variables}
    years = weather_years(data)
    return {
        f"{name}_5.625deg.zip": [weather_file(variable, year) for year in years] for variable, name in names.items()
    }


def kth_archives(actions: Iterable[str]) -> dict[str, list[str]]:
    """Return the archives of some actions, with their videos, and where the list of sequences is from."""
    archives = {"the videos' page; without it frames without a person are used as well": [SEQUENCES]}
    for action in actions:
        names = [f"person{person:02}_{action}_d{scene}" for person in range(1, 26) for scene in SCENES]
        archives[f"{action}.zip"] = [f"{name}_uncomp.avi" for name in names if name != NEVER_PUBLISHED]
    return archives


def caltech_archives() -> dict[str, list[str]]:
    """Return the archives of Caltech Pedestrian's test with the videos in each, such as caltech/set06/V000.seq."""
    return {
        f"{name} of data_and_labels.zip": [f"caltech/{name}/V{number:03}.seq" for number in range(count)]
        for name, count in CALTECH_VIDEOS.items()
    }


def human_archives() -> dict[str, list[str]]:
    """Return where the lists and the images of each person are from."""
    images = {f"S{person}.tar": [f"images/S{person}_*.jpg"] for person in HUMAN_PERSONS}
    return {"OpenSTL's tools/prepare_data/meta/human": [*LISTS]} | images


def weather_years(data: WeatherData) -> list[int]:
    """Return the years that the periods of the settings touch."""
    periods = [getattr(data, split) for split in SPLITS]
    return sorted({year for first, last in periods for year in range(int(first[:4]), int(last[:4]) + 1)})


def weather_frames(data: WeatherData) -> Counts:
    """Count the frames of each split when no hour lacks."""
    return tuple(len(_hours(data, split)[:: data.hours_per_frame]) for split in SPLITS)


def weather_windows(data: WeatherData) -> dict[Protocol, Counts]:
    """Count the windows of each split when no hour lacks, by the definition of each protocol.

    "clean": all runs of consecutive frames. "paper": the reference drops the last hour of a period, thins the rest
    to the cadence, and leaves out the last window of those that fit.
    """
    offsets, length = data.paper_offsets, data.frames_in + data.frames_out
    span = offsets.targets[-1] - offsets.inputs[0] + 1 if offsets else length
    clean = tuple(max(0, frames - length + 1) for frames in weather_frames(data))
    paper = tuple(max(0, len(_hours(data, split)[: -1 : data.hours_per_frame]) - span) for split in SPLITS)
    return {"clean": clean, "paper": paper}


def _hours(data: WeatherData, split: Split) -> np.ndarray:
    """The hours of a period from its first frame on."""
    first, after = period_bounds(getattr(data, split))
    hours = np.arange(first.astype(np.int64), after.astype(np.int64))
    return hours[int(-hours[0] % data.hours_per_frame) :]
