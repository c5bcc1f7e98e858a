"""Looking at single codes: which are alike, and where on the map each is at work."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from svqkit.figures.limits import symmetric_scale
from svqkit.figures.mapaxes import draw_field
from svqkit.figures.panels import colour_bar, map_panels, trim
from svqkit.figures.style import COLUMN_WIDTH, DIVERGING, FULL_WIDTH, heading, new_figure, use


def similarity_figure(similarity: np.ndarray, codes: Sequence[int], title: str | None = None) -> Figure:
    """Cosine similarity (n, n) of codes with the numbers ``codes`` (n,), as a matrix from −1 to 1."""
    with use():
        figure = new_figure(COLUMN_WIDTH, 3.2)
        axes = figure.subplots()
        image = axes.imshow(similarity, cmap=DIVERGING, norm=Normalize(-1, 1), interpolation="nearest")
        axes.set_xlabel(f"Rank of the code (strongest: number {codes[0]})")
        axes.set_ylabel("Rank of the code")
        figure.colorbar(image, ax=axes, label="Cosine similarity", shrink=0.85)
        heading(figure, title or f"Are the {len(similarity)} most frequent codes alike?")
    return figure


def code_maps(activity: xr.DataArray, title: str | None = None) -> Figure:
    """A map of the mean weight of each code (code, lat, lon), two in a row, on one symmetric scale."""
    rows = -(-activity.sizes["code"] // 2)
    values = [field.to_numpy() for field in activity]
    scale = symmetric_scale(values)
    with use():
        figure, axes = map_panels(activity[0], rows, 2, FULL_WIDTH)
        for place, field in zip(axes.flat, activity, strict=False):
            draw_field(place, field, DIVERGING, scale)
            place.set_title(f"Code {int(field['code'])}")
        for place in axes.flat[activity.sizes["code"] :]:
            place.set_visible(False)
        colour_bar(axes.flat, scale, DIVERGING, values, "Mean weight of the code")
        heading(figure, title or "Where the most frequent codes are at work")
        trim(figure, axes)
    return figure
