"""F4: how the error of weather forecasts grows with lead time, against persistence and climatology."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from svqkit.errors import SvqkitError
from svqkit.paper.figures.captions import CaptionedFigure, about_data, about_seeds, about_windows, sentences, titled
from svqkit.paper.results import Results
from svqkit.paper.selection import experiments_of, one_unit
from svqkit.plots import display_names, heading, kind, lead_units, line_styles, new_figure, use
from svqkit.plots.curves import lines_by_lead
from svqkit.plots.fields import is_lat_lon
from svqkit.plots.names import BASELINES, metric_label, superscript, with_units
from svqkit.plots.style import COLUMN_WIDTH, FULL_WIDTH

_ANY = "weather"  # instead of the dataset's name
_HEIGHT = 1.75  # inches, of a row of panels
_MOST = 4  # panels in a row
_FEWEST, _MOST_DIGITS = -2, 3  # powers of ten of numbers that are written as they are


class Panel(NamedTuple):
    """What is drawn on one pair of axes; ``scores`` has the columns experiment, seed, lead and value."""

    title: str
    units: str
    scores: pd.DataFrame


def draw(results: Results) -> list[CaptionedFigure]:
    """Draw RMSE over lead time, of each run of the study "main", persistence and climatology.

    One picture has a panel for every dataset whose channels share a unit. A dataset of several units has a picture of
    its own, with a panel for each variable.

    Raises:
        SvqkitError: there is no weather dataset.
    """
    weather = [name for name in results.datasets if is_lat_lon(results.errors_of_persistence(name)["rmse"])]
    if not weather:
        raise SvqkitError(
            f"Figure 4 is of weather, on a grid of latitudes and longitudes; scored are {', '.join(results.datasets)}."
        )
    alike = [name for name in weather if one_unit(results, name)]
    pictures = {"f4": alike} if alike else {}
    pictures |= {f"f4_{name}": [name] for name in weather if name not in alike}
    return [_picture(results, key, datasets) for key, datasets in pictures.items()]


def _picture(results: Results, key: str, datasets: list[str]) -> CaptionedFigure:
    panels = [panel for name in datasets for panel in _panels(results, name)]
    what = "" if len(datasets) > 1 else f" of {datasets[0]}"
    units = lead_units(results.errors_of_persistence(datasets[0]))
    members = [experiment for name in datasets for experiment in experiments_of(results, name, "main")]
    caption = sentences(
        f"Figure 4. RMSE{what} by lead time, smaller is better: the root of the mean square over windows, places and "
        "channels (levels) of a panel.",
        f"Lines are means over {about_seeds(members)}; the band, where there is one, goes from the lowest to the "
        "highest seed. Every panel has a scale of its own.",
        about_windows(results, datasets),
        about_data(results, datasets),
    )
    title = titled(results, datasets, f"RMSE{what} by lead time")
    return CaptionedFigure(key, _draw(panels, f"Lead time [{units}]", title), caption)


def _panels(results: Results, dataset: str) -> list[Panel]:
    """One panel of all channels together if they share a unit, else one for each variable."""
    fields = results.errors_of_persistence(dataset)
    units = dict(zip(fields["channel"].to_numpy().tolist(), fields["unit"].to_numpy().tolist(), strict=True))
    squares = _squares(results, dataset)
    if one_unit(results, dataset):
        return [_panel(dataset, squares, list(units), units)]
    variables = _variables(list(units), results.settings.dataset(dataset).variables)
    return [_panel(name, squares, channels, units) for name, channels in variables.items()]


def _panel(title: str, squares: pd.DataFrame, channels: list[str], units: dict[str, str]) -> Panel:
    """The root of the mean over some channels, which share a unit."""
    chosen = squares[squares["channel"].isin(channels)]
    means = chosen.groupby(["experiment", "seed", "lead"], sort=False)["value"].mean()
    return Panel(title, units[channels[0]], means.pow(0.5).reset_index())


def _squares(results: Results, dataset: str) -> pd.DataFrame:
    """Mean squared errors by channel and lead, of the study "main" and the baselines."""
    scores = results.scores
    wanted = [experiment.name for experiment in experiments_of(results, dataset, "main")]
    chosen = scores[
        (scores["dataset"] == dataset)
        & (scores["experiment"].isin(wanted) | (scores["seed"] < 0))
        & (scores["metric"] == "mse")
        & (scores["protocol"] == "clean")
        & (scores["lead"] > 0)
        & np.isfinite(scores["value"])
    ]
    return chosen.assign(experiment=chosen["experiment"].map(_name_everywhere))


def _name_everywhere(experiment: str) -> str:
    """A name that the same model has on every dataset, so that it looks the same in every panel."""
    return experiment if experiment in BASELINES else f"{_ANY}-{kind(experiment)}"


def _variables(channels: list[str], variables: tuple[str, ...]) -> dict[str, list[str]]:
    """The channels of each variable: that of its name, or one for each level, ``<variable>_<level>``."""
    found = {
        name: [channel for channel in channels if channel == name or channel.startswith(f"{name}_")]
        for name in variables
    }
    return {name: members for name, members in found.items() if members}


def _draw(panels: list[Panel], lead_label: str, title: str) -> Figure:
    together = pd.concat([panel.scores for panel in panels], ignore_index=True)
    kinds = sorted(together["experiment"].unique(), key=lambda name: name in BASELINES)
    styles, names = line_styles(kinds), display_names(kinds)
    columns = min(len(panels), _MOST)
    rows = -(-len(panels) // columns)
    with use():
        figure = new_figure(COLUMN_WIDTH if columns == 1 else FULL_WIDTH, 0.7 + _HEIGHT * rows)
        axes = figure.subplots(rows, columns, squeeze=False)
        panel_axes = list(axes.flat)
        for ax, panel in zip(panel_axes, panels, strict=False):
            values, units = _short_numbers(panel)
            lines_by_lead(ax, values, styles, names)
            ax.set_title(with_units(panel.title, units))
            ax.set_ylim(bottom=0)
        for ax in panel_axes[len(panels) :]:
            ax.set_visible(False)
        for ax in panel_axes[max(len(panels) - columns, 0) : len(panels)]:  # nothing stands below these
            ax.set_xlabel(lead_label)
        for ax in axes[:, 0]:
            ax.set_ylabel(metric_label("rmse", None))
        lines = {
            label: line
            for ax in panel_axes[: len(panels)]
            for line, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        shown = [names[name] for name in kinds]
        figure.legend([lines[name] for name in shown], shown, loc="outside lower center", ncols=min(len(shown), 6))
        heading(figure, title)
    return figure


def _short_numbers(panel: Panel) -> tuple[pd.DataFrame, str]:
    """The scores and their units; of very large or small ones in units of a power of ten."""
    power = int(np.floor(np.log10(panel.scores["value"].max()))) if (panel.scores["value"] > 0).any() else 0
    if _FEWEST <= power <= _MOST_DIGITS:
        return panel.scores, superscript(panel.units)
    scaled = panel.scores.assign(value=panel.scores["value"] / 10.0**power)
    return scaled, superscript(f"10**{power} {panel.units}".strip())
