"""Arrays and lists of strings out of hickle's HDF5 files, read with h5py. Nothing is ever unpickled.

What hickle (github.com/telegraphic/hickle) writes depends on its version:

    1.x       /data, and beside it /type: ["ndarray"], ["list"] or, for what it did not know, ["pickle"]
    2.x, 3.x  /data_0 with an attribute type; of unlike things a group /data_0 of data_0, data_1, …
    4.x       /data with attributes base_type and type (a pickle, which is left alone)
    5.x       /data with an attribute type that points into /hickle_types_table; a list of strings is a group /data
              of data0, data1, …, each (1, length) single bytes, or a reference to the same string further up
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from svqkit.data.sources.frames import PIECE, Frames
from svqkit.data.sources.hdf5 import open_hdf5
from svqkit.data.sources.images import natural_key
from svqkit.errors import SvqkitError, listed

# Beside what was dumped, some versions write these about it.
_ABOUT = ("type", "hickle_types_table")


@dataclass(frozen=True, kw_only=True)
class HickleArray(Frames):
    """The one array of a file, not read yet: frames, if it is (N, H, W, C).

    ``title`` is what the file says of itself, if it does.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    title: str

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """See :class:`Frames`; the ``wanted`` rows follow each other, and about 16 MB are read at a time."""
        length = max(1, PIECE // int(self.dtype.itemsize * np.prod(self.shape[1:])))
        with open_hdf5(self.path) as file:
            for first in range(wanted[0], wanted[-1] + 1, length):
                yield from file[self.name][first : min(first + length, wanted[-1] + 1)]


def find_array(path: Path) -> HickleArray:
    """Find the array that was dumped to ``path``.

    Raises:
        SvqkitError: there is no such file, it is truncated or no HDF5 file, or it holds something else.
    """
    with open_hdf5(path) as file:
        node = _dumped(file, path)
        if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "uif" or not node.shape:
            what = f"{len(node)} things" if isinstance(node, h5py.Group) else f"values of type {node.dtype}"
            raise SvqkitError(
                f"{path}: {node.name} should be one array of numbers; it holds {what}. "
                "Dump the frames as one NumPy array."
            )
        return HickleArray(
            files=(path,),
            count=node.shape[0],
            size=node.shape[1:3],
            name=node.name,
            shape=node.shape,
            dtype=node.dtype,
            title=_text(file.attrs.get("title", "")),
        )


def read_strings(path: Path) -> list[str]:
    """Read the list of strings that was dumped to ``path``, in its order.

    Raises:
        SvqkitError: there is no such file, it is truncated or no HDF5 file, or it holds something else.
    """
    with open_hdf5(path) as file:
        node = _dumped(file, path)
        items = [node] if isinstance(node, h5py.Dataset) else [node[name] for name in sorted(node, key=natural_key)]
        # A string that stands there already is a reference to its first place.
        items = [file[item[()]] if _is_reference(item) else item for item in items]
        return [_text(text) for item in items for text in _strings(item, path)]


def _dumped(file: h5py.File, path: Path) -> h5py.Dataset | h5py.Group:
    """What was dumped: the one thing at the root that is not about another."""
    names = [name for name in file if name not in _ABOUT]
    if len(names) != 1:
        raise SvqkitError(
            f"{path} should hold one array or list as hickle dumps it ('data' or 'data_0'); it has: {listed(file)}."
        )
    node = file[names[0]]
    about = [node.attrs.get("base_type"), node.attrs.get("type")]
    about += [file["type"][()]] if isinstance(file.get("type"), h5py.Dataset) else []
    # Versions 4 and 5 give everything but a pickle a type.
    if "pickle" in repr(about) or ("HICKLE_VERSION" in file.attrs and about[1] is None):
        raise SvqkitError(
            f"{path} holds a pickled Python object; a pickle can run any program, so svqkit never opens one. "
            "Dump a plain NumPy array, or a list of strings, instead."
        )
    return node


def _is_reference(node: h5py.Dataset | h5py.Group) -> bool:
    return isinstance(node, h5py.Dataset) and node.ndim == 0 and bool(h5py.check_ref_dtype(node.dtype))


def _strings(node: h5py.Dataset | h5py.Group, path: Path) -> list[str | bytes]:
    """The strings of a dataset, of fixed or variable length, or a row of bytes for each."""
    if isinstance(node, h5py.Dataset):
        if node.ndim == 2 and node.dtype.kind in "uS" and node.dtype.itemsize == 1:
            return [row.tobytes().rstrip(b"\0") for row in node[()]]
        if node.ndim < 2 and h5py.check_string_dtype(node.dtype):
            return np.ravel(node[()]).tolist()
    raise SvqkitError(f"{path}: {node.name} should be a list of strings, or one of them; it is {node}.")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else bytes(value).decode()
