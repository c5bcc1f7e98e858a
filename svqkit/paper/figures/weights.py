"""F7: how the weights on the codes are distributed, and what the training loss and a price on them do to that."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from svqkit.errors import SvqkitError
from svqkit.paper.figures.captions import CaptionedFigure, about_data, about_seeds, sentences, titled
from svqkit.paper.results import Results
from svqkit.paper.selection import datasets_with, experiments_of, role
from svqkit.plots import display_name, heading, use
from svqkit.plots.names import LINE_STYLES
from svqkit.plots.panels import small_multiples
from svqkit.settings.params import Experiment

STUDIES = ("loss", "sparsity")
_LOSSES = {"mae": "MAE loss", "mse": "MSE loss", "huber": "Huber loss"}
_WEIGHTS = {"color": LINE_STYLES["svq"].colour, "linewidth": 0.9}
_NORMAL = {"color": "black", "linewidth": 1, "linestyle": ":"}
_FLOOR = 1e-5  # of the density: below it there are only single weights
_TOP = 1e3  # with room for words above the curves


def draw(results: Results) -> list[CaptionedFigure]:
    """Draw the distribution of SVQ's weights, a panel for each training loss and each price on the weights.

    One picture for each dataset with such runs in the studies "loss" and "sparsity".

    Raises:
        SvqkitError: there is none.
    """
    drawn = [_picture(results, dataset) for dataset in datasets_with(results, STUDIES)]
    there = [picture for picture in drawn if picture]
    if not there:
        raise SvqkitError(
            "Figure 7 shows the weights of SVQ trained with different losses; no such run of study "
            f"{' or '.join(STUDIES)} was scored. Train and score them: `dvc repro`."
        )
    return there


def weights_figure(usage: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> Figure:
    """Draw histograms of standardised weights on common axes, beside the normal curve.

    Args:
        usage: for each panel its name and, for each seed, a usage with ``histogram`` (edges (n + 1,), counts (n,)) of
            the weights in standard deviations, ``kurtosis``, and ``sparsity``: by threshold, the share of weights
            below that share of the largest at their position.
        title: of the figure.

    Raises:
        SvqkitError: there is no panel, or one without a seed.
    """
    if not usage or not all(usage.values()):
        raise SvqkitError("There are no weights to draw: give the usage of one run or more for each panel.")
    with use():
        figure, axes = small_multiples(len(usage), 1.9, "Weight [standard deviations]", "Density")
        for ax, (name, seeds) in zip(axes, usage.items(), strict=True):
            _draw_panel(ax, name, seeds)
        lines = [Line2D([], [], label="weights, each seed", **_WEIGHTS), Line2D([], [], label="normal", **_NORMAL)]
        figure.legend(handles=lines, loc="outside lower center", ncols=2)
        heading(figure, title)
    return figure


def _draw_panel(axes: Axes, name: str, seeds: Sequence[Mapping[str, Any]]) -> None:
    for seed_usage in seeds:
        edges, counts = (np.asarray(part, dtype=float) for part in seed_usage["histogram"])
        density = counts / (counts.sum() * np.diff(edges))
        axes.stairs(density, edges, baseline=_FLOOR, **_WEIGHTS)
    at = np.linspace(edges[0], edges[-1], 401)
    axes.plot(at, np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi), **_NORMAL)
    axes.set_yscale("log")
    axes.set_ylim(_FLOOR, _TOP)
    axes.set_yticks([1e-4, 1e-2, 1])
    axes.set_yticks([], minor=True)
    axes.set_title(name)
    near = sorted(map(float, seeds[0]["sparsity"]))
    said = [f"kurtosis {_mean_and_range([float(seed_usage['kurtosis']) for seed_usage in seeds], '.1f')}"]
    said += [
        f"{_mean([seed_usage['sparsity'] for seed_usage in seeds], limit):.0%} below {limit:.0%}" for limit in near
    ]
    axes.text(0.04, 0.97, "\n".join(said), transform=axes.transAxes, va="top", size=6)
    axes.grid(True, axis="y")


def _mean(by_limit: Sequence[Mapping[float, float]], limit: float) -> float:
    return fmean(share[limit] for share in by_limit)


def _mean_and_range(values: Sequence[float], form: str) -> str:
    """``"4.3 (3.2–4.9)"``; of a single value itself."""
    mean = f"{fmean(values):{form}}"
    return mean if len(values) == 1 else f"{mean} ({min(values):{form}}–{max(values):{form}})"


def _picture(results: Results, dataset: str) -> CaptionedFigure | None:
    usage = results.usage(dataset)
    members = [
        experiment
        for study in STUDIES
        for experiment in experiments_of(results, dataset, study)
        if role(experiment) == "svq" and f"{experiment.name}-seed{experiment.seeds[0]}" in usage
    ]
    members = list({member.name: member for member in members}.values())
    trained = [trained_words(member) for member in members]
    panels = {
        words if trained.count(words) == 1 else display_name(member.name): [
            usage[name] for seed in member.seeds if (name := f"{member.name}-seed{seed}") in usage
        ]
        for member, words in zip(members, trained, strict=True)
    }
    if not panels:
        return None
    title = titled(results, [dataset], f"{dataset}: weights of SVQ's codes, by training loss and L1 price")
    caption = sentences(
        f"Figure 7, {dataset}. Distribution of all weights that SVQ gives its codes at all positions of "
        f"test windows, in standard deviations, {about_seeds(members)} (one line each); weights beyond ±8 are counted "
        "in the outermost bins. Dotted: the normal distribution, whose kurtosis is 3. Above: kurtosis (mean and range "
        "over seeds), and the share of weights that are below 1 %, 10 % and 50 % of the largest of their position in "
        "size: only those near 0 could be left out.",
        about_data(results, [dataset]),
    )
    return CaptionedFigure(f"f7_{dataset}", weights_figure(panels, title), caption)


def trained_words(experiment: Experiment) -> str:
    """Return how a run was trained, from its settings: ``"MAE loss"``, ``"MAE loss, L1 = 0.001"``."""
    price = getattr(experiment.quantizer, "l1", 0.0)
    loss = _LOSSES.get(experiment.training.loss, experiment.training.loss)
    return f"{loss}, L1 = {price:g}" if price else loss
