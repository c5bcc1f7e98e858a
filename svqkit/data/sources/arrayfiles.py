"""Arrays in files: .npy, .npz and .zarr, read in pieces, so that they may be larger than the memory.

Nothing is unpickled: arrays of Python objects are refused. An .npz is one stream, which a single thread reads from its
start to its end.
"""

import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import zarr
from numpy.lib import format as npy

from svqkit.errors import SvqkitError, choose, listed
from svqkit.userfiles import refuse_escape, refuse_promise, refuse_special


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
        per_clip = self.shape[1] if len(self.shape) - self.frame_axes == 2 else 0
        while start < stop:
            clip, frame = divmod(start, per_clip) if per_clip else (0, start)
            whole = min(count, stop - start) // per_clip if per_clip else 0
            if not per_clip:
                block = np.asarray(array[start : min(start + count, stop)])
            elif frame == 0 and whole:
                block = np.asarray(array[clip : clip + whole]).reshape(-1, *self.frame_shape)
            else:
                block = np.asarray(array[clip, frame : frame + min(count, per_clip - frame, stop - start)])
            yield block
            start += len(block)


class NpyFile(ArrayFile):
    """An .npy file, mapped into memory."""

    @classmethod
    def open(cls, path: Path) -> "NpyFile":
        """Read its header, and compare it with the file's size.

        Raises:
            SvqkitError: it is no such file, truncated, longer than its header says, or holds pickled objects.
        """
        refuse_special(path)
        with path.open("rb") as handle:
            header = read_header(handle, str(path))
            expected = handle.tell() + math.prod(header.shape) * header.dtype.itemsize
        size = path.stat().st_size
        if size != expected:
            what = "is truncated" if size < expected else "holds more than its header says"
            raise SvqkitError(f"{path} {what}: {size:,} bytes, its header tells of {expected:,}. Fetch it again.")
        return cls(path, "", header.shape, header.dtype)

    def read(self, start: int, stop: int, count: int) -> Iterator[np.ndarray]:
        """See :class:`ArrayFile`."""
        try:
            array = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise SvqkitError(
                f"{self.path} was changed while it was read ({error}). Prepare the data again."
            ) from error
        yield from self._cut(array, start, stop, count)


class NpzMember(ArrayFile):
    """An array of an .npz file, compressed or not, read as a stream: never the whole of it is in memory."""

    @classmethod
    def keys(cls, path: Path) -> list[str]:
        """Return the names of the arrays in the file.

        Raises:
            SvqkitError: it can't be opened, or a name stands in it twice.
        """
        with _zip(path) as file:
            names = [name.removesuffix(".npy") for name in file.namelist() if name.endswith(".npy")]
        if twice := {name for name in names if names.count(name) > 1}:
            raise SvqkitError(f"{path} holds {listed(twice)} twice: which is meant? Write it again with np.savez.")
        return names

    @classmethod
    def open(cls, path: Path, key: str, only_header: bool = False) -> "NpzMember":
        """Read its header, and unless ``only_header`` compare it with what is stored.

        Raises:
            SvqkitError: there is no such array, it is damaged or stored column by column, or holds pickled objects.
        """
        with _member(path, key) as stream:
            header = read_header(stream, f"{path}, {key}")
        if not only_header:
            with _zip(path) as file:
                stored = file.getinfo(f"{key}.npy").compress_size
            refuse_promise(f"{path}, {key}", math.prod(header.shape) * header.dtype.itemsize, stored)
        if header.fortran and len(header.shape) > 1:
            raise SvqkitError(
                f"{path}: {key} is stored column by column, and can't be read in pieces. Save it again as "
                f"np.ascontiguousarray({key})."
            )
        return cls(path, key, header.shape, header.dtype)

    def grain(self, count: int) -> int:
        """See :class:`ArrayFile`: the whole stream."""
        return self.count

    def read(self, start: int, stop: int, count: int) -> Iterator[np.ndarray]:
        """See :class:`ArrayFile`; what lies before ``start`` is read as well."""
        size = math.prod(self.frame_shape) * self.dtype.itemsize
        with _member(self.path, self.key) as stream:
            read_header(stream, f"{self.path}, {self.key}")
            for first in range(0, start, count):
                self._take(stream, min(count, start - first) * size)
            for first in range(start, stop, count):
                raw = self._take(stream, min(count, stop - first) * size)
                yield np.frombuffer(raw, self.dtype).reshape(-1, *self.frame_shape)
            if stop == self.count:
                self._take(stream, 0)

    def _take(self, stream: IO[bytes], size: int) -> bytes:
        """The next ``size`` bytes; 0 reads past the end, where the checksum of all bytes is compared."""
        try:
            taken = stream.read(size or 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise SvqkitError(
                f"{self.path}: {self.key} can't be read to its end ({error}); the file is truncated or damaged. "
                "Fetch it again."
            ) from error
        if len(taken) != size:
            more = "more" if len(taken) > size else "less"
            raise SvqkitError(f"{self.path}: {self.key} holds {more} than its shape {self.shape} says. Fetch it again.")
        return taken


class ZarrArray(ArrayFile):
    """An array in a Zarr store, by itself or in a group."""

    @classmethod
    def open(cls, path: Path, key: str) -> "ZarrArray":
        """Read its metadata, and count its chunks: one that is not stored is all fill value.

        Raises:
            SvqkitError: there is no such array, ``key`` is needed, a chunk would have to be unpickled, or the fill
                value is no number.
        """
        stored = sum(file.stat().st_size for file in _plain_files(path))
        try:
            node = zarr.open(path, mode="r")
            if isinstance(node, zarr.Group):
                key = _the_key(path, dict(node.arrays()), key)
                node = node[key]
            elif key:
                raise SvqkitError(f"{path} is a single array; leave `key` out (it is {key!r}).")
            refuse_promise(path, max(math.prod(node.shape), math.prod(node.chunks)) * node.dtype.itemsize, stored)
            # Of a sharded array the files are shards, in which chunks that are not stored are found when it is read.
            files = node.shards or node.chunks
            per_file = math.prod(files) // math.prod(node.chunks)
            every = math.prod(-(-length // whole) for length, whole in zip(node.shape, files, strict=True))
            absent = every - node.nchunks_initialized // per_file
        except SvqkitError:
            raise
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise SvqkitError(f"{path} can't be opened as a Zarr store ({error}). Write it again.") from error
        metadata = {name: value for name, value in node.metadata.to_dict().items() if name != "attributes"}
        if node.dtype.kind == "O" or "pickle" in str(metadata).lower():
            raise SvqkitError(f"{path} holds pickled Python objects, which are not read. Write an array of numbers.")
        notes = ()
        if absent:
            if node.fill_value is None or (node.dtype.kind == "f" and not np.isfinite(node.fill_value)):
                raise SvqkitError(
                    f"{path} lacks {absent:,} of its {every:,} chunks, and its fill value {node.fill_value} is "
                    "no number. Write it again, whole."
                )
            notes = (f"{path.name}: {absent:,} of {every:,} chunks are not stored, so all {node.fill_value}",)
        return cls(path, key, node.shape, node.dtype, node.chunks, notes)

    def grain(self, count: int) -> int:
        """See :class:`ArrayFile`: whole chunks, so that none is decoded twice."""
        chunk = self.chunks[0]
        if len(self.shape) - self.frame_axes == 2:
            whole = self.chunks[1] >= self.shape[1]
            chunk = self.chunks[0] * self.shape[1] if whole else self.chunks[1]
        return max(chunk, count - count % chunk)

    def read(self, start: int, stop: int, count: int) -> Iterator[np.ndarray]:
        """See :class:`ArrayFile`."""
        try:
            node: Any = zarr.open(self.path, mode="r")
            array = node[self.key] if self.key else node
            for block in self._cut(array, start, stop, self.grain(count)):
                for first in range(0, len(block), count):
                    yield block[first : first + count]
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise SvqkitError(f"{self.path} can't be read to its end ({error}). Fetch or write it again.") from error


def open_array(path: Path, key: str = "") -> ArrayFile:
    """Open the array at ``path``; ``key`` chooses one of several.

    Raises:
        SvqkitError: there is none, it is damaged or pickled, or ``key`` is needed or unknown.
    """
    if not path.exists():
        raise SvqkitError(
            f"There is no {path.absolute()}. Put the array there (.npy, .npz or .zarr), or change `root`."
        )
    suffix = choose({".npy": ".npy", ".npz": ".npz", ".zarr": ".zarr"}, path.suffix.lower(), "kind of array file")
    if (suffix == ".zarr") != path.is_dir():
        raise SvqkitError(f"{path}: a .zarr is a folder, an .npy or .npz is a file; this is the other way round.")
    source: ArrayFile
    if suffix == ".npy":
        if key:
            raise SvqkitError(f"{path} is a single array; leave `key` out (it is {key!r}).")
        source = NpyFile.open(path)
    elif suffix == ".npz":
        source = NpzMember.open(path, _the_key(path, dict.fromkeys(NpzMember.keys(path)), key))
    else:
        source = ZarrArray.open(path, key)
    if source.dtype.kind not in "buif":
        raise SvqkitError(f"{path}: the array holds {source.dtype}, expected numbers (integers or floats).")
    return source


class Header(NamedTuple):
    """What stands before the values of an .npy file."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype


def read_header(stream: IO[bytes], where: str) -> Header:
    """Read the header of an .npy file or of a member of an .npz; then ``stream`` is at its first value.

    Raises:
        SvqkitError: there is none, or it tells of pickled objects.
    """
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        header = Header(*readers[npy.read_magic(stream)](stream))
    except (EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise SvqkitError(
            f"{where}: can't be read ({error}); the file is truncated or damaged. Fetch it again."
        ) from error
    except (ValueError, KeyError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise SvqkitError(
            f"{where} is no array of numbers in NumPy's format ({error}). Write it with np.save or np.savez; pickled "
            "files are not read."
        ) from error
    if any(length < 0 for length in header.shape):
        raise SvqkitError(f"{where}: its header tells of the shape {header.shape}. It is damaged; fetch it again.")
    if header.dtype.hasobject:
        raise SvqkitError(
            f"{where} holds pickled Python objects, which are not read: they can run any code. Save an array of "
            "numbers, e.g. np.stack(clips).astype('float32')."
        )
    return header


def _the_key(path: Path, there: dict[str, Any], key: str) -> str:
    """The name of the wanted array."""
    if not there:
        raise SvqkitError(f"{path} holds no array. Write it again, or change `root`.")
    if key and key in there:
        return key
    if len(there) == 1 and not key:
        return next(iter(there))
    asked = f"`key` is {key!r}" if key else "`key` does not say which is meant"
    raise SvqkitError(f"{path} holds these arrays: {listed(there)}; {asked}. Name one of them as `key`.")


def _plain_files(store: Path) -> list[Path]:
    """The files of a Zarr store, all of which are its own."""
    found = []
    for folder, folders, files in os.walk(store):
        for path in (Path(folder, name) for name in (*folders, *files)):
            if path.is_symlink():
                refuse_escape(path, store)
        found += [Path(folder, name) for name in files]
    for path in found:
        refuse_special(path)
    return found


@contextmanager
def _zip(path: Path) -> Iterator[zipfile.ZipFile]:
    refuse_special(path)
    try:
        file = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise SvqkitError(f"There is no {path.absolute()}.") from error
    except (zipfile.BadZipFile, OSError) as error:
        size = path.stat().st_size if path.exists() else 0
        raise SvqkitError(
            f"{path} ({size:,} bytes) can't be opened as an .npz file ({error}); it is truncated or another kind of "
            "file. Fetch it again."
        ) from error
    with file:
        yield file


@contextmanager
def _member(path: Path, key: str) -> Iterator[IO[bytes]]:
    with _zip(path) as file:
        try:
            stream = file.open(f"{key}.npy")
        except (KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise SvqkitError(f"{path}: {key} can't be read ({error}). Write it again with np.savez.") from error
        with stream:
            yield stream
