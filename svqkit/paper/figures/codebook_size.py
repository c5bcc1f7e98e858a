"""F5: does the error fall as the codebook grows?"""

from collections.abc import Iterable

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from svqkit.errors import SvqkitError
from svqkit.paper.drawn import Drawn
from svqkit.paper.figures.sweep import draw_sweep, sweep_points, sweeps
from svqkit.paper.figures.words import about_data, about_seeds, about_windows, sentences, titled
from svqkit.paper.relations import base_of
from svqkit.paper.results import Results
from svqkit.paper.selection import (
    BASE,
    datasets_with,
    experiments_of,
    role,
    seed_scores,
)
from svqkit.plots import display_names, heading, looks, metric_units, new_figure, units_of, use
from svqkit.plots.names import LOOKS, display_name, metric_label
from svqkit.plots.style import COLUMN_WIDTH
from svqkit.settings.params import Experiment

_STUDY = "codebook_size"


def draw(results: Results) -> list[Drawn]:
    """MSE over the number of codes, a line for each quantizer of the study "codebook_size", beside the base.

    Raises:
        SvqkitError: no experiment of that study was scored.
    """
    return [_picture(results, name) for name in datasets_with(results, [_STUDY])]


def _picture(results: Results, dataset: str) -> Drawn:
    members = [one for one in experiments_of(results, dataset, _STUDY) if role(one) != BASE]
    codes = _codes(results, dataset)
    counted = [one for one in members if one.name in codes]
    if not counted:
        raise SvqkitError(
            f"Figure 5 needs the numbers of codes of {dataset}'s runs of study {_STUDY!r}, and the scores hold none. "
            "Is one of their quantizers a codebook? Run the evaluate stage again: `dvc repro`."
        )
    settings = sweeps(counted, lambda one: codes[one.name], varied=(_STUDY, "levels"))
    base = base_of(counted[0], experiments_of(results, dataset))
    base_scores = pd.Series(dtype=float)
    if base is not None:
        scores = seed_scores(results, dataset)
        base_scores = scores.loc[scores["experiment"] == base.name, "value"]
    points = sweep_points(results, settings)
    caption = sentences(
        f"Figure 5, {dataset}. MSE over all lead times by the number of codes K, on a logarithmic axis. K counts all "
        "codes of the trained layer: those of every group, and of every step that has a codebook of its own. "
        f"{_layers(counted)}",
        f"Lines are means over {about_seeds(counted)}, dots single seeds.",
        f"The horizontal line is {display_name(base.name)} without a quantizer; its band goes from the lowest to the "
        f"highest of {about_seeds([base])}."
        if base
        else "",
        about_windows(results, [dataset]),
        about_data(results, [dataset]),
    )
    title = titled(results, [dataset], f"{dataset}: error over the size of the codebook")
    fields = {"persistence": results.errors_of_persistence(dataset)}
    units = metric_units(units_of(fields)).get("mse")
    return Drawn(f"f5_{dataset}", _draw(points, base_scores, metric_label("mse", units), title), caption)


def _codes(results: Results, dataset: str) -> dict[str, int]:
    """How many codes the trained layer of each experiment has."""
    measures = results.measures
    rows = measures[(measures["dataset"] == dataset) & (measures["metric"] == "codes")]
    return rows.groupby("experiment", sort=False)["value"].first().astype(int).to_dict()


def _layers(members: Iterable[Experiment]) -> str:
    """How the codes of quantizers with groups or steps are made up."""
    parts = []
    for experiment in {role(one): one for one in members}.values():
        quantizer = experiment.quantizer
        groups, steps = getattr(quantizer, "groups", 1), getattr(quantizer, "num_quantizers", 1)
        if groups * steps > 1:
            shared = "which share a codebook" if getattr(quantizer, "shared_codebook", False) else "each with its own"
            groups_words = f"{groups} groups of channels, each with " if groups > 1 else ""
            parts.append(f"{display_name(role(experiment))}: {groups_words}{steps} steps, {shared}.")
    return " ".join(parts)


def _draw(points: pd.DataFrame, base: pd.Series, label: str, title: str) -> Figure:
    kinds = list(points["family"].unique())
    with use():
        figure = new_figure(COLUMN_WIDTH, 2.9)
        axes = figure.subplots()
        if len(base):
            colour = LOOKS[BASE].colour
            axes.axhline(base.mean(), color=colour, linestyle="--", label=display_name(BASE))
            axes.axhspan(base.min(), base.max(), color=colour, alpha=0.15, linewidth=0)
        draw_sweep(axes, points, looks(kinds), display_names(kinds))
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:,g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="x", labelrotation=45)
        axes.set_xlabel("K, all codes of the layer")
        axes.set_ylabel(f"{label} (lower is better)")
        figure.legend(loc="outside lower center", ncols=2)
        heading(figure, title)
    return figure
