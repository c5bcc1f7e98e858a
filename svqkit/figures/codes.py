"""Looking at single codes: which are alike, and where in the frame each is at work."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from svqkit.figures.grounds import draw_field
from svqkit.figures.limits import symmetric_scale
from svqkit.figures.panels import colour_bar, one_panel_each, trim
from svqkit.figures.style import COLUMN_WIDTH, DIVERGING, heading, new_figure, use


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
    """The mean weight of each code (code, lat, lon) or (code, y, x) where it is at work, on one symmetric scale."""
    values = [field.to_numpy() for field in activity]
    scale = symmetric_scale(values)
    with use():
        figure, axes = one_panel_each(activity[0], activity.sizes["code"])
        for place, field in zip(axes.flat, activity, strict=False):
            draw_field(place, field, DIVERGING, scale)
            place.set_title(f"Code {int(field['code'])}")
        for place in axes.flat[activity.sizes["code"] :]:
            place.set_visible(False)
        colour_bar(axes.flat, scale, DIVERGING, values, "Mean weight of the code")
        heading(figure, title or "Where the most frequent codes are at work")
        trim(figure, axes)
    return figure
