"""What a dataset looks like: the mean of its training period, and how much each place varies."""

import xarray as xr
from matplotlib.figure import Figure

from svqkit.plots.channels import channel_of, is_colour, pick_or_colour, unit_of
from svqkit.plots.grounds import draw_field, is_flat
from svqkit.plots.limits import robust_scale
from svqkit.plots.names import with_units
from svqkit.plots.panels import colour_bar, field_panels, trim
from svqkit.plots.pictures import draw_picture, needs_bar, one_value
from svqkit.plots.style import FULL_WIDTH, SEQUENTIAL, heading, use

_WIDTH_OF_HIGH = 5.0  # inches, of two panels that are about as high as wide


def mean_and_spread(fields: xr.Dataset, title: str | None = None, channel: int | str | None = None) -> Figure:
    """Two maps or pictures side by side: the mean of a dataset, and the standard deviation of each place.

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
            colour_bar([left], scale, SEQUENTIAL, [mean.to_numpy()], _label(mean), aspect=30)

        values = [one_value(std).to_numpy()]
        scale = robust_scale(values)
        draw_field(right, one_value(std), SEQUENTIAL, scale)
        right.set_title("Standard deviation")
        colour_bar([right], scale, SEQUENTIAL, values, _label(std), aspect=30)
        heading(figure, title or "The training period")
        trim(figure, axes)
    return figure


def _label(field: xr.DataArray) -> str:
    what = "mean of red, green and blue" if is_colour(field) else field.attrs.get("long_name") or channel_of(field)
    return with_units(str(what or "value"), unit_of(field))
