"""What a store holds, as small tables and fields to look at."""

from typing import get_args

import numpy as np
import pandas as pd
import xarray as xr

from svqkit.config import Split
from svqkit.data.store import Store

BLOCK_FRAMES = 256


def describe(store: Store) -> pd.DataFrame:
    """Per split: first and last frame, numbers of frames, clips and windows, mean and standard deviation by channel."""
    settings = store.settings["data"]
    window = settings["frames_in"] + settings["frames_out"]
    rows = {}
    for split in get_args(Split):
        clips = store.clips(split)
        mean, std = store.statistics(split)
        rows[split] = {
            "from": str(store.times[clips[0][0]]),
            "to": str(store.times[clips[-1][1] - 1]),
            "frames": sum(stop - start for start, stop in clips),
            "clips": len(clips),
            "windows": sum(max(0, stop - start - window + 1) for start, stop in clips),
        }
        for channel, unit, m, s in zip(store.channels, store.units, mean, std, strict=True):
            rows[split] |= {
                f"{channel} mean [{unit}]": round(float(m), 2),
                f"{channel} std [{unit}]": round(float(s), 2),
            }
    return pd.DataFrame(rows).T


def mean_fields(store: Store, channel: int = 0) -> xr.Dataset:
    """Mean and standard deviation (lat, lon) of one channel over the training split, block by block."""
    count, total, squares = 0, 0.0, 0.0
    for start, stop in store.clips("train"):
        for first in range(start, stop, BLOCK_FRAMES):
            # Relative to the overall mean, so that the difference of squares keeps its digits.
            block = store.frames[first : min(first + BLOCK_FRAMES, stop), channel] - store.statistics()[0][channel]
            count, total, squares = count + len(block), total + block.sum(0), squares + np.square(block).sum(0)
    mean, variance = total / count, squares / count - np.square(total / count)
    attrs = {"units": store.units[channel], "long_name": store.channels[channel]}
    return xr.Dataset(
        {
            "mean": (("lat", "lon"), mean + store.statistics()[0][channel], attrs),
            "std": (("lat", "lon"), np.sqrt(np.maximum(variance, 0)), attrs),
        },
        coords={"lat": store.lat, "lon": store.lon},
    )
