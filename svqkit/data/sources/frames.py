"""Frames from wherever they lie: what a video, a row of image files or an array of pictures has in common.

Each is looked at first, and gives the wanted ones of its frames later, one by one. A part of a store brings them to
one size; a forecast takes the last ones.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from svqkit.data.plan import Clip, Plan
from svqkit.errors import SvqkitError

# A part gives its frames in pieces of at most about this many bytes.
PIECE = 16 * 2**20
Size = tuple[int, int]  # height, width
Fit = Callable[[np.ndarray, Size], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Frames in their order, looked at but not decoded.

    Attributes:
        files: those that they lie in.
        count: how many there are.
        size: height and width of each; (0, 0) where they may differ.
        notes: what is odd about them.
    """

    files: tuple[Path, ...]
    count: int
    size: Size
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The first of the files, of a video the only one."""
        return self.files[0]

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """Yield the frames with these indices, from 0, in rising order; (H, W, C) uint8, red first.

        Raises:
            SvqkitError: a file is truncated or damaged.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class FramesPart:
    """A part of a store: the ``wanted`` of some frames, which ``fit`` brings to ``size`` (height, width).

    ``name`` is that of the clip, where the part is a whole one.
    """

    source: Frames
    wanted: Sequence[int]
    size: Size
    fit: Fit
    name: str = ""

    @property
    def frames(self) -> int:
        """How many frames it gives."""
        return len(self.wanted)

    def read(self) -> Iterator[np.ndarray]:
        """Yield its frames in order, (n, C, H, W) uint8, n so that a piece takes at most about 16 MB.

        Raises:
            SvqkitError: a file is truncated or damaged, or its frame has another size than the source's.
        """
        held: list[np.ndarray] = []
        for index, frame in zip(self.wanted, self.source.read(self.wanted), strict=True):
            if self.source.size not in ((0, 0), frame.shape[:2]):
                file = self.source.files[min(index, len(self.source.files) - 1)]
                raise SvqkitError(
                    f"{file} has {size_text(frame.shape[:2])} pixels in frame {index + 1}, expected "
                    f"{size_text(self.source.size)} as in the first. Set `size` (source: clips), bring all frames to "
                    "one size, or fetch the file again."
                )
            held.append(np.ascontiguousarray(self.fit(frame, self.size).transpose(2, 0, 1)))
            if (len(held) + 1) * held[0].nbytes > PIECE:
                yield np.stack(held)
                held = []
        if held:
            yield np.stack(held)


def size_text(size: Sequence[int]) -> str:
    """Return a size (height, width) in words: "128 × 160"."""
    return " × ".join(map(str, size))


def runs_of(parts: Sequence[FramesPart]) -> list[Clip]:
    """Return the frames [start, stop) that each part has in the store, in which all follow each other."""
    stops = np.cumsum([part.frames for part in parts]).tolist()
    return list(pairwise([0, *stops]))


def plan_of_pictures(
    root: Path, parts: Sequence[FramesPart], size: Size, colour: bool, lists: Iterable[Path], **about: Any
) -> Plan:
    """Return the plan of a store of pictures.

    Args:
        parts: give all frames.
        size: height and width.
        colour: RGB or grey.
        lists: files that are read beside the pictures.
        about: the other fields of the plan, in which sources differ.
    """
    channels = ("red", "green", "blue") if colour else ("grey",)
    files = dict.fromkeys([*lists, *(path for part in parts for path in part.source.files)])
    clip_names = [(part.name, *run) for part, run in zip(parts, runs_of(parts), strict=True) if part.name]
    return Plan(
        parts=parts,
        frame_shape=(len(channels), *size),
        dtype="uint8",
        kind="image",
        channels=channels,
        units=("",) * len(channels),
        files=tuple(files) or (root,),  # without a frame it is refused, with this place
        scale=1 / 255,
        **{"clip_names": clip_names, **about},
    )
