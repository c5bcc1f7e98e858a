"""What the published datasets hold: the numbers that raw files are compared with, and the names of files and archives.

Every number has its source. "Computed" ones follow from a definition and were computed by us; where no number could
be found in public, there is none here, and the check says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from svqkit.data.sources.kth import NEVER_PUBLISHED, SCENES
from svqkit.data.sources.weather import LONG_NAMES, period_bounds
from svqkit.settings.data import KTH_ACTIONS, SPLITS, HumanData, KTHData, Split, WeatherData
from svqkit.settings.params import Protocol

Counts = dict[Split, int]


@dataclass(frozen=True)
class Fact:
    """Some numbers, and where they are from."""

    numbers: tuple[int, ...]
    source: str


_REFERENCE = "OpenSTL, openstl/datasets"
_INSTALL = "OpenSTL, docs/en/install.md"
_LISTING = "computed from 00sequences.txt"
_LISTS = "counted in OpenSTL's tools/prepare_data/meta/human"

FACTS = {
    "weather grid": Fact((32, 64), "WeatherBench, quickstart.ipynb"),
    "weather hours": Fact((8760, 8784), "WeatherBench, quickstart.ipynb: 350,640 in 40 years"),
    "weather hours of 1979": Fact((8753,), "tisr and tp begin at 07:00: WeatherBench, issues 6 and 33"),
    "weather step": Fact((1,), "WeatherBench, quickstart.ipynb"),
    "weather levels": Fact((13,), "WeatherBench, README.md"),
    "kth videos": Fact((599,), f"00sequences.txt, where {NEVER_PUBLISHED} is missing"),
    "kth size": Fact((120, 160), _INSTALL),
    "kth published windows": Fact((5200, 3167), _INSTALL),
    "kitti size": Fact((128, 160), "PredNet, process_kitti.py"),
    "kitticaltech published windows": Fact(
        (2042, 1983), f"{_INSTALL}; a user counted 3,738 for training, its issue 12"
    ),
    "caltech videos": Fact((19, 12, 11, 12, 12), "Caltech's evaluation code (dbInfo.m), sets 06 to 10"),
    "caltech size": Fact((480, 640), "Dollár et al. 2009"),
    "human sequences": Fact((73_404, 8_582), _LISTS),
    "human frames": Fact((412_444,), _LISTS),
    "human persons": Fact((1, 5, 6, 7, 8, 9, 11), _LISTS),
    "human size": Fact((256, 256), "OpenSTL, tools/prepare_data/download_human3.6m.sh"),
    "taxibj training samples": Fact((20_461,), "OpenSTL, issue 39"),
    "taxibj sample": Fact((4, 2, 32, 32), "OpenSTL, issue 39"),
    "taxibj slots of 2016": Fact((7220,), "DeepST, data/TaxiBJ/README.md"),
}
# Windows of KTH by frames_out: those of the published videos with 00sequences.txt, for the default settings.
KTH_WINDOWS: dict[int, dict[Protocol, Counts]] = {
    20: {
        "clean": {"train": 9034, "validation": 1424, "test": 6007},
        "paper": {"train": 8781, "validation": 5045, "test": 5045},
    },
    40: {
        "clean": {"train": 6002, "validation": 946, "test": 4068},
        "paper": {"train": 4226, "validation": 2496, "test": 2496},
    },
}
KTH_FRAMES = {20: 227_188, 40: 216_539}
HUMAN_WINDOWS: dict[Protocol, Counts] = {
    "clean": {"train": 45_441, "validation": 8_973, "test": 2_221},
    "paper": {"train": 73_404, "validation": 8_582, "test": 8_582},
}
# The years that the paper trains, validates (in name only: its code takes the test years) and tests on.
PERIODS = {
    "weather_t2m": ("2010-2015", "2016", "2017-2018"),
    "weather_r": ("2010-2015", "2016", "2017-2018"),
    "weather_uv10": ("2010-2015", "2016", "2017-2018"),
    "weather_tcc": ("2010-2015", "2016", "2017-2018"),
    "weather_mv": ("1979-2015", "2016", "2017-2018"),
    "weather_hmv": ("1980-2015", "2016", "2017-2018"),
}
PERIODS_SOURCE = f"{_REFERENCE}/dataset_constant.py"
_LEAP, _COMMON = 8784, 8760


def hours_of(variable: str, year: int) -> Fact:
    """Return how many hours WeatherBench has of a variable in a year."""
    if year == 1979 and variable in ("tisr", "tp"):
        return FACTS["weather hours of 1979"]
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return Fact((_LEAP if leap else _COMMON,), FACTS["weather hours"].source)


def kth_windows(data: KTHData) -> dict[Protocol, Counts] | None:
    """Return the windows of the published videos; None when the settings are not those they were computed for."""
    usual = KTHData(root=data.root, frames_out=data.frames_out, size=data.size, colour=data.colour)
    return KTH_WINDOWS.get(data.frames_out) if data == usual else None


def human_windows(data: HumanData) -> dict[Protocol, Counts] | None:
    """Return the sequences of the published lists; None when the settings are not those they were counted for."""
    return HUMAN_WINDOWS if data == HumanData(root=data.root, size=data.size) else None


CALTECH_SETS = ("set06", "set07", "set08", "set09", "set10")
HICKLES = ("X_train.hkl", "sources_train.hkl", "X_val.hkl", "sources_val.hkl")
TAXIBJ_RECORDS = tuple(f"BJ{year}_M32x32_T30_InOut.h5" for year in (13, 14, 15, 16))
TAXIBJ_KEYS = ("X_train", "Y_train", "X_test", "Y_test")


def weather_file(variable: str, year: int) -> str:
    """Return where WeatherBench puts a year of a variable."""
    name = LONG_NAMES.get(variable, variable)
    return f"{name}/{name}_{year}_5.625deg.nc"


def weather_archive(variable: str) -> str:
    """Return the archive that holds a variable."""
    return f"{LONG_NAMES.get(variable, variable)}_5.625deg.zip"


def kth_recordings(persons: Iterable[int], actions: Iterable[str]) -> list[str]:
    """Return the recordings published of some persons and actions, without the one that never was."""
    names = [f"person{person:02}_{action}_d{scene}" for person in persons for action in actions for scene in SCENES]
    return [name for name in names if name != NEVER_PUBLISHED]


def kth_archive(recording: str) -> str:
    """Return the archive that holds a recording."""
    return f"{next(action for action in KTH_ACTIONS if action in recording)}.zip"


def caltech_videos() -> list[str]:
    """Return the test videos of Caltech Pedestrian, such as set06/V000.seq."""
    counts = zip(CALTECH_SETS, FACTS["caltech videos"].numbers, strict=True)
    return [f"{name}/V{number:03}.seq" for name, count in counts for number in range(count)]


def weather_years(data: WeatherData) -> list[int]:
    """Return the years that the periods of the settings touch."""
    periods = [getattr(data, split) for split in SPLITS]
    return sorted({year for first, last in periods for year in range(int(first[:4]), int(last[:4]) + 1)})


def weather_frames(data: WeatherData) -> Counts:
    """Count the frames of each split when no hour lacks."""
    return {split: len(_hours(data, split)[:: data.hours_per_frame]) for split in SPLITS}


def weather_windows(data: WeatherData) -> dict[Protocol, Counts]:
    """Count the windows of each split when no hour lacks, by the definition of each protocol.

    "clean": all runs of consecutive frames. "paper": the reference drops the last hour of a period, thins the rest
    to the cadence, and leaves out the last window of those that fit.
    """
    offsets, length = data.paper_offsets, data.frames_in + data.frames_out
    span = offsets.targets[-1] - offsets.inputs[0] + 1 if offsets else length
    clean = {split: max(0, frames - length + 1) for split, frames in weather_frames(data).items()}
    paper = {split: max(0, len(_hours(data, split)[: -1 : data.hours_per_frame]) - span) for split in SPLITS}
    return {"clean": clean, "paper": paper}


def _hours(data: WeatherData, split: Split) -> np.ndarray:
    """The hours of a period from its first frame on."""
    first, after = period_bounds(getattr(data, split))
    hours = np.arange(first.astype(np.int64), after.astype(np.int64))
    return hours[int(-hours[0] % data.hours_per_frame) :]
