"""Codebooks: how much of one is used, how sparse its weights are, which codes are alike, and what each one does."""

from collections.abc import Callable, Mapping, Sequence
from math import lgamma, pi, sqrt
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.plots.drawing import draw_field, is_flat
from svqkit.plots.names import LINE_STYLES, display_names, line_styles, with_units
from svqkit.plots.panels import (
    colour_bar,
    field_panels,
    mark_place,
    one_panel_each,
    small_multiples,
    symmetric_scale,
    trim,
)
from svqkit.plots.style import COLUMN_WIDTH, DIVERGING, FULL_WIDTH, heading, new_figure, use

Usage = Mapping[str, Any]

_HARD = "hard assignment: one code per position"

_NARROWER = 5.2  # inches, of three pictures that are about as high as wide


def usage_figure(usage: Mapping[str, Usage], title: str | None = None) -> Figure:
    """Draw four panels on the codebooks of one or more experiments.

    How often each code is the strongest one and how strong it is on average, both by rank; the distribution
    of all weights next to a normal one; and how many weights lie below a threshold.

    Args:
        usage: by experiment, a mapping with the keys
            ``share`` (K,): for each code, the share of positions where it is the strongest;
            ``perplexity``: of ``share``; ``dead_codes``: how many codes are never the strongest;
            ``strength`` (K,): mean absolute weight of each code over positions;
            ``histogram`` (edges (n + 1,), counts (n,)): of all weights, in standard deviations;
            ``sparsity``: by threshold, the share of weights that are smaller than that share of the largest at
            their position (in size);
            ``codes_per_position``: how many codes are mixed, on average (may be left out).
            A hard quantizer has no weights: its last four are ``None`` or left out.
        title: what the figure shows.

    Raises:
        SvqkitError: there is no usage, or one uses no code or lacks ``share``, ``perplexity`` or
            ``dead_codes``.
    """
    _check(usage)
    colours = {name: style.colour for name, style in line_styles(usage).items()}
    names = display_names(usage)
    with use():
        figure = new_figure(FULL_WIDTH, 4.5 + 0.15 * len(usage))
        (often, strong), (spread, sparse) = figure.subplots(2, 2)
        for name, codebook in usage.items():
            _draw_by_rank(often, codebook["share"], colours[name], _facts(names[name], codebook))
        _label(often, "How often a code is strongest", "Codes, most frequent first", "Share of positions")

        _draw_weights(strong, usage, "strength", colours, _draw_by_rank)
        _label(strong, "How strong a code is", "Codes, strongest first", "Mean |weight|")

        _draw_weights(spread, usage, "histogram", colours, _draw_density)
        _label(spread, "Distribution of all weights", "Weight [standard deviations]", "Density")

        _draw_weights(sparse, usage, "sparsity", colours, _draw_below)
        size = "Size, as a share of the largest at its position"
        _label(sparse, "How many weights are near zero", size, "Share of weights below")

        for axes, key in ((strong, "strength"), (spread, "histogram"), (sparse, "sparsity")):
            _say_who_is_hard(axes, [names[name] for name, codebook in usage.items() if codebook.get(key) is None])
        figure.legend(*often.get_legend_handles_labels(), loc="outside lower center")
        heading(figure, title or "Use of the codebook")
    return figure


def rank_frequency(usage: Mapping[str, Sequence[Usage]], title: str | None = None) -> Figure:
    """Draw how often each code is the strongest one, by rank: a plot for each quantizer, a line for each seed.

    Quantizers that mix codes (with a ``histogram`` of their weights) are orange, hard ones blue. A grey line shows K
    codes that all win equally often. Above each plot stand the perplexity (of the seeds the lowest
    and the highest) and K. Codes that never win have no place on the logarithmic axes; the line ends before them.

    Args:
        usage: by the quantizer's name the usage of each seed, with the keys ``share``, ``perplexity`` and
            ``dead_codes`` of ``usage_figure``, and ``histogram`` where there is one.
        title: what the figure shows.

    Raises:
        SvqkitError: there is no usage, or one uses no code or lacks a key.
    """
    if not usage:
        _check({})
    for name, seeds in usage.items():
        _check({f"{name}, seed {number}": seed_usage for number, seed_usage in enumerate(seeds)} if seeds else {})
    with use():
        figure, axes = small_multiples(len(usage), 1.55, "Rank of the code", "Share of wins")
        for ax, (name, seeds) in zip(axes, usage.items(), strict=True):
            for seed_usage in seeds:
                mixes = seed_usage.get("histogram") is not None
                _draw_by_rank(ax, seed_usage["share"], LINE_STYLES["svq" if mixes else "none"].colour, few=2)
            codes = len(seeds[0]["share"])
            ax.plot([1, codes], [1 / codes] * 2, color="#999999", linewidth=0.8, zorder=1)
            perplexities = [float(seed_usage["perplexity"]) for seed_usage in seeds]
            low, high = f"{min(perplexities):.0f}", f"{max(perplexities):.0f}"
            ax.set_title(f"{name}\nperplexity {low if low == high else f'{low}–{high}'} of {codes:,}", size=7)
            ax.grid(True)
        heading(figure, title or "How often each code is the strongest")
    return figure


def _check(usage: Mapping[str, Usage]) -> None:
    if not usage:
        raise SvqkitError("There is no codebook to draw: give the usage of one experiment or more.")
    for name, entry in usage.items():
        missing = [key for key in ("share", "perplexity", "dead_codes") if entry.get(key) is None]
        if missing:
            raise SvqkitError(f"The codebook usage of {name} lacks {', '.join(missing)}.")
        if not np.nansum(entry["share"]) > 0:
            raise SvqkitError(f"The codebook usage of {name} has no code that is ever the strongest.")


def _facts(name: str, usage: Usage) -> str:
    size, dead = len(usage["share"]), int(usage["dead_codes"])
    facts = f"{name}: {size} codes, {dead} dead ({dead / size:.1%}), perplexity {float(usage['perplexity']):.1f}"
    mixed = usage.get("codes_per_position")
    return facts if mixed is None else f"{facts}, {float(mixed):.1f} codes mixed"


def _draw_weights(
    axes: Axes,
    usage: Mapping[str, Usage],
    key: str,
    colours: Mapping[str, str],
    draw: Callable[[Axes, Any, str], None],
) -> None:
    """Draw what experiments with weights have under ``key``."""
    for name, codebook in usage.items():
        if codebook.get(key) is not None:
            draw(axes, codebook[key], colours[name])


def _say_who_is_hard(axes: Axes, names: list[str]) -> None:
    """Say that experiments ``names`` have no weights: in an empty panel, or above one where others have some."""
    if not axes.has_data():
        axes.text(0.5, 0.5, _HARD, transform=axes.transAxes, ha="center", va="center", color="#555555")
        axes.set(xticks=[], yticks=[])
    elif names:
        axes.set_title(f"{axes.get_title()}\n({', '.join(names)}: {_HARD})")


def _draw_by_rank(axes: Axes, amounts: np.ndarray, colour: str, label: str | None = None, few: int = 20) -> None:
    """Draw amounts from the largest to the smallest, with a marker each where there are fewer than ``few``."""
    ranked = np.sort(np.asarray(amounts, dtype=float))[::-1]
    ranked = ranked[ranked > 0]  # codes that are never used have no place on a logarithmic axis
    marker = "o" if ranked.size < few else ""  # a single code would be no line
    axes.plot(np.arange(1, ranked.size + 1), ranked, marker=marker, color=colour, label=label)
    axes.set(xscale="log", yscale="log")


def _draw_density(axes: Axes, histogram: tuple[np.ndarray, np.ndarray], colour: str) -> None:
    import seaborn as sns  # here, since it takes half a second that only drawing needs

    edges, counts = (np.asarray(part, dtype=float) for part in histogram)
    if not axes.lines:
        at = np.linspace(edges[0], edges[-1], 201)
        axes.plot(at, np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi), ":", color="black", linewidth=1, label="normal")
        axes.legend(loc="upper left")
    bins = pd.DataFrame({"middle": (edges[:-1] + edges[1:]) / 2, "count": counts})
    outline = {"stat": "density", "element": "step", "fill": False, "color": colour, "linewidth": 1.3}
    sns.histplot(bins, x="middle", weights="count", bins=edges.tolist(), ax=axes, **outline)


def _draw_below(axes: Axes, sparsity: Mapping[float, float], colour: str) -> None:
    thresholds = sorted(sparsity, key=float)
    sizes = [float(threshold) for threshold in thresholds]
    axes.plot(sizes, [sparsity[threshold] for threshold in thresholds], "o-", color=colour)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_ylim(0, 1.03)


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title)
    axes.set(xlabel=x, ylabel=y)
    axes.grid(True)


def similarity_figure(similarity: np.ndarray, codes: Sequence[int], title: str | None = None) -> Figure:
    """Draw cosine similarity (n, n) of codes with the numbers ``codes`` (n,), as a matrix from −1 to 1."""
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
    """Draw cosine similarities (n, n) of the most frequent codes of several quantizers, side by side on one scale.

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
    """Return the mean |cosine| of two random directions in D dimensions, Γ(D/2) / (√π Γ((D + 1)/2)); 1 for D = 1."""
    return sqrt(1 / pi) * float(np.exp(lgamma(width / 2) - lgamma((width + 1) / 2)))


def code_effects(
    activity: xr.DataArray,
    everywhere: xr.DataArray,
    local: xr.DataArray,
    cells: Sequence[tuple[int, int]],
    units: str,
    title: str | None = None,
) -> Figure:
    """Draw a row for each code: where it is at work, and what it decodes to when added everywhere or in one place.

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
            for ax, code_field in zip(column, field, strict=True):
                draw_field(ax, code_field, DIVERGING, scale)
            column[0].set_title(heading_of)
            colour_bar(column, scale, DIVERGING, values, meaning, aspect=25)
        for ax, code_field, mean, cell in zip(axes[:, 0], activity, means.to_numpy(), cells, strict=True):
            mark_place(ax, code_field, cell)
            above = f"{ax.get_title()}\n" if ax is axes[0, 0] else ""
            ax.set_title(f"{above}mean {mean:.2f}".replace("-", "−"))
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
    """Draw the mean weight of each code (code, lat, lon) or (code, y, x), on one symmetric scale."""
    values = [field.to_numpy() for field in activity]
    scale = symmetric_scale(values)
    with use():
        figure, axes = one_panel_each(activity[0], activity.sizes["code"])
        for ax, field in zip(axes.flat, activity, strict=False):
            draw_field(ax, field, DIVERGING, scale)
            ax.set_title(f"Code {int(field['code'])}")
        for ax in axes.flat[activity.sizes["code"] :]:
            ax.set_visible(False)
        colour_bar(axes.flat, scale, DIVERGING, values, "Mean weight of the code")
        heading(figure, title or "Where the most frequent codes are at work")
        trim(figure, axes)
    return figure
