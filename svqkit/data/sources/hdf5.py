"""HDF5 files, of which NetCDF-4 and hickle's are some, and classic NetCDF: refused unless their values are there."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import h5py
import netCDF4

from svqkit.errors import SvqkitError
from svqkit.userfiles import reading, refuse_promise


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises:
        SvqkitError: it is no such file, truncated or damaged, also where it is read later on; it refers to other files
            (by a link, external storage or a virtual dataset), or it promises more values than it stores.
    """
    with reading(path, "HDF5"), h5py.File(path, "r") as file:
        _check_contents(file, path)
        yield file


def _check_contents(file: h5py.File, path: Path) -> None:
    links: list[tuple[str, object]] = []
    file.visititems_links(lambda *link: links.append(link))  # h5py loses what is raised in there
    for name, link in links:
        if not isinstance(link, h5py.HardLink):
            raise _elsewhere(path, f"{name} is a link")
        node = file[name]
        if isinstance(node, h5py.Dataset) and node.shape is not None:
            if node.external or node.is_virtual:
                raise _elsewhere(path, f"the values of {name} lie in other files")
            refuse_promise(f"{path}, {name}", node.nbytes, node.id.get_storage_size())


def _elsewhere(path: Path, what: str) -> SvqkitError:
    return SvqkitError(
        f"{path}: {what}, which is not followed. Write the values into the file itself, or fetch it again."
    )


@lru_cache(maxsize=10_000)  # the same files are opened for each block of frames
def refuse_unfit(path: Path, size: int, changed: int) -> None:
    """Refuse a file that was cut short, refers to other files, or promises more values than it stores.

    ``size`` and ``changed`` are its bytes and the time of its last change.

    Raises:
        SvqkitError: it is such a file.
        OSError: it can't be opened.
    """
    if h5py.is_hdf5(path):
        with open_hdf5(path):
            return
    # A classic file that was cut short opens all the same, and reads as zeros past its end.
    with netCDF4.Dataset(path) as file:
        needed = sum(variable.size * variable.dtype.itemsize for variable in file.variables.values())
    if size < needed:
        raise SvqkitError(f"{path} is truncated: {size:,} bytes, its variables need {needed:,}. Fetch it again.")
