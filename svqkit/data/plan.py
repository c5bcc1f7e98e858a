"""The plan of a store: what a source found in its raw files, checked but not decoded.

A source (a module of :mod:`svqkit.data.sources`) looks at file names and headers only and gives back a plan;
:mod:`svqkit.data.prepare` carries it out, the same way for every source.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from typing import Protocol as Interface

import numpy as np
from pydantic import Field

from svqkit.errors import SvqkitError
from svqkit.settings.data import SPLITS, Dataset, Shares
from svqkit.settings.params import Protocol, Split
from svqkit.settings.types import Positive

Clip = tuple[int, int]
# grid: a lat-lon record in physical units; image: values in [0, 1]; field: values in units of the user's own.
Kind = Literal["grid", "image", "field"]


class Part(Interface):
    """A run of frames that is decoded in one go; several parts are decoded side by side, each in its own thread."""

    @property
    def frames(self) -> int:
        """How many frames it gives."""

    def read(self) -> Iterator[np.ndarray]:
        """Yield its frames in order, some at a time, (n, C, H, W) in the plan's dtype.

        Raises:
            SvqkitError: a file is damaged, or holds what it should not.
        """


@dataclass(frozen=True)
class Windowing:
    """Which frames form which windows, under one protocol.

    Attributes:
        inputs, targets: the frames of a window, counted from its start.
        starts: per split the start of every window, as an index of the store's frames.
        clips: per split the runs of frames [start, stop) that it owns; statistics are taken over these.
        blue_first: the splits whose colours the reference reads in OpenCV's order, blue, green, red; here every store
            has red first.
    """

    inputs: tuple[int, ...]
    targets: tuple[int, ...]
    starts: Mapping[Split, np.ndarray]
    clips: Mapping[Split, Sequence[Clip]]
    blue_first: tuple[Split, ...] = ()

    @classmethod
    def consecutive(
        cls,
        data: Dataset,
        clips: Mapping[Split, Sequence[Clip]],
        starts: Mapping[Split, np.ndarray] | None = None,
        stride: int = 1,
        blue_first: tuple[Split, ...] = (),
    ) -> "Windowing":
        """Return windows whose frames follow each other, as many as the settings ask for.

        Without ``starts`` there is one every ``stride`` frames from the first of each clip on.
        """
        length = data.frames_in + data.frames_out
        if starts is None:
            starts = {split: every_window(owned, length, stride) for split, owned in clips.items()}
        return cls(tuple(range(data.frames_in)), tuple(range(data.frames_in, length)), starts, clips, blue_first)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a store tells of the dataset that it holds.

    Attributes:
        kind: see ``Kind``.
        channels, units: name and unit of each channel; units of images are empty.
        title: what the raw files say of themselves.
        simulated: whether they say that they are no measurements or recordings, see :func:`declares_simulated`.
        scale: a stored value times this is the value in ``units``; 1/255 for images of bytes, else 1.
        lead_step, lead_units: what one frame ahead is: 6 "hours", or 1 "frames".
        groups: per channel the name of its group. As in published scores, errors are averaged over the channels of a
            group before a root is taken, and the mean over groups comes last. Empty: all channels are one group.
        extra: what else the scores need, such as the range of the original values.
        notes: what a reader should know, such as how many clips were too short.
    """

    kind: Kind
    channels: Annotated[Sequence[str], Field(min_length=1)]
    units: Sequence[str]
    title: str = ""
    simulated: bool = False
    scale: Annotated[float, Field(gt=0)] = 1.0
    lead_step: Positive = 1
    lead_units: str = "frames"
    groups: Sequence[str] = ()
    extra: Mapping[str, float | str] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Plan(Facts):
    """What prepare will write.

    Attributes:
        parts: give all frames of the store, in order.
        frame_shape: (C, H, W).
        dtype: of the stored frames: uint8 where the source has bytes, else float32.
        windows: per protocol.
        files: every raw file that the store is made from.
        axes: coordinates, if any: time (N,) datetime64[h], lat (H,), lon (W,).
        clip_names: name, first frame and end of what the raw files hold, if it has names.
    """

    parts: Sequence[Part]
    frame_shape: tuple[int, int, int]
    dtype: str
    windows: Mapping[Protocol, Windowing]
    files: tuple[Path, ...]
    axes: Mapping[str, np.ndarray] = field(default_factory=dict)
    clip_names: Sequence[tuple[str, int, int]] = ()

    def __post_init__(self) -> None:
        windowing = self.windows["clean"]  # records too short for the windows of "paper" can still be used
        for split in SPLITS:
            if len(windowing.starts[split]) == 0:
                where = os.path.commonpath(self.files) if self.files else "the raw files"
                longest = max((stop - start for start, stop in windowing.clips[split]), default=0)
                there = f"its longest run of frames has {longest}" if longest else "it has no clip at all"
                told = f" ({'; '.join(self.notes)})" if self.notes else ""
                raise SvqkitError(
                    f"{where}: the {split} split has no window: one needs {len(windowing.inputs)} + "
                    f"{len(windowing.targets)} frames over a run of {windowing.targets[-1] + 1}, {there}{told}. "
                    "Add files, give the split more, or ask for fewer frames."
                )

    @property
    def frames(self) -> int:
        """How many frames the store will have."""
        return sum(part.frames for part in self.parts)


def declares_simulated(text: str) -> bool:
    """Return whether a title, a NetCDF ``source`` or a README.txt begins with the word "simulated"."""
    return text.lstrip().lower().startswith("simulated")


def original_range(minimum: float, maximum: float, units: str) -> dict[str, float | str]:
    """Return what 0 and 1 stand for, as ``extra`` of a plan, so that errors can be given in the raw files' units."""
    return {"original_minimum": minimum, "original_maximum": maximum, "original_units": units}


def share_out(count: int, shares: Shares, what: str = "clips") -> dict[Split, Clip]:
    """Share ``count`` clips or frames out in their order to training, validation, test: [start, stop) of each.

    Each split gets one at least. ``what`` is how errors call them.

    Raises:
        SvqkitError: there are too few of them.
    """

    def held_out(count: int) -> tuple[int, int]:
        # 100 times 0.29 is 28.999999999999996.
        validation, test = (max(1, math.floor(count * share + 1e-9)) for share in (shares.validation, shares.test))
        return validation, test

    validation, test = held_out(count)
    if validation + test >= count:
        needed = next(enough for enough in range(3, 10**9) if sum(held_out(enough)) < enough)
        raise SvqkitError(
            f"{count} {what} are too few to share out: {needed} are needed for validation {shares.validation}, test "
            f"{shares.test} and at least one to train on. Add {what}, or change `shares`."
        )
    train = count - validation - test
    return {"train": (0, train), "validation": (train, train + validation), "test": (train + validation, count)}


def every_window(clips: Sequence[Clip], length: int, stride: int = 1) -> np.ndarray:
    """Return the starts of windows of ``length`` frames in each clip, one every ``stride`` frames from its first."""
    return _joined([np.arange(start, stop - length + 1, stride) for start, stop in clips])


def windows_from_end(clips: Sequence[Clip], length: int, stride: int | Sequence[int]) -> np.ndarray:
    """Return the starts of windows that end at each clip's end and step back by ``stride``, in rising order.

    There may be a stride for each clip.
    """
    steps = zip(clips, np.broadcast_to(stride, len(clips)), strict=True)
    return _joined([np.arange(stop - length, start - 1, -step)[::-1] for (start, stop), step in steps])


def _joined(starts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *starts]).astype(np.int64)
