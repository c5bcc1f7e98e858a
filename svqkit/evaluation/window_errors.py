"""The error of every run in every test window: what comparisons of runs are made from."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from svqkit.data.windows import Windows
from svqkit.settings.params import Protocol

# Into how many stretches of time a lat-lon record is cut for maps of significance, and their least frames.
STRETCHES, SHORTEST = 24, 24


def window_errors(
    who: Sequence[tuple[str, int]], errors: Sequence[Mapping[str, np.ndarray]], windows: Windows
) -> xr.Dataset:
    """The errors of runs, window by window, as they are written to windows.nc.

    Args:
        who: experiment and seed (−1: a baseline) of each run.
        errors: per run "mse" and "mae", each (n,): the mean over all leads. Their mean over windows is the score of
            channel "mean", lead 0.
        windows: the n test windows.

    Returns:
        mse, mae (run, window) float32; coordinates experiment, seed (run); block, start (window): the number of the
        clip, or stretch of consecutive hours, that a window lies in, and its first frame in the store. Attributes:
        kind of the store, frames_per_window from the first input to the last target, and what the data are.
    """
    store = windows.store
    return xr.Dataset(
        {
            name: (("run", "window"), np.stack([each[name] for each in errors]).astype(np.float32), {"long_name": text})
            for name, text in {"mse": "mean squared error", "mae": "mean absolute error"}.items()
        },
        coords={
            "experiment": ("run", [name for name, _ in who]),
            "seed": ("run", [seed for _, seed in who]),
            "block": ("window", clip_numbers(windows)),
            "start": ("window", windows.starts),
        },
        attrs={
            "kind": store.kind,
            "frames_per_window": int(windows.targets[-1] - windows.inputs[0]) + 1,
            "data": store.title,
        },
    )


def clip_numbers(windows: Windows, protocol: Protocol = "clean") -> np.ndarray:
    """(n,) the number of the clip that each window lies in; clips are counted in order of time."""
    first_frames = np.sort([start for start, _ in windows.store.clips(windows.split, protocol)])
    return np.searchsorted(first_frames, windows.starts, side="right") - 1


def stretches(windows: Windows, protocol: Protocol = "clean") -> list[np.ndarray]:
    """The numbers of the windows of each stretch of time over which ``mse_blocks`` of error fields are means.

    A lat-lon record has about 24, of nearly equal length, none shorter than 24 frames, none across a clip's edge (a
    shorter clip is one stretch). Images and fields have no such maps: all their windows are one stretch.
    """
    everything = np.arange(len(windows))
    if windows.store.kind != "grid":
        return [everything]
    shortest = max(SHORTEST, -(-len(windows) // STRETCHES))
    clips = clip_numbers(windows, protocol)
    members = [everything[clips == clip] for clip in np.unique(clips)]
    return [part for clip in members for part in np.array_split(clip, max(1, len(clip) // shortest))]
