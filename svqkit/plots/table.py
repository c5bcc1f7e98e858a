"""Tables of results: the mean and spread of each metric over seeds, next to published numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from svqkit.errors import SvqkitError
from svqkit.plots.names import METRICS, display_name, display_names, need_columns

OUR_RUN = "this run"


def results_table(
    scores: pd.DataFrame,
    metrics: Sequence[str] | None = None,
    published: pd.DataFrame | None = None,
    protocol: str = "clean",
    lead: int = 0,
) -> pd.DataFrame:
    """One row for each experiment, with the mean and spread of each metric over its seeds.

    Args:
        scores: columns ``experiment``, ``seed`` (-1 for baselines), ``protocol``, ``metric``, ``lead``
            (hours or frames; 0 over all) and ``value``.
        metrics: the metrics to show, in order; when ``None`` all that the scores hold, in the order of
            ``names.METRICS`` and then that of the scores.
        published: numbers that others reported, to stand below: columns ``experiment``, ``metric``, ``value``
            and, if known, ``source``.
        protocol: which protocol of the scores.
        lead: which lead time of the scores; 0 for all together.

    Returns:
        Index ``experiment`` (names for readers, in the order of the scores); columns ``source`` ("this run",
        or where a published number is from), ``seeds`` (how many; 0 for a baseline, missing when
        published), and for each metric ``<metric>_mean`` and ``<metric>_std`` (sample standard deviation
        over seeds; NaN for fewer than two, or where a value is infinite). A metric that an experiment has no
        score for is NaN.

    Raises:
        SvqkitError: a column is missing, there are no such scores, or an experiment has two values for one
            seed and metric.
    """
    need_columns(scores, ("experiment", "seed", "protocol", "metric", "lead", "value"), "The table of scores")
    chosen = scores[(scores["protocol"] == protocol) & (scores["lead"] == lead)]
    metrics = _metrics_in(chosen) if metrics is None else metrics
    chosen = chosen[chosen["metric"].isin(metrics)]
    if chosen.empty:
        raise SvqkitError(
            f"There are no scores for protocol {protocol!r}, lead {lead} and {', '.join(metrics) or 'any metric'}."
        )
    twice = chosen[chosen.duplicated(["experiment", "seed", "metric"])]
    if not twice.empty:
        one = twice.iloc[0]
        raise SvqkitError(f"The scores hold {one.metric} of {one.experiment}, seed {one.seed}, more than once.")

    names = display_names(chosen["experiment"].unique())
    rows = [
        {"experiment": names[name], "source": OUR_RUN, "seeds": _seeds(group), **_over_seeds(group, metrics)}
        for name, group in chosen.groupby("experiment", sort=False)
    ]
    if published is not None:
        rows += _published_rows(published, metrics)
    return pd.DataFrame(rows).set_index("experiment").astype({"seeds": "Int64"})


def metrics_of(table: pd.DataFrame) -> list[str]:
    """The metrics of a table of ``results_table``, in order."""
    return [column.removesuffix("_mean") for column in table.columns if column.endswith("_mean")]


def _metrics_in(scores: pd.DataFrame) -> list[str]:
    """The metrics that the scores hold, the well-known ones first."""
    there = list(scores["metric"].unique())
    return [*(metric for metric in METRICS if metric in there), *(metric for metric in there if metric not in METRICS)]


def _seeds(scores: pd.DataFrame) -> int:
    return int(scores.loc[scores["seed"] >= 0, "seed"].nunique())


def _over_seeds(scores: pd.DataFrame, metrics: Sequence[str]) -> dict[str, float]:
    by_metric = {metric: scores.loc[scores["metric"] == metric, "value"] for metric in metrics}
    return {
        f"{metric}_{what}": float(value)
        for metric, values in by_metric.items()
        for what, value in (("mean", values.mean()), ("std", _spread(values)))
    }


def _spread(values: pd.Series) -> float:
    """Sample standard deviation; around an infinite value there is none."""
    return float("nan") if np.isinf(values).any() else float(values.std(ddof=1))


def _published_rows(published: pd.DataFrame, metrics: Sequence[str]) -> list[dict[str, object]]:
    need_columns(published, ("experiment", "metric", "value"), "The table of published numbers")
    if "source" not in published:
        published = published.assign(source="published")
    published = published[published["metric"].isin(metrics)]
    return [
        {
            "experiment": display_name(name),
            "source": source,
            "seeds": pd.NA,
            **_over_seeds(numbers, metrics),
            **{f"{metric}_std": np.nan for metric in metrics},
        }
        for (name, source), numbers in published.groupby(["experiment", "source"], sort=False)
    ]
