"""HDF5 files, of which NetCDF-4 and hickle's are some, and classic NetCDF: refused unless their values are there."""

from functools import lru_cache
from pathlib import Path

import h5py
import netCDF4

from svqkit.errors import SvqkitError
from svqkit.userfiles import refuse_promise, refuse_special


def open_hdf5(path: Path, only_axes: bool = False) -> h5py.File:
    """Open an HDF5 file for reading; with ``only_axes`` it may promise values that it lacks, but not a long axis.

    Raises:
        SvqkitError: it is no such file or truncated, it refers to other files (by a link, external storage or a virtual
            dataset), or it promises more values than it stores.
    """
    refuse_special(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        size = f"{path.stat().st_size:,} bytes" if path.exists() else "not there"
        raise SvqkitError(
            f"{path} ({size}) can't be opened as HDF5: {error}. It is truncated or another kind; fetch it again."
        ) from error
    try:
        _check_contents(file, path, only_axes)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        file.close()
        if isinstance(error, SvqkitError):
            raise
        raise SvqkitError(f"{path} is damaged: {error}. Fetch it again.") from error
    return file


def _check_contents(file: h5py.File, path: Path, only_axes: bool) -> None:
    seen: set[int] = set()
    waiting: list[h5py.Group] = [file]
    while waiting:
        group = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _elsewhere(path, f"{name} is a link")
            node = group[name]
            address = h5py.h5o.get_info(node.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(node, h5py.Group):
                waiting.append(node)
            elif isinstance(node, h5py.Dataset) and node.shape is not None:
                if node.external or node.is_virtual:
                    raise _elsewhere(path, f"the values of {name} lie in other files")
                if node.ndim < 2 or not only_axes:
                    refuse_promise(f"{path}, {name}", node.nbytes, node.id.get_storage_size())


def _elsewhere(path: Path, what: str) -> SvqkitError:
    return SvqkitError(
        f"{path}: {what}, which is not followed. Write the values into the file itself, or fetch it again."
    )


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
        needed = sum(variable.size * variable.dtype.itemsize for variable in file.variables.values())
    if size < needed:
        raise SvqkitError(f"{path} is truncated: {size:,} bytes, its variables need {needed:,}. Fetch it again.")
