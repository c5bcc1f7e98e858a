"""F10: how much worse do models get whose inputs were perturbed while they were trained?"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svqkit.paper.drawn import Drawn
from svqkit.paper.figures.gains import EXPLANATION, HOLLOW, Gain, gain
from svqkit.paper.figures.sweep import draw_sweep, sweep_points, sweeps
from svqkit.paper.figures.words import about_data, about_seeds, about_windows, sentences, titled
from svqkit.paper.relations import base_of
from svqkit.paper.results import Results
from svqkit.paper.selection import BASE, datasets_with, experiments_of
from svqkit.plots import display_names, heading, looks, metric_units, new_figure, units_of, use
from svqkit.plots.names import Look, metric_label
from svqkit.plots.style import COLUMN_WIDTH
from svqkit.settings.params import Experiment

_STUDY = "noise"
_OFFSET = 0.6  # percent of noise, between the intervals of two families


def draw(results: Results) -> list[Drawn]:
    """MSE over the share of input values that is perturbed while training, and the improvement over the base there.

    Raises:
        SvqkitError: no experiment of the study "noise" was scored, or there are no errors by window.
    """
    return [_picture(results, name) for name in datasets_with(results, [_STUDY])]


def _picture(results: Results, dataset: str) -> Drawn:
    members = experiments_of(results, dataset, _STUDY)
    settings = sweeps(members, _percent, varied=(_STUDY,))
    gains = {
        family: {percent: gain(results, one, base) for percent, one in alike.items() if (base := base_of(one, members))}
        for family, alike in settings.items()
        if family != BASE
    }
    points = sweep_points(results, settings)
    caption = sentences(
        f"Figure 10, {dataset}. Above, the MSE over all lead times of models that were trained with a share of their "
        "input values multiplied by random numbers between −2 and 2; tested without. Lines are means over "
        f"{about_seeds(members)}, dots single seeds. Below, the improvement over the model without a quantizer that "
        "was trained with the same noise.",
        EXPLANATION,
        about_windows(results, [dataset]),
        about_data(results, [dataset]),
    )
    fields = {"persistence": results.errors_of_persistence(dataset)}
    label = metric_label("mse", metric_units(units_of(fields)).get("mse"))
    title = titled(results, [dataset], f"{dataset}: robustness to noise")
    return Drawn(f"f10_{dataset}", _draw(points, gains, label, title), caption)


def _percent(experiment: Experiment) -> float:
    return 100 * experiment.model.noise


def _draw(points: pd.DataFrame, gains: dict[str, dict[float, Gain]], label: str, title: str) -> Figure:
    kinds = list(points["family"].unique())
    look, names = looks(kinds), display_names(kinds)
    compared = {family: found for family, found in gains.items() if found}
    with use():
        figure = new_figure(COLUMN_WIDTH, 4.0 if compared else 2.9)
        rows = 2 if compared else 1
        axes = figure.subplots(rows, 1, squeeze=False, sharex=True, height_ratios=[3, 2][:rows])[:, 0]
        draw_sweep(axes[0], points, look, names)
        axes[0].set_ylabel(f"{label} (lower is better)")
        if compared:
            _draw_gains(axes[1], compared, look)
            axes[1].set_ylabel("Improvement over\nSimVP [%]")
        axes[-1].set_xlabel("Input values perturbed while training [%]")
        axes[-1].set_xticks(sorted(points["setting"].unique()))
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        heading(figure, title)
    return figure


def _draw_gains(axes: Axes, gains: dict[str, dict[float, Gain]], look: dict[str, Look]) -> None:
    for number, (family, by_noise) in enumerate(gains.items()):
        colour, marker = look[family]
        for percent, found in by_noise.items():
            place = percent + (number - (len(gains) - 1) / 2) * _OFFSET
            axes.plot([place, place], [found.low, found.high], color=colour)
            axes.plot(place, found.value, marker, color=colour, markerfacecolor=found.filling)
            if len(found.by_seed) > 1:
                axes.plot(
                    [place + _OFFSET] * len(found.by_seed), found.by_seed, ".", color=colour, alpha=0.5, markersize=3
                )
    if any(found.pairs == 1 for by_noise in gains.values() for found in by_noise.values()):
        axes.set_title(HOLLOW, loc="left", size=6)
    axes.axhline(0, color="#555555", linewidth=0.8, zorder=1)
    axes.grid(True)
