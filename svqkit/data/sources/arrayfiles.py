"""Arrays in files: .npy, .npz and .zarr, read in pieces, so that they may be larger than the memory.

Nothing is unpickled: arrays of Python objects are refused. An .npz is one stream, which a single thread reads from its
start to its end.
"""

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import zarr
from numpy.lib import format as npy

from svqkit.data.sources.zarrstore import files_in, missing_chunks, open_store, refuse_unfit_store
from svqkit.errors import SvqkitError, choose, listed
from svqkit.userfiles import reading, refuse_promise

AGAIN = "Write it again, as an array of numbers."


@dataclass(frozen=True)
class ArrayFile:
    """An array in a file. Its frames are numbered through: those of the first clip, of the second, and so on.

    Attributes:
        key: its name, where a file holds several.
        shape: (clips, frames) or (frames,), then those of a frame: (C, H, W), or (H, W) where ``frame_axes`` is 2.
        dtype: as in the file.
        chunks: shape of the blocks that it is stored in; () where it is one.
        notes: what is odd about it.
    """

    path: Path
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype
    chunks: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    frame_axes: int = 3

    @property
    def count(self) -> int:
        """How many frames it has."""
        return math.prod(self.shape[: -self.frame_axes])

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """The shape of a frame."""
        return self.shape[-self.frame_axes :]

    @property
    def clip_frames(self) -> int:
        """How many frames a clip has; 0 where the array is one long record."""
        return self.shape[1] if len(self.shape) - self.frame_axes == 2 else 0

    def grain(self, count: int) -> int:
        """Return how many frames are best read in one go, if ``count`` are wanted at a time."""
        return count

    def read(self, start: int, stop: int, count: int) -> Iterator[np.ndarray]:
        """Yield the frames from ``start`` to ``stop``, up to ``count`` at a time, (n, *frame_shape).

        Raises:
            SvqkitError: the file is truncated or damaged.
        """
        raise NotImplementedError

    def _cut(self, array: Any, start: int, stop: int, count: int) -> Iterator[np.ndarray]:
        """Frames of an array that can be sliced: whole clips where they fit into ``count`` frames, else pieces."""
        length = self.clip_frames
        while start < stop:
            some = min(count, stop - start)
            clip, frame = divmod(start, length) if length else (0, start)
            if not length:
                block = array[start : start + some]
            elif frame == 0 and some >= length:
                block = array[clip : clip + some // length].reshape(-1, *self.frame_shape)
            else:
                block = array[clip, frame : min(frame + some, length)]
            yield np.asarray(block)
            start += len(block)


class NpyFile(ArrayFile):
    """An .npy file, mapped into memory."""

    @classmethod
    def open(cls, path: Path, key: str = "") -> "NpyFile":
        """Read its header, and compare it with the file's size; it has no ``key``.

        Raises:
            SvqkitError: it is no such file, truncated, longer than its header says, or holds no numbers.
        """
        _the_key(path, [""], key)
        with reading(path, "an array of numbers in NumPy's format", AGAIN):
            with path.open("rb") as stream:
                _refuse_others(path, _header(stream)[2])
            array = npy.open_memmap(path, mode="r")
        size, expected = path.stat().st_size, array.offset + array.nbytes
        if size != expected:
            raise SvqkitError(f"{path} holds more than its header says: {size:,} bytes, not {expected:,}. {AGAIN}")
        return cls(path, "", array.shape, array.dtype)

    def read(self, start: int, stop: int, count: int) -> Iterator[np.ndarray]:
        """See :class:`ArrayFile`."""
        with reading(self.path, aid="It was changed while it was read; prepare the data again."):
            yield from self._cut(npy.open_memmap(self.path, mode="r"), start, stop, count)


class NpzMember(ArrayFile):
    """An array of an .npz file, compressed or not, read as a stream: never the whole of it is in memory."""

    @classmethod
    def keys(cls, path: Path) -> list[str]:
        """Return the names of the arrays in the file.

        Raises:
            SvqkitError: it can't be opened, or a name stands in it twice.
        """
        with reading(path, "an .npz file"), zipfile.ZipFile(path) as file:
            names = [name.removesuffix(".npy") for name in file.namelist() if name.endswith(".npy")]
        names = [name for name in names if not name.rpartition("/")[2].startswith("._")]  # macOS's own
        if twice := {name for name in names if names.count(name) > 1}:
            raise SvqkitError(f"{path} holds {listed(twice)} twice: which is meant? Write it again with np.savez.")
        return names

    @classmethod
    def open(cls, path: Path, key: str) -> "NpzMember":
        """Read its header, and compare it with what is stored.

        Raises:
            SvqkitError: there is no such array, it is damaged or stored column by column, or holds no numbers.
        """
        where = f"{path}, {key}"
        with _stream(path, key) as (stream, stored):
            shape, by_columns, dtype = _header(stream)
        _refuse_others(where, dtype)
        if any(length < 0 for length in shape):
            raise SvqkitError(f"{where} has a header that tells of the shape {shape}. {AGAIN}")
        refuse_promise(where, math.prod(shape) * dtype.itemsize, stored)
        if by_columns and len(shape) > 1:
            raise SvqkitError(
                f"{path}: {key} is stored column by column, and can't be read in pieces. Save it again as "
                f"np.ascontiguousarray({key})."
            )
        return cls(path, key, shape, dtype)

    def grain(self, count: int) -> int:
        """See :class:`ArrayFile`: the whole stream."""
        return self.count

    def read(self, start: int, stop: int, count: int) -> Iterator[np.ndarray]:
        """See :class:`ArrayFile`; what lies before ``start`` is read as well."""
        size = math.prod(self.frame_shape) * self.dtype.itemsize
        with _stream(self.path, self.key) as (stream, _):
            _header(stream)
            for before in range(0, start, count):  # a seek would leave out the checksum, from Python 3.12 on
                stream.read(min(count, start - before) * size)
            for first in range(start, stop, count):
                raw = stream.read(min(count, stop - first) * size)
                yield np.frombuffer(raw, self.dtype).reshape(min(count, stop - first), *self.frame_shape)
            # To read past the end compares the checksum of all bytes.
            if stop == self.count and stream.read(1):
                raise SvqkitError(f"{self.path}: {self.key} holds more than its shape {self.shape} says. {AGAIN}")


class ZarrArray(ArrayFile):
    """An array in a Zarr store, by itself or in a group."""

    @classmethod
    def open(cls, path: Path, key: str) -> "ZarrArray":
        """Read its metadata, and count its chunks: one that is not stored is all fill value.

        Raises:
            SvqkitError: there is no such array, ``key`` is needed, or it is none that is read, see
                :mod:`svqkit.data.sources.zarrstore`.
        """
        with reading(path, "a Zarr store", AGAIN, plain=False):
            refuse_unfit_store(str(path))
            node = open_store(path)
            members = node.members(max_depth=None) if isinstance(node, zarr.Group) else [("", node)]
            key = _the_key(path, [name for name, member in members if isinstance(member, zarr.Array)], key)
            node = node[key] if key else node
            _refuse_others(path, node.dtype)
            if packed := {"scale_factor", "add_offset"} & {*node.attrs}:
                raise SvqkitError(
                    f"{path}: the array is packed ({listed(packed)}), so that its numbers stand for others. Write the "
                    "values themselves, e.g. xarray's open_zarr(…)[name].values with zarr.save_array."
                )
            stored = sum(file.stat().st_size for file in files_in(path))
            refuse_promise(path, math.prod(node.shape) * node.dtype.itemsize, stored)
            return cls(path, key, node.shape, node.dtype, node.chunks, missing_chunks(node, str(path)))

    def grain(self, count: int) -> int:
        """See :class:`ArrayFile`: whole chunks, so that none is decoded twice."""
        chunk = self.chunks[0]
        if self.clip_frames:
            whole = self.chunks[1] >= self.clip_frames
            chunk = self.chunks[0] * self.clip_frames if whole else self.chunks[1]
        return max(chunk, count - count % chunk)

    def read(self, start: int, stop: int, count: int) -> Iterator[np.ndarray]:
        """See :class:`ArrayFile`."""
        with reading(self.path, aid=AGAIN, plain=False):
            node: Any = open_store(self.path)
            for block in self._cut(node[self.key] if self.key else node, start, stop, self.grain(count)):
                for first in range(0, len(block), count):
                    yield block[first : first + count]


def open_array(path: Path, key: str = "") -> ArrayFile:
    """Open the array at ``path``; ``key`` chooses one of several.

    Raises:
        SvqkitError: there is none, it is damaged or pickled, or ``key`` is needed or unknown.
    """
    if not path.exists():
        raise SvqkitError(
            f"There is no {path.absolute()}. Put the array there (.npy, .npz or .zarr), or change `root`."
        )
    kinds: dict[str, Any] = {".npy": NpyFile, ".npz": NpzMember, ".zarr": ZarrArray}
    kind = choose(kinds, path.suffix.lower(), "kind of array file")
    if (kind is ZarrArray) != path.is_dir():
        raise SvqkitError(f"{path}: a .zarr is a folder, an .npy or .npz is a file; this is the other way round.")
    return kind.open(path, _the_key(path, NpzMember.keys(path), key) if kind is NpzMember else key)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether it is stored column by column, and dtype; then ``stream`` is at the first value."""
    # Version 3 differs from 2 in names that are no ASCII, which arrays of numbers don't have.
    is_first = npy.read_magic(stream) == (1, 0)
    return (npy.read_array_header_1_0 if is_first else npy.read_array_header_2_0)(stream)


def _refuse_others(where: object, dtype: np.dtype) -> None:
    if dtype.kind not in "buif":
        raise SvqkitError(
            f"{where}: the array holds {dtype}, expected numbers (integers or floats); pickled Python objects are not "
            f"read. {AGAIN}"
        )


def _the_key(path: Path, there: Sequence[str], key: str) -> str:
    """The name of the wanted array; of one that is alone and has none, "" is there."""
    if key and there == [""]:
        raise SvqkitError(f"{path} is a single array; leave `key` out (it is {key!r}).")
    if not there:
        raise SvqkitError(f"{path} holds no array. Write it again, or change `root`.")
    if key in there or (len(there) == 1 and not key):
        return key or there[0]
    asked = f"`key` is {key!r}" if key else "`key` does not say which is meant"
    raise SvqkitError(f"{path} holds these arrays: {listed(there)}; {asked}. Name one of them as `key`.")


@contextmanager
def _stream(path: Path, key: str) -> Iterator[tuple[IO[bytes], int]]:
    """An array of an .npz as a stream, and how many bytes are stored of it."""
    kind, aid = f"an .npz file with {key}", "Fetch it again, or write it with np.savez."
    with reading(path, kind, aid), zipfile.ZipFile(path) as file, file.open(f"{key}.npy") as stream:
        yield stream, file.getinfo(f"{key}.npy").compress_size
