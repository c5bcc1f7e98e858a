"""What a store holds, as small tables and fields to look at."""

import numpy as np
import pandas as pd
import xarray as xr

from svqkit.data.store import Store
from svqkit.settings.data import SPLITS
from svqkit.settings.params import Protocol

BLOCK_FRAMES = 256
MOST_CHANNELS = 4  # a wider table can't be read


def describe(store: Store, protocol: Protocol = "clean") -> pd.DataFrame:
    """Count frames, clips and windows by split, with where they lie, and mean and standard deviation by channel."""
    rows = {}
    for split in SPLITS:
        clips = store.clips(split, protocol)
        mean, std = store.statistics(split, protocol)
        rows[split] = {
            "from": _label(store, clips[0][0]),
            "to": _label(store, clips[-1][1] - 1),
            "frames": sum(stop - start for start, stop in clips),
            "clips": len(clips),
            "windows": len(store.starts(split, protocol)),
        }
        names = list(zip(store.channels, store.units, mean, std, strict=True))
        for channel, unit, m, s in names[:MOST_CHANNELS]:
            of = f" [{unit}]" if unit else ""
            rows[split] |= {f"{channel} mean{of}": float(f"{m:.5g}"), f"{channel} std{of}": float(f"{s:.4g}")}
        if len(names) > MOST_CHANNELS:
            rows[split]["further channels"] = len(names) - MOST_CHANNELS
    return pd.DataFrame(rows).T


def mean_fields(store: Store, channel: int = 0) -> xr.Dataset:
    """Compute mean and standard deviation over the training split at every grid point or pixel, in its units.

    Of one channel (lat, lon) of a lat-lon record; of all channels (channel, y, x) of anything else.
    """
    channels = [channel] if store.kind == "grid" else list(range(store.frame_shape[0]))
    fields = [_mean_field(store, index) for index in channels]
    return fields[0] if store.kind == "grid" else xr.concat(fields, "channel").assign_coords(channel=store.channels)


def _mean_field(store: Store, channel: int) -> xr.Dataset:
    offset = store.statistics()[0][channel]
    count, total, squares = 0, 0.0, 0.0
    for start, stop in store.clips("train"):
        for first in range(start, stop, BLOCK_FRAMES):
            block = store.frames[first : min(first + BLOCK_FRAMES, stop), channel] * np.float64(store.scale)
            # Relative to the overall mean, so that the difference of squares keeps its digits.
            block -= offset
            count, total, squares = count + len(block), total + block.sum(0), squares + np.square(block).sum(0)
    mean, variance = total / count, squares / count - np.square(total / count)
    attrs = {"units": store.units[channel], "long_name": store.channels[channel]}
    dims, axes = store.spatial_coords
    return xr.Dataset(
        {"mean": (dims, mean + offset, attrs), "std": (dims, np.sqrt(np.maximum(variance, 0)), attrs)}, coords=axes
    )


def sample_frames(store: Store, count: int = 24) -> xr.DataArray:
    """Read the first ``count`` frames of the first training window (time, channel, y, x), in their units."""
    start = int(store.starts("train")[0])
    inputs, targets = store.offsets()
    indices = start + np.concatenate([inputs, targets])[:count]
    frames = store.frames[indices[0] : indices[-1] + 1][indices - indices[0]] * np.float32(store.scale)
    dims, axes = store.spatial_coords
    coords = {"channel": store.channels, **axes}
    return xr.DataArray(
        frames, dims=("time", "channel", *dims), coords=coords, attrs={"clip": store.clip_name(start)}, name="frames"
    )


def _label(store: Store, frame: int) -> str:
    """Where a frame lies: its time, or the clip that it is of."""
    return str(store.times[frame]) if "time" in store.group else store.clip_name(frame) or f"frame {frame}"
