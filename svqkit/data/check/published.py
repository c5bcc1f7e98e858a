"""What the published datasets hold: the numbers of published.toml, and the names of files and archives."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from svqkit.data.sources.human import LISTS
from svqkit.data.sources.kth import NEVER_PUBLISHED, SCENES, SEQUENCES
from svqkit.data.sources.weather import LONG_NAMES
from svqkit.settings.data import SPLITS, HumanData, KTHData, WeatherData
from svqkit.settings.params import Data, Protocol

Counts = Sequence[int]  # of training, validation and test
UNKNOWN = "not known"


class Fact(NamedTuple):
    """What is published of one thing, and where."""

    what: str
    expected: str
    source: str


class Whole(NamedTuple):
    """What can be made of all published files of a dataset: frames of the store, bytes of one, and windows.

    ``of`` are the datasets that it is true of.
    """

    of: Sequence[str]
    frames: int
    frame_bytes: int
    windows: Mapping[Protocol, Counts]
    source: str


_PUBLISHED = tomllib.loads(Path(__file__).with_name("published.toml").read_text(encoding="utf-8"))
FACTS = {name: Fact(**fact) for name, fact in _PUBLISHED["facts"].items()}
WHOLE = [Whole(**known) for known in _PUBLISHED["whole"]]
OTHER_WINDOWS, CALTECH_VIDEOS = _PUBLISHED["other_windows"], _PUBLISHED["caltech_videos"]
# The last year of training, the first and last of validation and test.
WEATHER_PERIODS = ("2015", "2016", "2016", "2017", "2018")
HUMAN_PERSONS = (1, 5, 6, 7, 8, 9, 11)
CALTECH_CACHE = ("caltech/data_cache.npy", "caltech/indices_cache.npy")
HICKLES = tuple(f"kitti_hkl/{name}.hkl" for name in ("X_train", "sources_train", "X_val", "sources_val"))
TAXIBJ_RECORDS = tuple(f"BJ{year}_M32x32_T30_InOut.h5" for year in (13, 14, 15, 16))


def whole(data: Data) -> Whole | None:
    """Return what is known of all published files; None where the settings are other than the published ones."""
    match data:
        case WeatherData(variables=variables, train=(first, last), validation=validation, test=test):
            name, usual = f"{' '.join(variables)} from {first}", (last, *validation, *test) == WEATHER_PERIODS
        case KTHData(root=root, frames_out=ahead):
            name, usual = f"kth, {ahead} frames out", data == KTHData(root=root, frames_out=ahead)
        case HumanData(root=root):
            name, usual = "human", data == HumanData(root=root)
        case _:
            return None
    return next((known for known in WHOLE if usual and name in known.of), None)


def weather_file(variable: str, year: int) -> str:
    """Return where WeatherBench puts a year of a variable."""
    name = LONG_NAMES.get(variable, variable)
    return f"{name}/{name}_{year}_5.625deg.nc"


def weather_archives(data: WeatherData) -> dict[str, list[str]]:
    """Return the archives of the variables, with the files of the years of the settings."""
    years = weather_years(data)
    files = {variable: [weather_file(variable, year) for year in years] for variable in data.variables}
    return {f"{LONG_NAMES.get(variable, variable)}_5.625deg.zip": names for variable, names in files.items()}


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
