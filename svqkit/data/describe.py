"""What a store holds, as small tables and fields to look at."""

import numpy as np
import pandas as pd
import xarray as xr

from svqkit.data.store import Store
from svqkit.settings.data import SPLITS
from svqkit.settings.params import Protocol

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


def mean_fields(store: Store) -> xr.Dataset:
    """Compute mean and standard deviation over the training split at every grid point or pixel, in its units.

    Of the first channel (lat, lon) of a lat-lon record; of all channels (channel, y, x) of anything else.
    """
    import dask.array  # takes half a second, which nothing else here needs

    channels = slice(1 if store.kind == "grid" else None)
    training = np.concatenate([np.arange(*clip) for clip in store.clips("train")])
    # By dask, chunk by chunk, so that memory doesn't grow with the record.
    frames = dask.array.from_zarr(store.frames)[training, channels].astype(np.float64) * store.scale
    dims, axes = store.spatial_coords
    attrs = {"units": store.units[0], "long_name": store.channels[0]}
    values = dask.compute({"mean": frames.mean(0), "std": frames.std(0)})[0]
    coords = {"channel": store.channels[channels], **axes}
    fields = xr.Dataset({name: (("channel", *dims), field, attrs) for name, field in values.items()}, coords)
    return fields.isel(channel=0, drop=True) if store.kind == "grid" else fields


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
