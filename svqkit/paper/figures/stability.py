"""F6: how smoothly trainings go with each quantizer, before and after the translator."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from svqkit.errors import SvqkitError
from svqkit.paper.figures.captions import CaptionedFigure, about_data, sentences, titled
from svqkit.paper.results import Results
from svqkit.paper.selection import BASE, base_of, datasets_with, experiments_of, largest_rise, role
from svqkit.plots import display_name, heading, use
from svqkit.plots.names import LINE_STYLES
from svqkit.plots.panels import small_multiples
from svqkit.settings.params import Experiment

STUDY = "stability"
_BEFORE, _AFTER, _BASE = "before the translator", "after the translator", "without quantizer"
# Blue and orange of the shared palette; lines differ in their dashes as well.
_LINES = {
    _BASE: {"color": "#999999", "linestyle": "-", "zorder": 1},
    _BEFORE: {"color": LINE_STYLES["none"].colour, "linestyle": "-", "zorder": 3},
    _AFTER: {"color": LINE_STYLES["svq"].colour, "linestyle": (0, (3, 1)), "zorder": 2},
}
_LOG_FROM = 4.0  # a loss that falls by this factor or more gets a logarithmic axis


@dataclass(frozen=True)
class Panel:
    """The trainings with one kind of quantizer.

    Attributes:
        name: the quantizer's.
        losses: where it stands ("before the translator", "after the translator", "without quantizer" for the base),
            and for each seed a table with the columns ``step`` and ``train_loss``.
    """

    name: str
    losses: Mapping[str, Sequence[pd.DataFrame]]


def draw(results: Results) -> list[CaptionedFigure]:
    """Draw training loss by step: a panel for each quantizer of study "stability", one picture for each dataset.

    A run without a record of its steps is left out.

    Raises:
        SvqkitError: there is no such study, or none of its runs has a record of its steps.
    """
    drawn = [_picture(results, dataset) for dataset in datasets_with(results, [STUDY])]
    there = [picture for picture in drawn if picture]
    if not there:
        raise SvqkitError(
            f"Figure 6 shows training losses by step, and no run of study '{STUDY}' has a record of them (steps.csv): "
            "train them again with this version of the kit."
        )
    return there


def stability_figure(panels: Sequence[Panel], loss: str, title: str) -> Figure:
    """Draw one panel for each quantizer: the training loss by step, a thin line for each seed.

    Above each panel stands the largest rise of the loss that any of its trainings had, see :func:`rise_words`. A loss
    that is not finite ends its line with a cross. Axes are logarithmic where the losses of a panel are positive and
    fall by a factor of 4 or more.

    Args:
        panels: what is drawn.
        loss: what the loss is, for the axes.
        title: of the figure.
    """
    with use():
        figure, axes = small_multiples(len(panels), 1.75, "Step", loss, share_y=False)
        for ax, panel in zip(axes, panels, strict=True):
            _draw_panel(ax, panel)
        used = [where for where in _LINES if any(panel.losses.get(where) for panel in panels)]
        handles = [Line2D([], [], label=where, **_LINES[where]) for where in used]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(used))
        heading(figure, title)
    return figure


def rise_words(trainings: Sequence[pd.DataFrame]) -> str:
    """Return the largest rise of the loss in any training, as a reader is told it.

    With losses l₁, l₂, … by step it is max over t of l_t / min(l₁ … l_t) − 1, ``"12 %"``: how far the loss got above
    the lowest it had been. Where a loss is not always positive, as with LFQ's entropies, that ratio means nothing and
    it is the largest l_t − min(l₁ … l_t), ``"+0.12"``. A loss that is not finite is ``"diverged"``.
    """
    losses = [training["train_loss"] for training in trainings]
    if any(math.isinf(largest_rise(loss)) for loss in losses):
        return "diverged"
    if all((loss > 0).all() for loss in losses):
        return f"{100 * max(map(largest_rise, losses)):.0f} %"
    return f"+{max(float((loss - loss.cummin()).max()) for loss in losses):.2g}"


def _draw_panel(axes: Axes, panel: Panel) -> None:
    every = pd.concat([training for trainings in panel.losses.values() for training in trainings])["train_loss"]
    finite = every[np.isfinite(every)]
    if len(finite) and finite.min() > 0 and finite.max() / finite.min() >= _LOG_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}" if finite.max() / finite.min() < 10 else "")
        axes.tick_params(axis="y", which="minor", labelsize=5)
    for where, trainings in panel.losses.items():
        for training in trainings:
            axes.plot(training["step"], training["train_loss"], linewidth=0.9, **_LINES[where])
            _mark_end(axes, training, _LINES[where]["color"])
    said = [
        f"{rise_words(panel.losses[where])} {where.split()[0]}"
        for where in (_BEFORE, _AFTER)
        if panel.losses.get(where)
    ]
    axes.set_title(f"{panel.name}\nrise {', '.join(said)}", size=7)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(True, axis="y")


def _mark_end(axes: Axes, training: pd.DataFrame, colour: str) -> None:
    """A cross at the last finite loss of a training that diverged."""
    bad = ~np.isfinite(training["train_loss"].to_numpy())
    before = training[: int(bad.argmax())]
    if bad.any() and len(before):
        axes.plot(before["step"].iloc[-1], before["train_loss"].iloc[-1], "x", color=colour, markersize=6, zorder=4)


def _picture(results: Results, dataset: str) -> CaptionedFigure | None:
    runs = results.runs(dataset)
    steps: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        if len(one := run.steps()):
            steps.setdefault(run.experiment.name, []).append(one)
    every = experiments_of(results, dataset)
    members = [
        experiment
        for experiment in experiments_of(results, dataset, STUDY)
        if role(experiment) != BASE and experiment.name in steps
    ]
    if not members:
        return None
    panels = [_panel(kind, members, every, steps) for kind in dict.fromkeys(map(role, members))]
    losses = {member.training.loss for member in members}
    loss = f"{losses.pop().upper()} loss" if len(losses) == 1 else "Training loss"
    title = titled(results, [dataset], f"{dataset}: training loss by quantizer and its place")
    bases = [training for panel in panels for training in panel.losses.get(_BASE, ())]
    base_rise = f" (of the base: {rise_words(bases)})" if bases else ""
    caption = sentences(
        f"Figure 6, {dataset}. Mean training loss, with the quantizer's own loss, between two looks at it (every 25 "
        "steps); a line for each seed. Rise: the most, over all seeds, that the loss got above the lowest it "
        f"had been before, in % of that{base_rise}; where a loss is not always positive, in its own units. In grey the "
        "same model without a quantizer, trained with the same loss function.",
        _missing(results, dataset, members),
        about_data(results, [dataset]),
    )
    return CaptionedFigure(f"f6_{dataset}", stability_figure(panels, loss, title), caption)


def _panel(
    kind: str, members: Sequence[Experiment], every: Sequence[Experiment], steps: Mapping[str, list[pd.DataFrame]]
) -> Panel:
    """The trainings of one kind of quantizer, and of the first base that has the same loss function and steps."""
    ours = [member for member in members if role(member) == kind]
    losses = {
        where: [
            table for member in ours if member.model.quantize_after_translator == after for table in steps[member.name]
        ]
        for where, after in ((_BEFORE, False), (_AFTER, True))
    }
    alike = [
        experiment
        for experiment in every
        if experiment.training.loss == ours[0].training.loss and experiment.name in steps
    ]
    base = base_of(ours[0], alike)
    named = display_name(f"{ours[0].dataset}-{kind}")
    return Panel(named, {**losses, **({_BASE: steps[base.name]} if base else {})})


def _missing(results: Results, dataset: str, members: Sequence[Experiment]) -> str:
    """Which experiments of the study have no record, such as those whose training diverged and was given up."""
    there = {member.name for member in members}
    absent = [
        experiment.name
        for experiment in results.settings.of_dataset(dataset)
        if STUDY in experiment.studies and role(experiment) != BASE and experiment.name not in there
    ]
    return f"Not there: {', '.join(absent)}." if absent else ""
