"""How much of a codebook is used, and how sparse the weights on it are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.plots.multiples import small_multiples
from svqkit.plots.names import LOOKS, display_names, looks
from svqkit.plots.style import FULL_WIDTH, heading, new_figure, use

Usage = Mapping[str, Any]

_HARD = "hard assignment: one code per position"


def usage_figure(usage: Mapping[str, Usage], title: str | None = None) -> Figure:
    """Four panels on the codebooks of one or more experiments.

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
    colours = {name: look.colour for name, look in looks(usage).items()}
    names = display_names(usage)
    with use():
        figure = new_figure(FULL_WIDTH, 4.5 + 0.15 * len(usage))
        (often, strong), (spread, sparse) = figure.subplots(2, 2)
        for name, one in usage.items():
            _draw_by_rank(often, one["share"], colours[name], _facts(names[name], one))
        _label(often, "How often a code is strongest", "Codes, most frequent first", "Share of positions")

        _draw_weights(strong, usage, "strength", colours, _draw_by_rank)
        _label(strong, "How strong a code is", "Codes, strongest first", "Mean |weight|")

        _draw_weights(spread, usage, "histogram", colours, _draw_density)
        _label(spread, "Distribution of all weights", "Weight [standard deviations]", "Density")

        _draw_weights(sparse, usage, "sparsity", colours, _draw_below)
        size = "Size, as a share of the largest at its position"
        _label(sparse, "How many weights are near zero", size, "Share of weights below")

        for axes, key in ((strong, "strength"), (spread, "histogram"), (sparse, "sparsity")):
            _say_who_is_hard(axes, [names[name] for name, one in usage.items() if one.get(key) is None])
        figure.legend(*often.get_legend_handles_labels(), loc="outside lower center")
        heading(figure, title or "Use of the codebook")
    return figure


def rank_frequency(usage: Mapping[str, Sequence[Usage]], title: str | None = None) -> Figure:
    """How often each code is the strongest one, by rank: a plot for each quantizer, a line for each seed.

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
        _check({f"{name}, seed {number}": one for number, one in enumerate(seeds)} if seeds else {})
    with use():
        figure, axes = small_multiples(len(usage), 1.55, "Rank of the code", "Share of wins")
        for place, (name, seeds) in zip(axes, usage.items(), strict=True):
            for one in seeds:
                mixes = one.get("histogram") is not None
                _draw_by_rank(place, one["share"], LOOKS["svq" if mixes else "none"].colour, few=2)
            codes = len(seeds[0]["share"])
            place.plot([1, codes], [1 / codes] * 2, color="#999999", linewidth=0.8, zorder=1)
            perplexities = [float(one["perplexity"]) for one in seeds]
            low, high = f"{min(perplexities):.0f}", f"{max(perplexities):.0f}"
            place.set_title(f"{name}\nperplexity {low if low == high else f'{low}–{high}'} of {codes:,}", size=7)
            place.grid(True)
        heading(figure, title or "How often each code is the strongest")
    return figure


def _check(usage: Mapping[str, Usage]) -> None:
    if not usage:
        raise SvqkitError("There is no codebook to draw: give the usage of one experiment or more.")
    for name, one in usage.items():
        missing = [key for key in ("share", "perplexity", "dead_codes") if one.get(key) is None]
        if missing:
            raise SvqkitError(f"The codebook usage of {name} lacks {', '.join(missing)}.")
        if not np.nansum(one["share"]) > 0:
            raise SvqkitError(f"The codebook usage of {name} has no code that is ever the strongest.")


def _facts(name: str, one: Usage) -> str:
    size, dead = len(one["share"]), int(one["dead_codes"])
    facts = f"{name}: {size} codes, {dead} dead ({dead / size:.1%}), perplexity {float(one['perplexity']):.1f}"
    mixed = one.get("codes_per_position")
    return facts if mixed is None else f"{facts}, {float(mixed):.1f} codes mixed"


def _draw_weights(
    axes: Axes,
    usage: Mapping[str, Usage],
    key: str,
    colours: Mapping[str, str],
    draw: Callable[[Axes, Any, str], None],
) -> None:
    """Draw what experiments with weights have under ``key``."""
    for name, one in usage.items():
        if one.get(key) is not None:
            draw(axes, one[key], colours[name])


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
