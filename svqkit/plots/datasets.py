"""What a dataset looks like: its frames one after another, its mean, and how much each place varies."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from svqkit.plots.drawing import draw_field, draw_picture, is_flat, needs_bar, one_value
from svqkit.plots.fields import channel_of, is_colour, need_values, pick_or_colour, unit_of
from svqkit.plots.leads import ahead, short_units, spread
from svqkit.plots.names import with_units
from svqkit.plots.panels import colour_bar, field_panels, robust_scale, trim
from svqkit.plots.style import COLUMN_WIDTH, FULL_WIDTH, SEQUENTIAL, heading, use

_MOST = 8
_WIDEST = 1.75  # inches, of one frame among several

_WIDTH_OF_HIGH = 5.0  # inches, of two panels that are about as high as wide


def clip_strip(frames: xr.DataArray, title: str, channel: int | str | None = None) -> Figure:
    """Draw up to eight frames of a clip or window, evenly from its first to its last; flat ones in two rows.

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
        for ax in axes.flat[len(chosen) :]:
            ax.set_visible(False)
        for ax, number in zip(axes.flat, chosen, strict=False):
            draw_picture(ax, frames.isel(time=number), scale)
            ax.set_title(words[number])
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


def mean_and_spread(fields: xr.Dataset, title: str | None = None, channel: int | str | None = None) -> Figure:
    """Draw two maps or pictures side by side: the mean of a dataset, and the standard deviation of each place.

    Args:
        fields: ``mean`` and ``std`` (lat, lon) or (y, x), or either with a dimension ``channel``; each with the
            attributes ``units`` and ``long_name``.
        title: what the figure shows.
        channel: position or name of the channel. When ``None``: the first; but of red, green and blue the mean in
            colour, and the standard deviations' mean over the three.
    """
    mean, std = (pick_or_colour(fields[name], channel, "The dataset") for name in ("mean", "std"))
    with use():
        figure, axes = field_panels(fields, 1, 2, FULL_WIDTH if is_flat(fields) else _WIDTH_OF_HIGH)
        left, right = axes[0]
        scale = robust_scale([mean.to_numpy()])
        draw_picture(left, mean, scale)
        left.set_title("Mean")
        if needs_bar(mean):
            colour_bar([left], scale, SEQUENTIAL, [mean.to_numpy()], _field_label(mean), aspect=30)

        values = [one_value(std).to_numpy()]
        scale = robust_scale(values)
        draw_field(right, one_value(std), SEQUENTIAL, scale)
        right.set_title("Standard deviation")
        colour_bar([right], scale, SEQUENTIAL, values, _field_label(std), aspect=30)
        heading(figure, title or "The training period")
        trim(figure, axes)
    return figure


def _field_label(field: xr.DataArray) -> str:
    what = "mean of red, green and blue" if is_colour(field) else field.attrs.get("long_name") or channel_of(field)
    return with_units(str(what or "value"), unit_of(field))
