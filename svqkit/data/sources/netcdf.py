"""NetCDF files: what is looked at before their values, or even their axes, are read."""

from functools import lru_cache
from pathlib import Path

import h5py
import netCDF4

from svqkit.data.sources.hdf5 import open_hdf5
from svqkit.errors import SvqkitError
from svqkit.userfiles import refuse_special


def refuse_unfit(path: Path, only_axes: bool = False) -> None:
    """Refuse a file that was cut short, refers to other files, or promises more values than it stores.

    With ``only_axes`` it may lack values, as when just its header is asked for, but no axis may be made up.

    Raises:
        SvqkitError: it is such a file, or no plain file at all.
        OSError: it can't be opened.
    """
    refuse_special(path)
    stat = path.stat()
    _refuse_unfit(path, only_axes, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=10_000)  # the same files are opened for each block of frames
def _refuse_unfit(path: Path, only_axes: bool, size: int, changed: int) -> None:
    if h5py.is_hdf5(path):
        open_hdf5(path, only_axes).close()
        return
    # A classic file that was cut short opens all the same, and reads as zeros past its end.
    with netCDF4.Dataset(path) as file:
        needed = sum(one.size * one.dtype.itemsize for one in file.variables.values())
    if size < needed:
        raise SvqkitError(f"{path} is truncated: {size:,} bytes, its variables need {needed:,}. Fetch it again.")
