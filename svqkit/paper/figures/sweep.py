"""A score over a setting that is varied: a line for each family of experiments, a dot for each seed."""

from collections.abc import Callable, Collection, Iterable, Mapping

import pandas as pd
from matplotlib.axes import Axes

from svqkit.paper.results import Results
from svqkit.paper.selection import families, seed_scores
from svqkit.plots.names import Look
from svqkit.settings.params import Experiment


def sweeps(
    experiments: Iterable[Experiment], setting: Callable[[Experiment], float], varied: Collection[str]
) -> dict[str, dict[float, Experiment]]:
    """Experiments by family and by the value of a setting, which rises.

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
    """The MSE of every run of a sweep: columns family, setting, seed, value.

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


def draw_sweep(axes: Axes, points: pd.DataFrame, look: Mapping[str, Look], names: Mapping[str, str]) -> None:
    """Draw each family's mean over seeds as a line, and its seeds as dots where there are several."""
    for family, part in points.groupby("family", sort=False):
        colour, marker = look[family]
        means = part.groupby("setting")["value"].mean()
        style = {"color": colour, "marker": marker, "markerfacecolor": "none", "label": names[family]}
        axes.plot(means.index, means, **style)
        several = part[part.groupby("setting")["seed"].transform("nunique") > 1]
        axes.plot(several["setting"], several["value"], ".", color=colour, alpha=0.5, markersize=3)
    axes.grid(True)
