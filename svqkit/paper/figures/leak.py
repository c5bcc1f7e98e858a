"""F11: what the reference's habits of scoring (protocol "paper") do to the scores, against the clean ones."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.paper.figures.captions import CaptionedFigure, about_data, about_seeds, sentences, titled
from svqkit.paper.results import Results
from svqkit.paper.selection import experiments_of, one_unit, role
from svqkit.plots import display_names, heading, line_styles, new_figure, use
from svqkit.plots.names import BASELINES, LineStyle, display_name
from svqkit.plots.style import FULL_WIDTH
from svqkit.settings.data import Dataset, HumanData, KittiCaltechData, KTHData, WeatherData
from svqkit.settings.params import Experiment

_ROW = 0.36  # inches
_LINEAR = 1.0  # percent: an axis that is logarithmic beyond is linear up to here
_LOG_FROM = 20.0  # percent: an axis that goes further is logarithmic


def draw(results: Results) -> list[CaptionedFigure]:
    r"""Draw MSE under protocol "paper" relative to "clean", :math:`100\,(m_{paper} / m_{clean} - 1)` in percent.

    A row for each dataset (and translator, where the study "main" has several), a mark for each model and baseline:
    mean over seeds, with a line from the lowest to the highest. Where the channels of a dataset have several units the
    ratio is the geometric mean of the channels' ratios.

    Raises:
        SvqkitError: no dataset was scored under both protocols.
    """
    changes = {name: protocol_changes(results, name) for name in results.datasets}
    changes = {name: table for name, table in changes.items() if len(table)}
    if not changes:
        raise SvqkitError(
            "Figure 11 needs scores under both protocols, and no dataset has any under 'paper'; notes.json beside the "
            "scores says why."
        )
    datasets = list(changes)
    members = [experiment for name in datasets for experiment in _of_both(results, name)]
    title = titled(results, datasets, "What protocol “paper” does to the error")
    caption = sentences(
        "Figure 11. By how much the MSE over all lead times is higher (right of 0) or lower (left) when the same "
        "models are scored by the habits of the reference instead of the clean protocol.",
        _marks(members),
        _differences(results, datasets),
        _training(members),
        _unlike(results, datasets),
        _missing(results, datasets),
        _mixed(results, datasets),
        about_data(results, datasets),
    )
    return [CaptionedFigure("f11", _draw(pd.concat(changes.values(), ignore_index=True), title), caption)]


def protocol_changes(results: Results, dataset: str) -> pd.DataFrame:
    """Tabulate changes from protocol clean to paper.

    Columns: row (the name of a dataset, or with its translator), kind, seed, value in percent.
    """
    main = {experiment.name: experiment for experiment in _of_both(results, dataset)}
    several = len({experiment.model.translator for experiment in main.values()}) > 1
    scores = results.scores
    chosen = scores[
        (scores["dataset"] == dataset)
        & (scores["metric"] == "mse")
        & (scores["lead"] == 0)
        & (scores["experiment"].isin([*main, *BASELINES]))
    ]
    if one_unit(results, dataset):
        chosen = chosen[chosen["channel"] == "mean"]
    else:  # a mean over units means nothing
        chosen = chosen[chosen["channel"].isin(results.errors_of_persistence(dataset)["channel"].to_numpy().tolist())]
    by_protocol = chosen.pivot_table(
        index=["experiment", "seed", "channel"], columns="protocol", values="value", sort=False
    )
    if not {"clean", "paper"} <= set(by_protocol.columns):
        return pd.DataFrame()
    # a channel without any error, such as one that is constant, has no ratio
    ratios = (by_protocol["paper"] / by_protocol["clean"]).where((by_protocol[["clean", "paper"]] > 0).all(axis=1))
    means = np.exp(np.log(ratios.dropna()).groupby(["experiment", "seed"], sort=False).mean())
    rows = []
    for (experiment, seed), ratio in means.items():
        # baselines have no translator: they stand in the first one's row
        shown = main.get(experiment, next(iter(main.values()), None))
        row = f"{dataset}, {display_name(shown.model.translator)}" if several else dataset
        kind = role(main[experiment]) if experiment in main else experiment
        rows.append((row, kind, seed, 100 * (ratio - 1)))
    return pd.DataFrame(rows, columns=["row", "kind", "seed", "value"])


def _of_both(results: Results, dataset: str) -> list[Experiment]:
    """The experiments of study "main" whose training was on windows of both protocols."""
    main = experiments_of(results, dataset, "main")
    return [member for member in main if member.trained_for("clean") and member.trained_for("paper")]


def _differences(results: Results, datasets: list[str]) -> str:
    """What scoring under "paper" does differently, a sentence for all datasets of which the same is to be said."""
    said: dict[str, list[str]] = {}
    for name in datasets:
        said.setdefault(_difference(results.settings.dataset(name)), []).append(name)
    return " ".join(f"{', '.join(names)}: {what}." for what, names in said.items())


def _difference(data: Dataset) -> str:
    if isinstance(data, WeatherData):
        what = "test frames normalised with the test period's own mean and spread, the last windows left out"
        if not data.paper_offsets:
            return what
        hours = [data.hours_per_frame * offset for offset in (*data.paper_offsets.inputs, *data.paper_offsets.targets)]
        return f"{what}, and frames {_listed(hours)} h from the last one seen instead of consecutive ones"
    if isinstance(data, KTHData):
        return "windows of the slow actions step by a window's length, so there are fewer"
    if isinstance(data, HumanData):
        return "the published list of test sequences, which share persons and frames with the published training list"
    if isinstance(data, KittiCaltechData):
        return "red and blue of the test frames change places, since the reference reads them in another order"
    return "the same test windows, so the same scores"


def _listed(numbers: list[int]) -> str:
    return ", ".join(f"{number:+d}".replace("-", "−") if number else "0" for number in numbers)


def _marks(members: list[Experiment]) -> str:
    if not members:
        return ""
    return f"Marks are means over {about_seeds(members)}, lines go from the lowest to the highest."


def _training(members: list[Experiment]) -> str:
    """What is not in the numbers: how the weights were chosen."""
    if not members:
        return ""
    like_paper = [member.name for member in members if member.protocol == "paper"]
    if not like_paper:
        return (
            "All models were trained under the clean protocol: what the reference gains by choosing its best epoch on "
            "the test split comes on top, and is not measured here."
        )
    return f"Trained under protocol “paper”, with the best epoch chosen on the test split: {', '.join(like_paper)}."


def _unlike(results: Results, datasets: list[str]) -> str:
    left_out = [name for name in datasets if len(_of_both(results, name)) < len(experiments_of(results, name, "main"))]
    if not left_out:
        return ""
    return f"{', '.join(left_out)}: baselines only, since each model is made for the windows of one protocol."


def _missing(results: Results, there: list[str]) -> str:
    missing = [name for name in results.datasets if name not in there]
    return f"Not scored under “paper”: {', '.join(missing)}." if missing else ""


def _mixed(results: Results, datasets: list[str]) -> str:
    mixed = [name for name in datasets if not one_unit(results, name)]
    return f"{', '.join(mixed)}: geometric mean over channels, whose units differ." if mixed else ""


def _draw(changes: pd.DataFrame, title: str) -> Figure:
    rows = list(dict.fromkeys(changes["row"]))
    kinds = sorted(dict.fromkeys(changes["kind"]), key=lambda name: name in BASELINES)
    styles, names = line_styles(kinds), display_names(kinds)
    with use():
        figure = new_figure(FULL_WIDTH, 1.2 + _ROW * len(rows))
        axes = figure.subplots()
        for height, kind in zip(np.linspace(0.32, -0.32, len(kinds)) if len(kinds) > 1 else [0.0], kinds, strict=True):
            part = changes[changes["kind"] == kind]
            _draw_marks(axes, part, [len(rows) - 1 - rows.index(row) + height for row in part["row"]], styles[kind])
            axes.plot([], [], styles[kind].marker, color=styles[kind].colour, label=names[kind])
        axes.set_yticks(range(len(rows)), rows[::-1])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        for edge in range(1, len(rows)):
            axes.axhline(edge - 0.5, color="#d0d0d0", linewidth=0.4)
        axes.axvline(0, color="#555555", linewidth=0.8)
        axes.grid(True, axis="x")
        label = "Change of the MSE from clean to paper [%]"
        if changes["value"].abs().max() > _LOG_FROM:
            axes.set_xscale("symlog", linthresh=_LINEAR)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:+g}".replace("-", "−") if value else "0")
            label += f"; logarithmic beyond ±{_LINEAR:g} %"
        axes.set_xlabel(label)
        axes.margins(x=0.05)
        figure.legend(loc="outside lower center", ncols=min(len(kinds), 6))
        heading(figure, title)
    return figure


def _draw_marks(axes: Axes, part: pd.DataFrame, heights: list[float], style: LineStyle) -> None:
    """A mark at the mean over seeds of each row, with a line over their range."""
    for height, seeds in part.assign(height=heights).groupby("height")["value"]:
        axes.plot([seeds.min(), seeds.max()], [height, height], color=style.colour, linewidth=1)
        axes.plot(seeds.mean(), height, style.marker, color=style.colour)
