"""Frames from wherever they lie: what a video, a row of image files or an array of pictures has in common.

Each is looked at first, and gives the wanted ones of its frames later, one by one. A part of a store brings them to
one size; a forecast takes the last ones.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from svqkit.data.plan import Clip, Plan
from svqkit.data.sources.images import Size, channels_first
from svqkit.data.sources.seq import Seq
from svqkit.data.sources.video import SUFFIXES, Video

VIDEO_SUFFIXES = (*SUFFIXES, ".seq")
# A part gives its frames in pieces of at most about this many bytes.
PIECE = 16 * 2**20
Fit = Callable[[np.ndarray, Size], np.ndarray]


class Frames(Protocol):
    """Frames in their order, looked at but not decoded."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def size(self) -> Size | None:
        """Height and width of them; None where they differ."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that they lie in."""

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """Yield the frames with these indices, from 0, in rising order; (H, W, C) uint8, red first.

        Raises:
            SvqkitError: a file is truncated or damaged.
        """


@dataclass(frozen=True)
class FramesPart:
    """A part of a store: the ``wanted`` of some frames, which ``fit`` brings to ``size`` (height, width)."""

    source: Frames
    wanted: Sequence[int]
    size: Size
    fit: Fit

    @property
    def frames(self) -> int:
        """How many frames it gives."""
        return len(self.wanted)

    def read(self) -> Iterator[np.ndarray]:
        """Yield its frames in order, (n, C, H, W) uint8, n so that a piece takes at most about 16 MB."""
        return _pieces(self.fit(frame, self.size) for frame in self.source.read(self.wanted))


def runs_of(parts: Sequence[FramesPart]) -> list[Clip]:
    """Return the frames [start, stop) that each part has in the store, in which all follow each other."""
    stops = np.cumsum([part.frames for part in parts]).tolist()
    return list(pairwise([0, *stops]))


def plan_of_pictures(
    parts: Sequence[FramesPart], size: Size, colour: bool, names: Sequence[str], lists: Iterable[Path], **about: Any
) -> Plan:
    """Return the plan of a store of pictures.

    Args:
        parts: give all frames.
        size: height and width.
        colour: RGB or grey.
        names: of the parts.
        lists: files that are read beside the pictures.
        about: the other fields of the plan, in which sources differ.
    """
    channels = ("red", "green", "blue") if colour else ("grey",)
    files = dict.fromkeys([*lists, *(path for part in parts for path in part.source.files)])
    clip_names = [(name, *run) for name, run in zip(names, runs_of(parts), strict=True)] if names else []
    return Plan(
        parts=parts,
        frame_shape=(len(channels), *size),
        dtype="uint8",
        kind="image",
        channels=channels,
        units=("",) * len(channels),
        files=tuple(files),
        scale=1 / 255,
        **{"clip_names": clip_names, **about},
    )


def open_video(path: Path, colour: bool) -> Seq | Video:
    """Look at a video, whatever its kind.

    Raises:
        SvqkitError: there is no such file, it is no video or has no frame, or it was cut short.
    """
    kind = Seq if path.suffix.lower() == ".seq" else Video
    return kind.open(path, colour)


def _pieces(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    held: list[np.ndarray] = []
    for frame in frames:
        held.append(channels_first(frame))
        if (len(held) + 1) * frame.nbytes > PIECE:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held)
