"""HDF5 files, of which NetCDF-4 and hickle's are some: opened when all that they hold lies in them."""

from pathlib import Path

import h5py

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
        _look_through(file, path, only_axes)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        file.close()
        if isinstance(error, SvqkitError):
            raise
        raise SvqkitError(f"{path} is damaged: {error}. Fetch it again.") from error
    return file


def _look_through(file: h5py.File, path: Path, only_axes: bool) -> None:
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
