"""What a dataset looks like: the mean of its training period, and how much each place varies."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from svqkit.figures.limits import robust_scale
from svqkit.figures.mapaxes import draw_field
from svqkit.figures.names import with_units
from svqkit.figures.panels import colour_bar, map_panels, trim
from svqkit.figures.style import FULL_WIDTH, SEQUENTIAL, heading, use


def mean_and_spread(fields: xr.Dataset, title: str | None = None) -> Figure:
    """Two maps side by side: ``mean`` and ``std`` (lat, lon), each with attributes ``units`` and ``long_name``."""
    with use():
        figure, axes = map_panels(fields, 1, 2, FULL_WIDTH)
        for place, (name, words) in zip(axes.flat, {"mean": "Mean", "std": "Standard deviation"}.items(), strict=True):
            field = fields[name]
            scale = robust_scale([field.to_numpy()])
            draw_field(place, field, SEQUENTIAL, scale)
            place.set_title(words)
            label = with_units(str(field.attrs.get("long_name", "value")), field.attrs.get("units"))
            colour_bar(np.array([place]), scale, SEQUENTIAL, [field.to_numpy()], label, aspect=30)
        heading(figure, title or "The training period")
        trim(figure, axes)
    return figure
