"""Videos and folders of frames: how many frames there are, and those that are wanted, one by one or as parts.

Videos are decoded by OpenCV, which carries FFmpeg with it. A video that was cut short opens like a whole one and
just ends early. So its container is held against the file's size first (:mod:`svqkit.data.sources.containers`), and
later the frames that come are counted against those that it promises.
"""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong with a file is told by the errors below

import cv2
import numpy as np

from svqkit.data.sources.containers import MEND, kind_of_container, refuse_cut
from svqkit.data.sources.images import channels_first, open_image, read_image, refuse_deep, resize
from svqkit.errors import SvqkitError
from svqkit.settings.types import MOST_PIXELS
from svqkit.userfiles import refuse_special

VIDEO_SUFFIXES = (".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".mpg", ".mpeg")
# A part gives its frames in pieces of at most about this many bytes.
PIECE = 16 * 2**20
# Bytes that the least frame takes in a container, index and all.
LEAST_FRAME = 8

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


@dataclass(frozen=True)
class Video:
    """What a video promises: how many frames, and their size (height, width)."""

    frames: int
    size: tuple[int, int]


def inspect_video(path: Path, whole: bool = True) -> Video:
    """Read what a video promises in its header and first frame: under a millisecond for AVI and MP4.

    Other containers tell how long they last, from which the number of frames can't be had exactly: there the frames
    are counted by decoding. Without ``whole`` a video that was cut short is accepted.

    Raises:
        SvqkitError: there is no such file, it is no video or has no frame, or it was cut short.
    """
    if not path.exists():
        raise SvqkitError(f"There is no video {path}. Fetch it again, or take it off the list.")
    refuse_special(path)
    if whole:
        refuse_cut(path)
    capture = _open(path)
    try:
        came, first = capture.read()
        if not came:
            raise SvqkitError(f"{path} has no frame of video that can be decoded: {MEND}.")
        frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if frames * LEAST_FRAME > (size := path.stat().st_size):
            raise SvqkitError(f"{path} has {size:,} bytes, its header promises {frames:,} frames: {MEND}.")
        if frames <= 0 or kind_of_container(path) not in ("avi", "mp4"):
            frames = 1 + sum(1 for _ in iter(capture.grab, False))
    finally:
        capture.release()
    return Video(frames, first.shape[:2])


def read_video(
    path: Path, colour: bool, wanted: Sequence[range] | None = None, promised: int | None = None
) -> Iterator[np.ndarray]:
    """Yield the frames of a video one by one, (H, W, 3) RGB or (H, W, 1) grey (luminance), uint8.

    ``wanted`` are the indices of the frames, from 0, in rising order; without it all of the ``promised`` ones. Without
    ``promised`` the video is inspected first, which refuses one that was cut short.

    Some whole AVIs hold one frame less than they promise (an encoder's placeholder at the end). Where just the last
    frame that is promised lacks, the one before stands in for it, with a warning.

    Raises:
        SvqkitError: the video ends before a frame that is wanted, or can't be opened.
    """
    promised = promised or inspect_video(path).frames
    wanted = [range(promised)] if wanted is None else wanted
    capture = _open(path)
    position = 0
    try:
        for index in chain.from_iterable(wanted):
            while position < index and capture.grab():
                position += 1
            came, pixels = capture.read() if position == index else (False, None)
            if came:
                position += 1
                yield _converted(pixels, colour)
            elif position == index == promised - 1 > 0:
                warnings.warn(
                    f"{path} lacks the last of its {promised} frames: the one before is repeated.", stacklevel=2
                )
                yield from read_video(path, colour, [range(index - 1, index)], promised)
            else:
                raise SvqkitError(
                    f"{path} ends after {position} frames; its header promises {promised}, and frame {index + 1} is "
                    f"wanted. It is truncated or damaged: {MEND}."
                )
    finally:
        capture.release()


@dataclass(frozen=True)
class VideoPart:
    """Frames of a video file that promises ``promised`` of them, brought to ``size`` (height, width).

    ``wanted`` are their indices as :func:`read_video` takes them.
    """

    path: Path
    wanted: tuple[range, ...]
    promised: int
    size: tuple[int, int]
    colour: bool

    @property
    def frames(self) -> int:
        """How many frames it gives."""
        return sum(map(len, self.wanted))

    def read(self) -> Iterator[np.ndarray]:
        """Yield its frames in order, (n, C, H, W) uint8, n so that a piece takes at most about 16 MB."""
        frames = read_video(self.path, self.colour, self.wanted, self.promised)
        return _pieces(resize(frame, self.size) for frame in frames)


@dataclass(frozen=True)
class FramesPart:
    """Image files, one per frame, in this order, brought to ``size`` (height, width).

    With ``exact`` all of them must have that size already.
    """

    files: tuple[Path, ...]
    size: tuple[int, int]
    colour: bool
    exact: bool = False

    @property
    def frames(self) -> int:
        """How many frames it gives."""
        return len(self.files)

    def read(self) -> Iterator[np.ndarray]:
        """Yield its frames in order, (n, C, H, W) uint8, n so that a piece takes at most about 16 MB."""
        return _pieces(self._frame(path) for path in self.files)

    def _frame(self, path: Path) -> np.ndarray:
        image = read_image(path, self.colour)
        if self.exact and image.shape[:2] != self.size:
            raise SvqkitError(
                f"{path} has {size_text(image.shape[:2])} pixels, the first frame of its folder "
                f"{size_text(self.size)}. Set `size` to bring all frames to one size, or remove the file."
            )
        return resize(image, self.size)


def image_size(path: Path) -> tuple[int, int]:
    """Return height and width of an image file, from its header.

    Raises:
        SvqkitError: it is no image, or has more than 8 bits a channel.
    """
    with open_image(path, str(path)) as image:
        refuse_deep(image, path)
        return image.height, image.width


def size_text(size: Sequence[int]) -> str:
    """Return a size (height, width) in words: "128 × 160"."""
    return " × ".join(map(str, size))


def _open(path: Path) -> cv2.VideoCapture:
    # FFmpeg goes by what a file holds: a playlist or a script, whatever its name, would make it open other files. It
    # takes a name such as "a:b" for an address, unless that is in a folder.
    if not kind_of_container(path):
        raise _not_opened(path)
    # One thread each: parts are decoded side by side already.
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise _not_opened(path)
    width, height = (int(capture.get(of)) for of in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > MOST_PIXELS:
        raise SvqkitError(f"{path} promises frames of {size_text((height, width))} pixels, which is too large: {MEND}.")
    return capture


def _not_opened(path: Path) -> SvqkitError:
    return SvqkitError(
        f"{path} ({path.stat().st_size:,} bytes) can't be opened as a video: it is truncated, of another kind, or its "
        f"codec is not known to OpenCV. What helps: {MEND}."
    )


def _converted(pixels: np.ndarray, colour: bool) -> np.ndarray:
    if colour:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)[..., None]


def _pieces(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    held: list[np.ndarray] = []
    for frame in frames:
        held.append(channels_first(frame))
        if (len(held) + 1) * frame.nbytes > PIECE:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held)
