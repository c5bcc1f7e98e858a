"""F1: what each way to quantize does to the error of the model without it."""

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from svqkit.errors import SvqkitError
from svqkit.paper.figures.captions import CaptionedFigure, about_data, about_seeds, about_windows, sentences, titled
from svqkit.paper.figures.gains import EXPLANATION, Gain, gain
from svqkit.paper.published import COUNTERPARTS, compares, quotes
from svqkit.paper.results import Results
from svqkit.paper.selection import BASE, base_of, datasets_with, experiments_of, role
from svqkit.plots import display_name, heading, new_figure, study_title, use
from svqkit.plots.names import LINE_STYLES
from svqkit.plots.style import FULL_WIDTH
from svqkit.settings.params import Experiment

_STUDIES = ("quantizers", "controls")
_ROW = 0.2  # inches
_OURS, _SVQ, _PUBLISHED = "#333333", LINE_STYLES["svq"].colour, LINE_STYLES["none"].colour


class Row(NamedTuple):
    """One experiment against its base, and what was published of the same methods."""

    experiment: Experiment
    gain: Gain
    published: float | None


def draw(results: Results) -> list[CaptionedFigure]:
    """Draw improvement in MSE over the base, of the quantizers and, in a panel of their own, of the controls.

    One picture for each dataset that has such experiments, its rows from the best to the worst.

    Raises:
        SvqkitError: no such experiment was scored with its base, or there are no errors by window.
    """
    drawn = [_picture(results, name) for name in datasets_with(results, _STUDIES)]
    drawn = [picture for picture in drawn if picture is not None]
    if not drawn:
        raise SvqkitError(
            "Figure 1 compares quantizers with the same model without one, and no scored experiment of the studies "
            f"{' and '.join(_STUDIES)} has such a base. Add one (quantizer: {{name: {BASE}}}) to params.yaml."
        )
    return drawn


def _picture(results: Results, dataset: str) -> CaptionedFigure | None:
    everything = experiments_of(results, dataset)
    panels: dict[str, list[Row]] = {}
    alone = []
    for study in _STUDIES:
        for experiment in experiments_of(results, dataset, study):
            base = base_of(experiment, everything)
            if role(experiment) != BASE and base is None:
                alone.append(display_name(experiment.name))
            elif base is not None and role(experiment) != BASE:
                row = Row(experiment, gain(results, experiment, base), published_gain(results, experiment, base))
                panels.setdefault(study, []).append(row)
    if not panels:
        return None
    rows = [row for study in panels.values() for row in study]
    members = [row.experiment for row in rows]
    caption = sentences(
        f"Figure 1, {dataset}. What each quantizer, and each control, does to the MSE of the same model without a "
        "quantizer (SimVP).",
        EXPLANATION,
        f"{about_seeds(members)[:1].upper()}{about_seeds(members)[1:]} each.",
        "Open diamonds: the improvement between the published scores of these methods, on the real data, with the "
        "published codebooks and protocol; to be read beside the marks, not against them."
        if any(row.published is not None for row in rows)
        else "",
        f"Left out, since there is no model without a quantizer to compare with: {', '.join(alone)}." if alone else "",
        about_windows(results, [dataset]),
        about_data(results, [dataset]),
    )
    title = titled(results, [dataset], f"{dataset}: improvement over SimVP without a quantizer")
    return CaptionedFigure(f"f1_{dataset}", _draw(panels, title), caption)


def published_gain(results: Results, experiment: Experiment, base: Experiment) -> float | None:
    """Return the improvement in MSE between two published scores of one source [%]; None without them."""
    if not compares(experiment.dataset, results.settings.dataset(experiment.dataset)):
        return None
    scores = [
        quote
        for quote in quotes(experiment.dataset)
        if (quote.metric, quote.variable) == ("mse", "mean") and not quote.doubtful and quote.method in COUNTERPARTS
    ]
    for ours in scores:
        for theirs in scores:
            # numbers of two sources differ in more than the quantizer
            same_source = ours.source.partition(",")[0] == theirs.source.partition(",")[0]
            if (
                same_source
                and COUNTERPARTS[ours.method].is_like(experiment)
                and COUNTERPARTS[theirs.method].is_like(base)
            ):
                return 100 * (theirs.value - ours.value) / theirs.value
    return None


def _draw(panels: dict[str, list[Row]], title: str) -> Figure:
    counts = [len(rows) for rows in panels.values()]
    with use():
        figure = new_figure(FULL_WIDTH, 1.3 + _ROW * sum(counts) + 0.3 * len(panels))
        axes = figure.subplots(
            len(panels), 1, squeeze=False, sharex=True, height_ratios=[1 + count for count in counts]
        )
        for ax, (study, rows) in zip(axes[:, 0], panels.items(), strict=True):
            _draw_rows(ax, sorted(rows, key=lambda row: row.gain.value))
            ax.set_title(study_title(study), loc="left")
        axes[-1, 0].set_xlabel("Improvement in MSE over the model without a quantizer [%] (right of 0: better)")
        handles = [
            Line2D([], [], color=_OURS, marker="o", label="mean and 95 % interval"),
            Line2D([], [], color=_OURS, marker=".", alpha=0.5, linestyle="", label="single seeds"),
            Line2D([], [], color=_SVQ, marker="o", label="SVQ"),
        ]
        shown = [row for rows in panels.values() for row in rows]
        if any(row.gain.pairs == 1 for row in shown):
            handles.append(Line2D([], [], color=_OURS, marker="o", markerfacecolor="white", label="one seed only"))
        if any(row.published is not None for row in shown):
            style = {"color": _PUBLISHED, "marker": "D", "markerfacecolor": "none", "linestyle": ""}
            handles.append(Line2D([], [], label="published, on real data", **style))
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        heading(figure, title)
    return figure


def _draw_rows(axes: Axes, rows: list[Row]) -> None:
    """The worst at the bottom, each with its numbers at the right edge."""
    for height, (experiment, found, published) in enumerate(rows):
        colour = _SVQ if experiment.quantizer.name == "svq" else _OURS
        axes.plot([found.low, found.high], [height, height], color=colour)
        axes.plot(found.value, height, "o", color=colour, markerfacecolor=found.filling)
        axes.plot(found.by_seed, [height + 0.28] * len(found.by_seed), ".", color=colour, alpha=0.5, markersize=3)
        if published is not None:
            axes.plot(published, height, "D", color=_PUBLISHED, markerfacecolor="none")
        axes.text(1.01, height, found.words, transform=axes.get_yaxis_transform(), va="center", size=7, color=colour)
    axes.set_yticks(range(len(rows)), [display_name(row.experiment.name) for row in rows])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.grid(True, axis="x")
