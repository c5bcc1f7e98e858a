"""What the published datasets hold: the numbers that raw files are compared with, and the names of files and archives.

Every number has its source. "Computed" ones follow from a definition and were computed by us; where no number could
be found in public, there is none here, and the check says so.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from svqkit.data.sources.human import LISTS
from svqkit.data.sources.kth import NEVER_PUBLISHED, SCENES, SEQUENCES
from svqkit.data.sources.weather import LONG_NAMES
from svqkit.settings.data import SPLITS, HumanData, KTHData, WeatherData
from svqkit.settings.params import Data, Protocol

Counts = tuple[int, ...]  # of training, validation and test
UNKNOWN = "not known"
TAXIBJ_TRAINING_SAMPLES = 20_461


class Fact(NamedTuple):
    """What is published of one thing, and where."""

    what: str
    expected: str
    source: str


class Whole(NamedTuple):
    """What can be made of all published files of a dataset: frames of the store, bytes of one, and windows."""

    frames: int
    frame_bytes: int
    windows: Mapping[Protocol, Counts]
    source: str


# What is known of a file's header; how many frames and windows a dataset has is told by :func:`whole`.
FACTS = {
    "grid": Fact("grid", "32 × 64", "WeatherBench, quickstart.ipynb"),
    "video": Fact("frame size", "120 × 160", "OpenSTL, docs/en/install.md"),
    "KITTI": Fact("frames of KITTI", "128 × 160", "PredNet, process_kitti.py"),
    "Caltech": Fact("frames of Caltech", "480 × 640", "Dollár et al. 2009"),
    "image": Fact("image size", "256 × 256", "OpenSTL, tools/prepare_data/download_human3.6m.sh"),
    "sample": Fact("sample", "4 × 2 × 32 × 32", "OpenSTL, issue 39"),
    "training samples": Fact("training samples", f"{TAXIBJ_TRAINING_SAMPLES:,}", "OpenSTL, issue 39"),
    "test samples": Fact("test samples", UNKNOWN, "no count found in public"),
    "taxis": Fact("grid", "32 × 32", "DeepST, data/TaxiBJ/README.md"),
}
# Counts of windows that the files, as they are read here, don't give.
OTHER_WINDOWS = {
    "kth": "5,200 and 3,167 windows (OpenSTL, docs/en/install.md), of PredRNN's folders of frames",
    "kitticaltech": "2,042 and 1,983 windows (OpenSTL, docs/en/install.md; for training a user had 3,738, issue 12)",
}

COMPUTED = "computed from periods and definition"
HOURLY: dict[Protocol, Counts] = {"clean": (52_561, 8_761, 17_497), "paper": (52_559, 8_759, 17_495)}
# Of weather by the variables, in the order of the settings, and the first year.
WEATHER = {
    ("t2m", "2010"): Whole(78_888, 8_192, HOURLY, COMPUTED),
    ("r", "2010"): Whole(78_888, 8_192, HOURLY, COMPUTED),
    ("tcc", "2010"): Whole(78_888, 8_192, HOURLY, COMPUTED),
    ("u10 v10", "2010"): Whole(78_888, 2 * 8_192, HOURLY, COMPUTED),
    ("r t u v", "1979"): Whole(
        58_440, 12 * 8_192, {"clean": (54_049, 1_457, 2_913), "paper": (54_019, 1_427, 2_883)}, COMPUTED
    ),
    ("z pv r q t u v vo u10 v10 t2m tisr tcc tp", "1980"): Whole(
        56_980, 110 * 8_192, {"clean": (52_589, 1_457, 2_913), "paper": (52_559, 1_427, 2_883)}, COMPUTED
    ),
}
LISTED = "computed from 00sequences.txt"
KTH = {  # by frames_out
    20: Whole(227_188, 128**2, {"clean": (9_034, 1_424, 6_007), "paper": (8_781, 5_045, 5_045)}, LISTED),
    40: Whole(216_539, 128**2, {"clean": (6_002, 946, 4_068), "paper": (4_226, 2_496, 2_496)}, LISTED),
}
HUMAN = Whole(
    412_444,
    3 * 256**2,
    {"clean": (45_441, 8_973, 2_221), "paper": (73_404, 8_582, 8_582)},
    "counted in OpenSTL's two lists",
)
HUMAN_PERSONS = (1, 5, 6, 7, 8, 9, 11)
# From Caltech's evaluation code, dbInfo.m.
CALTECH_VIDEOS = {"set06": 19, "set07": 12, "set08": 11, "set09": 12, "set10": 12}
CALTECH_CACHE = ("caltech/data_cache.npy", "caltech/indices_cache.npy")
HICKLES = tuple(f"kitti_hkl/{name}.hkl" for name in ("X_train", "sources_train", "X_val", "sources_val"))
TAXIBJ_RECORDS = tuple(f"BJ{year}_M32x32_T30_InOut.h5" for year in (13, 14, 15, 16))


def whole(data: Data) -> Whole | None:
    """Return what is known of all published files; None where the settings are other than the published ones."""
    match data:
        case WeatherData():
            rest = data.train[1], *data.validation, *data.test
            known = WEATHER.get((" ".join(data.variables), data.train[0]))
            return known if rest == ("2015", "2016", "2016", "2017", "2018") else None
        case KTHData(root=root, frames_out=ahead):
            return KTH.get(ahead) if data == KTHData(root=root, frames_out=ahead) else None
        case HumanData(root=root):
            return HUMAN if data == HumanData(root=root) else None
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
