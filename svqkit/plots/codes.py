"""Looking at single codes: which are alike, where in the frame each is at work, what each decodes to."""

from collections.abc import Mapping, Sequence
from math import lgamma, pi, sqrt

import numpy as np
import xarray as xr
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.plots.grounds import draw_field, is_flat
from svqkit.plots.limits import symmetric_scale
from svqkit.plots.names import with_units
from svqkit.plots.panels import colour_bar, field_panels, mark_place, one_panel_each, trim
from svqkit.plots.style import COLUMN_WIDTH, DIVERGING, FULL_WIDTH, heading, new_figure, use

_NARROWER = 5.2  # inches, of three pictures that are about as high as wide


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


def similarities(matrices: Mapping[str, np.ndarray], width: int, title: str | None = None) -> Figure:
    """Cosine similarities (n, n) of the most frequent codes of several quantizers, side by side on one scale.

    Above each stands the mean |similarity| of two different codes, and that of two random directions beside it.

    Args:
        matrices: by the quantizer's name, the codes in the order of their rank.
        width: D, how many numbers a code has.
        title: what the figure shows.

    Raises:
        SvqkitError: there is no quantizer, or one with a single code.
    """
    if not matrices or any(len(matrix) < 2 for matrix in matrices.values()):
        raise SvqkitError("Similarity is of two codes or more: give a matrix (n, n) of them for one quantizer or more.")
    chance = random_similarity(width)
    with use():
        figure = new_figure(FULL_WIDTH, 1.0 + 0.8 * FULL_WIDTH / max(len(matrices), 3))
        (row,) = figure.subplots(1, len(matrices), squeeze=False)
        for axes, (name, matrix) in zip(row, matrices.items(), strict=True):
            image = axes.imshow(matrix, cmap=DIVERGING, norm=Normalize(-1, 1), interpolation="nearest")
            pairs = np.abs(matrix[~np.eye(len(matrix), dtype=bool)])
            axes.set_title(f"{name}\nmean |cos| {pairs.mean():.2f} (random {chance:.2f})")
            axes.set_xlabel("Rank of the code")
            ranks = np.unique(np.linspace(0, len(matrix) - 1, 5).round().astype(int))
            axes.set(xticks=ranks, xticklabels=ranks + 1, yticks=ranks, yticklabels=ranks + 1)
        row[0].set_ylabel("Rank of the code")
        figure.colorbar(image, ax=row, label="Cosine similarity", shrink=0.8, aspect=25)
        heading(figure, title or "Are the most frequent codes alike?")
    return figure


def random_similarity(width: int) -> float:
    """The mean |cosine| of two random directions in D dimensions, Γ(D/2) / (√π Γ((D + 1)/2)); 1 for D = 1."""
    return sqrt(1 / pi) * float(np.exp(lgamma(width / 2) - lgamma((width + 1) / 2)))


def code_effects(
    activity: xr.DataArray,
    everywhere: xr.DataArray,
    local: xr.DataArray,
    cells: Sequence[tuple[int, int]],
    units: str,
    title: str | None = None,
) -> Figure:
    """A row for each code: where it is at work, and what it decodes to when added everywhere or in one place.

    Where it is at work is its mean weight at each cell minus the mean over all cells, which stands above the panel: a
    code may be on everywhere. Each column has one scale; small numbers are shown in powers of ten.

    Args:
        activity: mean weight (code, lat, lon) or (code, y, x) on the cells of the latent map, of
            :func:`svqkit.evaluation.code_activity`.
        everywhere, local: change of the forecast, of one channel and lead time or their mean, (code, lat, lon) or
            (code, y, x), of :func:`svqkit.evaluation.codebook.decode_codes`.
        cells: for each code the latent cell (row, column) that ``local`` is of; it gets a cross in the first column.
        units: of the changes.
        title: what the figure shows.

    Raises:
        SvqkitError: the fields are not of the same codes.
    """
    codes = activity["code"].to_numpy().tolist()
    if any(field["code"].to_numpy().tolist() != codes for field in (everywhere, local)) or len(cells) != len(codes):
        raise SvqkitError("What is active and what it decodes to must be of the same codes, in the same order.")
    means = activity.mean(activity.dims[1:])
    columns = {
        "Where it is at work": (activity - means, "Weight minus its mean"),
        "Added everywhere": _readable(everywhere, "Change of forecast", units),
        "Added at the cross": _readable(local, "Change of forecast", units),
    }
    with use():
        width = FULL_WIDTH if is_flat(activity[0]) else _NARROWER
        names = [f"Code {code}" for code in codes]
        figure, axes = field_panels(activity[0], len(codes), len(columns), width, names)
        for column, (heading_of, (field, meaning)) in zip(axes.T, columns.items(), strict=True):
            values = [field.to_numpy()]
            scale = symmetric_scale(values)
            for place, one in zip(column, field, strict=True):
                draw_field(place, one, DIVERGING, scale)
            column[0].set_title(heading_of)
            colour_bar(column, scale, DIVERGING, values, meaning, aspect=25)
        for place, one, mean, cell in zip(axes[:, 0], activity, means.to_numpy(), cells, strict=True):
            mark_place(place, one, cell)
            above = f"{place.get_title()}\n" if place is axes[0, 0] else ""
            place.set_title(f"{above}mean {mean:.2f}".replace("-", "−"))
        heading(figure, title or "What the most frequent codes do")
        trim(figure, axes)
    return figure


def _readable(field: xr.DataArray, what: str, units: str) -> tuple[xr.DataArray, str]:
    """A field in such a power of ten of its units that a colour bar has short numbers, and what it is then."""
    largest = float(abs(field).max())
    power = int(np.floor(np.log10(largest))) if np.isfinite(largest) and largest > 0 else 0
    if -2 <= power <= 3:
        return field, with_units(what, units)
    return field / 10.0**power, with_units(what, f"10**{power} {units}".strip())


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
