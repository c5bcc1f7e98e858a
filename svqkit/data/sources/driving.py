"""Recordings of cars' cameras, as parts of a plan: pieces of an array on disk, image files, .seq and other videos.

All give RGB frames of one size, (n, 3, H, W) uint8, decoded, scaled and cropped some at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from svqkit.data.plan import Part
from svqkit.data.sources.hickle_arrays import HickleArray
from svqkit.data.sources.images import read_image, scale_and_crop
from svqkit.data.sources.seq import read_seq
from svqkit.data.sources.video import PIECE, read_video

Size = tuple[int, int]


@dataclass(frozen=True)
class Recording:
    """One drive: its name, its frames, and the files that they come from."""

    name: str
    part: Part
    files: tuple[Path, ...]


@dataclass(frozen=True)
class HickleFrames:
    """The rows [start, stop) of a hickle file's array (N, H, W, 3), RGB."""

    array: HickleArray
    start: int
    stop: int
    size: Size

    @property
    def frames(self) -> int:
        """How many frames it gives."""
        return self.stop - self.start

    def read(self) -> Iterator[np.ndarray]:
        """Yield its frames in order, (n, 3, *size) uint8, n so that a piece takes at most about 16 MB."""
        for piece in self.array.pieces(self.start, self.stop, per_piece(self.array.shape[1:3])):
            yield fit_frames(piece, self.size)


@dataclass(frozen=True)
class CachedFrames:
    """The rows [start, stop) of an .npy file (N, H, W, 3) with OpenCV's order of colours: blue first."""

    path: Path
    start: int
    stop: int
    size: Size

    @property
    def frames(self) -> int:
        """How many frames it gives."""
        return self.stop - self.start

    def read(self) -> Iterator[np.ndarray]:
        """Yield its frames in order, (n, 3, *size) uint8, n so that a piece takes at most about 16 MB."""
        stored = np.load(self.path, mmap_mode="r", allow_pickle=False)
        length = per_piece(stored.shape[1:3])
        for first in range(self.start, self.stop, length):
            yield fit_frames(stored[first : min(first + length, self.stop), ..., ::-1], self.size)


@dataclass(frozen=True)
class ImageFrames:
    """Image files, in order."""

    paths: tuple[Path, ...]
    size: Size

    @property
    def frames(self) -> int:
        """How many frames it gives."""
        return len(self.paths)

    def read(self) -> Iterator[np.ndarray]:
        """Yield its frames in order, (n, 3, *size) uint8, n so that a piece takes at most about 16 MB."""
        return stack_frames((read_image(path, colour=True) for path in self.paths), self.size)


@dataclass(frozen=True)
class VideoFrames:
    """Every ``step``-th of the ``stored`` frames of a video, counted from 1 as the reference does: 3, 6, 9, …"""

    path: Path
    stored: int
    step: int
    size: Size

    @property
    def frames(self) -> int:
        """How many frames it gives."""
        return self.stored // self.step

    def read(self) -> Iterator[np.ndarray]:
        """Yield its frames in order, (n, 3, *size) uint8, n so that a piece takes at most about 16 MB."""
        wanted = range(self.step - 1, self.frames * self.step, self.step)
        if self.path.suffix.lower() == ".seq":
            return stack_frames(read_seq(self.path, wanted), self.size)
        return stack_frames(read_video(self.path, colour=True, wanted=[wanted], promised=self.stored), self.size)


def per_piece(shape: tuple[int, int]) -> int:
    """Return how many RGB frames of ``shape`` (height, width) make a piece."""
    return max(1, PIECE // (3 * shape[0] * shape[1]))


def fit_frames(piece: np.ndarray, size: Size) -> np.ndarray:
    """Scale and crop RGB frames (n, H, W, 3) to (n, 3, *size), uint8."""
    if piece.shape[1:3] != size:
        piece = np.stack([scale_and_crop(np.ascontiguousarray(image), size) for image in piece])
    return np.ascontiguousarray(piece.transpose(0, 3, 1, 2))


def stack_frames(images: Iterator[np.ndarray], size: Size) -> Iterator[np.ndarray]:
    """Stack images (H, W, 3) of any size to pieces (n, 3, *size), uint8."""
    while held := [scale_and_crop(image, size) for image in islice(images, per_piece(size))]:
        yield fit_frames(np.stack(held), size)
