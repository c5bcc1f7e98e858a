"""The names under which raw files are published, and the archives that hold them."""

from collections.abc import Iterable

from svqkit.data.check.published import FACTS
from svqkit.data.sources.kth import NEVER_PUBLISHED, SCENES
from svqkit.data.sources.weather import LONG_NAMES
from svqkit.settings.data import KTH_ACTIONS

CALTECH_SETS = ("set06", "set07", "set08", "set09", "set10")
HICKLES = ("X_train.hkl", "sources_train.hkl", "X_val.hkl", "sources_val.hkl")
TAXIBJ_RECORDS = tuple(f"BJ{year}_M32x32_T30_InOut.h5" for year in (13, 14, 15, 16))
TAXIBJ_KEYS = ("X_train", "Y_train", "X_test", "Y_test")


def weather_file(variable: str, year: int) -> str:
    """Where WeatherBench puts a year of a variable."""
    name = LONG_NAMES.get(variable, variable)
    return f"{name}/{name}_{year}_5.625deg.nc"


def weather_archive(variable: str) -> str:
    """The archive that holds a variable."""
    return f"{LONG_NAMES.get(variable, variable)}_5.625deg.zip"


def kth_recordings(persons: Iterable[int], actions: Iterable[str]) -> list[str]:
    """The recordings that were published of some persons and actions, without the one that never was."""
    names = [f"person{one:02}_{action}_d{scene}" for one in persons for action in actions for scene in SCENES]
    return [name for name in names if name != NEVER_PUBLISHED]


def kth_archive(recording: str) -> str:
    """The archive that holds a recording."""
    return f"{next(action for action in KTH_ACTIONS if action in recording)}.zip"


def caltech_videos() -> list[str]:
    """The test videos of Caltech Pedestrian, such as set06/V000.seq."""
    counts = zip(CALTECH_SETS, FACTS["caltech videos"].numbers, strict=True)
    return [f"{name}/V{number:03}.seq" for name, count in counts for number in range(count)]
