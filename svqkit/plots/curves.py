"""Curves: how the loss falls during training, and how the error grows with lead time."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter

from svqkit.errors import SvqkitError
from svqkit.plots.leads import short_units
from svqkit.plots.names import (
    BASELINES,
    HIGHER_IS_BETTER,
    LineStyle,
    display_names,
    kind,
    line_styles,
    metric_label,
    metric_name,
    need_columns,
)
from svqkit.plots.style import COLUMN_WIDTH, heading, new_figure, use

_LOG_FROM = 4.0  # losses that fall by this factor or more get a logarithmic axis
_TICKS = 6  # so many numbers stand below a narrow panel
_RANGE = ("pi", 100)  # seaborn's name for a band from the lowest to the highest
_BAND = {"alpha": 0.2, "linewidth": 0}
_DASHES = {"train_loss": "--", "validation_loss": "-"}


def learning_curves(
    logs: Mapping[str, Sequence[pd.DataFrame]], loss: str = "MSE loss", title: str | None = None
) -> Figure:
    """Draw training (dashed) and validation loss (solid) by epoch, with the learning rate below.

    Each experiment has a thin line for each seed and a thick one for their mean; the band goes from the
    lowest to the highest validation loss of its seeds.

    Args:
        logs: by experiment, one table for each seed with the columns ``epoch``, ``learning_rate``,
            ``train_loss`` and ``validation_loss`` (NaN where an epoch had no validation).
        loss: what the loss is, for the axis.
        title: what the figure shows.

    Raises:
        SvqkitError: there are no logs, or one lacks a column, has no finite loss or repeats an epoch.
    """
    runs = {name: _seeds_together(name, tables) for name, tables in logs.items()}
    if not runs:
        raise SvqkitError("There are no training logs to draw: give one experiment or more.")
    styles, names = line_styles(runs), display_names(runs)
    with use():
        figure = new_figure(COLUMN_WIDTH, 3.5)
        axes, rate_axes = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        for name, table in runs.items():
            _draw_losses(axes, table, styles[name].colour)
            rate = table.groupby("epoch")["learning_rate"].mean()
            rate_axes.plot(rate.index, rate, color=styles[name].colour, linewidth=1)
        losses = np.concatenate([table[list(_DASHES)].to_numpy().ravel() for table in runs.values()])
        scale_losses(axes, losses)
        axes.set_ylabel(loss)
        axes.grid(True, axis="y")
        rate_axes.set_ylabel("Learning\nrate")
        rate_axes.set_xlabel("Epoch")
        rate_axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        rate_axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0), useMathText=True)
        experiments = [Line2D([], [], color=styles[name].colour, label=names[name]) for name in runs]
        dashes = [
            Line2D(
                [],
                [],
                color="#555555",
                linestyle=dash,
                label=column.removesuffix("_loss").replace("train", "training"),
            )
            for column, dash in _DASHES.items()
        ]
        figure.legend(handles=[*dashes, *experiments], loc="outside lower center", ncols=3)
        heading(figure, title or "Loss during training")
    return figure


def scale_losses(axes: Axes, losses: np.ndarray) -> None:
    """Make the y-axis logarithmic where losses (any shape) are positive and fall by a factor of 4 or more."""
    finite = losses[np.isfinite(losses)]
    if finite.size and finite.min() > 0 and finite.max() / finite.min() >= _LOG_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())


def error_over_lead(
    scores: pd.DataFrame,
    metric: str = "rmse",
    protocol: str = "clean",
    units: str | None = None,
    title: str | None = None,
    lead_units: str = "h",
) -> Figure:
    """Draw a metric by lead time: mean over seeds, with a band from the lowest to the highest; baselines dashed.

    Where the baselines are so bad that the models' lines lie on one another, leave their rows out.

    Args:
        scores: columns ``experiment``, ``seed``, ``protocol``, ``metric``, ``lead`` (0, which is over all leads, is
            left out) and ``value``.
        metric: which metric.
        protocol: which protocol.
        units: the metric's units, such as ``"K"``.
        title: what the figure shows.
        lead_units: what the lead times count, "h" (or "hours") or "frames".

    Raises:
        SvqkitError: the scores lack a column, or have no finite value for this metric and protocol by lead.
    """
    chosen = _scores_by_lead(scores, metric, protocol)
    experiments = list(chosen["experiment"].unique())
    styles, names = line_styles(experiments), display_names(experiments)
    with use():
        figure = new_figure(COLUMN_WIDTH, 2.9)
        axes = figure.subplots()
        lines_by_lead(axes, chosen, styles, names)
        axes.set_xlabel(f"Lead time [{short_units(lead_units)}]")
        better = "higher" if metric in HIGHER_IS_BETTER else "lower"
        axes.set_ylabel(f"{metric_label(metric, units)} ({better} is better)")
        figure.legend(loc="outside lower center", ncols=3)
        heading(figure, title or f"{metric_name(metric)} by lead time")
    return figure


def lines_by_lead(axes: Axes, scores: pd.DataFrame, styles: Mapping[str, LineStyle], names: Mapping[str, str]) -> None:
    """Draw a line over lead time for each experiment: mean over seeds, a band from the lowest to the highest.

    Args:
        axes: where; it gets a grid and the lead times as ticks, or whole numbers where these are many. Its labels are
            left to the caller.
        scores: columns ``experiment``, ``seed``, ``lead`` and ``value``, of one metric.
        styles, names: colour and marker, and name in the legend, by experiment; baselines are dashed.
    """
    import seaborn as sns  # here, since it takes half a second that only drawing needs

    for name, of_seeds in scores.groupby("experiment", sort=False):
        colour, marker = styles[name]
        dash = "--" if kind(name) in BASELINES else "-"
        # hollow markers: of two lines that lie on one another both are seen
        hollow = {"marker": marker, "markerfacecolor": "none", "markeredgecolor": colour}
        style = {"color": colour, "linestyle": dash, "label": names[name], "legend": False, **hollow}
        # without their names, which would label the axes
        x, y = of_seeds[["lead", "value"]].to_numpy().T
        sns.lineplot(x=x, y=y, errorbar=_RANGE, err_kws=_BAND, ax=axes, **style)
    axes.grid(True)
    leads = np.unique(scores["lead"])
    few = len(leads) <= _TICKS
    axes.xaxis.set_major_locator(FixedLocator(leads) if few else MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _seeds_together(name: str, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The logs of an experiment's seeds in one table, with a column ``seed``."""
    if not tables:
        raise SvqkitError(f"{name} has no training log: give one table or more.")
    for table in tables:
        need_columns(table, ("epoch", "learning_rate", *_DASHES), f"A training log of {name}")
        empty = [column for column in _DASHES if not np.isfinite(table[column].astype(float)).any()]
        if empty:
            raise SvqkitError(f"A training log of {name} has no finite number in {', '.join(empty)}.")
        if table["epoch"].duplicated().any():
            epoch = table.loc[table["epoch"].duplicated(), "epoch"].iloc[0]
            raise SvqkitError(f"A training log of {name} holds epoch {epoch} more than once.")
    return pd.concat([table.assign(seed=seed) for seed, table in enumerate(tables)], ignore_index=True)


def _draw_losses(axes: Axes, table: pd.DataFrame, colour: str) -> None:
    import seaborn as sns

    for column, dash in _DASHES.items():
        style = {"x": "epoch", "y": column, "color": colour, "linestyle": dash, "ax": axes}
        if table["seed"].nunique() > 1:
            sns.lineplot(table, units="seed", estimator=None, linewidth=0.4, alpha=0.6, **style)
        band = _RANGE if column == "validation_loss" else None
        sns.lineplot(table, errorbar=band, err_kws=_BAND, **style)


def _scores_by_lead(scores: pd.DataFrame, metric: str, protocol: str) -> pd.DataFrame:
    need_columns(scores, ("experiment", "seed", "protocol", "metric", "lead", "value"), "The table of scores")
    finite = scores[(scores["lead"] > 0) & np.isfinite(scores["value"])]
    chosen = finite[(finite["metric"] == metric) & (finite["protocol"] == protocol)]
    if chosen.empty:
        pairs = sorted({f"{row.metric} ({row.protocol})" for row in finite.itertuples()})
        raise SvqkitError(
            f"There are no scores by lead time for {metric} ({protocol}); there are some for: "
            f"{', '.join(pairs) or 'nothing'}."
        )
    return chosen
