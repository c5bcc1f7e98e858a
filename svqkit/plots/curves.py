"""Lines with their bands over seeds, and changes with their intervals."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter

from svqkit.errors import SvqkitError
from svqkit.plots.names import (
    BASELINES,
    LINE_STYLES,
    LineStyle,
    baselines_last,
    display_names,
    field_name,
    kind,
    line_styles,
    need_columns,
    plain,
    variable_of,
    with_units,
)
from svqkit.plots.style import COLUMN_WIDTH, FULL_WIDTH, titled
from svqkit.plots.table import change_text

_FEW = 6  # so many numbers stand below a narrow panel
_MOST_COLUMNS = 4
_LONG = 25  # letters of a title that a narrow panel has no room for
_ROW = 0.17  # inches
_BAND = {"errorbar": ("pi", 100), "err_kws": {"alpha": 0.2, "linewidth": 0}}  # from the lowest to the highest


def lines(
    table: pd.DataFrame,
    x: str,
    y: str,
    labels: tuple[str, str],
    title: str,
    panel: str = "",
    line: str = "experiment",
    log: str = "",
    single: str = "",
    include: float | None = None,
) -> Figure:
    """Draw lines over ``x``: the mean over all rows of the same x, with a band from the lowest to the highest.

    Each panel has its own scale. Names, colours and markers are those of all figures; baselines are dashed. Where a
    panel has a single x, there is no line to draw: the values stand side by side.

    Args:
        table: a row for each value.
        x, y: its columns with the place and the height.
        labels: of the two axes, with units.
        title: what the figure shows.
        panel: the column with the name of the panel; without one there is one panel.
        line: the column with the experiment, or with any other name of a line.
        log: "x", "y" or "xy": the axes that are logarithmic.
        single: the column that tells single lines of one name from each other, such as "seed", to be drawn without
            markers instead of their mean and band.
        include: a height that is seen in every panel, such as 0.

    Raises:
        SvqkitError: a column is missing, or no row has a finite value.
    """
    import seaborn as sns  # here, since it takes half a second that only drawing needs

    need_columns(table, [x, y, line, *filter(None, (panel, single))], f"The table for {title!r}")
    table = table[np.isfinite(table[y].astype(float))]
    if table.empty:
        raise SvqkitError(f"There is nothing to draw for {title!r}: no value is finite.")
    every = baselines_last(table[line].unique())
    styles, names = line_styles(every), display_names(every)
    panels = dict(list(table.groupby(panel, sort=False))) if panel else {"": table}
    rows = -(-len(panels) // _MOST_COLUMNS)
    columns = -(-len(panels) // rows)
    width = COLUMN_WIDTH if columns == 1 else FULL_WIDTH
    with titled(title, width, 0.6 + 0.1 * len(every) + rows * (2.2 if columns < 3 else 1.7)) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, (name, part) in zip(grid.flat, panels.items(), strict=False):
            axes.set_title(name.replace(" [", "\n[") if len(name) > _LONG else name)
            axes.grid(True)
            if "y" not in log:
                axes.yaxis.set_major_formatter(lambda value, _: plain(f"{value:,g}"))
            if part[x].nunique() == 1 and not single:
                _side_by_side(axes, [part.loc[part[line] == one, y] for one in every], styles.values())
                axes.set_xlabel(f"{labels[0]}: {part[x].iloc[0]:g}")
                _include(axes, include)
                continue
            for one, of_line in part.groupby(line, sort=False):
                colour, marker = styles[one]
                style = {"color": colour, "linestyle": dash(one), "legend": False}
                if single:
                    style |= {"units": single, "estimator": None, "linewidth": 0.9}
                else:
                    style |= {"marker": marker, "markerfacecolor": "none", "markeredgecolor": colour, **_BAND}
                sns.lineplot(of_line, x=x, y=y, ax=axes, **style)
            _scale(axes, part, x, log)
            _include(axes, include)
            if axes.get_ylim()[0] < 0:
                axes.axhline(0, color="#555555", linewidth=0.8, zorder=1)
            axes.set(xlabel=labels[0], ylabel="")
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel(labels[1])
        if len(every) > 1:
            _legend(figure, [_key(one, names[one], styles[one], bool(single)) for one in every])
    return figure


def rmse_by_variable(scores: pd.DataFrame, units: Mapping[str, str]) -> pd.DataFrame:
    """Return the RMSE of variables: columns panel, experiment, seed, protocol, lead (0: all), value.

    There is one panel, "", where all channels share a unit. Else a mean over all means nothing, and each variable has a
    panel: the root of the mean square over its levels.

    Args:
        scores: tidy, with a channel, of one dataset.
        units: by channel.
    """
    keys = ["panel", "experiment", "seed", "protocol", "lead"]
    finite = scores[np.isfinite(scores["value"])]
    if len(set(units.values())) == 1:
        found = finite[(finite["metric"] == "rmse") & (finite["channel"] == "mean")]
        return found.assign(panel="")[[*keys, "value"]]
    squares = finite[(finite["metric"] == "mse") & finite["channel"].isin(list(units))]
    names = {channel: field_name(variable_of(channel)) for channel in units}
    panels = {channel: with_units(names[channel][:1].upper() + names[channel][1:], units[channel]) for channel in units}
    means = squares.assign(panel=squares["channel"].map(panels)).groupby(keys, sort=False)["value"].mean()
    return means.pow(0.5).reset_index()


def change_against(table: pd.DataFrame, base: str) -> pd.DataFrame:
    """Return the change of each model against the mean of the base at the same panel and lead, ``change`` in percent.

    Baselines are left out: beside them models would look alike.
    """
    models = table[~table["experiment"].map(kind).isin(BASELINES)]
    theirs = (
        models[models["experiment"] == base].groupby(["panel", "lead"])["value"].mean().rename("base").reset_index()
    )
    models = models[models["experiment"] != base].merge(theirs, on=["panel", "lead"])
    models = models.assign(panel=models["panel"].str.split(" [", regex=False).str[0])  # percent, whatever the unit
    return models.assign(change=100 * (models["value"] / models["base"] - 1))


def _include(axes: Axes, height: float | None) -> None:
    """Let the y-axis reach a height, and end there where nothing lies beyond."""
    if height is not None:
        low, high = axes.get_ylim()
        margin = 0.05 * (max(high, height) - min(low, height))
        axes.set_ylim(height if height <= low else low - margin, height if height >= high else high + margin)


def _scale(axes: Axes, part: pd.DataFrame, x: str, log: str) -> None:
    """Logarithmic axes with ticks 1, 2, 5, 10; or few x as ticks of their own."""
    for axis, scale in (("x", axes.set_xscale), ("y", axes.set_yscale)):
        if axis in log:
            scale("log")
            plain_ticks(getattr(axes, f"{axis}axis"))
    places = np.sort(part[x].unique())
    if "x" not in log:
        whole = MaxNLocator(_FEW, integer=True, steps=[1, 2, 3, 5, 6, 10])
        axes.xaxis.set_major_locator(FixedLocator(places) if len(places) <= _FEW else whole)


def plain_ticks(axis: Axis) -> None:
    """Write the numbers of a logarithmic axis as they are: 1, 2, 5 and 10, or fewer where it is long."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 30 * low else (1, 3) if high < 300 * low else (1,)))
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_formatter(NullFormatter())


def _side_by_side(axes: Axes, lines: Sequence[pd.Series], styles: Iterable[LineStyle]) -> None:
    """The values of one x: a mark at each mean, with a line from the lowest to the highest."""
    for place, (values, style) in enumerate(zip(lines, styles, strict=True)):
        if len(values):
            axes.plot([place, place], [values.min(), values.max()], color=style.colour)
            axes.plot(place, values.mean(), style.marker, color=style.colour, markerfacecolor="none")
    axes.set(xticks=[], xlim=(-0.5, len(lines) - 0.5))


def dash(experiment: str) -> str:
    """Return the dashes of a line: of baselines, and of a frozen codebook, which would hide the one that learns."""
    return "--" if kind(experiment) in BASELINES else "-." if kind(experiment).endswith("_frozen") else "-"


def _key(experiment: str, name: str, style: LineStyle, plain: bool = False) -> Line2D:
    """What stands for a line in the legend."""
    look = {"linestyle": dash(experiment), "marker": "" if plain else style.marker, "markerfacecolor": "none"}
    return Line2D([], [], color=style.colour, label=name, **look)


def _legend(figure: Figure, keys: Sequence[Line2D]) -> None:
    """Draw a legend below the panels, in as many columns as fit."""
    longest = max(len(str(key.get_label())) for key in keys) * 0.055 + 0.5  # inches
    columns = max(1, min(len(keys), int(figure.get_figwidth() / longest)))
    figure.legend(handles=keys, loc="outside lower center", ncols=columns)


def changes(table: pd.DataFrame, label: str, title: str) -> Figure:
    """Draw changes with their intervals, a row each: a mark, a bar from ``low`` to ``high``, its numbers at the right.

    Each panel has a scale of its own, with a line at 0. Marks are hollow where one training was compared with one, so
    that the bar leaves out the chance in training.

    Args:
        table: columns ``value``, ``low``, ``high`` in percent, ``experiment`` (its colour and name), ``seeds`` (how
            many trainings), ``panel`` (its heading), ``row`` (its name; experiments of one row stand close together),
            and ``published``, the published change, which may be NaN or absent.
        label: of the x-axis.
        title: what the figure shows.

    Raises:
        SvqkitError: there is no row, or a column is missing.
    """
    need_columns(table, ("value", "low", "high", "experiment", "seeds", "panel", "row"), f"The table for {title!r}")
    if table.empty:
        raise SvqkitError(f"There is nothing to draw for {title!r}: no experiment was compared with another.")
    every = baselines_last(table["experiment"].unique())
    styles, names = line_styles(every), display_names(every)
    several = table.groupby(["panel", "row"]).size().max() > 1
    space = _ROW * (0.65 if several else 1)
    panels = dict(list(table.groupby("panel", sort=False)))
    counts = [len(part) + 0.5 * part["row"].nunique() for part in panels.values()]
    with titled(title, FULL_WIDTH, 1.1 + 0.25 * len(panels) + space * sum(counts)) as figure:
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=counts)
        for axes, (name, part) in zip(grid[:, 0], panels.items(), strict=True):
            height, ticks = 0.0, {}
            for what, members in part.groupby("row", sort=False):
                ticks[what] = height - (len(members) - 1) / 2
                for found in members.sort_values("experiment", key=lambda names: names.map(every.index)).itertuples():
                    is_svq = kind(found.experiment).split("-")[0] == "svq"  # where all others look alike
                    style = styles[found.experiment] if several else LINE_STYLES["svq" if is_svq else "none"]
                    fill = {"markerfacecolor": "white"} if found.seeds == 1 else {}
                    axes.plot([found.low, found.high], [height, height], color=style.colour)
                    axes.plot(found.value, height, style.marker, color=style.colour, **fill)
                    if pd.notna(getattr(found, "published", np.nan)):
                        axes.plot(found.published, height, "d", color="black", markerfacecolor="none")
                    words = change_text(*(share / 100 for share in (found.value, found.low, found.high)))
                    axes.text(1.01, height, words, transform=axes.get_yaxis_transform(), va="center", size=6.5)
                    height -= 1
                height -= 0.5
            axes.set_yticks(list(ticks.values()), list(ticks))
            axes.set_ylim(height + 0.5, 0.7)
            axes.axvline(0, color="#555555", linewidth=0.8, zorder=1)
            axes.set_title(name, loc="left")
            axes.grid(True, axis="x")
        grid[-1, 0].set_xlabel(label)
        marks = [(names[one], *styles[one], styles[one].colour) for one in every] if several else []
        if (table["seeds"] == 1).any():
            marks.append(("one training only", "#555555", "o", "white"))
        if "published" in table and table["published"].notna().any():
            marks.append(("published, on real data", "black", "d", "none"))
        if marks:
            keys = [
                Line2D([], [], linestyle="", color=colour, marker=marker, markerfacecolor=inside, label=label)
                for label, colour, marker, inside in marks
            ]
            _legend(figure, keys)
    return figure
