"""Where a dataset lies in a folder of raw files, and whether somebody began to fetch it."""

from collections.abc import Mapping
from pathlib import Path

from svqkit.data.check.text import some_of
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


def folder_of(root: Path, data: Data) -> Path | None:
    """Return a dataset's folder below ``root``: the one its settings name, another usual one, or ``root`` itself."""
    names = dict.fromkeys([Path(data.root).name, *_FOLDERS.get(data.source, (data.source,))])
    for folder in (*(root / name for name in names if name), root):
        if folder.is_dir() and any(next(folder.glob(sign), None) for sign in SIGNS[data.source]):
            return folder
    return None


def weather_files(folder: Path, variable: str) -> list[Path]:
    """Return the files of a variable: in the folder of its long name, or beside each other."""
    name = LONG_NAMES.get(variable, variable)
    return sorted((folder / name).glob("*.nc")) or sorted(folder.glob(f"{name}_[0-9]*.nc"))


def begun_weather(root: Path, known: Mapping[str, Data]) -> set[str]:
    """Return the weather datasets begun to be fetched: those with a variable that no whole other one explains."""
    there = {}
    for name, data in known.items():
        if isinstance(data, WeatherData) and (folder := folder_of(root, data)):
            there[name] = {variable for variable in data.variables if weather_files(folder, variable)}
    whole = {name for name in there if there[name] == set(known[name].variables)}
    explained = set().union(*(there[name] for name in whole))
    return whole | {name for name, variables in there.items() if variables - explained}


def absence(data: Data, folder: Path | None) -> str:
    """Return what to say of a dataset that is not there, or that nobody began to fetch."""
    if folder is None or not isinstance(data, WeatherData):
        return "its files are not in this folder"
    lacking = [LONG_NAMES.get(name, name) for name in data.variables if not weather_files(folder, name)]
    return f"{len(lacking)} of its {len(data.variables)} variables have no file in {folder}: {some_of(lacking)}"
