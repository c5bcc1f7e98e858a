"""F5 and F10: the error over the size of the codebook, and over the share of noise in the input."""

from collections.abc import Callable, Collection, Iterable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from svqkit.errors import SvqkitError
from svqkit.paper.figures.captions import CaptionedFigure, about_data, about_seeds, about_windows, sentences, titled
from svqkit.paper.figures.gains import EXPLANATION, HOLLOW, Gain, gain
from svqkit.paper.results import Results
from svqkit.paper.selection import (
    BASE,
    base_of,
    datasets_with,
    experiments_of,
    families,
    role,
    seed_scores,
)
from svqkit.plots import display_names, heading, line_styles, metric_units, new_figure, units_of, use
from svqkit.plots.names import LINE_STYLES, LineStyle, display_name, metric_label
from svqkit.plots.style import COLUMN_WIDTH
from svqkit.settings.params import Experiment

_SIZES = "codebook_size"

_NOISE = "noise"
_OFFSET = 0.6  # percent of noise, between the intervals of two families


def sweeps(
    experiments: Iterable[Experiment], setting: Callable[[Experiment], float], varied: Collection[str]
) -> dict[str, dict[float, Experiment]]:
    """Return experiments by family and by the value of a setting, which rises.

    Args:
        experiments: of one dataset.
        setting: the value of what is varied.
        varied: what it is called in the settings of quantizers and models.

    Of two experiments of a family with the same value, which differ in their training, the later one stands alone.
    """
    found: dict[str, dict[float, Experiment]] = {}
    for family, alike in families(experiments, varied).items():
        for experiment in sorted(alike, key=setting):
            line = found.setdefault(family, {})
            if setting(experiment) in line:
                line = found.setdefault(experiment.name, {})
            line[setting(experiment)] = experiment
    return found


def sweep_points(results: Results, settings: Mapping[str, Mapping[float, Experiment]]) -> pd.DataFrame:
    """Return the MSE of every run of a sweep: columns family, setting, seed, value.

    Args:
        results: where the scores are.
        settings: by family and value of the setting the experiment, all of one dataset.
    """
    rows = []
    for family, members in settings.items():
        for setting, experiment in members.items():
            scores = seed_scores(results, experiment.dataset)
            found = scores[scores["experiment"] == experiment.name]
            rows += [(family, setting, row.seed, row.value) for row in found.itertuples()]
    return pd.DataFrame(rows, columns=["family", "setting", "seed", "value"])


def draw_sweep(axes: Axes, points: pd.DataFrame, styles: Mapping[str, LineStyle], names: Mapping[str, str]) -> None:
    """Draw each family's mean over seeds as a line, and its seeds as dots where there are several."""
    for family, part in points.groupby("family", sort=False):
        colour, marker = styles[family]
        means = part.groupby("setting")["value"].mean()
        style = {"color": colour, "marker": marker, "markerfacecolor": "none", "label": names[family]}
        axes.plot(means.index, means, **style)
        several = part[part.groupby("setting")["seed"].transform("nunique") > 1]
        axes.plot(several["setting"], several["value"], ".", color=colour, alpha=0.5, markersize=3)
    axes.grid(True)


def draw_codebook_size(results: Results) -> list[CaptionedFigure]:
    """Draw MSE over the number of codes, a line for each quantizer of the study "codebook_size", beside the base.

    Raises:
        SvqkitError: no experiment of that study was scored.
    """
    return [_size_figure(results, name) for name in datasets_with(results, [_SIZES])]


def _size_figure(results: Results, dataset: str) -> CaptionedFigure:
    members = [experiment for experiment in experiments_of(results, dataset, _SIZES) if role(experiment) != BASE]
    codes = _codes(results, dataset)
    counted = [member for member in members if member.name in codes]
    if not counted:
        raise SvqkitError(
            f"Figure 5 needs the numbers of codes of {dataset}'s runs of study {_SIZES!r}, and the scores hold none. "
            "Is one of their quantizers a codebook? Run the evaluate stage again: `dvc repro`."
        )
    settings = sweeps(counted, lambda experiment: codes[experiment.name], varied=(_SIZES, "levels"))
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
    return CaptionedFigure(
        f"f5_{dataset}", _draw_sizes(points, base_scores, metric_label("mse", units), title), caption
    )


def _codes(results: Results, dataset: str) -> dict[str, int]:
    """How many codes the trained layer of each experiment has."""
    measures = results.measures
    rows = measures[(measures["dataset"] == dataset) & (measures["metric"] == "codes")]
    return rows.groupby("experiment", sort=False)["value"].first().astype(int).to_dict()


def _layers(members: Iterable[Experiment]) -> str:
    """How the codes of quantizers with groups or steps are made up."""
    parts = []
    for experiment in {role(member): member for member in members}.values():
        quantizer = experiment.quantizer
        groups, steps = getattr(quantizer, "groups", 1), getattr(quantizer, "num_quantizers", 1)
        if groups * steps > 1:
            shared = "which share a codebook" if getattr(quantizer, "shared_codebook", False) else "each with its own"
            groups_words = f"{groups} groups of channels, each with " if groups > 1 else ""
            parts.append(f"{display_name(role(experiment))}: {groups_words}{steps} steps, {shared}.")
    return " ".join(parts)


def _draw_sizes(points: pd.DataFrame, base: pd.Series, label: str, title: str) -> Figure:
    kinds = list(points["family"].unique())
    with use():
        figure = new_figure(COLUMN_WIDTH, 2.9)
        axes = figure.subplots()
        if len(base):
            colour = LINE_STYLES[BASE].colour
            axes.axhline(base.mean(), color=colour, linestyle="--", label=display_name(BASE))
            axes.axhspan(base.min(), base.max(), color=colour, alpha=0.15, linewidth=0)
        draw_sweep(axes, points, line_styles(kinds), display_names(kinds))
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


def draw_noise(results: Results) -> list[CaptionedFigure]:
    """Draw MSE over the share of input values perturbed while training, and the improvement over the base there.

    Raises:
        SvqkitError: no experiment of the study "noise" was scored, or there are no errors by window.
    """
    return [_noise_figure(results, name) for name in datasets_with(results, [_NOISE])]


def _noise_figure(results: Results, dataset: str) -> CaptionedFigure:
    members = experiments_of(results, dataset, _NOISE)
    settings = sweeps(members, lambda experiment: 100 * experiment.model.noise, varied=(_NOISE,))
    gains = {
        family: {
            percent: gain(results, experiment, base)
            for percent, experiment in alike.items()
            if (base := base_of(experiment, members))
        }
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
    return CaptionedFigure(f"f10_{dataset}", _draw_noise(points, gains, label, title), caption)


def _draw_noise(points: pd.DataFrame, gains: dict[str, dict[float, Gain]], label: str, title: str) -> Figure:
    kinds = list(points["family"].unique())
    styles, names = line_styles(kinds), display_names(kinds)
    compared = {family: found for family, found in gains.items() if found}
    with use():
        figure = new_figure(COLUMN_WIDTH, 4.0 if compared else 2.9)
        rows = 2 if compared else 1
        axes = figure.subplots(rows, 1, squeeze=False, sharex=True, height_ratios=[3, 2][:rows])[:, 0]
        draw_sweep(axes[0], points, styles, names)
        axes[0].set_ylabel(f"{label} (lower is better)")
        if compared:
            _draw_gains(axes[1], compared, styles)
            axes[1].set_ylabel("Improvement over\nSimVP [%]")
        axes[-1].set_xlabel("Input values perturbed while training [%]")
        axes[-1].set_xticks(sorted(points["setting"].unique()))
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        heading(figure, title)
    return figure


def _draw_gains(axes: Axes, gains: dict[str, dict[float, Gain]], styles: dict[str, LineStyle]) -> None:
    for number, (family, by_noise) in enumerate(gains.items()):
        colour, marker = styles[family]
        for percent, found in by_noise.items():
            x = percent + (number - (len(gains) - 1) / 2) * _OFFSET
            axes.plot([x, x], [found.low, found.high], color=colour)
            axes.plot(x, found.value, marker, color=colour, markerfacecolor=found.filling)
            if len(found.by_seed) > 1:
                axes.plot([x + _OFFSET] * len(found.by_seed), found.by_seed, ".", color=colour, alpha=0.5, markersize=3)
    if any(found.pairs == 1 for by_noise in gains.values() for found in by_noise.values()):
        axes.set_title(HOLLOW, loc="left", size=6)
    axes.axhline(0, color="#555555", linewidth=0.8, zorder=1)
    axes.grid(True)
