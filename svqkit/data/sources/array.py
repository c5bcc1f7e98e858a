"""An array of your own: (clips, frames, C, H, W), or one long record (frames, C, H, W), in .npy, .npz or .zarr.

The setting ``axes`` says which it is, also of arrays of one channel that have no axis for it: NTHW, THW.

How the files are read is told in :mod:`svqkit.data.sources.arrayfiles`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from svqkit.data.plan import Clip, Kind, Plan, Windowing, original_range, share_out
from svqkit.data.sources.arrayfiles import ArrayFile, open_array
from svqkit.data.sources.units import stand_ins
from svqkit.data.sources.zarrstore import files_in
from svqkit.errors import SvqkitError
from svqkit.settings.data import ArrayData, Shares, Split

PIECE_BYTES, PART_BYTES = 2**24, 2**26
EXPECTED = "expected (clips, frames, channels, height, width), or (frames, channels, height, width) of one long record"
# An axis of more than these is not taken for channels unless they are named.
MOST_TAKEN_AS_CHANNELS = 4
# Nothing is as large but what netCDF writes where nothing is; np.save drops the mask of a masked array.
NEVER = 9e35
# Rounding does not leave a range by more than this share of its width.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Slab:
    """A part of the store: the frames ``start`` to ``stop`` of an array; a ``range`` is scaled to [0, 1]."""

    source: ArrayFile
    start: int
    stop: int
    dtype: str
    range: tuple[float, float] | None = None

    @property
    def frames(self) -> int:
        """How many frames it gives."""
        return self.stop - self.start

    def read(self) -> Iterator[np.ndarray]:
        """Yield its frames, (n, C, H, W).

        Raises:
            SvqkitError: the file is damaged, or has a value that is not finite or lies outside ``range``.
        """
        first = self.start
        for raw in self.source.read(self.start, self.stop, _per_piece(self.source)):
            frames = raw.reshape(len(raw), *_frame_shape(self.source))
            yield np.ascontiguousarray(frames) if self.dtype == "uint8" else self._values(frames, first)
            first += len(raw)

    def _values(self, raw: np.ndarray, first: int) -> np.ndarray:
        with np.errstate(over="ignore"):  # told of below, with its place
            values = np.array(raw, dtype=np.float32, order="C")
        self._refuse(~np.isfinite(values), raw, first, "which is no finite number, or too large for float32")
        if self.range is None:
            missing = stand_ins(values) | (np.abs(values) > NEVER)
            why = "which stands for what is missing, was never written, or is masked (if it is meant, give `range`)"
            self._refuse(missing, raw, first, why)
            return values
        low, high = self.range
        slack = ROUNDING * (high - low)
        outside = (values < low - slack) | (values > high + slack)
        self._refuse(outside, raw, first, f"which lies outside `range` {[low, high]}")
        return np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)

    def _refuse(self, bad: np.ndarray, raw: np.ndarray, first: int, why: str) -> None:
        if not bad.any():
            return
        frame, channel, row, column = np.argwhere(bad)[0].tolist()
        value, number, length = raw[frame, channel, row, column], first + frame, self.source.clip_frames
        where = f"clip {number // length}, frame {number % length}" if length else f"frame {number}"
        raise SvqkitError(
            f"{self.source.path}: {value} at {where}, channel {channel}, row {row}, column {column} (all from 0), "
            f"{why}. Mend it before you prepare the data."
        )


def plan(data: ArrayData) -> Plan:
    """Plan the store of an array, and its splits.

    Clips are shared out in their order: training first, then validation, then test. One long record is cut by time
    in the same order, and no window crosses a cut. Both protocols are the same.

    Raises:
        SvqkitError: there is no such array, or it has another shape, holds objects, or is too small to be split.
    """
    source = open_array(Path(data.root), data.key)
    _check_shape(source, data)
    source = replace(source, frame_axes=2 if data.axes in ("NTHW", "THW") else 3)
    frame_shape = _frame_shape(source)
    as_bytes = source.dtype == np.uint8 and data.range in (None, (0, 255))
    dtype = "uint8" if as_bytes else "float32"
    kind: Kind = "image" if as_bytes or data.range else "field"
    channels = data.channels or tuple(f"channel_{number}" for number in range(frame_shape[0]))
    windowing = Windowing.consecutive(data, _clips(source, data.shares), stride=data.stride)
    units = data.units if isinstance(data.units, tuple) else (data.units,) * len(channels)
    if len(units) != len(channels):
        raise SvqkitError(
            f"`units` names {len(units)} units, {source.path} has {len(channels)} channels; name one each."
        )
    in_one_unit = kind == "image" and units[0] and len(set(units)) == 1
    return Plan(
        parts=_parts(source, dtype, None if as_bytes else data.range),
        frame_shape=frame_shape,
        dtype=dtype,
        kind=kind,
        channels=channels,
        units=units if kind == "field" else ("",) * len(channels),
        windows={"clean": windowing, "paper": windowing},
        files=tuple(sorted(files_in(source.path))) if source.path.is_dir() else (source.path,),
        scale=1 / 255 if as_bytes else 1.0,
        extra=original_range(*(data.range or (0.0, 255.0)), units[0]) if in_one_unit else {},
        notes=source.notes,
    )


def _check_shape(source: ArrayFile, data: ArrayData) -> None:
    """Refuse an array whose axes are others than expected, or can't be told apart."""
    shape, where = source.shape, f"{source.path}, of shape {source.shape}"
    if len(shape) not in ((len(data.axes),) if data.axes else (4, 5)):
        asked = f"`axes` names {len(data.axes)}: {data.axes}" if data.axes else EXPECTED
        aid = " If these are frames of one channel, say so by `axes: THW`." if len(shape) == 3 else ""
        raise SvqkitError(f"{where}, has {len(shape)} axes; {asked}.{aid}")
    if 0 in shape:
        raise SvqkitError(f"{where}, is empty; {EXPECTED}.")
    channels = 1 if "C" not in (data.axes or "C") else shape[-3]
    if data.channels and len(data.channels) != channels:
        raise SvqkitError(
            f"`channels` names {len(data.channels)}: {', '.join(data.channels)}; {where}, has {channels} (the third "
            f"axis from the end). {EXPECTED.capitalize()}."
        )
    if data.axes or data.channels:
        return
    # An image of up to 4 columns with more channels than that is rather an image with its channels last.
    if shape[-1] <= 4 < shape[-3]:
        raise SvqkitError(
            f"{where}, looks as if channels came last; {EXPECTED}. Use np.moveaxis(array, -1, -3); or, if there are "
            f"{shape[-3]} channels, name them in `channels`."
        )
    if len(shape) == 4 and shape[1] > MOST_TAKEN_AS_CHANNELS:
        raise SvqkitError(
            f"{where}, can be {shape[0]} clips of {shape[1]} frames in one channel, or {shape[0]} frames of {shape[1]} "
            "channels. Say which: `axes: NTHW` or `axes: TCHW`."
        )


def _frame_shape(source: ArrayFile) -> tuple[int, int, int]:
    """(C, H, W), also where the array has no axis for its one channel."""
    channels, height, width = (1, *source.frame_shape)[-3:]
    return channels, height, width


def _clips(source: ArrayFile, shares: Shares) -> dict[Split, list[Clip]]:
    """The runs of frames of each split."""
    length = source.clip_frames
    if not length:
        return {split: [run] for split, run in share_out(source.count, shares, f"frames of {source.path}").items()}
    runs = share_out(source.shape[0], shares, f"clips of {source.path}")
    return {split: [(clip * length, (clip + 1) * length) for clip in range(*run)] for split, run in runs.items()}


def _parts(source: ArrayFile, dtype: str, scaled: tuple[float, float] | None) -> list[Slab]:
    frames, per_piece = source.count, _per_piece(source)
    grain = source.grain(per_piece)
    per_part = grain * max(1, PART_BYTES // (grain * _frame_bytes(source)))
    return [Slab(source, start, min(start + per_part, frames), dtype, scaled) for start in range(0, frames, per_part)]


def _per_piece(source: ArrayFile) -> int:
    return max(1, PIECE_BYTES // _frame_bytes(source))


def _frame_bytes(source: ArrayFile) -> int:
    """Bytes of a frame, in the file or as float32, whichever is more."""
    return math.prod(source.frame_shape) * max(4, source.dtype.itemsize)
