"""Zarr stores of the user's own: nothing outside of them is followed, nothing in them unpickled or believed blindly."""

import math
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from svqkit.errors import SvqkitError
from svqkit.userfiles import refuse_escape, refuse_promise, refuse_special

MARKS = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
# Above this number of chunks a store's are not counted: a listing of ERA5's would take minutes.
MOST_CHUNKS = 200_000


def is_url(source: object) -> bool:
    """Return whether ``source`` names something that fsspec opens, such as gs://bucket/era5.zarr."""
    return isinstance(source, str) and "://" in source


def files_in(store: Path) -> list[Path]:
    """Return every file of a store.

    Raises:
        SvqkitError: a link leads out of it, or something in it is no plain file.
    """
    found = [Path(folder, name) for folder, folders, names in os.walk(store) for name in (*folders, *names)]
    for path in found:
        if path.is_symlink():
            refuse_escape(path, store)
    files = [path for path in found if not path.is_dir()]
    for path in files:
        refuse_special(path)
    return files


def open_store(source: str | Path) -> Any:
    """Open a Zarr store or array to read; on a disk each array by its own metadata, behind which a list may lag."""
    return zarr.open(source, mode="r", use_consolidated=None if is_url(source) else False)


@lru_cache(maxsize=100)  # a store may have many files, and is opened for each block of frames
def refuse_unfit_store(source: str) -> None:
    """Refuse a store that leads elsewhere, would have to be unpickled, or promises more than it stores.

    Raises:
        SvqkitError: it is such a store.
    """
    stored = None if is_url(source) else sum(file.stat().st_size for file in files_in(Path(source)))
    node = open_store(source)
    depth = 0 if is_url(source) else None
    arrays = node.members(max_depth=depth) if isinstance(node, zarr.Group) else [("", node)]
    for name, array in arrays:
        if isinstance(array, zarr.Group):
            continue
        where = f"{source}, {name}" if name else source
        metadata = {key: value for key, value in array.metadata.to_dict().items() if key != "attributes"}
        if array.dtype.kind == "O" or "pickle" in str(metadata).lower():
            raise SvqkitError(f"{where} holds pickled Python objects, which are not read. Write numbers.")
        if stored is not None:  # an axis is read whole
            most = max(math.prod(array.chunks), array.size if array.ndim < 2 else 0)
            refuse_promise(where, most * array.dtype.itemsize, stored)


def missing_chunks(array: zarr.Array, where: str) -> tuple[str, ...]:
    """Return a note when chunks of an array are not stored: they stand for the fill value.

    Raises:
        SvqkitError: that value is no number.
    """
    # Of a sharded array files hold shards; the chunks in one that are not stored are found when it is read.
    files, chunk = array.shards or array.chunks, array.chunks
    every = math.prod(-(-length // whole) for length, whole in zip(array.shape, files, strict=True))
    missing = 0 if every > MOST_CHUNKS else every - array.nchunks_initialized * math.prod(chunk) // math.prod(files)
    if missing <= 0:
        return ()
    if array.fill_value is None or (array.dtype.kind == "f" and not np.isfinite(array.fill_value)):
        raise SvqkitError(
            f"{where} lacks {missing:,} of its {every:,} chunks, and its fill value {array.fill_value} is no number. "
            "Fetch or write it again, whole."
        )
    return (f"{where} lacks {missing:,} of its {every:,} chunks, which are {array.fill_value} by the format",)
