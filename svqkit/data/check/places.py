"""Where a dataset lies in a folder of raw files, and whether somebody began to fetch it."""

from collections.abc import Mapping
from pathlib import Path

from svqkit.data.check.wording import some_of
from svqkit.data.sources.kth import SEQUENCES
from svqkit.data.sources.weather import LONG_NAMES
from svqkit.settings.data import WeatherData
from svqkit.settings.params import Data

# One of these in a folder tells that it is a dataset's.
SIGNS = {
    "weather": (*LONG_NAMES.values(), "*deg.nc"),
    "kth": ("person*_*_d*", "*ing/person*_*_d*", "kth/person*_*_d*", "kth/*ing/person*_*_d*", SEQUENCES),
    "kitticaltech": ("kitti_hkl", "kitti", "caltech"),
    "human": ("train.txt", "test.txt", "images/S*_*.jpg"),
    "taxibj": ("dataset.npz", "BJ1?_*.h5"),
}
# What others call the folder of a source: OpenSTL's loader, and WeatherBench's own tree.
_FOLDERS = {"weather": ("weather", "weather_5_625deg", "5.625deg")}


def place_of(root: Path, data: Data) -> Path | None:
    """The folder of a dataset below ``root``: the one that its settings name, another usual one, or ``root`` itself."""
    names = dict.fromkeys([Path(data.root).name, *_FOLDERS.get(data.source, (data.source,))])
    for folder in (*(root / name for name in names if name), root):
        if folder.is_dir() and any(next(folder.glob(sign), None) for sign in SIGNS[data.source]):
            return folder
    return None


def weather_files(place: Path, variable: str) -> list[Path]:
    """The files of a variable: in the folder of its long name, or beside each other."""
    name = LONG_NAMES.get(variable, variable)
    return sorted((place / name).glob("*.nc")) or sorted(place.glob(f"{name}_[0-9]*.nc"))


def begun_weather(root: Path, known: Mapping[str, Data]) -> set[str]:
    """The weather datasets that somebody began to fetch: those with a variable that no whole other one explains."""
    there = {}
    for name, data in known.items():
        if isinstance(data, WeatherData) and (place := place_of(root, data)):
            there[name] = {one for one in data.variables if weather_files(place, one)}
    whole = {name for name in there if there[name] == set(known[name].variables)}
    explained = set().union(*(there[name] for name in whole))
    return whole | {name for name, variables in there.items() if variables - explained}


def absent(data: Data, place: Path | None) -> str:
    """What to say of a dataset that is not there, or that nobody began to fetch."""
    if place is None or not isinstance(data, WeatherData):
        return "its files are not in this folder"
    lacking = [LONG_NAMES.get(one, one) for one in data.variables if not weather_files(place, one)]
    return f"{len(lacking)} of its {len(data.variables)} variables have no file in {place}: {some_of(lacking)}"
