"""The store: all frames of a dataset in one Zarr array, with what is needed to cut windows from it.

Layout of ``<name>.zarr`` (Zarr 3, no pickles; xarray opens it too):
    frames        (time, channel, lat, lon) float32, in physical units
    time          (time,) int64, hours since 1970-01-01
    lat, lon      degrees north, degrees east
    climatology   (week, slot, channel, lat, lon) float32, training mean by week of the year and time of day
    attributes    title, channels, units, splits, statistics, weeks, settings
A split is a list of clips [start, stop) along time; no window crosses the edge of a clip.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from svqkit.config import Split
from svqkit.errors import SvqkitError

CHUNK_BYTES = 2**20
Clip = tuple[int, int]


@dataclass(frozen=True)
class Store:
    """A prepared dataset, opened for reading; nothing but metadata is in memory until it is asked for."""

    path: Path
    group: zarr.Group

    @classmethod
    def open(cls, path: str | Path) -> "Store":
        """Open the store at ``path``.

        Raises:
            SvqkitError: there is none, or it is not whole.
        """
        path = Path(path)
        try:
            group = zarr.open_group(path, mode="r")
            store = cls(path, group)
            store.frames, store.settings  # noqa: B018 - a store that lacks either was not made by prepare
        except (OSError, KeyError, ValueError) as error:
            raise SvqkitError(f"No prepared store at {path} ({error}). Run the prepare stage: `dvc repro`.") from error
        return store

    @property
    def frames(self) -> zarr.Array:
        """(N, C, H, W) float32 in physical units."""
        return self.group["frames"]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings and the raw files' names and sizes that the store was made from."""
        return self.group.attrs["settings"]

    @property
    def title(self) -> str:
        """What the raw files say of themselves; the bundled sample says that it is simulated."""
        return str(self.group.attrs["title"])

    @property
    def channels(self) -> list[str]:
        """Name of each channel."""
        return list(self.group.attrs["channels"])

    @property
    def units(self) -> list[str]:
        """Unit of each channel."""
        return list(self.group.attrs["units"])

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.frames.shape[1:]

    @cached_property
    def times(self) -> np.ndarray:
        """(N,) datetime64[h]."""
        return self.group["time"][:].astype("datetime64[h]")

    @cached_property
    def lat(self) -> np.ndarray:
        """(H,) degrees north."""
        return self.group["lat"][:]

    @cached_property
    def lon(self) -> np.ndarray:
        """(W,) degrees east."""
        return self.group["lon"][:]

    def clips(self, split: Split) -> list[Clip]:
        """The clips [start, stop) of a split."""
        return [(start, stop) for start, stop in self.group.attrs["splits"][split]]

    def statistics(self, split: Split = "train", drop_last: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (C,) of a split; ``drop_last`` leaves out its last frame."""
        entry = self.group.attrs["statistics"][split]["without_last" if drop_last else "all"]
        return np.array(entry["mean"]), np.array(entry["std"])

    def climatology(self, indices: np.ndarray) -> np.ndarray:
        """Climatology (…, C, H, W) at the times of frames ``indices`` (…)."""
        weeks = np.searchsorted(self.group.attrs["weeks"], week_of_year(self.times[indices]))
        return self._climatology[weeks, slot_of_day(self.times[indices], self._climatology.shape[1])]

    @cached_property
    def _climatology(self) -> np.ndarray:
        return self.group["climatology"][:]


def week_of_year(times: np.ndarray) -> np.ndarray:
    """0 … 52: whole weeks since January 1st."""
    days = times.astype("datetime64[D]") - times.astype("datetime64[Y]").astype("datetime64[D]")
    return days.astype(np.int64) // 7


def slot_of_day(times: np.ndarray, slots: int) -> np.ndarray:
    """Which of ``slots`` equal parts of the day each time lies in."""
    return times.astype("datetime64[h]").astype(np.int64) % 24 * slots // 24


def split_at_gaps(times: np.ndarray, inside: np.ndarray, hours: int) -> list[Clip]:
    """Clips [start, stop) of the frames ``inside`` a period, cut wherever a step is longer than ``hours``."""
    (places,) = np.nonzero(inside)
    steps = np.diff(times[places].astype("datetime64[h]").astype(np.int64))
    cuts = np.flatnonzero((steps != hours) | (np.diff(places) != 1)) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(places, cuts) if len(part)]


def create(path: Path, shape: tuple[int, int, int, int], axes: dict[str, np.ndarray]) -> zarr.Group:
    """An empty store for frames of ``shape`` (N, C, H, W) with the given time, lat and lon."""
    group = zarr.create_group(path)
    # Float noise hardly compresses; without a codec a random window costs a copy, not a decompression.
    per_chunk = max(1, CHUNK_BYTES // (4 * int(np.prod(shape[1:]))))
    group.create_array(
        "frames",
        shape=shape,
        dtype="float32",
        chunks=(min(per_chunk, shape[0]), *shape[1:]),
        compressors=None,
        dimension_names=("time", "channel", "lat", "lon"),
    )
    units = {"time": "hours since 1970-01-01", "lat": "degrees_north", "lon": "degrees_east"}
    for name, values in axes.items():
        array = group.create_array(name, shape=values.shape, dtype=values.dtype, dimension_names=(name,))
        array[:] = values
        array.attrs["units"] = units[name]
    return group
