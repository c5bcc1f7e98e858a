"""Codebooks: how much of one is used, how sparse its weights are, which codes are alike, and what each one does."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import lgamma, pi, sqrt
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError, listed
from svqkit.plots.curves import dash, plain_ticks
from svqkit.plots.names import display_name, display_names, line_styles, superscript, with_units
from svqkit.plots.panels import Panel, Scale, draw_panels, in_rows
from svqkit.plots.style import COLUMN_WIDTH, DIVERGING, FULL_WIDTH, titled

Usage = Mapping[str, Any]

_FLOOR = 1e-5  # of a density: below it there are only single weights


def ranks(usage: Mapping[str, Usage]) -> pd.DataFrame:
    """Return how often codes are the strongest, by rank: columns run, rank (from 1), share; those never are left out.

    Args:
        usage: by run, a mapping with ``share`` (K,), of :func:`svqkit.evaluation.read_usage`.
    """
    parts = []
    for name, entry in usage.items():
        share = np.sort(np.asarray(entry["share"], dtype=float))[::-1]
        share = share[share > 0]
        parts.append(pd.DataFrame({"run": name, "rank": np.arange(1, len(share) + 1), "share": share}))
    return pd.concat(parts, ignore_index=True)


def usage_figure(usage: Mapping[str, Usage], title: str = "Use of the codebook") -> Figure:
    """Draw four panels on codebooks: how often codes win and how strong they are, by rank; and their weights.

    Args:
        usage: by experiment, a mapping with ``share`` (K,), for each code the share of positions where it is the
            strongest; ``perplexity`` of it; ``dead_codes``, how many never are; and, not of a hard quantizer,
            ``strength`` (K,), the mean size of each code's weight, and what :func:`weights_figure` draws.
        title: what the figure shows.

    Raises:
        SvqkitError: there is no usage, or no code is ever the strongest.
    """
    if not usage:
        raise SvqkitError("There is no codebook to draw: give the usage of one experiment or more.")
    frequency, styles, names = ranks(usage), line_styles(usage), display_names(usage)
    if frequency.empty:
        raise SvqkitError(f"There is no code to draw: in {listed(usage)} none is ever the strongest.")
    with titled(title, FULL_WIDTH, 4.3 + 0.15 * len(usage)) as figure:
        (often, strong), weights = figure.subplots(2, 2)
        for name, one in usage.items():
            rows, colour = frequency[frequency["run"] == name], styles[name].colour
            style = {"color": colour, "linestyle": dash(name)}
            often.plot(rows["rank"], rows["share"], marker=_marker(rows), label=_facts(names[name], one), **style)
            if "strength" in one:
                strength = np.sort(np.asarray(one["strength"]))[::-1]
                strong.plot(np.arange(1, len(strength) + 1), strength, marker=_marker(strength), **style)
        for axes in (often, strong):
            axes.set(xscale="log", yscale="log")
            plain_ticks(axes.xaxis)
            plain_ticks(axes.yaxis)
            axes.grid(True)
        often.set(xlabel="Codes, most frequent first", ylabel="Share of positions")
        often.set_title("How often a code is strongest")
        strong.set(xlabel="Codes, strongest first", ylabel="Mean |weight|")
        strong.set_title("How strong a code is")
        _draw_weights(weights, usage)
        if not strong.has_data():
            _say_hard(strong)
        figure.legend(*often.get_legend_handles_labels(), loc="outside lower center")
    return figure


def weights_figure(usage: Mapping[str, Usage], title: str) -> Figure:
    """Draw how the weights on codes are distributed, beside the normal curve, and how many are near zero.

    Args:
        usage: by name, which stands in the legend, ``edges`` (n + 1,) and ``histogram`` (n,): the counts of all weights
            in standard deviations; and ``thresholds`` and ``sparsity`` (m,): the share of weights that are smaller, in
            size, than that share of the largest at their position.
        title: what the figure shows.

    Raises:
        SvqkitError: there is no usage.
    """
    if not usage:
        raise SvqkitError("There are no weights to draw: give the usage of one run or more.")
    with titled(title, FULL_WIDTH, 2.8 + 0.1 * len(usage)) as figure:
        axes = figure.subplots(1, 2)
        _draw_weights(axes, usage)
        figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def similarities(name: str, matrix: np.ndarray, width: int, title: str) -> Figure:
    """Draw cosine similarities (n, n) of the most frequent codes of a quantizer.

    Above them stands the mean |similarity| of two different codes, and that of two random directions beside it.

    Args:
        name: the experiment.
        matrix: the codes in the order of their rank.
        width: D, how many numbers a code has.
        title: what the figure shows.

    Raises:
        SvqkitError: there is a single code.
    """
    if len(matrix) < 2:
        raise SvqkitError("Similarity is of two codes or more: give a matrix (n, n) of them.")
    with titled(title, COLUMN_WIDTH, 3.0) as figure:
        axes = figure.add_subplot(xlabel="Rank of the code", ylabel="Rank of the code")
        ends = (0.5, len(matrix) + 0.5, len(matrix) + 0.5, 0.5)
        image = axes.imshow(matrix, cmap=DIVERGING, norm=Normalize(-1, 1), interpolation="nearest", extent=ends)
        mean = np.abs(matrix[~np.eye(len(matrix), dtype=bool)]).mean()
        axes.set_title(f"{display_name(name)}: mean |cosine| {mean:.2f}\n(random {random_similarity(width):.2f})")
        figure.colorbar(image, ax=axes, label="Cosine similarity", shrink=0.8, aspect=25)
    return figure


def random_similarity(width: int) -> float:
    """Return the mean |cosine| of two random directions in D dimensions, Γ(D/2) / (√π Γ((D + 1)/2)); 1 for D = 1."""
    return sqrt(1 / pi) * float(np.exp(lgamma(width / 2) - lgamma((width + 1) / 2)))


def code_maps(activity: xr.DataArray, title: str = "Where the most frequent codes are at work") -> Figure:
    """Draw the mean weight of each code (code, lat, lon) or (code, y, x), on one symmetric scale."""
    scale = Scale.of("difference", [activity], "Mean weight of the code")
    return draw_panels(in_rows([Panel(field, scale, f"Code {int(field['code'])}") for field in activity]), title)


def code_effects(
    activity: xr.DataArray,
    everywhere: xr.DataArray,
    local: xr.DataArray,
    cells: Sequence[tuple[int, int]],
    units: str,
    noticeable: float,
    title: str = "What the most frequent codes do",
) -> Figure:
    """Draw a row for each code: where it is at work, and what it decodes to when added everywhere or in one place.

    Where it is at work is its mean weight at each cell minus the mean over all cells, which stands above the panel: a
    code may be on everywhere. Both changes share one scale; the largest stands above each, or that there is none to
    speak of. Where no code changes anything, the title says that, and only where they are at work is drawn.

    Args:
        activity: mean weight (code, lat, lon) or (code, y, x) on the cells of the latent map, of
            :func:`svqkit.evaluation.code_activity`.
        everywhere, local: change of the forecast, of one channel and lead time or their mean, (code, lat, lon) or
            (code, y, x), of :func:`svqkit.evaluation.codebook.decode_codes`.
        cells: for each code the latent cell (row, column) that ``local`` is of; it gets a cross in the first column.
        units: of the changes.
        noticeable: the smallest change that counts, such as a thousandth of how the frames vary.
        title: what the figure shows.

    Raises:
        SvqkitError: the fields are not of the same codes.
    """
    codes = activity["code"].to_numpy().tolist()
    if any(field["code"].to_numpy().tolist() != codes for field in (everywhere, local)) or len(cells) != len(codes):
        raise SvqkitError("What is active and what it decodes to must be of the same codes, in the same order.")
    means = activity.mean(activity.dims[1:])
    at_work = Scale.of("difference", [activity - means], "Weight minus its mean")
    label = with_units("Change of the forecast", units)
    change = Scale.of("difference", [everywhere, local], label, least=noticeable)
    rows = {}
    for number, code in enumerate(codes):
        mean = f"Where at work\nmean weight {float(means[number]):.2f}".replace("-", "−")
        rows[f"Code {code}"] = [
            Panel(activity[number] - means[number], at_work, mean, cross=cells[number]),
            Panel(everywhere[number], change, f"Added everywhere\n{_largest(everywhere[number], units, noticeable)}"),
            Panel(local[number], change, f"Added at the cross\n{_largest(local[number], units, noticeable)}"),
        ]
    if max(float(abs(field).max()) for field in (everywhere, local)) < noticeable:
        alone = [
            replace(row[0], title=f"{name}\n{row[0].title.splitlines()[1]}", cross=None) for name, row in rows.items()
        ]
        limit = f"{noticeable:.1g} {superscript(units)}".strip()
        return draw_panels(in_rows(alone), f"{title}: where they are at work. None changes the forecast by {limit}")
    return draw_panels(rows, title)


def _facts(name: str, usage: Usage) -> str:
    size, never = len(usage["share"]), int(usage["dead_codes"])
    perplexity = float(usage["perplexity"])
    facts = f"{name}: {size - never:,} of {size:,} codes are ever the strongest, perplexity {perplexity:.1f}"
    mixed = usage.get("codes_per_position")
    return facts if mixed is None else f"{facts}; in effect {float(mixed):.0f} at each place"


def _marker(amounts: Sequence[float]) -> str:
    return "o" if len(amounts) < 20 else ""  # a single code would be no line


def _draw_weights(panels: Sequence[Axes], usage: Mapping[str, Usage]) -> None:
    """Draw the density of the weights, and the share of them below each threshold."""
    density, near_zero = panels
    styles, names = line_styles(usage), display_names(usage)
    for name, one in usage.items():
        if "histogram" not in one:
            continue
        edges, counts = (np.asarray(one[part], dtype=float) for part in ("edges", "histogram"))
        colour = styles[name].colour
        density.stairs(counts / (counts.sum() * np.diff(edges)), edges, baseline=None, color=colour, linewidth=1)
        label = f"{names[name]} (kurtosis {float(one['kurtosis']):.1f})" if "kurtosis" in one else names[name]
        style = {"color": colour, "marker": styles[name].marker, "markerfacecolor": "none", "label": label}
        near_zero.plot(one["thresholds"], one["sparsity"], linestyle=dash(name), **style)
    if not density.has_data():
        for axes in panels:
            _say_hard(axes)
        return
    at = np.linspace(-5, 5, 201)
    density.plot(at, np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi), ":", color="black", linewidth=1, label="normal")
    density.legend(handles=[density.lines[-1]], loc="upper left")
    density.set(yscale="log", ylim=(_FLOOR, None), xlabel="Weight [standard deviations]", ylabel="Density")
    density.set_title("Distribution of all weights")
    near_zero.set(xscale="log", ylim=(0, 1.03), ylabel="Share of weights below")
    near_zero.set(xlabel="Size, as a share of the largest at its position", title="How many weights are near zero")
    limits = near_zero.lines[0].get_xdata()
    near_zero.set_xticks(limits, [f"{limit:g}" for limit in limits])
    near_zero.set_xticks([], minor=True)
    for axes in panels:
        axes.grid(True)


def _say_hard(axes: Axes) -> None:
    """Say that there are no weights, in an empty panel."""
    words = "hard assignment: one code per position"
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color="#555555")
    axes.set(xscale="linear", yscale="linear")
    axes.set(xticks=[], yticks=[])


def _largest(change: xr.DataArray, units: str, least: float) -> str:
    values = change.to_numpy().ravel()
    largest = float(values[np.abs(values).argmax()])
    if abs(largest) < least or largest == 0:
        return f"none above {least:.1g} {superscript(units)}".strip()
    return f"largest {largest:+.2g} {superscript(units)}".replace("-", "−").strip()
