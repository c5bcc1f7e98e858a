"""What the frames of a dataset look like, one after another."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from svqkit.plots.channels import channel_of, pick_or_colour, unit_of
from svqkit.plots.fields import need_values
from svqkit.plots.grounds import is_flat
from svqkit.plots.leads import ahead, short_units, spread
from svqkit.plots.limits import robust_scale
from svqkit.plots.names import with_units
from svqkit.plots.panels import colour_bar, field_panels, trim
from svqkit.plots.pictures import draw_picture, needs_bar
from svqkit.plots.style import COLUMN_WIDTH, FULL_WIDTH, SEQUENTIAL, heading, use

_MOST = 8
_WIDEST = 1.75  # inches, of one frame among several


def clip_strip(frames: xr.DataArray, title: str, channel: int | str | None = None) -> Figure:
    """Up to eight frames of a clip or window, evenly from its first to its last; flat ones in two rows.

    Args:
        frames: (time, channel, y, x) or (time, channel, lat, lon), with or without channels. The coordinate ``time``
            holds dates, or numbers of frames, or offsets from the last observed frame (then some are negative and
            its attribute ``units`` says "hours" or "frames"); without it frames are counted from 1.
        title: what the figure shows.
        channel: position or name of the channel; when ``None`` the first, but colour pictures are shown in colour.

    Raises:
        SvqkitError: there is no such channel, all values are NaN, or the frames have neither lat, lon nor y, x.
    """
    frames = need_values(pick_or_colour(frames, channel, title), title)
    chosen = spread(frames.sizes["time"], _MOST)
    words = _times(frames)
    shown = frames.isel(time=chosen)
    scale = robust_scale([shown.to_numpy()])
    rows = 2 if is_flat(frames) and len(chosen) > _MOST // 2 else 1
    with use():
        columns = -(-len(chosen) // rows)
        figure, axes = field_panels(frames, rows, columns, min(FULL_WIDTH, max(columns * _WIDEST, COLUMN_WIDTH)))
        for place in axes.flat[len(chosen) :]:
            place.set_visible(False)
        for place, number in zip(axes.flat, chosen, strict=False):
            draw_picture(place, frames.isel(time=number), scale)
            place.set_title(words[number])
        if needs_bar(frames.isel(time=0)):
            what = str(frames.attrs.get("long_name") or channel_of(frames) or "value")
            label = with_units(what, unit_of(frames))
            colour_bar(axes.flat, scale, SEQUENTIAL, [shown.to_numpy()], label)
        heading(figure, title)
        trim(figure, axes)
    return figure


def _times(frames: xr.DataArray) -> list[str]:
    """What to write above each frame."""
    if "time" not in frames.coords:
        return [f"frame {number + 1}" for number in range(frames.sizes["time"])]
    times = frames["time"].to_numpy()
    if np.issubdtype(times.dtype, np.datetime64):
        return [f"{pd.Timestamp(time):%Y-%m-%d\n%H:%M}" for time in times]
    if (times < 0).any():
        units = short_units(str(frames["time"].attrs.get("units", "frames")))
        return [ahead(time, units) for time in times.tolist()]
    return [f"frame {time}" for time in times.tolist()]
