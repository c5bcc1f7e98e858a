"""Arrays and lists of strings out of hickle's HDF5 files, read with h5py. Nothing is ever unpickled.

What hickle (github.com/telegraphic/hickle) writes depends on its version:

    1.x       /data, and beside it /type: ["ndarray"], ["list"] or, for what it did not know, ["pickle"]
    2.x, 3.x  /data_0 with an attribute type; of unlike things a group /data_0 of data_0, data_1, …
    4.x       /data with attributes base_type and type (a pickle, which is left alone)
    5.x       /data with an attribute type that points into /hickle_types_table; a list of strings is a group /data
              of data0, data1, …, each (1, length) single bytes, or a reference to the same string further up
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from svqkit.data.sources.hdf5 import open_hdf5
from svqkit.errors import SvqkitError, listed

# Beside what was dumped, some versions write these about it.
_ABOUT = ("type", "hickle_types_table")
Node = h5py.Dataset | h5py.Group


@dataclass(frozen=True)
class HickleArray:
    """The one array of a file, not read yet; ``title`` is what the file says of itself, if it does."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    title: str = ""

    def pieces(self, start: int, stop: int, length: int) -> Iterator[np.ndarray]:
        """Yield the rows from ``start`` to ``stop``, at most ``length`` at a time.

        Raises:
            SvqkitError: the file can't be read to the end.
        """
        with _opened(self.path) as file:
            rows = file[self.name]
            for first in range(start, stop, length):
                last = min(first + length, stop)
                try:
                    piece = rows[first:last]
                except (OSError, RuntimeError) as error:
                    raise SvqkitError(
                        f"{self.path}: rows {first} to {last} of {self.name} can't be read ({error}); the file is "
                        "damaged. Fetch it again."
                    ) from error
                yield piece


def find_array(path: Path) -> HickleArray:
    """Find the array that was dumped to ``path``.

    Raises:
        SvqkitError: there is no such file, it is truncated or no HDF5 file, or it holds something else.
    """
    with _opened(path) as file:
        node = _dumped(file, path)
        if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "uif":
            what = f"{len(node)} things" if isinstance(node, h5py.Group) else f"values of type {node.dtype}"
            raise SvqkitError(
                f"{path}: {node.name} should be one array of numbers; it holds {what}. "
                "Dump the frames as one NumPy array."
            )
        return HickleArray(path, node.name, node.shape, node.dtype, _text(file.attrs.get("title", ""), path))


def read_strings(path: Path) -> list[str]:
    """Read the list of strings that was dumped to ``path``, in its order.

    Raises:
        SvqkitError: there is no such file, it is truncated or no HDF5 file, or it holds something else.
    """
    with _opened(path) as file:
        node = _dumped(file, path)
        try:
            if isinstance(node, h5py.Dataset):
                return _strings(node, path)
            return [_item(file, node[name], path) for name in sorted(node, key=lambda name: _number(name, path))]
        except (OSError, RuntimeError) as error:
            raise SvqkitError(f"{path}: {node.name} can't be read ({error}); it is damaged. Fetch it again.") from error


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    if not path.exists():
        raise SvqkitError(f"There is no file {path}. Put it there; see docs/data.md.")
    with open_hdf5(path) as file:
        yield file


def _dumped(file: h5py.File, path: Path) -> Node:
    """What was dumped: the one thing at the root that is not about another."""
    names = [name for name in file if name not in _ABOUT]
    if len(names) != 1:
        raise SvqkitError(
            f"{path} should hold one array or list as hickle dumps it ('data' or 'data_0'); it has: {listed(file)}."
        )
    node = file[names[0]]
    # Versions 4 and 5 give everything but a pickle a type.
    if "pickle" in _kinds(file, node) or ("HICKLE_VERSION" in file.attrs and "type" not in node.attrs):
        raise SvqkitError(
            f"{path} holds a pickled Python object; a pickle can run any program, so svqkit never opens one. "
            "Dump a plain NumPy array, or a list of strings, instead."
        )
    return node


def _kinds(file: h5py.File, node: Node) -> set[str]:
    """What the different versions call the kind of a thing, such as "ndarray", "list", "pickle"."""
    kinds = [node.attrs.get("base_type", ""), node.attrs.get("type", "")]
    if isinstance(kinds[1], h5py.Reference):
        entry = file[kinds[1]]
        base = entry.attrs.get("base_type")
        kinds += [entry.name, file[base].name if isinstance(base, h5py.Reference) else ""]
    if isinstance(file.get("type"), h5py.Dataset):
        kinds.append(file["type"][()])
    texts = [value for kind in kinds for value in np.ravel(kind) if isinstance(value, str | bytes)]
    return {(text.decode("utf-8", "replace") if isinstance(text, bytes) else text).split("/")[-1] for text in texts}


def _strings(dataset: h5py.Dataset, path: Path) -> list[str]:
    """A dataset of strings: fixed or variable length, or a row of bytes for each."""
    values = dataset[()] if dataset.ndim else None
    if dataset.ndim == 2 and dataset.dtype.kind in "uS" and dataset.dtype.itemsize == 1:
        return [_text(row.tobytes().rstrip(b"\0"), path) for row in values]
    if dataset.ndim == 1 and dataset.dtype.kind in "SO" and not h5py.check_ref_dtype(dataset.dtype):
        return [_text(value, path) for value in values.tolist()]
    raise SvqkitError(
        f"{path}: {dataset.name} should be a list of strings; it has shape {dataset.shape} and type {dataset.dtype}."
    )


def _item(file: h5py.File, node: Node, path: Path) -> str:
    """One string of a list that is a group."""
    if isinstance(node, h5py.Dataset) and h5py.check_ref_dtype(node.dtype) and node.ndim == 0:
        node = file[node[()]]
    if isinstance(node, h5py.Dataset):
        kind, value = node.dtype.kind, node[()]
        if kind == "u" or (kind == "S" and node.dtype.itemsize == 1 and node.ndim):
            return _text(value.tobytes().rstrip(b"\0"), path)
        if node.size == 1 and kind in "SO":
            return _text(value if node.ndim == 0 else value.ravel()[0], path)
    raise SvqkitError(f"{path}: {node.name} should be a string, as all of the list; it is {node}.")


def _text(value: object, path: Path) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        value = value.tobytes()
    try:
        if isinstance(value, bytes):
            return value.decode()
    except UnicodeDecodeError as error:
        raise SvqkitError(f"{path}: the string {value!r} is not UTF-8 ({error}).") from error
    raise SvqkitError(f"{path} should hold strings; it holds {value!r}.")


def _number(name: str, path: Path) -> int:
    """data_12 or data12 → 12: hickle's names are in the order of their numbers, not of their letters."""
    number = re.search(r"\d+$", name)
    if not number:
        raise SvqkitError(f"{path}: the list has an item {name!r}; expected names such as data0, data1.")
    return int(number.group())
