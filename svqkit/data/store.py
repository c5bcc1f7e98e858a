"""The store: all frames of a dataset in one Zarr array, with what is needed to cut windows from it.

Layout of ``<name>.zarr`` (Zarr 3, no pickles; xarray opens it too):
    frames              (time, channel, lat, lon) or (frame, channel, y, x); uint8 where the source has bytes, else
                        float32; times ``scale`` they are values in ``units``
    time, lat, lon      where there are any: hours since 1970-01-01, degrees north, degrees east
    windows/<protocol>/<split>
                        (n,) int64, the frame at which each window starts
    climatology         of weather: (week, slot, channel, lat, lon) float32, training mean by week and time of day
    attributes          title, simulated, kind, channels, units, scale, lead_step, lead_units, groups, extra, notes,
                        clip_names, offsets, clips, blue_first and statistics by protocol, weeks, settings,
                        frames_digest, files (how many it has)
A split owns clips [start, stop) of frames; no window crosses the edge of a clip.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pydantic.dataclasses
import zarr
from pydantic import ConfigDict

from svqkit.data.plan import Clip, Facts, Plan, declares_simulated
from svqkit.errors import SvqkitError, listed, shown
from svqkit.settings.data import Offsets
from svqkit.settings.params import Protocol, Split, without_root
from svqkit.settings.types import Positive, checked

CHUNK_BYTES = 2**20
AGAIN = "Run the prepare stage: `dvc repro`."
ANY = ConfigDict(strict=True, extra="ignore")
UNITS = {"time": "hours since 1970-01-01", "lat": "degrees_north", "lon": "degrees_east"}


@pydantic.dataclasses.dataclass(frozen=True, config=ANY)
class Statistics:
    """Mean and standard deviation of each channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@pydantic.dataclasses.dataclass(frozen=True, config=ANY, kw_only=True)
class Attributes(Facts):
    """All that the attributes of a store must be, for :meth:`Store.open` to check.

    ``settings`` are those that it was made with, and the digest of the raw files that it was made from.
    """

    settings: dict[str, Any]
    clip_names: tuple[tuple[str, int, int], ...]
    offsets: dict[Protocol, Offsets]
    blue_first: dict[Protocol, tuple[Split, ...]]
    clips: dict[Protocol, dict[Split, list[tuple[int, int]]]]
    statistics: dict[Protocol, dict[Split, Statistics]]
    files: Positive

    @pydantic.model_validator(mode="after")
    def _is_of_clean(self) -> "Attributes":
        for name in ("offsets", "blue_first", "clips", "statistics"):
            if "clean" not in getattr(self, name):
                raise ValueError(f"{name} has nothing of protocol 'clean'")
        rows = [row for splits in self.statistics.values() for row in splits.values()]
        for values in (self.units, *(row.mean for row in rows), *(row.std for row in rows)):
            if len(values) != len(self.channels):
                raise ValueError(f"channels are {len(self.channels)}, their units or statistics {len(values)}")
        if "train" not in self.statistics["clean"] or not np.isfinite(self.statistics["clean"]["train"].mean).all():
            raise ValueError("statistics of training have no finite means")
        return self


@dataclass(frozen=True, kw_only=True, eq=False)
class Store(Facts):
    """A prepared dataset, opened for reading; nothing but metadata is in memory until it is asked for."""

    path: Path
    group: zarr.Group
    attributes: Attributes

    @classmethod
    def open(cls, path: str | Path) -> "Store":
        """Open the store at ``path``.

        Raises:
            SvqkitError: there is none, or it is not whole.
        """
        path = Path(path)
        try:
            group = zarr.open_group(path, mode="r")
            frames = group["frames"].shape
            axes = {name: array.shape for name, array in group.arrays() if name in UNITS}
        except Exception as error:  # damaged metadata can raise anything in Zarr
            raise SvqkitError(f"No prepared store at {path} ({shown(error)}). {AGAIN}") from error
        # Stores of earlier versions tell in their title only whether they are simulated.
        written = {"simulated": declares_simulated(str(group.attrs.get("title"))), **group.attrs}
        if lacking := {field.name for field in fields(Attributes)} - {*written}:
            raise SvqkitError(f"No prepared store at {path}: its metadata lack {listed(lacking)}. {AGAIN}")
        told = checked(Attributes, written, f"No prepared store at {path}: its metadata")
        facts = {field.name: getattr(told, field.name) for field in fields(Facts)}
        facts["groups"] = told.groups or ["mean"] * len(told.channels)
        store = cls(path=path, group=group, attributes=told, **facts)
        if missing := max(0, told.files - count_files(path)):  # Zarr would read zeros in their place
            raise SvqkitError(f"{path} lacks {missing:,} of its files. {AGAIN}")
        if cut := store.cut_chunk():
            raise SvqkitError(f"{cut} has {cut.stat().st_size:,} bytes, a chunk of another size: it is cut. {AGAIN}")
        rows, columns = axes.get("lat", frames[2:3]), axes.get("lon", frames[3:])
        if len(frames) != 4 or frames != (*axes.get("time", frames[:1]), len(told.channels), *rows, *columns):
            raise SvqkitError(f"{path}: frames {frames} don't fit {len(told.channels)} channels and {axes}. {AGAIN}")
        return store

    @property
    def frames(self) -> zarr.Array:
        """(N, C, H, W) as stored; see :attr:`scale`."""
        return self.group["frames"]

    @property
    def settings(self) -> dict[str, Any]:
        """Those that it was made with, and the digest of the raw files that it was made from."""
        return self.attributes.settings

    @property
    def made_from(self) -> dict[str, Any]:
        """Its settings but for the place of the raw files, which stores of earlier versions kept."""
        return {**self.settings, "data": without_root(self.settings.get("data", {}))}

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digests of all that a training reads of it: of its frames, of windows and axes, and of the attributes.

        That of the frames is empty in stores of earlier versions, whose attributes tell of the raw files only.
        """
        attributes = {**self.group.attrs, "settings": self.made_from}
        frames = str(attributes.pop("frames_digest", ""))
        attributes.pop("simulated", None)  # no training reads it, and stores of earlier versions lack it
        arrays = hashlib.sha256()
        for name, member in sorted(self.group.members(max_depth=None)):
            if isinstance(member, zarr.Array) and name not in ("frames", "climatology"):
                arrays.update(name.encode() + self._values(name).tobytes())
        told = hashlib.sha256(json.dumps(attributes, sort_keys=True).encode())
        return {"frames": frames[:16], "windows": arrays.hexdigest()[:16], "attributes": told.hexdigest()[:16]}

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.frames.shape[1:]

    @cached_property
    def times(self) -> np.ndarray:
        """(N,) datetime64[h]; of a record with times."""
        return self._values("time").astype("datetime64[h]")

    @cached_property
    def lat(self) -> np.ndarray:
        """(H,) degrees north; of a lat-lon record."""
        return self._values("lat")

    @cached_property
    def lon(self) -> np.ndarray:
        """(W,) degrees east; of a lat-lon record."""
        return self._values("lon")

    @property
    def spatial_coords(self) -> tuple[tuple[str, str], dict[str, np.ndarray]]:
        """The names of a frame's two dimensions, and their coordinates where there are any."""
        if self.kind == "grid":
            return ("lat", "lon"), {"lat": self.lat, "lon": self.lon}
        return ("y", "x"), {}

    def clips(self, split: Split, protocol: Protocol = "clean") -> list[Clip]:
        """Return the clips [start, stop) of a split."""
        return self.attributes.clips[protocol][split]

    def starts(self, split: Split, protocol: Protocol = "clean") -> np.ndarray:
        """Return the frame at which each window of a split starts, (n,)."""
        starts = self._values(f"windows/{protocol}/{split}")
        frames, last = self.frames.shape[0], self.offsets(protocol)[1][-1]
        if starts.ndim != 1 or (len(starts) and not 0 <= starts.min() <= starts.max() < frames - last):
            raise SvqkitError(f"{self.path}: windows of {split} lie outside of its {frames:,} frames. {AGAIN}")
        return starts

    def offsets(self, protocol: Protocol = "clean") -> tuple[np.ndarray, np.ndarray]:
        """Return the input and target frames of a window, counted from its start."""
        offsets = self.attributes.offsets[protocol]
        return np.array(offsets.inputs), np.array(offsets.targets)

    def statistics(self, split: Split = "train", protocol: Protocol = "clean") -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (C,) of a split, in ``units``."""
        statistics = self.attributes.statistics[protocol][split]
        return np.array(statistics.mean), np.array(statistics.std)

    def blue_first(self, split: Split, protocol: Protocol = "clean") -> bool:
        """Return whether a protocol reads the frames of a split blue, green, red; in the store red comes first."""
        return split in self.attributes.blue_first[protocol]

    def clip_name(self, frame: int) -> str:
        """Return the name of the raw clip that a frame comes from, or ""."""
        return next((name for name, start, stop in self.attributes.clip_names if start <= frame < stop), "")

    def climatology_rows(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of frames ``indices`` (…) in the climatology: (…) week and (…) slot of the day."""
        weeks = np.searchsorted(self.group.attrs["weeks"], week_of_year(self.times[indices]))
        return weeks, slot_of_day(self.times[indices], self.climatology_table.shape[1])

    @cached_property
    def climatology_table(self) -> np.ndarray:
        """(week, slot, C, H, W)."""
        return self._values("climatology")

    def _values(self, name: str) -> np.ndarray:
        """All values of an array."""
        try:
            return self.group[name][:]
        except Exception as error:  # damaged chunks can raise anything in Zarr
            raise SvqkitError(f"{self.path}: {name} is missing or damaged ({shown(error)}). {AGAIN}") from error

    def cut_chunk(self) -> Path | None:
        """Return a chunk of the frames, which are not compressed, that has another size than all have."""
        frames = self.frames
        size = frames.dtype.itemsize * int(np.prod(frames.chunks))
        for folder, _, names in os.walk(self.path / "frames") if not frames.compressors else ():
            for name in names:
                file = Path(folder, name)
                if name != "zarr.json" and not name.startswith(".") and file.stat().st_size != size:
                    return file
        return None


def week_of_year(times: np.ndarray) -> np.ndarray:
    """Return the whole weeks since January 1st, 0 … 52."""
    days = times.astype("datetime64[D]") - times.astype("datetime64[Y]").astype("datetime64[D]")
    return days.astype(np.int64) // 7


def slot_of_day(times: np.ndarray, slots: int) -> np.ndarray:
    """Return which of ``slots`` equal parts of the day each time lies in."""
    return times.astype("datetime64[h]").astype(np.int64) % 24 * slots // 24


def create(path: Path, plan: Plan) -> zarr.Group:
    """Create an empty store for the frames of a plan, with its axes and windows."""
    group = zarr.create_group(path)
    shape = (plan.frames, *plan.frame_shape)
    frame_bytes = np.dtype(plan.dtype).itemsize * int(np.prod(plan.frame_shape))
    # Float noise hardly compresses; without a codec a random window costs a copy, not a decompression.
    group.create_array(
        "frames",
        shape=shape,
        dtype=plan.dtype,
        chunks=(max(1, min(CHUNK_BYTES // frame_bytes, shape[0])), *shape[1:]),
        compressors=None,
        dimension_names=("time", "channel", "lat", "lon") if plan.kind == "grid" else ("frame", "channel", "y", "x"),
    )
    for name, values in plan.axes.items():
        values = values.astype("datetime64[h]").astype(np.int64) if name == "time" else values
        _write(group, name, values).attrs["units"] = UNITS[name]
    for protocol, windowing in plan.windows.items():
        for split, starts in windowing.starts.items():
            _write(group, f"windows/{protocol}/{split}", starts)
    return group


def describe_plan(plan: Plan) -> Mapping[str, Any]:
    """Return the attributes of a store that its plan knows, ready for JSON."""
    windows = plan.windows.items()
    return {
        **{field.name: getattr(plan, field.name) for field in fields(Facts)},
        "clip_names": [
            [name.encode(errors="replace").decode(), int(start), int(stop)] for name, start, stop in plan.clip_names
        ],
        "offsets": {
            protocol: {"inputs": windowing.inputs, "targets": windowing.targets} for protocol, windowing in windows
        },
        "blue_first": {protocol: windowing.blue_first for protocol, windowing in windows},
        "clips": {
            protocol: {split: [[int(a), int(b)] for a, b in clips] for split, clips in windowing.clips.items()}
            for protocol, windowing in windows
        },
    }


def count_files(path: Path) -> int:
    """Count the chunks of a store and what describes them; whatever else lies there stands for no missing chunk."""
    return sum(name == "zarr.json" or name.isdigit() for _, _, names in os.walk(path) for name in names)


def _write(group: zarr.Group, name: str, values: np.ndarray) -> zarr.Array:
    array = group.create_array(name, shape=values.shape, dtype=values.dtype, dimension_names=(name.rpartition("/")[2],))
    array[:] = values
    return array
